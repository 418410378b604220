//! The password, and the page that shows how a person proves themselves.

use http::StatusCode;
use portreeve::{
    base::permission::Role,
    domain::identity::password::Verdict,
    domain::identity::store,
    io::db::{SystemTx, Tx},
};

use super::{actions, let_proofs_pass, letters, records};
use crate::kit::{
    app::TestApp,
    database::{connect, execute},
    people::PASSWORD,
};

const SECURITY: &str = "/me/security";
const PAGE: &str = "/me/security/password";
const NEW: &str = "tangled orbit mulberry";

async fn opens(app: &TestApp, person: &crate::kit::people::Person, password: &str) -> bool {
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let hash = store::users::find_password_hash(&mut tx, person.id).await.unwrap();
    tx.done().await.unwrap();
    let verdict = app.ports.hasher.verify(password.to_owned().into(), hash).await.unwrap();
    matches!(verdict, Verdict::Right { .. })
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_is_told_by_letter() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let mut elsewhere = app.signed_in(ada.id).await;
    let before = ada.browser.cookie("portreeve_session").unwrap().to_owned();
    let page = ada.browser.get(PAGE).await.expect(StatusCode::OK);
    let fields = [("password", NEW), ("again", NEW)];
    let done = ada.browser.submit(&page, PAGE, &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(done.location().as_deref(), Some(SECURITY));
    let page = ada.browser.follow(done).await.expect(StatusCode::OK);
    assert!(page.says("Your password was changed, and every other session has ended."));
    assert!(opens(&app, &ada, NEW).await && !opens(&app, &ada, PASSWORD).await);

    elsewhere.get(SECURITY).await.expect(StatusCode::SEE_OTHER);
    let mut stolen = app.visitor();
    stolen.set_cookie("portreeve_session", &before);
    stolen.get(SECURITY).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(letters(&app).await, [(ada.email.clone(), "Your password was changed".to_owned())]);
    let records = records(&app, ada.id).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].action, "password.changed");
    assert!(!format!("{records:?}").contains("argon2"));
}

#[tokio::test]
async fn other_sessions_stay_when_asked_so() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let mut elsewhere = app.signed_in(ada.id).await;
    let page = ada.browser.get(PAGE).await;
    let fields = [("password", NEW), ("again", NEW), ("end_others", "")];
    let done = ada.browser.submit(&page, PAGE, &fields).await.expect(StatusCode::SEE_OTHER);
    assert!(ada.browser.follow(done).await.says("Your password was changed."));
    elsewhere.get(SECURITY).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_weak_or_mistyped_password_is_refused_beside_its_field() {
    let app = TestApp::start().await;
    let org = app.org("zanzibar").await;
    let mut ada = app.member(&org, "Ada Lovelace", Role::Member).await;
    let page = ada.browser.get(PAGE).await.expect(StatusCode::OK);
    for (password, again, said) in [
        ("short", "short", "Use at least 12 characters"),
        ("password1234", "password1234", "among the first that are tried"),
        ("lovelace tangled orbit", "lovelace tangled orbit", "names and addresses are tried first"),
        ("zanzibar tangled orbit", "zanzibar tangled orbit", "names and addresses are tried first"),
        (NEW, "tangled orbit mulbery", "This is not the same password"),
    ] {
        let refused = ada.browser.submit(&page, PAGE, &[("password", password), ("again", again)]).await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.says(said), "{password}");
        assert!(!refused.body.contains(&format!("value=\"{password}\"")));
    }
    assert!(opens(&app, &ada, PASSWORD).await);
    assert!(actions(&app, ada.id).await.is_empty());
}

#[tokio::test]
async fn a_password_asks_for_a_fresh_proof() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = ada.browser.get(PAGE).await;
    let_proofs_pass(&app);
    let asked = ada.browser.get(PAGE).await;
    assert_eq!(asked.location().as_deref(), Some("/prove?return_to=%2Fme%2Fsecurity%2Fpassword"));
    let asked = ada.browser.submit(&page, PAGE, &[("password", NEW), ("again", NEW)]).await;
    assert!(asked.location().unwrap().starts_with("/prove"));
    assert!(opens(&app, &ada, PASSWORD).await);
}

#[tokio::test]
async fn somebody_without_a_password_sets_a_first_one() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let mut conn = connect(&app.database.superuser()).await;
    execute(&mut conn, "update users set password_hash = null, password_changed_at = null").await;
    assert!(ada.browser.get(SECURITY).await.says("You sign in without a password."));
    let page = ada.browser.get(PAGE).await.expect(StatusCode::OK);
    assert!(page.says("Set a password"));
    ada.browser.submit(&page, PAGE, &[("password", NEW), ("again", NEW)]).await.expect(StatusCode::SEE_OTHER);
    assert!(opens(&app, &ada, NEW).await);
    let record = records(&app, ada.id).await.remove(0);
    assert_eq!(record.before, Some(serde_json::json!({ "is_set": false })));
}

#[tokio::test]
async fn activity_shows_what_a_person_did_and_nobody_elses() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let mut eve = app.person("Eve Elsewhere").await;
    assert!(ada.browser.get("/me/activity").await.says("Nothing is on record yet"));
    for n in 0..3 {
        let page = ada.browser.get("/me/profile").await;
        let name = format!("Ada {n}");
        ada.browser.submit(&page, "/me/profile", &[("name", &name)]).await.expect(StatusCode::SEE_OTHER);
    }
    let page = ada.browser.get("/me/activity?limit=2").await.expect(StatusCode::OK);
    assert_eq!(page.body.matches("Profile changed").count(), 2);
    assert!(page.says("You"));
    let next = page.body.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let page = ada.browser.get(&next).await.expect(StatusCode::OK);
    assert!(page.says("Profile changed") && page.says("Back to the start"));
    assert!(eve.browser.get("/me/activity").await.says("Nothing is on record yet"));
    ada.browser.get("/me/activity?cursor=nonsense").await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}
