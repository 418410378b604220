//! Service accounts over the API.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::{
    app::TestApp,
    http::Script,
    people::{Person, PlantedOrg},
};

const ACCOUNTS: &str = "/api/v1/orgs/acme/service-accounts";
const KEYS: &str = "/api/v1/orgs/acme/api-keys";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, ada, key)
}

#[tokio::test]
async fn an_account_is_created_changed_disabled_enabled_and_deleted() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let made = key.post(ACCOUNTS, json!({ "name": "Nightly build", "role": "auditor" })).await;
    let made = made.expect(StatusCode::CREATED);
    assert_eq!(
        (made.text("/slug"), made.text("/created_by")),
        ("nightly-build", ada.id.to_string().as_str())
    );
    let one = format!("{ACCOUNTS}/nightly-build");
    assert_eq!(key.get(&format!("{ACCOUNTS}/{}", made.text("/id"))).await.body, made.body);

    let tag = made.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let change = json!({ "description": "Runs at night" });
    let changed = key.send(Method::PATCH, &one, &seen, Some(change.clone())).await.expect(StatusCode::OK);
    assert_eq!((changed.text("/name"), changed.text("/role")), ("Nightly build", "auditor"));
    key.send(Method::PATCH, &one, &seen, Some(change.clone())).await.expect(StatusCode::PRECONDITION_FAILED);
    key.send(Method::PATCH, &one, &[], Some(change)).await.expect(StatusCode::OK);

    let off = key.send(Method::POST, &format!("{one}/disable"), &[], None).await.expect(StatusCode::OK);
    assert_eq!(off.body["disabled"], true);
    key.send(Method::POST, &format!("{one}/enable"), &seen, None)
        .await
        .expect(StatusCode::PRECONDITION_FAILED);
    let on = key.send(Method::POST, &format!("{one}/enable"), &[], None).await.expect(StatusCode::OK);
    assert_eq!(on.body["disabled"], false);

    key.post(KEYS, json!({ "name": "k", "service_account": "nightly-build", "scopes": ["*"] })).await;
    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.get(&one).await.expect(StatusCode::NOT_FOUND);
    let steps = ["created", "changed", "disabled", "enabled"].map(|step| format!("service_account.{step}"));
    let rest = ["api_key.created", "api_key.revoked", "service_account.deleted"];
    assert_eq!(app.recorded(&org).await, [&steps[..], &rest.map(str::to_owned)].concat());
}

#[tokio::test]
async fn no_account_owns_the_organization_or_shadows_a_page() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let answer = key.post(ACCOUNTS, json!({ "name": "", "slug": "new", "role": "owner" })).await;
    let answer = answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let paths: Vec<_> = (0..3).map(|n| answer.text(&format!("/errors/{n}/path"))).collect();
    assert_eq!(paths, ["slug", "name", "role"]);
}

#[tokio::test]
async fn a_taken_short_name_is_refused_beside_its_field() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let body = json!({ "name": "Deploy", "role": "member" });
    key.post(ACCOUNTS, body.clone()).await.expect(StatusCode::CREATED);
    let answer = key.post(ACCOUNTS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.text("/errors/0/path"), "slug");
}

#[tokio::test]
async fn a_list_is_searched_and_paged_by_slug() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    for name in ["Cee bot", "Aye bot", "Bee"] {
        key.post(ACCOUNTS, json!({ "name": name, "role": "member" })).await.expect(StatusCode::CREATED);
    }
    let first = key.get(&format!("{ACCOUNTS}?limit=2")).await.expect(StatusCode::OK);
    assert_eq!((first.text("/items/0/slug"), first.text("/items/1/slug")), ("aye-bot", "bee"));
    let second = key.get(&format!("{ACCOUNTS}?limit=2&cursor={}", first.text("/next_cursor"))).await;
    assert_eq!(second.text("/items/0/slug"), "cee-bot");
    let found = key.get(&format!("{ACCOUNTS}?q=BOT")).await.expect(StatusCode::OK);
    assert_eq!(found.body["items"].as_array().unwrap().len(), 2);
    key.get(&format!("{ACCOUNTS}?q=%00")).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn scopes_and_organizations_bound_what_a_key_does_here() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    key.post(ACCOUNTS, json!({ "name": "Deploy", "role": "member" })).await.expect(StatusCode::CREATED);
    let reader = app.key_of(&org, ada.id, Role::Admin, &["service-accounts:read"]).await;
    let one = format!("{ACCOUNTS}/deploy");
    reader.get(&one).await.expect(StatusCode::OK);
    reader.post(ACCOUNTS, json!({ "name": "x", "role": "member" })).await.expect(StatusCode::FORBIDDEN);
    reader.send(Method::POST, &format!("{one}/disable"), &[], None).await.expect(StatusCode::FORBIDDEN);
    reader.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::FORBIDDEN);
    let other = app.org("other").await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let foreign = app.key_of(&other, eve.id, Role::Owner, &["*"]).await;
    foreign.get(&one).await.expect(StatusCode::NOT_FOUND);
    let id = key.get(&one).await.text("/id").to_owned();
    foreign.get(&format!("/api/v1/orgs/other/service-accounts/{id}")).await.expect(StatusCode::NOT_FOUND);
    let body = json!({ "name": "k", "service_account": id, "scopes": ["*"] });
    foreign.post("/api/v1/orgs/other/api-keys", body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}
