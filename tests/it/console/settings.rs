//! Settings of an organization and its deletion, on their pages.

use http::StatusCode;
use portreeve::{
    base::{ids::UserId, permission::Role},
    domain::{
        audit::{self, Unrecorded},
        identity::{
            sessions::{Method, NewSession},
            store as identity,
        },
        vault::{Cell, Sealed},
    },
    io::db::SystemTx,
};
use time::Duration;

use crate::kit::{
    app::TestApp,
    database::{connect, execute},
    fake_provider::FakeProvider,
    http::Visitor,
};

const SETTINGS: &str = "/o/acme/settings";
const GENERAL: &str = "/o/acme/settings/general";
const SIGN_IN: &str = "/o/acme/settings/sign-in";
const DELETE: &str = "/o/acme/settings/delete";

/// Gives a person an authenticator app and a browser in which they have shown it.
async fn with_second_factor(app: &TestApp, user: UserId) -> Visitor {
    let mut conn = connect(&app.database.superuser()).await;
    let plant = format!(
        "insert into totp_secrets (user_id, sealed_secret, data_key_id, created_at, confirmed_at)
         values ('{}', '\\x00', '{}', now(), now())",
        user.uuid(),
        uuid::Uuid::nil()
    );
    execute(&mut conn, &plant).await;
    let methods = vec![Method::Password, Method::Totp];
    let new = NewSession { user, methods, ip: None, user_agent: None };
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    let (token, _) = identity::sessions::insert(&mut tx, &new, app.clock.now()).await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    let mut visitor = app.visitor();
    visitor.set_cookie("portreeve_session", token.text().expose());
    visitor
}

#[tokio::test]
async fn a_changed_short_name_moves_the_pages_and_frees_the_old_one() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get(SETTINGS).await.expect(StatusCode::OK);
    assert!(page.says("stop working at once"));
    let page = ada.submit(&page, GENERAL, &[("name", "Acme Europe"), ("slug", "acme-eu")]).await;
    assert_eq!(page.location().as_deref(), Some("/o/acme-eu/settings"));
    let page = ada.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("found under acme-eu") && page.says("Acme Europe"));
    ada.get(SETTINGS).await.expect(StatusCode::NOT_FOUND);
    app.org("acme").await;
    assert_eq!(app.recorded(&org).await, ["org.changed"]);
}

#[tokio::test]
async fn a_short_name_that_is_taken_or_malformed_is_refused_beside_its_field() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    app.org("taken").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    for (slug, says) in [("taken", "Another organization has this short name"), ("A b", "Use only a to z")] {
        let page = ada.get(SETTINGS).await;
        let page = ada.submit(&page, GENERAL, &[("name", "Kept words"), ("slug", slug)]).await;
        let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.says(says), "{}", page.body);
        assert!(page.body.contains("Kept words") && page.body.contains("<title>Error: Settings"));
    }
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn the_second_of_two_editors_keeps_what_they_typed_and_a_save_without_a_change_leaves_no_trace() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut bob = app.member(&org, "Bob Boss", Role::Owner).await.browser;
    let (hers, his) = (ada.get(SETTINGS).await, bob.get(SETTINGS).await);
    ada.submit(&hers, GENERAL, &[]).await.expect(StatusCode::SEE_OTHER);
    ada.submit(&hers, GENERAL, &[("name", "Hers")]).await.expect(StatusCode::SEE_OTHER);
    let invitations = "/o/acme/settings/invitations";
    let page = bob.submit(&his, invitations, &[("invitation_hours", "24")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Someone else changed this while you were typing"));
    let page = bob.submit(&page, invitations, &[]).await.expect(StatusCode::SEE_OTHER);
    let page = bob.follow(page).await;
    assert!(page.body.contains("value=\"24\"") && page.body.contains("value=\"Hers\""));
    let page = bob.submit(&page, invitations, &[("invitation_hours", "721")]).await;
    assert!(page.expect(StatusCode::UNPROCESSABLE_ENTITY).says("from 1 to 720"));
    assert_eq!(app.recorded(&org).await, ["org.changed", "org.changed"]);
}

#[tokio::test]
async fn nobody_can_require_of_all_what_they_have_not_shown_themselves() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    let mut browser = ada.browser.clone();
    let page = browser.get(SETTINGS).await;
    assert!(page.says("Ada Admin, Mia Member"));
    let page = browser.submit(&page, SIGN_IN, &[("require_second_factor", "on")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("Set up a second factor of your own first"));

    let mut secured = with_second_factor(&app, ada.id).await;
    let page = browser.submit(&page, SIGN_IN, &[("require_second_factor", "on")]).await;
    assert!(page.says("sign in again with it"));
    let page = secured.get(SETTINGS).await;
    secured.submit(&page, SIGN_IN, &[("require_second_factor", "on")]).await.expect(StatusCode::SEE_OTHER);

    // In force at the next request, for everybody.
    for other in [&mut mia, &mut browser] {
        let page = other.get("/o/acme").await.expect(StatusCode::SEE_OTHER);
        assert_eq!(page.location().as_deref(), Some("/me/security?needed=second-factor"));
    }
    let page = secured.get("/o/acme").await.expect(StatusCode::OK);
    assert!(page.says("1 person has no second factor"));
    assert_eq!(app.recorded(&org).await, ["org.changed"]);
}

#[tokio::test]
async fn what_sign_in_asks_is_changed_only_after_a_fresh_proof() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let mut secured = with_second_factor(&app, ada.id).await;
    let page = secured.get(SETTINGS).await;
    app.clock.advance(Duration::minutes(11));
    let page = secured.submit(&page, SIGN_IN, &[("require_second_factor", "on")]).await;
    assert!(page.location().unwrap().starts_with("/prove"));
    assert!(app.recorded(&org).await.is_empty());
}

