//! The operator's own Postgres, where it is not as it should be.

use std::process::Command;

use serde_json::Value;

use crate::{
    kit::{app::MASTER_KEYS, database::TestDatabase},
    start::process::{program, run},
};

/// The program over a database, serving as `portreeve_app` and migrating as `owner`.
fn over(database: &TestDatabase, owner: &str, words: &[&str]) -> Command {
    let mut command = program(words);
    command
        .env("DATABASE_URL", database.url("portreeve_app", "hunter2"))
        .env("PORTREEVE_OWNER_DATABASE_URL", database.url(owner, "hunter2"))
        .env("PORTREEVE_MASTER_KEYS", MASTER_KEYS)
        .env("PORTREEVE_BASE_URL", "https://portreeve.example");
    command
}

#[tokio::test]
async fn a_role_that_does_not_own_the_database_is_named_with_the_remedy() {
    let database = TestDatabase::empty().await;
    let ended = run(&mut over(&database, "portreeve_app", &["migrate"]));
    ended.assert_plain(
        4,
        &[
            "the role portreeve_app may not change the schema of the database at localhost",
            "Put the role that owns the database into PORTREEVE_OWNER_DATABASE_URL",
        ],
    );
    assert!(!ended.said.contains("defect") && !ended.said.contains("hunter2"), "{}", ended.said);

    let ended = run(&mut over(&database, "portreeve_owner", &["migrate"]));
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

#[tokio::test]
async fn a_database_without_migrations_is_told_as_that_and_nothing_else() {
    let database = TestDatabase::empty().await;
    let ended = run(&mut over(&database, "portreeve_owner", &["doctor", "--json"]));
    let report: Value = serde_json::from_str(&ended.said).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    let failed: Vec<&Value> = findings.iter().filter(|finding| finding["state"] == "failed").collect();
    let [migrations] = failed.as_slice() else { panic!("{failed:#?}") };
    assert_eq!(migrations["name"], "migrations");
    assert!(migrations["fix"].as_str().is_some_and(|fix| fix.contains("portreeve migrate")), "{migrations}");
    assert!(!ended.said.contains("the database the database"), "{}", ended.said);
}

#[tokio::test]
async fn a_set_up_installation_is_not_set_up_again_and_says_so_once() {
    let database = TestDatabase::fresh().await;
    let bootstrap = |org: &str, email: &str| {
        run(&mut over(&database, "portreeve_owner", &["bootstrap", "--org", org, "--email", email]))
    };
    // Everything that is wrong with what was typed is told at once.
    bootstrap("A!", "nobody").assert_plain(2, &["org: ", "; email: "]);

    let made = bootstrap("acme", "ada@example.com");
    assert_eq!(made.code, Some(0), "{}", made.said);
    let again = bootstrap("acme", "ada@example.com");
    again.assert_plain(
        8,
        &["has been set up already", "start with an empty database", "Nothing was changed."],
    );
    assert_eq!(again.said.to_lowercase().matches("nothing was changed").count(), 1, "{}", again.said);
}
