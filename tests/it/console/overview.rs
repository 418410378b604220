//! The overview: first steps, what needs attention, figures, latest events.

use http::StatusCode;
use portreeve::{
    base::permission::Role,
    domain::{
        audit::{self, Unrecorded},
        tenancy::{NewInvitation, store as tenancy},
    },
};
use time::Duration;

use crate::kit::app::TestApp;

const SKIP: &str = "/o/acme/steps/skip";

#[tokio::test]
async fn first_steps_are_done_by_doing_them() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Owner", Role::Owner).await;
    let mut browser = ada.browser.clone();
    let page = browser.get("/o/acme").await.expect(StatusCode::OK);
    assert!(page.says("0 of 8 done") && page.says("Secure your account"));
    assert!(page.says("Nothing has happened yet"));

    app.key_of(&org, ada.id, Role::Owner, &["*"]).await;
    app.member(&org, "Bob Boss", Role::Owner).await;
    let gate = browser.get("/o/acme/gate").await;
    browser.submit(&gate, "/o/acme/gate/close", &[("reason", "drill")]).await;
    let page = browser.get("/o/acme").await;
    assert!(page.says("3 of 8 done"));
    assert!(page.says("The gate is closed") && page.says("closed the gate for all agents"));

    let page = browser.submit(&page, "/o/acme/steps/open", &[("step", "audit")]).await;
    assert_eq!(page.location().as_deref(), Some("/o/acme/audit"));
    let page = browser.get("/o/acme/").await.expect(StatusCode::OK);
    assert!(page.says("4 of 8 done"));
}

#[tokio::test]
async fn steps_can_be_skipped_and_brought_back() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Owner", Role::Owner).await.browser;
    let page = ada.get("/o/acme").await;
    let page = ada.submit(&page, SKIP, &[("step", "gate")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("Skipped") && !page.says(": Try the gate"));
    let page = ada.submit(&page, SKIP, &[("step", "all")]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(!page.says("Secure your account"));
    let page = ada.submit(&page, "/o/acme/steps/resume", &[]).await;
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("0 of 8 done") && page.says(": Try the gate"));
    let page = ada.submit(&page, SKIP, &[("step", "unknown")]).await;
    page.expect(StatusCode::NOT_FOUND);
    assert!(app.recorded(&org).await.is_empty(), "hints are no changes");
}

#[tokio::test]
async fn what_ends_soon_is_said_in_time() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Owner", Role::Owner).await;
    app.member(&org, "Mia Member", Role::Member).await;
    app.key_of(&org, ada.id, Role::Owner, &["*"]).await;
    let page = ada.browser.clone().get("/o/acme").await;
    assert!(!page.says("expires within two weeks") && page.says("There is only one owner"));
    app.clock.advance(Duration::days(17));
    let who = portreeve::base::actor::KeyOwner::User(ada.id);
    let new = NewInvitation::parse("jonas@example.com", "member", None).unwrap();
    let mut tx = app.org_tx(org.id).await;
    let _ = tenancy::invitations::issue(&mut tx, &new, None, who, app.clock.now()).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    app.clock.advance(Duration::hours(60));
    let page = app.signed_in(ada.id).await.get("/o/acme").await.expect(StatusCode::OK);
    assert!(page.says("1 API key expires within two weeks"), "{}", page.body);
    assert!(page.says("1 invitation ends within a day"));
    app.clock.advance(Duration::hours(13));
    let page = app.signed_in(ada.id).await.get("/o/acme").await;
    assert!(page.says("1 invitation has run out"));
}

#[tokio::test]
async fn everybody_else_is_led_to_the_first_page_they_may_open() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    for (role, place) in [
        (Role::Auditor, "/o/acme/audit"),
        (Role::PolicyManager, "/o/acme/audit"),
        (Role::Approver, "/o/acme/approvals"),
        (Role::Member, "/me"),
    ] {
        let mut person = app.member(&org, &format!("Pat {role}"), role).await.browser;
        let page = person.get("/o/acme").await.expect(StatusCode::SEE_OTHER);
        assert_eq!(page.location().as_deref(), Some(place));
    }
    app.person("Eve Elsewhere").await.browser.get("/o/acme").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_switcher_names_every_organization_of_the_person() {
    let app = TestApp::start().await;
    let (acme, beta) = (app.org("acme").await, app.org("beta").await);
    app.org("gamma").await;
    let ada = app.member(&acme, "Ada Owner", Role::Owner).await;
    app.join(&beta, ada.id, Role::Auditor).await;
    let page = ada.browser.clone().get("/o/acme").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/o/acme\" aria-current=\"true\""));
    assert!(page.body.contains("href=\"/o/beta\"") && !page.body.contains("/o/gamma"));
}
