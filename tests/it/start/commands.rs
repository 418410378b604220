//! The commands beside `serve`, as their users run them.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use portreeve::{
    base::{
        clock::Clock,
        ids::{OrgId, SealedId},
    },
    domain::{
        audit::{self, Unrecorded},
        vault::{Cell, MasterRing, Vault},
    },
    io::db::{
        Db, OrgScope, OrgTx, PoolSettings,
        builtin::{Access, Surroundings},
    },
};

use crate::start::process::{Ended, Folder, Served, program, run};

fn dir(folder: &Folder) -> &str {
    folder.path().to_str().expect("a path in UTF-8")
}

fn ask(folder: &Folder, words: &[&str]) -> Ended {
    run(program(words).args(["--data-dir", dir(folder)]))
}

fn status(folder: &Folder) -> serde_json::Value {
    let ended = ask(folder, &["keys", "status", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    serde_json::from_str(ended.said.lines().last().expect("a line")).expect("JSON")
}

/// Gives so many organizations a data key each, as sealing a first value does.
async fn plant_data_keys(folder: &Folder, count: usize) {
    let access =
        Access::of_running(folder.path(), &Surroundings::default()).expect("readable").expect("a database");
    let db = Db::lazy(access.app_options(), PoolSettings { max: 4, ..PoolSettings::default() });
    let text = fs::read_to_string(folder.path().join("keys/master")).expect("the key file");
    let vault = Vault::new(MasterRing::parse(text.trim()).expect("a ring"), Clock::system());
    for _ in 0..count {
        let mut tx = OrgTx::begin(&db, OrgScope::proven(OrgId::fresh())).await.expect("a transaction");
        let cell = Cell::new("letters", "sealed_content", SealedId::fresh());
        vault.seal(&mut tx, cell, b"something").await.expect("sealed");
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.expect("kept");
    }
    db.close().await;
}

#[tokio::test]
async fn keys_are_rotated_while_serving_and_the_next_start_has_them() {
    let folder = Folder::new();
    let served = Served::start(&folder);
    plant_data_keys(&folder, 250).await;
    // The instance may have made a key of its own meanwhile.
    assert!(status(&folder)["total"].as_i64().is_some_and(|total| (250..=251).contains(&total)));

    let ended = ask(&folder, &["keys", "rotate"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.said.contains("Made the master key k2"), "{}", ended.said);
    assert!(ended.said.contains("Done: 25"), "{}", ended.said);
    assert!(ended.said.contains("No longer needed: k1"), "{}", ended.said);
    assert_eq!(served.status("/readyz").await, Some(200));
    let after = status(&folder);
    assert_eq!((&after["remaining"], &after["master_keys"][0]["id"]), (&0.into(), &"k2".into()));
    assert_eq!(after["master_keys"][1]["removable"], true);

    drop(served);
    let again = Served::start(&folder);
    assert_eq!(again.status("/readyz").await, Some(200));
    // Values sealed before still open: a second rotation unwraps every one of them.
    let ended = ask(&folder, &["keys", "rotate"]);
    assert!(
        ended.said.contains("Made the master key k3") && ended.said.contains("Done: 25"),
        "{}",
        ended.said
    );
}

#[tokio::test]
async fn a_rotation_that_was_killed_is_gone_on_with() {
    let folder = Folder::new();
    let served = Served::start(&folder);
    plant_data_keys(&folder, 1200).await;
    drop(served);

    let mut child = program(&["keys", "rotate", "--data-dir", dir(&folder)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its words")).lines().map_while(Result::ok);
    lines.find(|line| line.contains("data keys moved")).expect("it moves keys");
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");

    let between = status(&folder);
    let left = between["remaining"].as_i64().expect("a number");
    assert!((1..1200).contains(&left), "it was killed in the middle: {left}");
    let ended = ask(&folder, &["keys", "rotate"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(ended.said.contains("Going on with the rotation to k2"), "{}", ended.said);
    assert!(ended.said.contains("Done: 120"), "{}", ended.said);
}

#[tokio::test]
async fn another_key_of_the_same_name_is_refused_in_one_sentence() {
    let folder = Folder::new();
    let served = Served::start(&folder);
    plant_data_keys(&folder, 1).await;
    drop(served);
    let file = folder.path().join("keys/master");
    let right = fs::read_to_string(&file).expect("the key file");

    let other = MasterRing::generate("k1".parse().expect("a name"));
    fs::write(&file, other.text().expose()).expect("written");
    let words = ["the master key k1 is not the key that this database was sealed with", "Give back the key"];
    ask(&folder, &["serve", "--listen", "127.0.0.1:0"]).assert_plain(6, &words);
    ask(&folder, &["keys", "rotate"]).assert_plain(6, &words);

    let other = MasterRing::generate("k9".parse().expect("a name"));
    fs::write(&file, other.text().expose()).expect("written");
    let words = ["the master key k1 is not in the ring", "after the sealing key"];
    ask(&folder, &["serve", "--listen", "127.0.0.1:0"]).assert_plain(6, &words);

    fs::write(&file, right).expect("written");
    let _again = Served::start(&folder);
}

#[test]
fn what_needs_no_database_needs_no_settings() {
    let document = run(program(&["openapi"]).env("PORTREEVE_LISTEN", "nonsense"));
    assert_eq!(document.code, Some(0), "{}", document.said);
    let document: serde_json::Value = serde_json::from_str(&document.said).expect("JSON");
    assert_eq!(document["openapi"].as_str().map(|version| &version[..4]), Some("3.1."));

    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    let file = folder.path().join("export.jsonl");
    let name = file.to_str().expect("a path in UTF-8");
    run(&mut program(&["audit", "verify", name])).assert_plain(1, &["cannot be read: no such file"]);
    fs::write(&file, "{}\n").expect("written");
    run(&mut program(&["audit", "verify", name])).assert_plain(9, &["the export was altered: line 1"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = program(&["policy", "schema"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().expect("the program runs");
    let ended = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), complaint.as_str()), (Some(0), ""));
}

#[test]
fn a_call_is_decided_with_what_is_said_of_who_makes_it() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    let file = folder.path().join("policy.json");
    let name = file.to_str().expect("a path in UTF-8");
    let rules: Vec<_> = [
        r#"{"path":"user.email","op":"eq","value":"ada@acme.example"}"#,
        r#"{"path":"user.role","op":"eq","value":"admin"}"#,
        r#"{"path":"user.teams","op":"contains","value":"crew"}"#,
        r#"{"path":"team.slug","op":"eq","value":"leads"}"#,
        r#"{"path":"client.name","op":"eq","value":"claude-code"}"#,
        r#"{"path":"ip","op":"cidr","value":"10.0.0.0/8"}"#,
        r#"{"path":"time","op":"between","value":["08:00","18:00"]}"#,
    ]
    .map(|condition| format!(r#"{{"conditions":[{condition}]}}"#))
    .into();
    let rules = rules.join(",");
    let document = format!(r#"{{"version":"1","default":"allow","all_tools":{{"require":[{rules}]}}}}"#);
    fs::write(&file, document).expect("written");
    let said = [
        ("--person", "ada@acme.example"),
        ("--role", "admin"),
        ("--team", "crew"),
        ("--grant-team", "leads"),
        ("--client", "claude-code"),
        ("--ip", "10.1.2.3"),
        ("--time", "2026-01-31T09:00:00Z"),
    ];
    let eval = |said: &[(&str, &str)]| {
        let facts = said.iter().flat_map(|(flag, value)| [*flag, *value]);
        let all: Vec<_> = ["policy", "eval", name, "--tool", "get"].into_iter().chain(facts).collect();
        run(&mut program(&all))
    };
    let all = eval(&said);
    assert_eq!(all.code, Some(0), "{}", all.said);
    for at in 0..said.len() {
        let mut other = said;
        other[at].1 = match said[at].0 {
            "--role" => "member",
            "--ip" => "192.0.2.7",
            "--time" => "2026-01-31T20:00:00Z",
            _ => "other",
        };
        let other = eval(&other);
        assert_eq!(other.code, Some(4), "{}: {}", said[at].0, other.said);
        assert!(other.said.contains(&format!("/all_tools/require/{at}")), "{}", other.said);
    }
    for (flag, words) in
        [("--role", "choose one of: owner, admin"), ("--time", "enter a moment such as"), ("--ip", "--ip")]
    {
        let wrong = eval(&[(flag, "x")]);
        assert_eq!(wrong.code, Some(2), "{}", wrong.said);
        assert!(wrong.said.contains(words), "{}", wrong.said);
    }
}

#[test]
fn a_policy_of_intercept_is_checked_as_it_would_be_imported() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    let file = folder.path().join("policy.yaml");
    let name = file.to_str().expect("a path in UTF-8");
    fs::write(&file, "version: \"1\"\ntools:\n  read: {rules: [{name: few, rate_limit: 5/hour}]}\n")
        .expect("written");
    let ended = run(&mut program(&["policy", "check", name]));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(
        ended.said.contains("a policy of Intercept that can be imported, 1 tools named"),
        "{}",
        ended.said
    );
    fs::write(&file, "version: \"2\"\n").expect("written");
    let ended = run(&mut program(&["policy", "check", name]));
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(ended.said.contains("/version: The version is \"1\"."), "{}", ended.said);
}
