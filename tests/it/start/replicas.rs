//! Several replicas over one Postgres are one Portreeve: what one of them did is so on every other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::future::join_all;
use http::{Method, StatusCode};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    kit::{
        http::{Visitor, client},
        people::PASSWORD,
    },
    start::{
        process::Served,
        site::{OWNER, Site, browser, free_address, script},
    },
};

/// A site that is set up, the key of its owner, and replicas.
async fn replicas(count: usize) -> (Site, String, Vec<Served>) {
    let site = Site::prepare(&[]).await;
    let key = site.bootstrap();
    let replicas = (0..count).map(|_| site.serve(&free_address())).collect();
    (site, key, replicas)
}

async fn sign_in(browser: &mut Visitor, password: &str) -> StatusCode {
    let page = browser.get("/login").await;
    let page = browser.submit(&page, "/login", &[("email", OWNER)]).await;
    browser.submit(&page, "/login/password", &[("password", password)]).await.status
}

#[tokio::test]
async fn what_begins_or_ends_on_one_replica_does_so_on_all() {
    let (_site, owner, all) = replicas(3).await;
    // A session begins on the first, works on the others, and its end on the third is heard by all.
    let mut browser = browser(&all[0]);
    assert_eq!(sign_in(&mut browser, PASSWORD).await, StatusCode::SEE_OTHER);
    for replica in all.iter().rev() {
        browser.sent_to(&replica.base);
        browser.get("/o/acme/teams").await.expect(StatusCode::OK);
    }
    let mut elsewhere = browser.clone();
    let page = browser.get("/me/profile").await.expect(StatusCode::OK);
    browser.sent_to(&all[2].base);
    browser.submit(&page, "/logout", &[]).await.expect(StatusCode::SEE_OTHER);
    for replica in &all {
        elsewhere.sent_to(&replica.base);
        let page = elsewhere.get("/me/profile").await.expect(StatusCode::SEE_OTHER);
        assert!(page.location().is_some_and(|to| to.starts_with("/login")), "{}", replica.base);
    }

    // A key: made on the second, used everywhere, revoked on the first.
    let form = json!({"name": "deploy", "scopes": ["teams:read"], "expires_in_days": 30});
    let made =
        script(&all[1], &owner).post("/api/v1/orgs/acme/api-keys", form).await.expect(StatusCode::CREATED);
    let (id, token) = (made.text("/id").to_owned(), made.text("/token").to_owned());
    for replica in &all {
        script(replica, &token).get("/api/v1/orgs/acme/teams").await.expect(StatusCode::OK);
    }
    let path = format!("/api/v1/orgs/acme/api-keys/{id}");
    script(&all[0], &owner).send(Method::DELETE, &path, &[], None).await.expect(StatusCode::NO_CONTENT);
    for replica in &all {
        let answer = script(replica, &token).get("/api/v1/orgs/acme/teams").await;
        answer.expect(StatusCode::UNAUTHORIZED);
    }

    // The gate: closed on the third, closed at the next look everywhere.
    let closed = json!({"open": false, "reason": "an exercise"});
    let gate = "/api/v1/orgs/acme/gate";
    script(&all[2], &owner).send(Method::PUT, gate, &[], Some(closed)).await.expect(StatusCode::OK);
    for replica in &all {
        assert_eq!(script(replica, &owner).get(gate).await.body["open"], false, "{}", replica.base);
    }

    // A repeated request is known to be one, whichever replica is asked.
    let again = [("idempotency-key", "once-and-for-all")];
    for (number, replica) in all.iter().enumerate() {
        let body = Some(json!({"slug": "crew", "name": "Crew"}));
        let answer =
            script(replica, &owner).send(Method::POST, "/api/v1/orgs/acme/teams", &again, body).await;
        assert_eq!(answer.headers.contains_key("idempotency-replayed"), number > 0);
        answer.expect(StatusCode::CREATED);
    }
}

