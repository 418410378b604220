//! The inbox of calls that wait for a human, in the browser.

use http::StatusCode;
use portreeve::base::{actor::Principal, permission::Role, risk::Class};
use serde_json::json;

use crate::kit::{app::TestApp, upstream::tool};

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
    assert!(
        done.body.contains("Approved. A call that still waits goes on")
            && done.body.contains("Nothing waits")
    );
    let again = ann.browser.visit(&format!("/o/acme/approvals/{id}")).await;
    assert!(again.body.contains("Ann Approver") && again.body.contains("Fine."));
    assert!(!again.body.contains(" waiting</span>"), "nothing waits any more");
    assert!(app.recorded(&org).await.contains(&"approval.approved".to_owned()));
}

#[tokio::test]
async fn a_call_is_decided_in_the_inbox_and_its_person_finds_what_became_of_it() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Agent", Role::Member).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let (grant, _) = app.grant(&org, Principal::User(ada.id), Class::Write).await;
    let id = app.approval(&org, grant, server).await;
    app.change("update approvals set user_id = (select user_id from grants)").await;
    let mut ann = app.member(&org, "Ann Approver", Role::Approver).await;
    // Whose agent asks sees that it waits, reminds of it, and decides nothing.
    let waits = ada.browser.visit("/me/requests").await;
    assert!(waits.says("Waits") && waits.says("tool-acme"), "{}", waits.body);
    let nudge = format!("/me/requests/acme/{id}/nudge");
    let nudged = ada.browser.submit(&waits, &nudge, &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.browser.follow(nudged).await.says("Those who may decide were reminded."));
    let theirs = ada.browser.visit("/o/acme/approvals").await;
    assert!(!theirs.body.contains("/decide\""), "{}", theirs.body);
    let inbox = ann.browser.visit("/o/acme/approvals").await;
    assert!(inbox.body.contains("&#34;hello&#34;"), "its arguments stand on the card: {}", inbox.body);
    let decide = format!("/o/acme/approvals/{id}/decide");
    let done = ann.browser.submit(&inbox, &decide, &[("decision", "approve_once")]).await;
    let done = ann.browser.follow(done.expect(StatusCode::SEE_OTHER)).await;
    assert!(done.says("Nothing waits") && done.says("half of them were decided within"), "{}", done.body);
    let over = ada.browser.visit("/me/requests").await;
    assert!(over.says("Approved") && over.says("by Ann Approver"), "{}", over.body);
}

#[tokio::test]
async fn what_people_ask_access_to_lands_in_the_inbox_of_who_gives_it() {
    const ALL: &str = "/api/v1/orgs/acme/access-requests";
    const BADGE: &str = "<span class=\"n\">1<span class=\"vh\"> waiting</span></span>";
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mia = app.member(&org, "Mia Member", Role::Member).await;
    let mut ann = app.member(&org, "Ann Approver", Role::Approver).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    app.accept_tools(&org, server, &[tool("get_issue", "Does it.", &["title"])]).await;
    let asking = |tools: &[&str]| json!({ "server": "github", "tools": tools, "why": "For the release.", "hours": 48 });
    let member = app.key_of(&org, mia.id, Role::Member, &["*"]).await;
    let asked = member.post(ALL, asking(&["get_issue"])).await.expect(StatusCode::CREATED);

    let inbox = ada.browser.visit("/o/acme/approvals").await;
    assert!(
        inbox.says("Mia Member asks for it for 2 days") && inbox.says("For the release."),
        "{}",
        inbox.body
    );
    assert!(inbox.says("get_issue") && inbox.says("Would be allowed"), "{}", inbox.body);
    assert_eq!(inbox.body.matches(BADGE).count(), 2, "of the inbox and of the list of requests");
    let theirs = ann.browser.visit("/o/acme/approvals").await;
    assert!(theirs.says("Nothing waits") && !theirs.body.contains(BADGE), "{}", theirs.body);
    let decide = format!("/o/acme/access/{}/decide", asked.text("/id"));
    let done = ada.browser.submit(&inbox, &decide, &[("decision", "approve")]).await;
    let done = done.expect(StatusCode::SEE_OTHER);
    assert_eq!(done.location().as_deref(), Some("/o/acme/approvals"));
    let done = ada.browser.follow(done).await;
    assert!(done.says("Given. They were told") && done.says("Nothing waits"), "{}", done.body);
    assert!(app.recorded(&org).await.contains(&"access.approved".to_owned()));

    // What does not stand there whole is read first, and nobody gives themselves anything while somebody else could.
    let many: Vec<String> = (0..13).map(|n| format!("tool_{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    member.post(ALL, asking(&many)).await.expect(StatusCode::CREATED);
    app.member(&org, "Bob Admin", Role::Admin).await;
    let own = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    own.post(ALL, asking(&["get_issue"])).await.expect(StatusCode::CREATED);
    let inbox = ada.browser.visit("/o/acme/approvals").await;
    assert!(inbox.says("Read all and decide") && inbox.says("somebody else has to decide"), "{}", inbox.body);
    assert!(!inbox.body.contains("/decide\""), "{}", inbox.body);
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

#[tokio::test]
async fn what_a_service_account_asks_is_taken_back_by_an_admin_and_what_was_given_is_revoked() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let (robot, _) = app.service_account(&org, "robot").await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let (grant, _) = app.grant(&org, Principal::ServiceAccount(robot), Class::Write).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut ann = app.member(&org, "Ann Approver", Role::Approver).await.browser;
    let one = format!("/o/acme/approvals/{}", app.approval(&org, grant, server).await);
    let page = ann.get(&one).await.expect(StatusCode::OK);
    assert!(page.says("Approve once") && !page.says("Take back"), "{}", page.body);
    let csrf = ann.csrf();
    let not_hers = ann.post(&format!("{one}/withdraw"), &[("csrf", &csrf)]).await;
    assert_eq!(not_hers.status, StatusCode::NOT_FOUND);
    let page = ada.get(&one).await.expect(StatusCode::OK);
    ada.submit(&page, &format!("{one}/withdraw"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.get(&one).await.says("Taken back"));

    let two = format!("/o/acme/approvals/{}", app.approval(&org, grant, server).await);
    let page = ann.get(&two).await.expect(StatusCode::OK);
    let an_hour = [("decision", "approve_for"), ("minutes", "60")];
    ann.submit(&page, &format!("{two}/decide"), &an_hour).await.expect(StatusCode::SEE_OTHER);
    let page = ann.get(&two).await.expect(StatusCode::OK);
    assert!(page.says("Agreed for 60 minutes") && page.says("Revoke approval"), "{}", page.body);
    let done = ann.submit(&page, &format!("{two}/revoke"), &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ann.follow(done).await;
    assert!(page.says("Revoked") && !page.says("Revoke this approval?"), "{}", page.body);
    let recorded = app.recorded(&org).await;
    for action in ["approval.withdrawn", "approval.revoked"] {
        assert!(recorded.contains(&action.to_owned()), "{recorded:?}");
    }
}
