//! API keys on their pages.

use http::StatusCode;
use portreeve::base::permission::Role;
use time::Duration;

use crate::kit::{
    app::TestApp,
    form::Form,
    http::{Page, Visitor},
    people::PlantedOrg,
};

const KEYS: &str = "/o/acme/api-keys";
const NEW: &str = "/o/acme/api-keys/new";

async fn acme(app: &TestApp) -> (PlantedOrg, Visitor) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    (org, ada.browser)
}

/// The form that makes a key, with a name in it.
fn posted(page: &Page, name: &str) -> Form {
    let mut form = page.forms(NEW).into_iter().find(|form| form.method == "post").unwrap();
    form.set("name", name);
    form
}

fn token_on(page: &Page) -> Option<String> {
    let start = page.body.find("prk_")?;
    let token: String =
        page.body[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (token.len() > 40).then_some(token)
}

async fn create(by: &mut Visitor, name: &str) -> Page {
    let page = by.get(NEW).await.expect(StatusCode::OK);
    by.post(NEW, &posted(&page, name).pairs()).await.expect(StatusCode::OK)
}

/// The address of the only key in the list.
async fn only_key(by: &mut Visitor) -> String {
    let page = by.get(KEYS).await.expect(StatusCode::OK);
    let start = page.body.find("/o/acme/api-keys/key_").unwrap();
    page.body[start..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_shown_once_and_works() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    assert!(ada.get(KEYS).await.expect(StatusCode::OK).says("There are no API keys yet"));
    let page = create(&mut ada, "Nightly export").await;
    let token = token_on(&page).expect("the key is on the page");
    assert_eq!(page.headers["cache-control"], "no-store");
    let script = app.script(Some(&token));
    script.get("/api/v1/orgs/acme/teams").await.expect(StatusCode::OK);
    let refused = script.post("/api/v1/orgs/acme/teams", serde_json::json!({ "name": "x" })).await;
    refused.expect(StatusCode::FORBIDDEN);

    let list = ada.get(KEYS).await.expect(StatusCode::OK);
    assert!(list.says("Nightly export") && list.says("Ada Admin") && list.says("Works"));
    let one = only_key(&mut ada).await;
    let page = ada.get(&one).await.expect(StatusCode::OK);
    for page in [&list, &page] {
        assert_eq!(token_on(page), None);
    }
    assert!(page.says("See teams"));
    assert_eq!(app.recorded(&org).await, ["api_key.created"]);
}

#[tokio::test]
async fn sending_the_form_twice_makes_one_key() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.get(NEW).await;
    let form = posted(&page, "Export");
    ada.post(NEW, &form.pairs()).await.expect(StatusCode::OK);
    let again = ada.post(NEW, &form.pairs()).await.expect(StatusCode::CONFLICT);
    assert!(again.says("its key was made and shown then"));
    assert_eq!(app.recorded(&org).await, ["api_key.created"]);
}

#[tokio::test]
async fn chosen_scopes_and_the_date_are_what_the_key_has() {
    let app = TestApp::start().await;
    let (_, mut ada) = acme(&app).await;
    let page = ada.get(NEW).await;
    let mut form = posted(&page, "Export");
    for (name, value) in [("reach", "chosen"), ("scopes", "teams:read"), ("scopes", "audit:read")] {
        form.set(name, value);
    }
    form.set("expires_at", "date");
    let unsaid = ada.post(NEW, &form.pairs()).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unsaid.says("Enter a day such as"));
    let mut form = unsaid.forms(NEW).into_iter().find(|form| form.method == "post").unwrap();
    form.set("expires_on", "2026-12-24");
    ada.post(NEW, &form.pairs()).await.expect(StatusCode::OK);
    let one = only_key(&mut ada).await;
    let page = ada.get(&one).await;
    assert!(page.says("audit:read") && page.says("teams:read") && !page.says("org:read"));
    assert!(page.body.contains("2026-12-25T00:00:00Z"));
}

#[tokio::test]
async fn only_scopes_that_the_owners_role_carries_are_offered() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let page = ada.get(NEW).await;
    assert!(page.says("teams:write") && !page.says("org:delete"));
    let mut ola = app.member(&org, "Ola Owner", Role::Owner).await.browser;
    assert!(ola.get(NEW).await.says("org:delete"));
    let mut form = posted(&page, "Too much");
    form.set("reach", "chosen");
    let mut pairs = form.pairs();
    pairs.push(("scopes", "org:delete"));
    let page = ada.post(NEW, &pairs).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.says("does not carry org:delete"));
}

#[tokio::test]
async fn making_and_rotating_ask_for_a_recent_proof() {
    let app = TestApp::start().await;
    let (_, mut ada) = acme(&app).await;
    create(&mut ada, "Export").await;
    let one = only_key(&mut ada).await;
    let page = ada.get(NEW).await;
    app.clock.advance(Duration::hours(1));
    for path in [NEW.to_owned(), format!("{one}/rotate")] {
        let page = ada.get(&path).await.expect(StatusCode::SEE_OTHER);
        assert!(page.location().unwrap().starts_with("/prove?return_to="));
    }
    ada.post(NEW, &posted(&page, "Late").pairs()).await.expect(StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_key_is_renamed_rotated_and_revoked() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    let old = token_on(&create(&mut ada, "Export").await).unwrap();
    let one = only_key(&mut ada).await;
    let page = ada.get(&one).await;
    let page = ada.submit(&page, &format!("{one}/rename"), &[("name", "Big export")]).await;
    assert!(ada.follow(page).await.says("Big export"));

    let rotate = format!("{one}/rotate");
    let page = ada.get(&rotate).await.expect(StatusCode::OK);
    let made = ada.submit(&page, &rotate, &[("overlap_hours", "1")]).await.expect(StatusCode::OK);
    let new = token_on(&made).unwrap();
    assert_ne!(old, new);
    let teams = "/api/v1/orgs/acme/teams";
    app.script(Some(&old)).get(teams).await.expect(StatusCode::OK);
    ada.submit(&page, &rotate, &[]).await.expect(StatusCode::CONFLICT);

    let page = ada.get(&one).await;
    let page = ada.submit(&page, &format!("{one}/revoke"), &[]).await;
    assert!(ada.follow(page).await.says("Big export is revoked."));
    app.script(Some(&old)).get(teams).await.expect(StatusCode::UNAUTHORIZED);
    app.script(Some(&new)).get(teams).await.expect(StatusCode::OK);
    let list = ada.get(&format!("{KEYS}?state=revoked")).await;
    assert!(list.says("Revoked") && !list.says("Works</span>"));
    let steps =
        ["api_key.created", "api_key.changed", "api_key.created", "api_key.rotated", "api_key.revoked"];
    assert_eq!(app.recorded(&org).await, steps);
}

#[tokio::test]
async fn a_member_is_told_which_roles_may_and_another_organizations_key_is_unknown() {
    let app = TestApp::start().await;
    let (org, mut ada) = acme(&app).await;
    create(&mut ada, "Export").await;
    let one = only_key(&mut ada).await;
    let mut mia = app.member(&org, "Mia Member", Role::Member).await.browser;
    for path in [KEYS, NEW, &one] {
        assert!(mia.get(path).await.expect(StatusCode::FORBIDDEN).says("owner or admin"));
    }
    let other = app.org("other").await;
    let mut eve = app.member(&other, "Eve Elsewhere", Role::Owner).await.browser;
    eve.get(&one).await.expect(StatusCode::NOT_FOUND);
    eve.get(&one.replace("acme", "other")).await.expect(StatusCode::NOT_FOUND);
}
