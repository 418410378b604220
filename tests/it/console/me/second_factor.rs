//! The authenticator app and the recovery codes.

use http::StatusCode;
use portreeve::{
    base::permission::Role,
    domain::{
        audit::{self, Unrecorded},
        identity::{recovery::RecoveryCode, store},
    },
    io::db::{SystemTx, Tx},
};

use super::{actions, code_of, let_proofs_pass, letters, records, require_second_factor};
use crate::kit::{app::TestApp, http::Page, people::Person};

const SECURITY: &str = "/me/security";
const ENROLL: &str = "/me/security/totp";
const START: &str = "/me/security/totp/start";
const OFF: &str = "/me/security/totp/off";
const CODES: &str = "/me/security/recovery-codes";

/// Starts at the security page; gives the page with the QR code.
async fn enroll(ada: &mut Person) -> Page {
    let page = ada.browser.get(SECURITY).await.expect(StatusCode::OK);
    let page = ada.browser.submit(&page, START, &[]).await.expect(StatusCode::SEE_OTHER);
    ada.browser.follow(page).await.expect(StatusCode::OK)
}

/// Turns the app on; gives the page with the recovery codes.
async fn turn_on(app: &TestApp, ada: &mut Person) -> Page {
    let page = enroll(ada).await;
    let code = code_of(app, &page.body);
    ada.browser.submit(&page, ENROLL, &[("code", &code)]).await.expect(StatusCode::OK)
}

fn codes_on(page: &Page) -> Vec<String> {
    let list = page.body.split("id=\"codes\">").nth(1).unwrap().split("</ul>").next().unwrap();
    list.split("<code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

async fn spend(app: &TestApp, ada: &Person, code: &str) -> Option<usize> {
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let code = RecoveryCode::parse(code).unwrap();
    let left = store::recovery::spend(&mut tx, ada.id, &code, app.clock.now()).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    left
}

#[tokio::test]
async fn an_app_is_turned_on_by_its_first_code_and_recovery_codes_are_shown_once() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = enroll(&mut ada).await;
    assert!(page.body.contains("<svg class=\"qr\"") && page.body.contains("otpauth://totp/"));
    let before = ada.browser.cookie("portreeve_session").unwrap().to_owned();
    let code = code_of(&app, &page.body);
    let page = ada.browser.submit(&page, ENROLL, &[("code", &code)]).await.expect(StatusCode::OK);
    let codes = codes_on(&page);
    assert_eq!(codes.len(), 10);
    assert_eq!(page.headers["cache-control"], "no-store");
    assert_ne!(ada.browser.cookie("portreeve_session").unwrap(), before);
    // The page that came with the new cookie has forms that fit it.
    let out = page.form("/logout");
    let overview = ada.browser.get(SECURITY).await.expect(StatusCode::OK);
    assert_eq!(out.pairs(), overview.form("/logout").pairs());
    assert!(overview.says("10 of 10 left") && !codes.iter().any(|code| overview.body.contains(code)));
    assert_eq!(letters(&app).await, [(ada.email.clone(), "Two-step sign-in is on".to_owned())]);
    let records = records(&app, ada.id).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].action, "totp.enabled");
    assert!(!codes.iter().any(|code| format!("{records:?}").contains(code)));
}

#[tokio::test]
async fn a_wrong_or_old_code_turns_nothing_on() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = enroll(&mut ada).await;
    let right = code_of(&app, &page.body);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for code in [wrong, "", "12345", "abcdef"] {
        let refused = ada.browser.submit(&page, ENROLL, &[("code", code)]).await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.says("This is not the code of this moment"), "{code}");
        assert!(refused.body.contains("<svg class=\"qr\""));
    }
    app.clock.advance(time::Duration::minutes(2));
    ada.browser.submit(&page, ENROLL, &[("code", &right)]).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(ada.browser.get(SECURITY).await.says("Set up an app"));
    assert!(actions(&app, ada.id).await.is_empty() && letters(&app).await.is_empty());
}

#[tokio::test]
async fn a_code_is_good_once() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = enroll(&mut ada).await;
    let code = code_of(&app, &page.body);
    ada.browser.submit(&page, ENROLL, &[("code", &code)]).await.expect(StatusCode::OK);
    let page = ada.browser.get(SECURITY).await;
    let csrf = page.form("/logout");
    let again: Vec<_> = csrf.pairs().into_iter().chain([("code", code.as_str())]).collect();
    let refused = ada.browser.post(ENROLL, &again).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("An authenticator app is on already."));
    // The step of the code that turned it on opens no door after it.
    let seconds = app.clock.now().unix_timestamp();
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let secret = portreeve::domain::identity::totp::TotpSecret::fresh();
    let totp =
        totp_rs::Builder::new().with_secret(<[u8; 20]>::try_from(secret.expose()).unwrap()).build().unwrap();
    let this = totp.generate(seconds.try_into().unwrap()).to_string();
    let step = secret.check(&this, app.clock.now()).unwrap();
    assert!(!store::totp::spend(&mut tx, ada.id, step).await.unwrap());
    tx.done().await.unwrap();
}

