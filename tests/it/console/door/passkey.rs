//! The door in a real browser: set-up, a code, a passkey.

use portreeve::{
    domain::{
        audit::{self, Unrecorded},
        identity::store as identity,
    },
    flow::actions::set_up,
    io::db::SystemTx,
};
use serde_json::json;

use crate::kit::{app::TestApp, browser::Browser, people::PASSWORD};

/// Puts a passkey into the browser by the page's own means and keeps its public half.
async fn add_passkey(app: &TestApp, browser: &Browser, email: &str) {
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let user = identity::users::find_by_email(&mut tx, &email.parse().unwrap()).await.unwrap().unwrap();
    let relying = app.ports.relying.as_ref().expect("localhost has passkeys");
    let (options, state) = relying.start_registration(user.id, &user.email, &user.name, &[]).unwrap();
    let script = format!(
        "const bytes = t => Uint8Array.from(atob(t.replace(/-/g,'+').replace(/_/g,'/')), c => c.charCodeAt(0));
         const text = b => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\\+/g,'-').replace(/\\//g,'_').replace(/=+$/,'');
         const key = {}; key.challenge = bytes(key.challenge); key.user.id = bytes(key.user.id);
         delete key.excludeCredentials;
         window.made = '';
         navigator.credentials.create({{publicKey: key}}).then(c => {{ window.made = JSON.stringify({{id: c.id, rawId: text(c.rawId),
            type: c.type, extensions: {{}}, response: {{clientDataJSON: text(c.response.clientDataJSON),
            attestationObject: text(c.response.attestationObject)}}}}); }}, e => {{ window.made = 'failed ' + e; }});",
        options["publicKey"]
    );
    browser.eval(&script).await;
    browser.wait_for("window.made").await;
    let made = browser.eval("return window.made").await;
    let credential = relying.finish_registration(made.as_str().unwrap(), &state).expect("a passkey");
    let name = "Virtual key".parse().unwrap();
    identity::passkeys::insert(&mut tx, user.id, &name, &credential, app.clock.now()).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
}

#[tokio::test]
async fn set_up_then_a_code_then_a_passkey_open_the_door() {
    let Some(browser) = Browser::open().await else { return };
    let app = TestApp::start().await;
    let link = set_up::fresh_link(&app.ports).await.unwrap().expect("a link");
    browser.goto(link.expose()).await;
    assert!(browser.axe().await.is_empty());
    browser.fill("#f-email", "mara@acme.example").await;
    browser.fill("#f-password", PASSWORD).await;
    browser.click(".form .btn-p").await;
    browser.wait_for("location.pathname === '/o/acme'").await;

    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let email = "mara@acme.example".parse().unwrap();
    let mara = identity::users::find_by_email(&mut tx, &email).await.unwrap().unwrap();
    portreeve::io::db::Tx::done(tx).await.unwrap();
    app.second_factor(mara.id).await;

    browser.goto(&format!("{}/prove", app.origin())).await;
    assert!(browser.axe().await.is_empty());
    browser.plug_in_passkey().await;
    add_passkey(&app, &browser, "mara@acme.example").await;
    // Otherwise the page to sign in would take the passkey before anything is typed.
    let ignored = browser.ignore_suggestions().await;
    browser.cdp("Network.clearBrowserCookies", json!({})).await;

    browser.goto(&format!("{}/login?return_to=%2Fprove", app.origin())).await;
    assert!(browser.axe().await.is_empty());
    browser.fill("#f-email", "mara@acme.example").await;
    browser.click("form[action='/login'] .btn-p").await;
    browser.fill("#f-password", PASSWORD).await;
    assert!(browser.axe().await.is_empty());
    browser.click("form[action='/login/password'] .btn-p").await;
    browser.fill("#f-code", &app.code()).await;
    assert!(browser.axe().await.is_empty());
    browser.click("form[action='/login/code'] .btn-p").await;
    browser.wait_for("location.pathname === '/prove'").await;

    // The same person proves it by passkey, then signs in by passkey alone: with the button, and then by what the
    // field for the address suggests.
    browser.click("form[action='/prove/passkey'] button").await;
    browser.wait_for("location.pathname !== '/prove'").await;
    for is_asked in [true, false] {
        if !is_asked {
            browser.heed_suggestions(&ignored).await;
        }
        browser.cdp("Network.clearBrowserCookies", json!({})).await;
        browser.goto(&format!("{}/login?return_to=%2Fprove", app.origin())).await;
        if is_asked {
            browser.click("form[action='/login/passkey'] button").await;
        }
        browser.wait_for("location.pathname === '/prove'").await;
    }

    let actions = app.instance_actions().await;
    let wanted = [
        "instance.set_up",
        "session.started",
        "session.started",
        "session.proven",
        "session.started",
        "session.started",
    ];
    assert_eq!(actions, wanted);
    browser.finish_refused().await;
}
