//! The few places where authority is made.

use crate::house::{
    exactly, no_faults,
    source::{SourceFile, rust},
};

/// Where a transaction of the system may begin: before anybody is known, or on behalf of everybody.
const SYSTEM_TRANSACTIONS: &[(&str, &str)] = &[
    ("src/app/replica/mod.rs", "a replica's own row, before and after it serves anybody"),
    (
        "src/flow/actions/export.rs",
        "the command line names an organization, and whoever runs it holds the database",
    ),
    ("src/flow/cx.rs", "what an action that comes before anybody is known asks for"),
    ("src/flow/jobs/org_deletion.rs", "which organizations are due is asked across all of them"),
    ("src/flow/actions/ops/health.rs", "counts of the whole installation, for operators and metrics"),
    ("src/flow/catalogue/due.rs", "which servers are due is asked across all organizations"),
    ("src/flow/jobs/rewrap.rs", "data keys of all are moved, and tried before anything is served"),
    (
        "src/flow/jobs/account_letters.rs",
        "whether somebody has a named address is looked up where nobody waits",
    ),
    ("src/flow/jobs/runner.rs", "the queue is everybody's; each job names its own scope"),
    ("src/flow/jobs/abandoned_calls.rs", "which organizations have calls left open is seen across all"),
    ("src/flow/proxy/snapshots.rs", "the organization of a carried token is looked up"),
    ("src/flow/jobs/sweep.rs", "finished jobs are removed from the queue of all"),
    ("src/flow/jobs/worker.rs", "the queue is everybody's; each job names its own scope"),
    (
        "src/flow/letters/post.rs",
        "the outbox is everybody's, and letters are sealed under the instance's key",
    ),
    ("src/flow/tokens/end.rs", "of which accounts a provider is still to be told is seen across all"),
    ("src/flow/tokens/keep.rs", "which accounts need a new token is seen across all organizations"),
    ("src/flow/tokens/lapse.rs", "which accounts end soon, or have, is seen across all organizations"),
    ("src/flow/sealing.rs", "the signing key is the instance's, and which chains are due is seen across all"),
];

/// Where a cookie, a token or a job proves that somebody may act in an organization.
const ORG_SCOPES: &[(&str, &str)] = &[
    ("src/flow/enter.rs", "membership or key was just looked up"),
    (
        "src/flow/jobs/org_deletion.rs",
        "each organization whose deletion is due, and what is due is judged inside",
    ),
    (
        "src/flow/actions/me/grants.rs",
        "each membership of the person whose agents are listed was just looked up",
    ),
    ("src/flow/actions/me/leave.rs", "the membership of the person who leaves was just looked up"),
    ("src/flow/actions/me/stop.rs", "each membership of the person who stops was just looked up"),
    ("src/flow/catalogue/due.rs", "the job names the organization whose server was due"),
    ("src/flow/jobs/tell_org.rs", "the job names the organization that the operator suspended or resumed"),
    ("src/flow/actions/found.rs", "the organization is made in this very transaction"),
    ("src/flow/actions/invite.rs", "the invitation's link was just looked up"),
    ("src/flow/jobs/mirror.rs", "the organizations of the person whom the event is about"),
    ("src/flow/jobs/abandoned_calls.rs", "each organization in which a dead replica left calls open"),
    ("src/flow/proxy/snapshots.rs", "the grant's token was just looked up, and its secret compared"),
    ("src/flow/actions/export.rs", "the command line exports for whoever holds the database"),
    ("src/flow/tokens/end.rs", "the job names the organization whose account was ended"),
    ("src/flow/tokens/keep.rs", "the job names the organization whose account was due"),
    ("src/flow/tokens/lapse.rs", "the job names the organization whose account ends"),
    ("src/flow/sealing.rs", "the job seals each chain within a transaction of that organization"),
];

/// Where one statement is an organization's transaction by itself.
const ORG_STATEMENTS: [(&str, &str); 1] =
    [("src/domain/audit/store/calls.rs", "the record of calls, made in one round trip")];

/// Where a person is recognized.
const PERSON_SCOPES: &[(&str, &str)] = &[
    ("src/flow/cx.rs", "a PersonCx exists only after the session was recognized"),
    ("src/flow/jobs/mirror.rs", "to find the organizations of the person whom an event is about"),
];

/// Who decides what is recorded.
const AUDIT_WORDS: [(&str, &str); 1] =
    [("src/domain/audit/store/append.rs", "where events are appended, or left out for a named reason")];

#[test]
fn system_transactions_begin_in_listed_files() {
    exactly(
        "begin a transaction of the system",
        &files_with(&["SystemTx", ":", ":", "begin"]),
        SYSTEM_TRANSACTIONS,
    );
}

#[test]
fn org_scopes_are_made_in_listed_files() {
    exactly("make an OrgScope", &files_with(&["OrgScope", ":", ":", "proven"]), ORG_SCOPES);
}

#[test]
fn statements_that_are_transactions_stand_in_listed_files() {
    exactly("call a statement by itself", &files_with(&["OrgStatement", ":", ":", "begin"]), &ORG_STATEMENTS);
}

#[test]
fn person_scopes_are_made_in_listed_files() {
    exactly("make a PersonScope", &files_with(&["PersonScope", ":", ":", "proven"]), PERSON_SCOPES);
}

#[test]
fn only_the_audit_room_gives_its_word() {
    exactly("say Audited", &files_with(&["decided_by_the_audit_room"]), &AUDIT_WORDS);
    no_faults(
        &AUDIT_WORDS
            .iter()
            .map(|(file, _)| (*file).to_owned())
            .filter(|file| !file.starts_with("src/domain/audit/"))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_that_carries_authority_is_renamed() {
    let mut faults = Vec::new();
    for file in rust("src") {
        let renamed = file.paths().into_iter().filter(|path| {
            let name = path.segments.last().map_or("", String::as_str);
            path.alias.is_some() && ["SystemTx", "OrgScope", "PersonScope", "Audited"].contains(&name)
        });
        faults.extend(
            renamed.map(|path| format!("{}:{}: hides {}", file.path, path.line, path.segments.join("::"))),
        );
    }
    no_faults(&faults);
}

/// The files in which these tokens follow each other, but for the one that defines the types.
fn files_with(sequence: &[&str]) -> Vec<String> {
    let files = rust("src").into_iter().filter(|file| file.path != "src/io/db/tx.rs");
    let using = |file: &SourceFile| !file.lines_with(sequence).is_empty();
    files.filter(using).map(|file| file.path).collect()
}
