//! The database hangs or breaks while we serve: callers are told, nothing answered is lost, and it mends by itself.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use http::StatusCode;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    kit::http::{Script, Visitor},
    start::process::{Folder, Served, has_signaled, program, run, signal_to, until},
};

/// How often the database breaks in [`what_was_answered_outlives_a_database_that_breaks_again_and_again`].
const BREAKS: u32 = 20;

/// The key of the owner of a new organization.
fn bootstrap(folder: &Folder) -> String {
    let dir = folder.path().to_str().expect("a path in UTF-8");
    let words = ["bootstrap", "--org", "acme", "--email", "ada@example.com", "--json", "--data-dir", dir];
    let made = run(&mut program(&words));
    assert_eq!(made.code, Some(0), "{}", made.said);
    let made: Value = serde_json::from_str(&made.said).expect("JSON");
    made["api_key"].as_str().expect("a key").to_owned()
}

/// Stops the processes of the database where they are. The first one before it is asked for the others: from then on
/// none is begun, and one that ends stays in the list until the first one goes on.
fn hang(folder: &Folder) -> Vec<i32> {
    let postmaster = folder.postmaster().expect("it runs");
    signal_to(postmaster, Signal::SIGSTOP);
    let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
    let children = children.expect("it is there");
    let children: Vec<i32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    children.iter().for_each(|pid| signal_to(*pid, Signal::SIGSTOP));
    // The first one goes on last, or it would wonder where the others are.
    children.into_iter().chain([postmaster]).collect()
}

#[tokio::test]
async fn a_database_that_hangs_is_told_in_words_and_serves_again_when_it_goes_on() {
    let folder = Folder::new();
    let served = Served::start(&folder);
    let key = bootstrap(&folder);
    let site = served.base.replace("127.0.0.1", "localhost");
    let (mut browser, script) = (Visitor::new(&site), Script::new(&served.base, Some(&key)));
    script.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::OK);
    assert_eq!(served.status("/readyz").await, Some(200));
    let hanging = hang(&folder);

    let began = Instant::now();
    let body = json!({"slug": "crew", "name": "Crew"});
    let (page, read, written) = tokio::join!(
        browser.get("/login?return_to=%2Fo%2Facme"),
        script.get("/api/v1/orgs/acme/teams"),
        script.post("/api/v1/orgs/acme/teams", body),
    );
    assert!(began.elapsed() < Duration::from_secs(15), "callers are not left hanging: {:?}", began.elapsed());
    let page = page.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.headers["retry-after"], "2");
    for answer in [read, written] {
        let answer = answer.expect(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers["retry-after"], "2");
        assert_eq!(answer.text("/code"), "database_away");
        assert!(answer.text("/detail").contains("nothing was changed"), "{}", answer.body);
    }
    assert!(page.says("Portreeve cannot answer right now") && page.says("Load again"), "{}", page.body);
    assert!(page.says("Wait a minute") && page.says("req_") && !page.says("sqlx"), "{}", page.body);
    assert_eq!(served.status("/readyz").await, Some(503));
    assert_eq!(served.status("/healthz").await, Some(200));

    hanging.iter().for_each(|pid| signal_to(*pid, Signal::SIGCONT));
    until_ready(&served).await;
    let teams = script.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::OK);
    assert_eq!(teams.body["items"], json!([]), "what was refused did not happen");
    let body = json!({"slug": "crew", "name": "Crew"});
    script.post("/api/v1/orgs/acme/teams", body).await.expect(StatusCode::CREATED);
}

pub(super) async fn until_ready(served: &Served) {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while served.status("/readyz").await != Some(200) {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not get ready again");
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_a_database_that_breaks_again_and_again() {
    let folder = Arc::new(Folder::new());
    let served = Served::start(&folder);
    let key = bootstrap(&folder);
    let (is_over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let script = Script::new(&served.base, Some(&key));
            tokio::spawn(write(script, writer, Arc::clone(&count), Arc::clone(&is_over)))
        })
        .collect();
    let (place, seen) = (Arc::clone(&folder), Arc::clone(&count));
    let breaks = tokio::task::spawn_blocking(move || break_again_and_again(&place, &seen));
    let longest = breaks.await.expect("writes go on after each");
    is_over.store(true, Ordering::SeqCst);
    let written = join_all(writers).await.into_iter();
    let acknowledged: Vec<String> =
        written.flat_map(|written| written.expect("only known answers")).collect();
    until_ready(&served).await;
    let script = Script::new(&served.base, Some(&key));
    for id in &acknowledged {
        script.get(&format!("/api/v1/orgs/acme/teams/{id}")).await.expect(StatusCode::OK);
    }
    eprintln!(
        "{} answered writes outlived {BREAKS} breaks; the longest took {longest:?}",
        acknowledged.len()
    );

    // Each is in the record, which is whole.
    let dir = folder.path().to_str().expect("a path in UTF-8");
    let export = folder.path().with_extension("jsonl");
    let name = export.to_str().expect("a path in UTF-8");
    let exported = run(&mut program(&["audit", "export", "--org", "acme", "--out", name, "--data-dir", dir]));
    assert_eq!(exported.code, Some(0), "{}", exported.said);
    let verified = run(&mut program(&["audit", "verify", name]));
    let record = fs::read_to_string(&export).expect("the export");
    fs::remove_file(&export).expect("it was there");
    assert_eq!(verified.code, Some(0), "{}", verified.said);
    assert!(acknowledged.iter().all(|id| record.contains(id.as_str())), "a change without an event");
}

/// Creates teams until told to stop; returns the ids of those that were answered with 201.
async fn write(script: Script, writer: u32, count: Arc<AtomicU32>, is_over: Arc<AtomicBool>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let slug = format!("team-{writer}-{number}");
        let answer = script.post("/api/v1/orgs/acme/teams", json!({"slug": slug, "name": slug})).await;
        match answer.status {
            StatusCode::CREATED => {
                acknowledged.push(answer.text("/id").to_owned());
                count.fetch_add(1, Ordering::SeqCst);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                let code = answer.text("/code");
                assert!(["database_away", "outcome_unknown"].contains(&code), "{}", answer.body);
                // A program must not repeat by itself what may have been done.
                let may_repeat = answer.headers.contains_key("retry-after");
                assert_eq!(may_repeat, code == "database_away", "{}", answer.body);
            }
            other => panic!("{slug} was answered {other}: {}", answer.body),
        }
    }
    acknowledged
}

/// A process of the database dies: all others end with it, and it starts over from its log. Returns how long it took
/// at the longest until three more writes were answered.
fn break_again_and_again(folder: &Folder, count: &AtomicU32) -> Duration {
    let mut longest = Duration::ZERO;
    for number in 0..BREAKS {
        // One that ended by itself between the look and the blow is none.
        until("a connection dies", || has_signaled(backend(folder, number as usize), Signal::SIGKILL));
        let (began, before) = (Instant::now(), count.load(Ordering::SeqCst));
        until("writes go on", || count.load(Ordering::SeqCst) >= before + 3);
        longest = longest.max(began.elapsed());
    }
    longest
}

/// A connection's process of the database; waits until there is one.
fn backend(folder: &Folder, number: usize) -> i32 {
    let mut found = None;
    until("the database has connections", || {
        let Some(postmaster) = folder.postmaster() else {
            return false;
        };
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
        let children = children.unwrap_or_default();
        let backends: Vec<i32> = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter(|pid| {
                let title = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                title.contains("portreeve_app")
            })
            .collect();
        found = backends.get(number % backends.len().max(1)).copied();
        found.is_some()
    });
    found.expect("there is one")
}
