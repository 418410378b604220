//! Passkeys, in a real browser with a virtual authenticator.

use http::StatusCode;
use portreeve::base::permission::Role;
use serde_json::json;

use super::{actions, code_of, let_proofs_pass, letters, require_second_factor};
use crate::kit::{
    app::TestApp,
    browser::{Browser, Scheme},
    http::Visitor,
};

const SECURITY: &str = "/me/security";
const NEW: &str = "/me/security/passkeys/new";

/// Gives the browser the visitor's session.
async fn sign_in(browser: &Browser, app: &TestApp, visitor: &Visitor) {
    let cookie = json!({
        "name": "portreeve_session", "url": app.origin(), "httpOnly": true,
        "value": visitor.cookie("portreeve_session").unwrap(),
    });
    browser.cdp("Network.setCookie", cookie).await;
}

async fn add(browser: &Browser, app: &TestApp, name: &str) {
    browser.goto(&format!("{}{NEW}", app.origin())).await;
    browser.fill("input[name=name]", name).await;
    browser.click("form[data-passkey] button").await;
    browser.see("#toasts", "The passkey was added.").await;
}

#[tokio::test]
async fn a_passkey_is_added_renamed_and_removed() {
    let Some(browser) = Browser::open().await else { return };
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Lovelace", Role::Admin).await;
    require_second_factor(&app, "acme").await;
    browser.plug_in_passkey().await;
    sign_in(&browser, &app, &ada.browser).await;
    add(&browser, &app, "Work laptop").await;
    browser.see("table", "Work laptop").await;

    // Adding it showed more than a password, and the organization asks for no less.
    browser.goto(&format!("{}/o/acme/teams", app.origin())).await;
    browser.see("main", "There are no teams yet").await;

    browser.goto(&format!("{}{SECURITY}", app.origin())).await;
    browser.click("table .row-link").await;
    browser.fill("main input[name=name]", "Blue key").await;
    browser.click("main form .btn-p").await;
    browser.see("table", "Blue key").await;

    // It is the last second factor, so it stays.
    browser.click("table .btn-d").await;
    browser.see("h1", "Remove Blue key?").await;
    browser.click("main form .btn-d").await;
    browser.see("main", "acme asks its people for a second factor").await;

    // With the app turned on, it may go.
    browser.goto(&format!("{}{SECURITY}", app.origin())).await;
    let told = letters(&app).await;
    assert_eq!(told, [(ada.email.clone(), "A passkey was added".to_owned())]);
    let mut conn = crate::kit::database::connect(&app.database.superuser()).await;
    crate::kit::database::execute(&mut conn, "update orgs set require_second_factor = false").await;
    browser.click("table .btn-d").await;
    browser.see("h1", "Remove Blue key?").await;
    browser.click("main form .btn-d").await;
    browser.see("main", "You have no passkey yet.").await;
    assert_eq!(letters(&app).await.last().unwrap().1, "A passkey was removed");
    assert_eq!(actions(&app, ada.id).await, ["passkey.added", "passkey.renamed", "passkey.removed"]);
    browser.finish_refused().await;
}

#[tokio::test]
async fn a_device_that_holds_one_already_and_a_stale_proof_are_told_in_words() {
    let Some(browser) = Browser::open().await else { return };
    let app = TestApp::start().await;
    let ada = app.person("Ada Lovelace").await;
    browser.plug_in_passkey().await;
    sign_in(&browser, &app, &ada.browser).await;
    add(&browser, &app, "Work laptop").await;
    browser.goto(&format!("{}{NEW}", app.origin())).await;
    browser.fill("input[name=name]", "Again").await;
    browser.click("form[data-passkey] button").await;
    browser.see("[data-passkey-error]", "already holds a passkey").await;
    let_proofs_pass(&app);
    browser.click("form[data-passkey] button").await;
    browser.see("[data-passkey-error]", "Reload the page and confirm that it is you.").await;
    assert_eq!(actions(&app, ada.id).await, ["passkey.added"]);
    browser.finish_refused().await;
}

#[tokio::test]
async fn an_answer_without_its_ceremony_adds_nothing_and_other_peoples_passkeys_are_not_found() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = ada.browser.get(NEW).await.expect(StatusCode::OK);
    let answer = [("name", "Key"), ("credential", "{}")];
    let refused = ada.browser.submit(&page, NEW, &answer).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("Start again under Security."));
    let unnamed = ada.browser.submit(&page, NEW, &[("name", " ")]).await;
    assert!(unnamed.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Enter a name"));

    let csrf = page.form("/logout");
    let options =
        ada.browser.post("/me/security/passkeys/options", &csrf.pairs()).await.expect(StatusCode::OK);
    assert!(options.body.contains("\"challenge\"") && ada.browser.cookie("portreeve_step").is_some());
    let forged = ada.browser.submit(&page, NEW, &answer).await.expect(StatusCode::CONFLICT);
    assert!(forged.says("Nothing was added"));

    let id = portreeve::base::ids::PasskeyId::fresh();
    for path in [format!("/me/security/passkeys/{id}"), format!("/me/security/passkeys/{id}/remove")] {
        ada.browser.get(&path).await.expect(StatusCode::NOT_FOUND);
        let fields: Vec<_> = csrf.pairs().into_iter().chain([("name", "x")]).collect();
        ada.browser.post(&path, &fields).await.expect(StatusCode::NOT_FOUND);
    }
    assert!(actions(&app, ada.id).await.is_empty());
    let_proofs_pass(&app);
    assert!(ada.browser.get(NEW).await.location().unwrap().starts_with("/prove"));
}

#[tokio::test]
async fn the_pages_have_no_accessibility_faults_in_either_scheme_and_at_phone_width() {
    let Some(browser) = Browser::open().await else { return };
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Lovelace", Role::Admin).await;
    app.signed_in(ada.id).await;
    app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    sign_in(&browser, &app, &ada.browser).await;
    for (width, scheme) in [(1440, Scheme::Light), (390, Scheme::Dark)] {
        browser.resize(width, 900).await;
        browser.prefer(scheme).await;
        for path in [
            "/me/profile",
            "/me/email",
            "/me/security",
            "/me/security/password",
            "/me/security/totp",
            NEW,
            "/me/sessions",
            "/me/stop",
            "/me/orgs",
            "/me/orgs/acme/leave",
            "/me/activity",
        ] {
            browser.goto(&format!("{}{path}", app.origin())).await;
            assert_eq!(browser.axe().await, [], "{path} {width}");
            let wide = browser.eval("return document.documentElement.scrollWidth - innerWidth").await;
            assert!(wide.as_i64().unwrap() <= 0, "{path} is {wide} too wide at {width}");
        }
    }
    browser.goto(&format!("{}{SECURITY}", app.origin())).await;
    browser.click("form[action$=start] button").await;
    browser.see("h1", "Set up an authenticator app").await;
    assert_eq!(browser.axe().await, []);
    let html = browser.eval("return document.documentElement.outerHTML").await;
    browser.fill("input[name=code]", &code_of(&app, html.as_str().unwrap())).await;
    browser.click("form .btn-p").await;
    browser.see("h1", "Recovery codes").await;
    assert_eq!(browser.axe().await, []);
    browser.finish_refused().await;
}
