//! Confirming that it is you.

use http::StatusCode;
use portreeve::{base::permission::Role, domain::identity::attempts::Limits};
use time::Duration;

use crate::kit::{app::TestApp, people::PASSWORD};

#[tokio::test]
async fn a_password_proves_it_gives_the_session_a_new_token_and_leads_back() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let before = ada.cookie("portreeve_session").unwrap().to_owned();
    let page = ada.get("/prove?return_to=%2Fo%2Facme%2Fteams").await.expect(StatusCode::OK);
    let wrong = ada.submit(&page, "/prove", &[("password", "wrong")]).await;
    assert!(wrong.expect(StatusCode::UNPROCESSABLE_ENTITY).says("This is not your password"));
    let page = ada.submit(&page, "/prove", &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(page.location().as_deref(), Some("/o/acme/teams"));
    assert_ne!(ada.cookie("portreeve_session"), Some(before.as_str()));
    ada.follow(page).await.expect(StatusCode::OK);
    let mut thief = app.visitor();
    thief.set_cookie("portreeve_session", &before);
    thief.get("/o/acme/teams").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(app.instance_actions().await, ["session.proof_refused", "session.proven"]);
    app.run_jobs().await;
    assert_eq!(app.recorded(&org).await, ["session.proof_refused", "session.proven"]);
}

#[tokio::test]
async fn an_old_proof_is_renewed_by_a_code_that_serves_once() {
    let app = TestApp::start().await;
    let mut olga = app.operator("Olga Operator").await;
    app.second_factor(olga.id).await;
    app.clock.advance(Duration::minutes(31));
    let page = olga.browser.get("/prove").await.expect(StatusCode::OK);
    let form = page.form("/prove");
    let csrf = form.pairs()[0].1.to_owned();
    let code = app.code();
    let fields = [("csrf", csrf.as_str()), ("way", "code"), ("code", &code)];
    olga.browser.post("/prove", &fields).await.expect(StatusCode::SEE_OTHER);
    let page = olga.browser.get("/prove").await;
    let csrf = page.form("/prove").pairs()[0].1.to_owned();
    let fields = [("csrf", csrf.as_str()), ("way", "code"), ("code", &code)];
    let again = olga.browser.post("/prove", &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.says("was used before"));
}

#[tokio::test]
async fn nobody_proves_without_a_session_or_token_and_guessing_is_limited() {
    let app = TestApp::with(|ports| ports.limits.codes = Limits::default().codes).await;
    let page = app.visitor().get("/prove?return_to=%2Fme").await.expect(StatusCode::SEE_OTHER);
    assert!(page.location().unwrap().starts_with("/login?return_to="));
    let mut ada = app.person("Ada Admin").await.browser;
    ada.post("/prove", &[("password", PASSWORD)]).await.expect(StatusCode::CONFLICT);
    let page = ada.get("/prove?return_to=%2F%2Fevil.example").await;
    assert!(!page.body.contains("evil.example"));
    for _ in 0..10 {
        ada.submit(&page, "/prove", &[("password", "wrong")]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    }
    ada.submit(&page, "/prove", &[("password", PASSWORD)]).await.expect(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn what_the_page_before_wanted_to_say_is_said_after_the_session_got_a_new_token() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Admin").await.browser;
    let proof = ada.get("/prove?return_to=%2Fme%2Fprofile").await.expect(StatusCode::OK);
    let page = ada.get("/me/profile").await;
    ada.submit(&page, "/me/profile", &[("name", "Ada L")]).await.expect(StatusCode::SEE_OTHER);
    let back = ada.submit(&proof, "/prove", &[("password", PASSWORD)]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.follow(back).await.expect(StatusCode::OK);
    assert!(page.says("class=\"toast\""), "{}", page.body);
    assert!(!ada.get("/me/profile").await.says("class=\"toast\""), "it is said once");
}
