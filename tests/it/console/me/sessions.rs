//! Sessions, and stopping everything.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::json;

use super::{actions, records};
use crate::kit::app::TestApp;

const SESSIONS: &str = "/me/sessions";

fn ends_on(page: &crate::kit::http::Page) -> Vec<String> {
    let actions = page.body.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    actions.filter(|action| action.starts_with("/me/sessions/ses") && action.ends_with("/end")).collect()
}

#[tokio::test]
async fn a_person_sees_their_sessions_and_ends_one() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let mut elsewhere = app.signed_in(ada.id).await;
    let page = ada.browser.get(SESSIONS).await.expect(StatusCode::OK);
    assert!(page.says("This one") && page.says("Password") && page.says("Unknown device"));
    let ends = ends_on(&page);
    assert_eq!(ends.len(), 1);
    let done = ada.browser.submit(&page, &ends[0], &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.browser.follow(done).await.says("has ended."));
    elsewhere.get(SESSIONS).await.expect(StatusCode::SEE_OTHER);
    ada.browser.get(SESSIONS).await.expect(StatusCode::OK);
    assert_eq!(actions(&app, ada.id).await, ["session.ended"]);
    ada.browser.submit(&page, &ends[0], &[]).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn all_others_end_at_once_with_their_count() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let mut others = [app.signed_in(ada.id).await, app.signed_in(ada.id).await];
    let page = ada.browser.get(SESSIONS).await.expect(StatusCode::OK);
    assert!(page.says("End 2 other sessions?"));
    let done = ada.browser.submit(&page, "/me/sessions/end-others", &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.browser.follow(done).await.says("2 other sessions have ended."));
    for other in &mut others {
        other.get(SESSIONS).await.expect(StatusCode::SEE_OTHER);
    }
    let again = ada.browser.submit(&page, "/me/sessions/end-others", &[]).await;
    assert!(ada.browser.follow(again).await.says("There was no other session."));
    assert_eq!(actions(&app, ada.id).await, ["sessions.ended"]);
}

#[tokio::test]
async fn somebody_elses_session_is_not_found() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    app.signed_in(ada.id).await;
    let theirs = ends_on(&ada.browser.get(SESSIONS).await).remove(0);
    let mut eve = app.person("Eve Elsewhere").await;
    app.signed_in(eve.id).await;
    let page = eve.browser.get(SESSIONS).await;
    let form = page.form(&ends_on(&page)[0]);
    eve.browser.post(&theirs, &form.pairs()).await.expect(StatusCode::NOT_FOUND);
    eve.browser.post("/me/sessions/nonsense/end", &form.pairs()).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(ends_on(&ada.browser.get(SESSIONS).await), [theirs]);
    assert!(actions(&app, eve.id).await.is_empty());
}

#[tokio::test]
async fn stopping_everything_ends_other_sessions_and_keys_everywhere() {
    let app = TestApp::start().await;
    let (acme, mill) = (app.org("acme").await, app.org("mill").await);
    let mut ada = app.member(&acme, "Ada Lovelace", Role::Admin).await;
    app.join(&mill, ada.id, Role::Member).await;
    let bob = app.member(&acme, "Bob Babbage", Role::Admin).await;
    let keys = [
        app.key_of(&acme, ada.id, Role::Admin, &["*"]).await,
        app.key_of(&mill, ada.id, Role::Member, &["*"]).await,
    ];
    let his = app.key_of(&acme, bob.id, Role::Admin, &["*"]).await;
    let mut elsewhere = app.signed_in(ada.id).await;

    let page = ada.browser.get("/me/stop").await.expect(StatusCode::OK);
    assert!(page.says("Other sessions of yours") && page.says("API keys in acme"));
    assert!(page.says("API keys in mill"));
    let page = ada.browser.submit(&page, "/me/stop", &[]).await.expect(StatusCode::OK);
    assert!(page.says("All of this has ended.") && page.says("Change your password next"));
    for key in &keys {
        key.get("/api/v1/me").await.expect(StatusCode::UNAUTHORIZED);
    }
    his.get("/api/v1/me").await.expect(StatusCode::OK);
    elsewhere.get(SESSIONS).await.expect(StatusCode::SEE_OTHER);
    ada.browser.get(SESSIONS).await.expect(StatusCode::OK);
    for org in [&acme, &mill] {
        assert_eq!(app.recorded(org).await, ["member.stopped"]);
    }
    let record = records(&app, ada.id).await.remove(0);
    assert_eq!(record.action, "person.stopped");
    assert_eq!(record.before, Some(json!({ "other_sessions": 1, "this_session": true })));
}

#[tokio::test]
async fn stopping_everything_may_end_this_session_too_and_twice_does_no_harm() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Lovelace", Role::Member).await;
    let page = ada.browser.get("/me/stop").await;
    ada.browser.submit(&page, "/me/stop", &[]).await.expect(StatusCode::OK);
    let done =
        ada.browser.submit(&page, "/me/stop", &[("this_too", "on")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(done.location().as_deref(), Some("/login"));
    assert!(ada.browser.cookie("portreeve_session").is_none());
    assert!(app.recorded(&org).await.is_empty());
    assert_eq!(actions(&app, ada.id).await, ["person.stopped", "person.stopped"]);
}
