//! Every refusal to start is one sentence with a remedy.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use crate::start::process::{Folder, Served, program, run};

fn text(folder: &Folder) -> &str {
    folder.path().to_str().expect("a path in UTF-8")
}

#[test]
fn a_second_instance_is_refused_while_other_commands_work_beside_the_first() {
    let folder = Folder::new();
    let served = Served::start(&folder);
    let second = run(&mut program(&["--data-dir", text(&folder), "--listen", "127.0.0.1:0"]));
    let holder = format!("another Portreeve (process {}) is using the data directory", served.pid());
    second.assert_plain(3, &[&holder, "--data-dir"]);

    let migrated = run(&mut program(&["migrate", "--data-dir", text(&folder)]));
    assert_eq!(migrated.code, Some(0), "{}", migrated.said);
    let port = served.base.rsplit_once(':').expect("a port").1;
    let listen = format!("127.0.0.1:{port}");
    let doctor = run(&mut program(&["doctor", "--json", "--data-dir", text(&folder), "--listen", &listen]));
    assert_eq!(doctor.code, Some(0), "{}", doctor.said);
    let report: serde_json::Value = serde_json::from_str(&doctor.said).expect("JSON");
    assert_eq!(report["ok"], true);
    for name in ["database", "migrations", "database role", "listener", "master keys"] {
        let findings = report["findings"].as_array().expect("a list");
        let found = findings.iter().find(|finding| finding["name"] == name).expect(name);
        assert_eq!(found["state"], "ok", "{found}");
    }
}

#[test]
fn a_busy_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let folder = Folder::new();
    let ended = run(&mut program(&["--data-dir", text(&folder), "--listen", &address.to_string()]));
    ended.assert_plain(5, &[&format!("port {} on 127.0.0.1 is already in use", address.port()), "--listen"]);
    assert!(!folder.path().join("postgres").exists(), "it was refused before a database was made");
}

#[test]
fn a_data_directory_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    fs::write(folder.path().join("format"), "99\n").expect("a marker");
    let ended = run(&mut program(&["--data-dir", text(&folder), "--listen", "127.0.0.1:0"]));
    ended.assert_plain(
        3,
        &["was written by a newer version of Portreeve (format 99", "Start the newer version"],
    );
}

#[test]
fn a_folder_with_other_files_is_not_taken() {
    let folder = Folder::new();
    fs::create_dir(folder.path()).expect("a folder");
    fs::write(folder.path().join("letter.txt"), "dear").expect("a file");
    let ended = run(&mut program(&["--data-dir", text(&folder), "--listen", "127.0.0.1:0"]));
    ended.assert_plain(3, &["holds other files (letter.txt)", "Name an empty or a new folder"]);
}

#[test]
fn without_its_key_or_passwords_a_database_is_not_opened() {
    let folder = Folder::new();
    assert_eq!(run(&mut program(&["migrate", "--data-dir", text(&folder)])).code, Some(0));
    let start = || run(&mut program(&["--data-dir", text(&folder), "--listen", "127.0.0.1:0"]));
    let key = folder.path().join("keys/master");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    start().assert_plain(6, &["keys/master can be read by other users", "chmod 600"]);
    fs::remove_file(&key).expect("a key");
    start().assert_plain(6, &["the master key is missing", "Restore it from a backup"]);
    assert!(!key.exists(), "no new key takes the place of the lost one");

    fs::write(&key, "k1:AAAA").expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    start().assert_plain(6, &["damaged: the key k1 is not 32 bytes"]);

    fs::write(&key, "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("written");
    fs::remove_file(folder.path().join("keys/database")).expect("passwords");
    start().assert_plain(4, &["the database's passwords are missing", "Restore that file"]);
}

#[test]
fn missing_programs_are_named_with_the_way_to_get_them() {
    let folder = Folder::new();
    let arguments = ["--data-dir", text(&folder), "--listen", "127.0.0.1:0", "--pg-bin-dir", "/nowhere"];
    run(&mut program(&arguments)).assert_plain(
        4,
        &["no Postgres server was found in /nowhere", "apt-get install", "scripts/get-postgres"],
    );
}

#[test]
fn a_half_configured_replica_names_each_missing_setting() {
    let ended = run(program(&["serve"]).env("DATABASE_URL", "postgres://app:hunter2@127.0.0.1:1/portreeve"));
    ended.assert_plain(2, &["PORTREEVE_MASTER_KEYS is missing", "PORTREEVE_BASE_URL is missing"]);
    assert!(!ended.said.contains("hunter2"));
}

#[test]
fn an_unreachable_database_is_named_without_its_password() {
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off"]);
    command
        .env("DATABASE_URL", "postgres://app:hunter2@127.0.0.1:1/portreeve")
        .env("PORTREEVE_MASTER_KEYS", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .env("PORTREEVE_BASE_URL", "https://portreeve.example.com");
    let ended = run(&mut command);
    ended.assert_plain(
        4,
        &["the database at 127.0.0.1:1/portreeve cannot be reached: connection refused", "DATABASE_URL"],
    );
    assert!(!ended.said.contains("hunter2"));
}

#[test]
fn a_file_of_authorities_that_holds_none_is_refused() {
    let folder = Folder::new();
    let file = std::env::temp_dir().join(format!("authorities-{}.pem", std::process::id()));
    for (content, wrong) in [(Some("no PEM"), "holds no certificate of an authority"), (None, "no such file")]
    {
        match content {
            Some(content) => fs::write(&file, content).expect("written"),
            None => fs::remove_file(&file).expect("removed"),
        }
        let name = file.to_str().expect("a path in UTF-8");
        let settings = ["--data-dir", text(&folder), "--listen", "127.0.0.1:0", "--egress-ca-file", name];
        run(&mut program(&settings)).assert_plain(2, &[name, wrong, "Correct PORTREEVE_EGRESS_CA_FILE"]);
    }
}
