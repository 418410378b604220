//! The machine's clock is set forward and back by an hour: nobody is shut out, nothing gets longer than it should, and
//! the record stays whole.

use http::{Method, StatusCode};
use portreeve::{
    base::permission::Role,
    domain::{
        audit::{Anchors, LaterAnchors, verify},
        identity::attempts::Limits,
    },
};
use serde_json::json;
use time::Duration;

use crate::kit::{
    app::TestApp,
    http::{Page, Visitor},
    people::PASSWORD,
};

const HOUR: Duration = Duration::HOUR;
const START: &str = "/me/security/totp/start";

async fn sign_in(browser: &mut Visitor, email: &str, password: &str) -> Page {
    let page = browser.get("/login").await.expect(StatusCode::OK);
    let page = browser.submit(&page, "/login", &[("email", email)]).await.expect(StatusCode::OK);
    browser.submit(&page, "/login/password", &[("password", password)]).await
}

#[tokio::test]
async fn sessions_and_keys_go_on_and_a_proof_counts_for_no_longer() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Owner).await;
    let key = app.key_of(&org, ada.id, Role::Owner, &["*"]).await;
    for jump in [HOUR, -HOUR, -HOUR] {
        app.clock.advance(jump);
        ada.browser.get("/o/acme/teams").await.expect(StatusCode::OK);
        key.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::OK);
    }
    // An hour before she proved herself: were the proof good, it would be for seventy minutes instead of ten.
    let page = ada.browser.get("/me/security").await.expect(StatusCode::OK);
    let page = ada.browser.submit(&page, START, &[]).await;
    assert!(page.location().is_some_and(|to| to.starts_with("/prove")), "{:?}", page.location());
    let mut again = app.visitor();
    sign_in(&mut again, &ada.email, PASSWORD).await.expect(StatusCode::SEE_OTHER);
    let page = again.get("/me/security").await.expect(StatusCode::OK);
    let page = again.submit(&page, START, &[]).await;
    assert!(page.location().is_some_and(|to| !to.starts_with("/prove")), "{:?}", page.location());
}

#[tokio::test]
async fn nobody_is_shut_out_for_the_hour_that_the_clock_was_set_back() {
    let app = TestApp::with(|ports| ports.limits = Limits::default()).await;
    let ada = app.person("Ada Admin").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(sign_in(&mut app.visitor(), &ada.email, "not the password").await.status.as_u16());
    }
    assert_eq!(statuses, [422, 422, 422, 429]);
    app.clock.advance(-HOUR);
    sign_in(&mut app.visitor(), &ada.email, PASSWORD).await.expect(StatusCode::SEE_OTHER);
    // One try was let through, not a new burst.
    let page = sign_in(&mut app.visitor(), &ada.email, "not the password").await;
    page.expect(StatusCode::TOO_MANY_REQUESTS);
    app.clock.advance(Duration::seconds(20));
    let page = sign_in(&mut app.visitor(), &ada.email, "not the password").await;
    page.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn letters_wait_at_the_most_until_the_clock_has_caught_up_and_go_out_once() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Owner).await;
    let key = app.key_of(&org, ada.id, Role::Owner, &["*"]).await;
    let mut count = 0;
    for jump in [HOUR, -HOUR, -HOUR, HOUR] {
        let body = json!({"emails": [format!("person{count}@example.com")], "role": "member"});
        key.post("/api/v1/orgs/acme/invitations", body).await.expect(StatusCode::CREATED);
        count += 1;
        app.clock.advance(jump);
        app.run_jobs().await;
    }
    app.clock.advance(HOUR);
    app.run_jobs().await;
    let mut recipients: Vec<String> =
        app.postbox.mails().into_iter().map(|mail| mail.to.to_string()).collect();
    recipients.sort();
    let expected: Vec<String> = (0..count).map(|number| format!("person{number}@example.com")).collect();
    assert_eq!(recipients, expected);
}

#[tokio::test]
async fn the_record_keeps_its_order_and_its_checkpoints_verify() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Owner).await;
    let key = app.key_of(&org, ada.id, Role::Owner, &["*"]).await;
    for (number, jump) in [HOUR, -HOUR, -HOUR, HOUR, HOUR * 2].into_iter().enumerate() {
        let open = number % 2 == 1;
        let body = json!({"open": open, "reason": format!("exercise {number}")});
        let gate = "/api/v1/orgs/acme/gate";
        key.send(Method::PUT, gate, &[], Some(body)).await.expect(StatusCode::OK);
        app.run_jobs().await;
        app.clock.advance(jump);
    }
    app.run_jobs().await;
    let expected = ["gate.closed", "gate.opened", "gate.closed", "gate.opened", "gate.closed"];
    assert_eq!(app.recorded(&org).await, expected, "in the order in which it happened");
    let file = key.file("/api/v1/orgs/acme/events/export?format=jsonl").await;
    let report = verify(file.as_bytes(), Anchors::none(), LaterAnchors::PassOver).unwrap();
    assert_eq!((report.chains[0].org, report.chains[0].records), (org.id, 6));
}