#[tokio::test]
async fn tries_are_limited_by_person() {
    let limits = portreeve::domain::identity::attempts::Limits::default();
    let app = TestApp::with(|ports| ports.limits = limits).await;
    let mut ada = app.person("Ada Lovelace").await;
    let page = enroll(&mut ada).await;
    let mut statuses = Vec::new();
    for _ in 0..11 {
        statuses.push(ada.browser.submit(&page, ENROLL, &[("code", "12345")]).await.status);
    }
    assert!(statuses[..10].iter().all(|status| *status == StatusCode::UNPROCESSABLE_ENTITY), "{statuses:?}");
    assert_eq!(statuses[10], StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_used_recovery_code_is_gone_and_new_ones_replace_all() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let old = codes_on(&turn_on(&app, &mut ada).await);
    assert_eq!(spend(&app, &ada, &old[0]).await, Some(9));
    assert_eq!(spend(&app, &ada, &old[0]).await, None);
    assert!(ada.browser.get(SECURITY).await.says("9 of 10 left"));

    let page = ada.browser.get(CODES).await.expect(StatusCode::OK);
    assert!(page.says("The 9 that are left stop working."));
    let new = codes_on(&ada.browser.submit(&page, CODES, &[]).await.expect(StatusCode::OK));
    assert_eq!(spend(&app, &ada, &old[1]).await, None);
    assert_eq!(spend(&app, &ada, &new[1]).await, Some(9));
    assert_eq!(actions(&app, ada.id).await, ["totp.enabled", "recovery_codes.made"]);
    let told = letters(&app).await;
    assert_eq!(told.last().unwrap().1, "New recovery codes were made");
}

#[tokio::test]
async fn an_app_is_turned_off_with_its_codes() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let codes = codes_on(&turn_on(&app, &mut ada).await);
    let page = ada.browser.get(OFF).await.expect(StatusCode::OK);
    let done = ada.browser.submit(&page, OFF, &[]).await.expect(StatusCode::SEE_OTHER);
    let page = ada.browser.follow(done).await;
    assert!(page.says("The authenticator app is off.") && page.says("Set up an app"));
    assert_eq!(spend(&app, &ada, &codes[0]).await, None);
    assert_eq!(actions(&app, ada.id).await, ["totp.enabled", "totp.disabled"]);
    assert_eq!(letters(&app).await.last().unwrap().1, "Two-step sign-in is off");
    for gone in [OFF, CODES] {
        let page = ada.browser.get(gone).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(page.location().as_deref(), Some(SECURITY));
    }
}

#[tokio::test]
async fn the_last_second_factor_stays_while_an_organization_asks_for_one() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Lovelace", Role::Member).await;
    require_second_factor(&app, "acme").await;
    let sent = ada.browser.get("/o/acme/teams").await.expect(StatusCode::SEE_OTHER);
    let page = ada.browser.follow(sent).await.expect(StatusCode::OK);
    assert!(page.says("Your organization asks for a second factor"));
    turn_on(&app, &mut ada).await;
    // What was just shown counts for this session.
    ada.browser.get("/o/acme/teams").await.expect(StatusCode::FORBIDDEN);
    let page = ada.browser.get(OFF).await.expect(StatusCode::OK);
    assert!(page.says("This is your last second factor"));
    let csrf = page.form("/logout");
    let refused = ada.browser.post(OFF, &csrf.pairs()).await.expect(StatusCode::CONFLICT);
    assert!(refused.says("acme asks its people for a second factor"));
    assert_eq!(actions(&app, ada.id).await, ["totp.enabled"]);
}

#[tokio::test]
async fn every_step_asks_for_a_fresh_proof() {
    let app = TestApp::start().await;
    let mut ada = app.person("Ada Lovelace").await;
    let security = ada.browser.get(SECURITY).await;
    let_proofs_pass(&app);
    let asked = ada.browser.submit(&security, START, &[]).await;
    assert_eq!(asked.location().as_deref(), Some("/prove?return_to=%2Fme%2Fsecurity%2Ftotp"));
    for page in [ENROLL, OFF, CODES] {
        let asked = ada.browser.get(page).await;
        assert!(asked.location().unwrap().starts_with("/prove?return_to="), "{page}");
    }
    let csrf = security.form("/logout");
    for form in [ENROLL, OFF, CODES] {
        let asked = ada.browser.post(form, &csrf.pairs()).await;
        assert!(asked.location().unwrap().starts_with("/prove"), "{form}");
    }
    assert!(actions(&app, ada.id).await.is_empty());
}