#[tokio::test]
async fn those_without_the_right_see_no_settings_and_admins_no_deletion() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    for role in [Role::Member, Role::Auditor, Role::Approver, Role::PolicyManager] {
        let mut mia = app.member(&org, &format!("Mia {role}"), role).await.browser;
        mia.get(SETTINGS).await.expect(StatusCode::FORBIDDEN);
        mia.post(GENERAL, &[("name", "x")]).await.expect(StatusCode::CONFLICT);
    }
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let page = ada.get(SETTINGS).await.expect(StatusCode::OK);
    assert!(page.says("Only owners can do this"));
    ada.get(DELETE).await.expect(StatusCode::FORBIDDEN);
    let mut eve = app.person("Eve Elsewhere").await.browser;
    eve.get(SETTINGS).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_second_owner_confirms_and_the_organization_is_gone() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Owner", Role::Owner).await;
    let mut bob = app.member(&org, "Bob Owner", Role::Owner).await.browser;
    let key = app.key_of(&org, ada.id, Role::Owner, &["*"]).await;
    let mut browser = ada.browser.clone();
    let (cell, sealed) = sealed_value(&app, &org).await;
    let hub = FakeProvider::start().await;
    app.hub(&org, "hub", &hub).await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await;
    app.connected(&org, &mut mia, "hub").await;
    hub.sign_in_as("robot");
    let mut ada = ada;
    app.connected_for(&org, &mut ada, "hub", "org").await;

    let page = browser.get(DELETE).await.expect(StatusCode::OK);
    assert!(page.says("All 2 owners get a letter"));
    let ask = format!("{DELETE}/ask");
    let refused = browser.submit(&page, &ask, &[("confirm", "other")]).await;
    assert!(refused.expect(StatusCode::CONFLICT).says("type acme exactly"));
    let page = browser.submit(&page, &ask, &[("confirm", "acme")]).await;
    let page = browser.follow(page).await.expect(StatusCode::OK);
    assert!(page.says("An owner asked to delete acme") && page.says("Bob Owner"));
    assert!(!page.body.contains("/delete/confirm"), "the one who asked cannot confirm");
    app.run_jobs().await;
    assert_eq!(app.postbox.mails().len(), 2);

    // Every page says so, and the asker's own word is not a second one.
    let page = bob.get("/o/acme").await;
    assert!(page.says("An owner asked to delete acme"));
    let page = bob.get(DELETE).await;
    let confirm = format!("{DELETE}/confirm");
    let form = page.form(&confirm);
    let own: Vec<(&str, &str)> = form.pairs().into_iter().filter(|(name, _)| *name == "version").collect();
    let mine = browser.get(DELETE).await.form(&format!("{DELETE}/cancel"));
    let csrf = mine.pairs().into_iter().find(|(name, _)| *name == "csrf").unwrap();
    let refused = browser.post(&confirm, &[csrf, own[0], ("confirm", "acme")]).await;
    assert!(refused.expect(StatusCode::CONFLICT).says("A second owner has to confirm"));

    let page = bob.submit(&page, &confirm, &[("confirm", "acme")]).await;
    assert_eq!(page.expect(StatusCode::SEE_OTHER).location().as_deref(), Some("/me"));
    bob.get("/o/acme").await.expect(StatusCode::NOT_FOUND);
    key.get("/api/v1/orgs/acme").await.expect(StatusCode::UNAUTHORIZED);
    let recorded = app.recorded(&org).await;
    assert_eq!(recorded[recorded.len() - 2..], ["org.deletion_asked", "org.deleted"]);
    // Their accounts are ended at the provider, though nothing is left here that could be told again.
    for _ in 0..200 {
        if hub.revoked().len() == 2 {
            break;
        }
        app.number("select 1::bigint").await;
    }
    assert_eq!(hub.revoked().len(), 2);
    app.org("acme").await;

    // What was sealed does not open again on any replica that has not the key in memory.
    let vault = crate::kit::app::vault(&app.clock);
    let mut tx = app.org_tx(org.id).await;
    assert!(vault.open(&mut tx, cell, &sealed).await.is_err());
}

