//! The disk fills up while we serve: one clear sentence, nothing answered is lost, and space given back is used.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use http::StatusCode;
use serde_json::json;

use crate::{
    kit::http::Script,
    start::{
        outages::until_ready,
        process::{Folder, Served, program},
    },
};

/// Enough for the database of an empty installation, its log included.
const DISK: &str = "size=192m,mode=755";

/// Whether this user may mount a small disk where only its own processes see it.
fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    let may = tried.is_ok_and(|tried| tried.status.success());
    if !may {
        eprintln!(
            "a full disk is not tried: this user may not mount a small one (root in a plain container may)"
        );
    }
    may
}

/// `portreeve serve` with its data directory on a disk of its own, which ends with it.
fn serve(folder: &Folder) -> Served {
    let dir = folder.path().to_str().expect("a path in UTF-8");
    let script = format!("mount -t tmpfs -o {DISK} none \"$1\" && shift && exec \"$@\"");
    let portreeve =
        program(&["serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--metrics-listen", "off"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "/bin/sh", "-c", &script, "small-disk", dir]);
    command.arg(portreeve.get_program()).args(portreeve.get_args()).env_clear().current_dir("/");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    Served::launch(&mut command).ready()
}

/// The folder as the server sees it.
fn inside(served: &Served, folder: &Folder) -> PathBuf {
    Path::new(&format!("/proc/{}/root", served.pid()))
        .join(folder.path().strip_prefix("/").expect("absolute"))
}

/// Writes until nothing fits any more.
fn fill(file: &Path) {
    let mut file = File::create(file).expect("a file");
    for size in [1 << 20, 4096, 1] {
        let block = vec![0; size];
        while file.write_all(&block).is_ok() {}
    }
}

#[tokio::test]
async fn a_full_disk_is_told_in_one_sentence_and_loses_nothing() {
    if !may_mount() {
        return;
    }
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    let served = serve(&folder);
    let place = inside(&served, &folder);
    let key = bootstrap(&served, &folder);
    let script = Script::new(&served.base, Some(&key));
    let write = async |slug: String| {
        script.post("/api/v1/orgs/acme/teams", json!({"slug": slug, "name": slug})).await
    };
    let mut acknowledged = Vec::new();
    for number in 0..5 {
        let made = write(format!("before-{number}")).await.expect(StatusCode::CREATED);
        acknowledged.push(made.text("/id").to_owned());
    }

    let filler = place.join("filler");
    fill(&filler);
    let mut refusal = None;
    for number in 0..20_000 {
        let answer = write(format!("full-{number}")).await;
        if answer.status != StatusCode::CREATED {
            refusal = Some(answer);
            break;
        }
        acknowledged.push(answer.text("/id").to_owned());
    }
    let refusal = refusal.expect("a full disk stops writing").expect(StatusCode::SERVICE_UNAVAILABLE);
    let is_full = refusal.text("/code") == "disk_full";
    assert!(
        is_full || ["database_away", "outcome_unknown"].contains(&refusal.text("/code")),
        "{}",
        refusal.body
    );
    if is_full {
        assert!(refusal.text("/detail").contains("disk is full; nothing was changed"), "{}", refusal.body);
        script.get("/api/v1/orgs/acme/gate").await.expect(StatusCode::OK);
    }

    fs::remove_file(&filler).expect("it was there");
    until_ready(&served).await;
    acknowledged.push(write("after".to_owned()).await.expect(StatusCode::CREATED).text("/id").to_owned());
    for id in &acknowledged {
        script.get(&format!("/api/v1/orgs/acme/teams/{id}")).await.expect(StatusCode::OK);
    }
    eprintln!("{} answered writes outlived a full disk", acknowledged.len());
}

/// Makes the first owner from where the server's own disk is seen.
fn bootstrap(served: &Served, folder: &Folder) -> String {
    let dir = folder.path().to_str().expect("a path in UTF-8");
    let words = ["bootstrap", "--org", "acme", "--email", "ada@example.com", "--json", "--data-dir", dir];
    let portreeve = program(&words);
    let mut command = Command::new("nsenter");
    command.args([format!("--mount=/proc/{}/ns/mnt", served.pid())]).arg(portreeve.get_program());
    let made = command.args(portreeve.get_args()).env_clear().current_dir("/").output().expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    made["api_key"].as_str().expect("a key").to_owned()
}