#[tokio::test]
async fn sign_ins_are_limited_over_all_replicas_together() {
    let (_site, _, all) = replicas(3).await;
    let mut statuses = Vec::new();
    for try_number in 0..6 {
        statuses.push(sign_in(&mut browser(&all[try_number % 3]), "not the password").await.as_u16());
    }
    // Three at once from one place; that is one for each replica, and none more for any of them.
    assert_eq!(statuses, [422, 422, 422, 429, 429, 429]);
}

#[tokio::test]
async fn every_job_runs_on_one_replica_only_and_every_letter_is_sent_once() {
    const INVITED: usize = 24;
    let (mut site, owner, mut all) = replicas(3).await;
    let invited = (0..INVITED).map(|number| {
        let script = script(&all[number % 3], &owner);
        async move {
            let body = json!({"emails": [format!("person{number}@example.com")], "role": "member"});
            script.post("/api/v1/orgs/acme/invitations", body).await.expect(StatusCode::CREATED);
        }
    });
    join_all(invited).await;
    let mut recipients = Vec::new();
    for _ in 0..INVITED {
        recipients.extend(site.mail.next().await.recipients);
    }
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), INVITED, "one letter for each");
    // Told to stop, each ends what it is at: then nothing more can come.
    for replica in &mut all {
        replica.signal(Signal::SIGTERM);
        assert!(replica.wait().success());
    }
    assert!(site.mail.is_empty(), "no letter came twice");
    assert_eq!(site.number("select count(*) from jobs where attempts > 1 or failed_at is not null").await, 0);
    let unequal =
        "select count(*) from (select from jobs where finished_at is not null and dedup_key is not null
        group by kind, dedup_key, run_at having count(*) > 1) as twice";
    assert_eq!(site.number(unequal).await, 0, "no turn was taken twice");
}

/// Creates teams until told to stop and goes on to the other replica where one hangs up, as a proxy does. Every request
/// has a key of its own: had a replica done it and not answered, the other would answer from what was kept.
async fn write(bases: Vec<String>, key: String, first: usize, is_over: Arc<AtomicBool>) -> usize {
    let client = client();
    for number in 0.. {
        if is_over.load(Ordering::SeqCst) {
            return number;
        }
        let slug = format!("team-{first}-{number}");
        for at in first.. {
            assert!(at < first + 6, "nobody takes {slug}");
            let url = format!("{}/api/v1/orgs/acme/teams", bases[at % bases.len()]);
            let body = json!({"slug": slug, "name": slug});
            let request = client.post(url).bearer_auth(&key).header("idempotency-key", &slug).json(&body);
            let Ok(answer) = request.send().await else {
                continue;
            };
            assert_eq!(answer.status(), StatusCode::CREATED, "{slug}");
            let is_repeated = answer.headers().contains_key("idempotency-replayed");
            assert!(!is_repeated, "{slug} was taken before and not answered");
            break;
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_request_that_was_accepted() {
    let (site, key, mut all) = replicas(2).await;
    let site = Arc::new(site);
    let bases: Vec<String> = all.iter().map(|replica| replica.base.clone()).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|first| tokio::spawn(write(bases.clone(), key.clone(), first, Arc::clone(&is_over))))
        .collect();
    let seen = Arc::clone(&site);
    let restarts = tokio::task::spawn_blocking(move || {
        for number in [0, 1, 0, 1] {
            thread::park_timeout(Duration::from_millis(150));
            all[number].signal(Signal::SIGTERM);
            assert!(all[number].wait().success());
            all[number] = seen.serve(bases[number].trim_start_matches("http://"));
        }
        is_over.store(true, Ordering::SeqCst);
        all
    });
    let _all = restarts.await.expect("each stops well and starts again");
    let written: Vec<usize> =
        join_all(writers).await.into_iter().map(|written| written.expect("well")).collect();
    let written = written.into_iter().sum::<usize>();
    assert!(written > 20, "only {written} were written");
    assert_eq!(usize::try_from(site.number("select count(*) from teams").await), Ok(written));
}
