//! The inbox of calls that wait for a human, in the browser.

use http::StatusCode;
use portreeve::base::{actor::Principal, permission::Role, risk::Class};

use crate::kit::app::TestApp;

#[tokio::test]
async fn an_approver_reads_the_call_and_decides_it() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Agent", Role::Member).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let (grant, _) = app.grant(&org, Principal::User(ada.id), Class::Write).await;
    let id = app.approval(&org, grant, server).await;
    let mut ann = app.member(&org, "Ann Approver", Role::Approver).await;
    let list = ann.browser.visit("/o/acme/approvals").await;
    assert!(
        list.body.contains("<span class=\"n\">1<span class=\"vh\"> waiting</span></span>"),
        "{}",
        list.body
    );
    assert!(list.body.contains("tool-acme") && list.body.contains("Test agent"));
    let one = ann.browser.visit(&format!("/o/acme/approvals/{id}")).await;
    assert!(one.body.contains("&#34;title&#34;: &#34;hello&#34;"), "{}", one.body);
    let decide = format!("/o/acme/approvals/{id}/decide");
    let reason = "x".repeat(501);
    let csrf = ann.browser.csrf();
    let wrong =
        ann.browser.post(&decide, &[("csrf", &csrf), ("decision", "deny"), ("reason", &reason)]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = ann.browser.submit(&one, &decide, &[("decision", "approve_once"), ("reason", "Fine.")]).await;
    let done = ann.browser.follow(done).await;
    assert!(done.body.contains("Approved. The agent is let through") && done.body.contains("Nothing waits"));
    let again = ann.browser.visit(&format!("/o/acme/approvals/{id}")).await;
    assert!(again.body.contains("Ann Approver") && again.body.contains("Fine."));
    assert!(!again.body.contains(" waiting</span>"), "nothing waits any more");
    assert!(app.recorded(&org).await.contains(&"approval.approved".to_owned()));
}

#[tokio::test]
async fn who_neither_decides_nor_asks_finds_nothing() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Agent", Role::Member).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let (grant, _) = app.grant(&org, Principal::User(ada.id), Class::Write).await;
    let id = app.approval(&org, grant, server).await;
    let mut other = app.member(&org, "Other Member", Role::Member).await;
    let list = other.browser.visit("/o/acme/approvals").await;
    assert!(list.body.contains("Nothing waits"));
    let one = other.browser.get(&format!("/o/acme/approvals/{id}")).await;
    assert_eq!(one.status, StatusCode::NOT_FOUND);
}