async fn sealed_value(app: &TestApp, org: &crate::kit::people::PlantedOrg) -> (Cell, Sealed) {
    let cell = Cell::new("somewhere", "sealed", org.id);
    let mut tx = app.org_tx(org.id).await;
    let sealed = app.ports.vault.seal(&mut tx, cell, b"a secret").await.unwrap();
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
    (cell, sealed)
}

#[tokio::test]
async fn a_sole_owner_waits_for_three_days_and_may_call_it_off() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Owner", Role::Owner).await;
    let mut browser = ada.browser.clone();
    let ask = format!("{DELETE}/ask");
    for _ in 0..2 {
        let page = browser.get(DELETE).await.expect(StatusCode::OK);
        assert!(page.says("You are the only owner"));
        let page = browser.submit(&page, &ask, &[("confirm", "acme")]).await;
        let page = browser.follow(page).await.expect(StatusCode::OK);
        assert!(page.says("will be deleted on 24 Nov 2026, 12:00 UTC"), "{}", page.body);
        if app.recorded(&org).await.len() == 1 {
            let page = browser.submit(&page, &format!("{DELETE}/cancel"), &[]).await;
            let page = browser.follow(page).await.expect(StatusCode::OK);
            assert!(page.says("The deletion was called off."));
        }
    }
    app.clock.advance(Duration::hours(71));
    app.run_jobs().await;
    let mut later = app.signed_in(ada.id).await;
    later.get("/o/acme").await.expect(StatusCode::OK);
    app.clock.advance(Duration::hours(2));
    app.run_jobs().await;
    app.signed_in(ada.id).await.get("/o/acme").await.expect(StatusCode::NOT_FOUND);
    let asked = ["org.deletion_asked", "org.deletion_canceled", "org.deletion_asked", "org.deleted"];
    assert_eq!(app.recorded(&org).await, asked);
}

#[tokio::test]
async fn a_second_owner_who_came_later_stops_the_clock() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Owner", Role::Owner).await;
    let mut browser = ada.browser.clone();
    let page = browser.get(DELETE).await;
    browser
        .submit(&page, &format!("{DELETE}/ask"), &[("confirm", "acme")])
        .await
        .expect(StatusCode::SEE_OTHER);
    app.member(&org, "Bob Owner", Role::Owner).await;
    app.clock.advance(Duration::hours(80));
    app.run_jobs().await;
    let mut later = app.signed_in(ada.id).await;
    let page = later.get("/o/acme").await.expect(StatusCode::OK);
    assert!(page.says("It goes when another owner confirms"));
}

#[tokio::test]
async fn of_two_owners_who_ask_at_once_the_second_is_told() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Owner", Role::Owner).await.browser;
    let mut bob = app.member(&org, "Bob Owner", Role::Owner).await.browser;
    let ask = format!("{DELETE}/ask");
    let (hers, his) = (ada.get(DELETE).await, bob.get(DELETE).await);
    let fields = [("confirm", "acme")];
    let (one, two) = tokio::join!(ada.submit(&hers, &ask, &fields), bob.submit(&his, &ask, &fields));
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::CONFLICT]);
    assert_eq!(app.recorded(&org).await, ["org.deletion_asked"]);
}

#[tokio::test]
async fn an_owner_alone_has_arguments_kept_and_sees_for_how_long() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let mut ada = app.member(&org, "Ada Admin", Role::Admin).await.browser;
    let mut olga = app.member(&org, "Olga Owner", Role::Owner).await.browser;
    let record = "/o/acme/settings/record";
    let page = ada.get(SETTINGS).await;
    let page = ada.submit(&page, record, &[("argument_days", "30")]).await;
    assert!(page.expect(StatusCode::UNPROCESSABLE_ENTITY).says("Only an owner may have arguments kept"));
    let page = olga.get(SETTINGS).await;
    let page = olga.submit(&page, record, &[("argument_days", "366")]).await;
    let page = page.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("from 0 to 365"));
    let page = olga.submit(&page, record, &[("argument_days", "30")]).await.expect(StatusCode::SEE_OTHER);
    assert!(olga.follow(page).await.body.contains("value=\"30\""));
    let page = ada.get(SETTINGS).await;
    ada.submit(&page, record, &[("argument_days", "7")]).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(app.recorded(&org).await, ["org.changed", "org.changed"]);
}
