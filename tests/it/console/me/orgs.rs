//! The person's organizations: switching and leaving.

use http::StatusCode;
use portreeve::base::permission::Role;

use super::let_proofs_pass;
use crate::kit::app::TestApp;

const LEAVE: &str = "/me/orgs/acme/leave";

#[tokio::test]
async fn a_person_switches_by_address_and_sees_only_their_own() {
    let app = TestApp::start().await;
    let (acme, mill) = (app.org("acme").await, app.org("mill").await);
    app.org("secret-org").await;
    let mut ada = app.member(&acme, "Ada Lovelace", Role::Admin).await;
    app.join(&mill, ada.id, Role::Admin).await;
    let page = ada.browser.get("/me/orgs").await.expect(StatusCode::OK);
    assert!(page.body.contains("href=\"/o/acme\"") && page.body.contains("href=\"/o/mill\""));
    assert!(!page.says("secret-org"));
    for slug in ["acme", "mill"] {
        let page = ada.browser.get(&format!("/o/{slug}/teams")).await.expect(StatusCode::OK);
        assert!(page.body.contains(&format!("href=\"/o/{slug}\" aria-current=\"true\"")));
    }
    let page = app.person("Eve Elsewhere").await.browser.get("/me/orgs").await;
    assert!(page.says("You are in no organization"));
}

#[tokio::test]
async fn what_was_opened_last_is_opened_next_and_lists_over_all_open_none() {
    let app = TestApp::start().await;
    let (acme, mill) = (app.org("acme").await, app.org("mill").await);
    let mut ada = app.member(&acme, "Ada Lovelace", Role::Admin).await;
    app.join(&mill, ada.id, Role::Admin).await;
    ada.browser.get("/o/acme/teams").await.expect(StatusCode::OK);
    app.clock.advance(time::Duration::minutes(10));
    for list in ["/me/accounts", "/me/access", "/me/requests", "/me/secrets"] {
        ada.browser.get(list).await.expect(StatusCode::OK);
        assert_eq!(ada.browser.get("/").await.location().as_deref(), Some("/o/acme"), "{list}");
    }
    // The lists saw her in both a moment ago; what she opens counts all the same.
    for slug in ["mill", "acme"] {
        ada.browser.get(&format!("/o/{slug}/teams")).await.expect(StatusCode::OK);
        assert_eq!(ada.browser.get("/").await.location(), Some(format!("/o/{slug}")));
    }
}

#[tokio::test]
async fn leaving_ends_the_membership_and_the_keys_there_only() {
    let app = TestApp::start().await;
    let (acme, mill) = (app.org("acme").await, app.org("mill").await);
    let mut ada = app.member(&acme, "Ada Lovelace", Role::Admin).await;
    app.join(&mill, ada.id, Role::Admin).await;
    let gone = app.key_of(&acme, ada.id, Role::Admin, &["*"]).await;
    let kept = app.key_of(&mill, ada.id, Role::Admin, &["*"]).await;
    let page = ada.browser.get(LEAVE).await.expect(StatusCode::OK);
    assert!(
        page.says("Your API keys here stop working") && page.says("Only a new invitation brings you back.")
    );
    let done = ada.browser.submit(&page, LEAVE, &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.browser.follow(done).await.says("You left acme."));
    ada.browser.get("/o/acme/teams").await.expect(StatusCode::NOT_FOUND);
    ada.browser.get("/o/mill/teams").await.expect(StatusCode::OK);
    gone.get("/api/v1/me").await.expect(StatusCode::UNAUTHORIZED);
    ada.browser.get("/o/acme/roles").await.expect(StatusCode::NOT_FOUND);
    kept.get("/api/v1/me").await.expect(StatusCode::OK);
    assert_eq!(app.recorded(&acme).await, ["member.left"]);
    ada.browser.submit(&page, LEAVE, &[]).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_last_owner_is_told_whom_to_ask_and_stays() {
    let app = TestApp::start().await;
    let acme = app.org("acme").await;
    let mut ada = app.member(&acme, "Ada Lovelace", Role::Owner).await;
    app.member(&acme, "Bob Babbage", Role::Admin).await;
    let page = ada.browser.get(LEAVE).await.expect(StatusCode::OK);
    assert!(page.says("You are the last owner") && page.body.contains("href=\"/o/acme/members\""));
    let csrf = page.form("/logout");
    let refused = ada.browser.post(LEAVE, &csrf.pairs()).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("Hand ownership over to another member first"));
    assert!(app.recorded(&acme).await.is_empty());
    ada.browser.get("/o/acme/teams").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn of_two_owners_who_leave_at_once_one_stays() {
    let app = TestApp::start().await;
    let acme = app.org("acme").await;
    let mut ada = app.member(&acme, "Ada Lovelace", Role::Owner).await.browser;
    let mut bob = app.member(&acme, "Bob Babbage", Role::Owner).await.browser;
    let (hers, his) = (ada.get(LEAVE).await, bob.get(LEAVE).await);
    let (hers, his) = tokio::join!(ada.submit(&hers, LEAVE, &[]), bob.submit(&his, LEAVE, &[]));
    let mut statuses = [hers.status, his.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
    assert_eq!(app.recorded(&acme).await, ["member.left"]);
}

#[tokio::test]
async fn leaving_asks_for_a_fresh_proof_and_a_membership() {
    let app = TestApp::start().await;
    let acme = app.org("acme").await;
    let mut ada = app.member(&acme, "Ada Lovelace", Role::Member).await.browser;
    let mut eve = app.person("Eve Elsewhere").await.browser;
    eve.get(LEAVE).await.expect(StatusCode::NOT_FOUND);
    let page = eve.get("/me/orgs").await;
    let csrf = page.form("/logout");
    eve.post(LEAVE, &csrf.pairs()).await.expect(StatusCode::NOT_FOUND);
    let page = ada.get(LEAVE).await;
    let_proofs_pass(&app);
    let asked = ada.submit(&page, LEAVE, &[]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(asked.location().as_deref(), Some("/prove?return_to=%2Fme%2Forgs%2Facme%2Fleave"));
    assert!(app.recorded(&acme).await.is_empty());
}
