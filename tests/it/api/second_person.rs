//! A second person before a policy comes into force, over the API.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::{Value, json};

use crate::kit::{app::TestApp, http::Script};

const ORG: &str = "/api/v1/orgs/acme";
const POLICIES: &str = "/api/v1/orgs/acme/policies";
const CREW: &str = "/api/v1/orgs/acme/policies/crew";

struct Two {
    app: TestApp,
    owner: Script,
    one: Script,
    other: Script,
    service: Script,
}

/// An organization that wants two, and two who may publish.
async fn two() -> Two {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let olga = app.member(&org, "Olga Owner", Role::Owner).await;
    let owner = app.key_of(&org, olga.id, Role::Owner, &["*"]).await;
    let one = app.member(&org, "Ada One", Role::PolicyManager).await;
    let one = app.key_of(&org, one.id, Role::PolicyManager, &["*"]).await;
    let other = app.member(&org, "Ben Other", Role::PolicyManager).await;
    let other = app.key_of(&org, other.id, Role::PolicyManager, &["*"]).await;
    let robot = json!({ "name": "Robot", "slug": "robot", "role": "policy_manager" });
    owner.post(&format!("{ORG}/service-accounts"), robot).await.expect(StatusCode::CREATED);
    let key = json!({ "name": "k", "service_account": "robot", "scopes": ["*"], "expires_in_days": 30 });
    let made = owner.post(&format!("{ORG}/api-keys"), key).await.expect(StatusCode::CREATED);
    let service = app.script(Some(made.text("/token")));
    switch(&owner, true).await;
    Two { app, owner, one, other, service }
}

async fn switch(key: &Script, on: bool) {
    let change = json!({ "publishing_takes_two": on });
    let org = key.send(Method::PATCH, ORG, &[], Some(change)).await.expect(StatusCode::OK);
    assert_eq!(org.body["publishing_takes_two"], on);
}

fn document(default: &str) -> Value {
    json!({ "version": "1", "default": default })
}

async fn refused(key: &Script, path: &str, body: Value) {
    let answer = key.post(path, body).await.expect(StatusCode::CONFLICT);
    assert_eq!(answer.text("/code"), "second_person_needed", "{path}");
}

#[tokio::test]
async fn one_asks_and_another_publishes_the_very_same_text() {
    let Two { app, one, other, service, .. } = two().await;
    let at_once = json!({ "name": "Crew", "document": document("deny"), "publish": true });
    refused(&one, POLICIES, at_once).await;
    let draft = json!({ "name": "Crew", "document": document("deny") });
    one.post(POLICIES, draft).await.expect(StatusCode::CREATED);
    let (publish, propose) = (format!("{CREW}/publish"), format!("{CREW}/proposal"));
    refused(&one, &publish, json!({})).await;
    refused(&other, &publish, json!({})).await;
    let asked = one.post(&propose, json!({ "note": "Please" })).await.expect(StatusCode::OK);
    assert_eq!((asked.text("/proposal/by_name"), asked.text("/proposal/note")), ("test key", "Please"));
    let told = app.number("select count(*) from letters where kind = 'policy_proposed'").await;
    assert_eq!(told, 2, "the owner and the other, not whoever asks");
    refused(&one, &publish, json!({})).await;
    refused(&service, &publish, json!({})).await;

    let changed = json!({ "document": document("allow") });
    let changed =
        other.send(Method::PUT, &format!("{CREW}/draft"), &[], Some(changed)).await.expect(StatusCode::OK);
    assert_eq!(changed.body["proposal"], Value::Null, "another text is another question");
    refused(&other, &publish, json!({})).await;
    service.post(&propose, json!({})).await.expect(StatusCode::OK);
    let published = other.post(&publish, json!({ "note": "Good" })).await.expect(StatusCode::OK);
    assert_eq!((&published.body["live_version"], &published.body["proposal"]), (&json!(1), &Value::Null));
    let none = one.post(&propose, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(none.text("/code"), "no_draft");
}

#[tokio::test]
async fn a_question_is_taken_back_or_answered_with_no_and_going_back_takes_two_as_well() {
    let Two { app: _app, owner, one, other, .. } = two().await;
    let (publish, propose) = (format!("{CREW}/publish"), format!("{CREW}/proposal"));
    one.post(POLICIES, json!({ "name": "Crew", "document": document("deny") }))
        .await
        .expect(StatusCode::CREATED);
    let nobody = other.send(Method::DELETE, &propose, &[], None).await.expect(StatusCode::CONFLICT);
    assert_eq!(nobody.text("/code"), "not_proposed");
    one.post(&propose, json!({})).await.expect(StatusCode::OK);
    other.send(Method::DELETE, &propose, &[], None).await.expect(StatusCode::OK);
    refused(&other, &publish, json!({})).await;
    one.post(&propose, json!({})).await.expect(StatusCode::OK);
    other.post(&publish, json!({})).await.expect(StatusCode::OK);

    switch(&owner, false).await;
    let draft = json!({ "document": document("allow") });
    one.send(Method::PUT, &format!("{CREW}/draft"), &[], Some(draft.clone())).await.expect(StatusCode::OK);
    one.post(&publish, json!({})).await.expect(StatusCode::OK);
    switch(&owner, true).await;
    let back = json!({ "version": 1, "note": "Too open" });
    let asked = one.post(&format!("{CREW}/rollback"), back.clone()).await.expect(StatusCode::OK);
    assert_eq!(
        (&asked.body["live_version"], &asked.body["draft"]["document"]),
        (&json!(2), &document("deny"))
    );
    assert_eq!(asked.text("/proposal/note"), "Too open");
    let stands = one.post(&format!("{CREW}/rollback"), back).await.expect(StatusCode::CONFLICT);
    assert_eq!(stands.text("/code"), "draft_stands");
    let published = other.post(&publish, json!({})).await.expect(StatusCode::OK);
    assert_eq!(
        (&published.body["live_version"], &published.body["document"]),
        (&json!(3), &document("deny"))
    );
}

#[tokio::test]
async fn two_are_wanted_only_where_there_are_two_and_only_an_owner_does_away_with_that() {
    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let olga = app.member(&org, "Olga Owner", Role::Owner).await;
    let owner = app.key_of(&org, olga.id, Role::Owner, &["*"]).await;
    let change = |on: bool| Some(json!({ "publishing_takes_two": on }));
    let alone = owner.send(Method::PATCH, ORG, &[], change(true)).await;
    let alone = alone.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(alone.text("/errors/0/path"), "publishing_takes_two");
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let admin = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    switch(&admin, true).await;
    let refused = admin.send(Method::PATCH, ORG, &[], change(false)).await;
    let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text("/errors/0/message").contains("owner"), "{}", refused.body);
    switch(&owner, false).await;
}
