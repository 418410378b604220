//! Off-boarding and leaving.

use http::StatusCode;
use portreeve::{
    base::{
        actor::KeyOwner,
        permission::{Role, TeamRole},
    },
    domain::{
        audit::{self, Unrecorded},
        tenancy::{NewInvitation, NewTeam, store as tenancy},
    },
};
use serde_json::json;
use time::Duration;

use crate::{
    console::members::{csrf_of, latest_change},
    kit::{
        app::TestApp,
        http::Script,
        people::{Person, PlantedOrg},
    },
};

const KEYED: &str = "/api/v1/orgs/acme/teams";

/// A member with two sessions, a key, a place in a team and an open invitation they sent.
async fn bob(app: &TestApp, org: &PlantedOrg) -> (Person, Script) {
    let bob = app.member(org, "Bob Leaver", Role::Admin).await;
    app.signed_in(bob.id).await;
    let key = app.key_of(org, bob.id, Role::Admin, &["*"]).await;
    let mut tx = app.org_tx(org.id).await;
    let team = NewTeam::parse("Crew", "crew", "").unwrap();
    let team = tenancy::teams::insert(&mut tx, &team, app.clock.now()).await.unwrap();
    let _ =
        tenancy::teams::add_member(&mut tx, team, bob.id, TeamRole::Member, app.clock.now()).await.unwrap();
    let new = NewInvitation::parse("new@example.com", "member", None).unwrap();
    let _ = tenancy::invitations::issue(&mut tx, &new, None, KeyOwner::User(bob.id), app.clock.now())
        .await
        .unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    (bob, key)
}

#[tokio::test]
async fn off_boarding_ends_everything_at_once_and_says_so() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let (mut bob, key) = bob(&app, &org).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    key.get(KEYED).await.expect(StatusCode::OK);
    let action = format!("/o/acme/members/{}/offboard", bob.id);
    let page = ada.get(&action).await.expect(StatusCode::OK);
    for words in [
        "Sessions end; the person is signed out everywhere",
        "API keys stop working",
        "Places in teams are given up",
    ] {
        assert!(page.says(words), "{words}");
    }
    let refused =
        ada.submit(&page, &action, &[("confirm", "bob")]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.says("Type bob.leaver@example.com exactly"));
    key.get(KEYED).await.expect(StatusCode::OK);

    let page = ada.submit(&refused, &action, &[("confirm", "bob.leaver@example.com")]).await;
    let page = page.expect(StatusCode::OK);
    assert!(page.says("Bob Leaver was off-boarded") && page.says("Open invitations they sent are withdrawn"));
    assert_eq!(app.recorded(&org).await, ["member.offboarded"]);
    let ended = json!({ "sessions": 2, "api_keys": 1, "approvals": 0, "given_approvals": 0, "access_requests": 0, "connections": 0, "grants": 0, "kept_values": 0, "team_places": 1, "invitations": 1 });
    let (before, after) = latest_change(&app, &org).await;
    assert_eq!(before, json!({ "email": "bob.leaver@example.com", "role": "admin" }));
    assert_eq!(after, json!({ "ended": ended }));

    key.get(KEYED).await.expect(StatusCode::UNAUTHORIZED);
    let page = bob.browser.get("/o/acme/members").await.expect(StatusCode::SEE_OTHER);
    assert!(page.location().unwrap().starts_with("/login"));
    app.signed_in(bob.id).await.get("/o/acme/members").await.expect(StatusCode::NOT_FOUND);
    let page = ada.get("/o/acme/members/invitations?state=revoked").await.expect(StatusCode::OK);
    assert!(page.says("new@example.com"));
    app.run_jobs().await;
    let subjects: Vec<String> = app.postbox.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["You were removed from acme"]);
    // A second click finds nobody.
    let csrf = csrf_of(&ada.get("/o/acme/roles").await);
    let again = [("csrf", csrf.as_str()), ("confirm", "bob.leaver@example.com")];
    ada.post(&action, &again).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn off_boarding_asks_for_a_proof_before_the_form_and_with_it() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let (bob, _) = bob(&app, &org).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let action = format!("/o/acme/members/{}/offboard", bob.id);
    let page = ada.get(&action).await.expect(StatusCode::OK);
    app.clock.advance(Duration::minutes(11));
    let late = ada.submit(&page, &action, &[("confirm", "bob.leaver@example.com")]).await;
    assert!(late.location().unwrap().starts_with("/prove"));
    assert!(ada.get(&action).await.location().unwrap().starts_with("/prove?return_to="));
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn a_membership_that_changed_since_it_was_seen_is_not_ended() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let (bob, key) = bob(&app, &org).await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let member = format!("/o/acme/members/{}", bob.id);
    let action = format!("{member}/offboard");
    let seen = ada.get(&action).await.expect(StatusCode::OK);
    let page = ada.get(&member).await;
    ada.submit(&page, &format!("{member}/role"), &[("role", "auditor")]).await.expect(StatusCode::SEE_OTHER);
    let late = ada.submit(&seen, &action, &[("confirm", "bob.leaver@example.com")]).await;
    late.expect(StatusCode::PRECONDITION_FAILED);
    assert_eq!(app.recorded(&org).await, ["member.role_changed"], "nothing of it was kept");
    key.get("/api/v1/orgs/acme/roles").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn nobody_off_boards_themselves() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let refused = ada.browser.get(&format!("/o/acme/members/{}/offboard", ada.id)).await;
    assert!(refused.expect(StatusCode::CONFLICT).says("leave the organization"));
}
