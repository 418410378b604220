//! The disk fills up while we serve: one clear sentence, nothing answered is lost, and space given back is used.

use std::{
    env,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use http::StatusCode;
use serde_json::json;
use sqlx::Executor;

use crate::{
    kit::http::Script,
    start::{
        outages::until_ready,
        process::{Folder, Served, program, run},
    },
};

/// Enough for the database of an empty installation, its log included.
const DISK: &str = "size=192m,mode=755";

/// The ways to mount a disk that only its own processes see: as root, and as anybody else in a user namespace.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-current-user", "--keep-caps", "--mount"]];

/// The way that this machine allows; none where its kernel allows neither. Whatever else is in the way is a failure
/// where somebody insists.
fn way_to_mount() -> Option<&'static [&'static str]> {
    let mut refusals = Vec::new();
    for way in WAYS {
        let tried = Command::new("unshare").args(way).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
        match tried {
            Ok(tried) if tried.status.success() => return Some(way),
            Ok(tried) => refusals.push(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
            Err(error) => refusals.push(format!("unshare: {error}")),
        }
    }
    let is_forbidden = |said: &String| {
        let said = said.to_lowercase();
        ["not permitted", "permission denied", "no space left"].iter().any(|words| said.contains(words))
    };
    let told = refusals.join("; ");
    let may_pass = env::var_os("CI").is_none() || refusals.iter().all(is_forbidden);
    assert!(may_pass, "no small disk can be mounted: {told}");
    eprintln!("a disk that is really full is not tried, for nothing may be mounted here: {told}");
    None
}

/// `portreeve serve` with its data directory on a disk of its own, which ends with it.
fn serve(folder: &Folder, way: &[&str]) -> Served {
    let dir = folder.path().to_str().expect("a path in UTF-8");
    let script = format!("mount -t tmpfs -o {DISK} none \"$1\" && shift && exec \"$@\"");
    let portreeve =
        program(&["serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--metrics-listen", "off"]);
    let mut command = Command::new("unshare");
    command.args(way).args(["/bin/sh", "-c", &script, "small-disk", dir]);
    command.arg(portreeve.get_program()).args(portreeve.get_args()).env_clear().current_dir("/");
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
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
    let Some(way) = way_to_mount() else {
        return;
    };
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    let served = serve(&folder, way);
    let place = inside(&served, &folder);
    let key = bootstrap(&served, &folder, way);
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

/// What Postgres says of a full disk is told as that wherever it comes up, also where no small disk can be mounted.
#[tokio::test]
async fn what_postgres_says_of_a_full_disk_is_told_in_one_sentence() {
    let folder = Folder::new();
    let served = Served::start(&folder);
    let made = run(&mut program(&[
        "bootstrap",
        "--org",
        "acme",
        "--email",
        "ada@example.com",
        "--json",
        "--data-dir",
        folder.path().to_str().expect("a path in UTF-8"),
    ]));
    let made: serde_json::Value = serde_json::from_str(&made.said).expect("JSON");
    let script = Script::new(&served.base, made["api_key"].as_str());
    let team = |slug: &str| json!({"slug": slug, "name": slug});
    let teams = "/api/v1/orgs/acme/teams";
    let before = script.post(teams, team("before")).await.expect(StatusCode::CREATED);

    let mut owner = folder.owner().await;
    // SQLSTATE disk_full: Postgres manual, appendix A.
    let full = "create function disk_is_full() returns trigger language plpgsql as
            $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$;
        create trigger full_disk before insert on teams execute function disk_is_full()";
    owner.execute(full).await.expect("a trigger");
    let refusal = script.post(teams, team("full")).await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refusal.text("/code"), "disk_full");
    assert!(refusal.text("/detail").contains("disk is full; nothing was changed"), "{}", refusal.body);
    assert_eq!(refusal.headers["retry-after"], "60");

    owner.execute("drop trigger full_disk on teams; drop function disk_is_full").await.expect("dropped");
    script.post(teams, team("full")).await.expect(StatusCode::CREATED);
    script.get(&format!("{teams}/{}", before.text("/id"))).await.expect(StatusCode::OK);
}

/// Makes the first owner from where the server's own disk is seen.
fn bootstrap(served: &Served, folder: &Folder, way: &[&str]) -> String {
    let dir = folder.path().to_str().expect("a path in UTF-8");
    let words = ["bootstrap", "--org", "acme", "--email", "ada@example.com", "--json", "--data-dir", dir];
    let portreeve = program(&words);
    let mut command = Command::new("nsenter");
    command.arg(format!("--mount=/proc/{}/ns/mnt", served.pid()));
    if way.contains(&"--user") {
        command.args([format!("--user=/proc/{}/ns/user", served.pid()).as_str(), "--preserve-credentials"]);
    }
    command.arg(portreeve.get_program());
    let made = command.args(portreeve.get_args()).env_clear().current_dir("/").output().expect("it runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    made["api_key"].as_str().expect("a key").to_owned()
}
