//! `kill -9` at any moment loses nothing, and the next start recovers by itself.

use std::{fs, os::unix::fs::MetadataExt, time::Duration};

use nix::sys::signal::Signal;
use sqlx::Connection;

use crate::start::process::{Folder, Served, is_alive, program, run, signal_to, until};

/// Writes a row that must be there ever after.
async fn keep(folder: &Folder, number: i32) {
    let mut owner = folder.owner().await;
    sqlx::raw_sql("create table if not exists kept (number integer)")
        .execute(&mut owner)
        .await
        .expect("made");
    sqlx::query("insert into kept values ($1)").bind(number).execute(&mut owner).await.expect("kept");
    owner.close().await.expect("closed");
}

async fn kept(folder: &Folder) -> Vec<i32> {
    let mut owner = folder.owner().await;
    let numbers = sqlx::query_scalar("select number from kept order by number").fetch_all(&mut owner).await;
    owner.close().await.expect("closed");
    numbers.expect("the table is there")
}

#[tokio::test]
async fn what_was_committed_survives_every_kind_of_end() {
    let folder = Folder::new();
    let mut served = Served::start(&folder);
    assert_eq!(served.status("/healthz").await, Some(200));
    assert_eq!(served.status("/readyz").await, Some(200));
    keep(&folder, 1).await;

    // A clean stop ends the database, too, and leaves no pid file.
    let postmaster = folder.postmaster().expect("it runs");
    served.signal(Signal::SIGTERM);
    assert!(served.wait().success());
    assert!(!is_alive(postmaster) && folder.postmaster().is_none());
    let served = Served::start(&folder);
    assert_eq!(kept(&folder).await, [1]);

    // The database alone: started again, by the same process.
    keep(&folder, 2).await;
    let postmaster = folder.postmaster().expect("it runs");
    signal_to(postmaster, Signal::SIGKILL);
    until("another database runs", || {
        folder.postmaster().is_some_and(|pid| pid != postmaster && is_alive(pid))
    });
    let mut served = served;
    served.line("Postgres is running again");
    assert_eq!(served.status("/readyz").await, Some(200));
    assert_eq!(kept(&folder).await, [1, 2]);

    // Us alone: the database ends with us.
    keep(&folder, 3).await;
    let postmaster = folder.postmaster().expect("it runs");
    served.signal(Signal::SIGKILL);
    served.wait();
    until("the database ends with us", || !is_alive(postmaster));
    let mut served = Served::start(&folder);
    assert_eq!(kept(&folder).await, [1, 2, 3]);

    // Both at once: the stale pid file and the zombie do not keep the next one from starting.
    keep(&folder, 4).await;
    let postmaster = folder.postmaster().expect("it runs");
    served.signal(Signal::SIGKILL);
    signal_to(postmaster, Signal::SIGKILL);
    served.wait();
    let served = Served::start(&folder);
    assert_eq!(kept(&folder).await, [1, 2, 3, 4]);
    assert_eq!(served.status("/readyz").await, Some(200));
}

#[tokio::test]
async fn a_first_start_that_was_cut_short_is_completed_by_the_next() {
    let folder = Folder::new();
    // At several moments of the making of the database, of its roles and of the schema.
    for millis in [0, 40, 200, 500, 900, 1300] {
        let mut served = Served::spawn(&folder);
        if millis == 0 {
            served.line("Creating the database");
        } else {
            std::thread::park_timeout(Duration::from_millis(millis));
        }
        served.signal(Signal::SIGKILL);
        served.wait();
    }
    let served = Served::start(&folder);
    assert_eq!(served.status("/readyz").await, Some(200));
    let left = fs::read_dir(folder.path().join("postgres")).expect("the database's folder");
    let mut left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["cluster", "run"]);
}

#[test]
fn a_long_path_gets_its_socket_elsewhere() {
    let folder = Folder::new();
    let long = folder.path().join("x".repeat(60)).join("y".repeat(60));
    let ended = run(&mut program(&["migrate", "--data-dir", long.to_str().expect("a path in UTF-8")]));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.said.contains("up to date"), "{}", ended.said);
}

#[test]
fn keys_and_passwords_lie_where_nobody_else_can_read_them() {
    let folder = Folder::new();
    let ended =
        run(&mut program(&["migrate", "--data-dir", folder.path().to_str().expect("a path in UTF-8")]));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let found = |name: &str| fs::symlink_metadata(folder.path().join(name)).expect(name);
    for (name, mode) in
        [("keys", 0o700), ("keys/master", 0o600), ("keys/database", 0o600), ("postgres", 0o700)]
    {
        assert_eq!(found(name).mode() & 0o777, mode, "{name}");
    }
    if found("keys").uid() == 0 {
        assert_ne!(found("postgres").uid(), 0, "as root the database belongs to somebody else");
    }
    let key = fs::read_to_string(folder.path().join("keys/master")).expect("the key");
    run(&mut program(&["migrate", "--data-dir", folder.path().to_str().expect("a path in UTF-8")]));
    assert_eq!(fs::read_to_string(folder.path().join("keys/master")).expect("the key"), key);
}
