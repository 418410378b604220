//! Teams over the API.

use http::{Method, StatusCode};
use portreeve::base::permission::Role;
use serde_json::json;

use crate::kit::{
    app::TestApp,
    http::Script,
    people::{Person, PlantedOrg},
};

const TEAMS: &str = "/api/v1/orgs/acme/teams";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, ada, key)
}

#[tokio::test]
async fn a_team_is_created_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let made = key.post(TEAMS, json!({ "name": "Platform" })).await.expect(StatusCode::CREATED);
    assert_eq!(made.text("/slug"), "platform");
    let tag = made.headers["etag"].to_str().unwrap().to_owned();

    let id = made.text("/id").to_owned();
    let read = key.get(&format!("{TEAMS}/{id}")).await.expect(StatusCode::OK);
    assert_eq!(read.body, made.body);

    let change = json!({ "description": "Keeps it running" });
    let path = format!("{TEAMS}/platform");
    let seen = [("if-match", tag.as_str())];
    let changed = key.send(Method::PATCH, &path, &seen, Some(change.clone())).await.expect(StatusCode::OK);
    assert_eq!(changed.text("/name"), "Platform");
    let late =
        key.send(Method::PATCH, &path, &seen, Some(change)).await.expect(StatusCode::PRECONDITION_FAILED);
    assert_eq!(late.text("/code"), "changed_meanwhile");

    key.send(Method::DELETE, &path, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.get(&path).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(app.recorded(&org).await, ["team.created", "team.changed", "team.deleted"]);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let answer = key.post(TEAMS, json!({ "name": "", "slug": "A!" })).await;
    let answer = answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!((answer.text("/errors/0/path"), answer.text("/errors/1/path")), ("name", "slug"));
    let answer = key.post(TEAMS, json!({ "name": "x", "color": "red" })).await;
    let answer = answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.text("/code"), "invalid_body");
    assert_eq!(answer.text("/errors/0/path"), "color");
    assert!(answer.text("/errors/0/message").contains("leave it out"), "{:#}", answer.body);
}

#[tokio::test]
async fn every_missing_field_is_named_with_what_to_send() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let answer = key.post("/api/v1/orgs/acme/access-requests", json!({ "hours": "8" })).await;
    let answer = answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let errors = answer.body["errors"].as_array().unwrap().iter();
    let told: Vec<_> =
        errors.map(|error| [&error["path"], &error["message"]].map(|t| t.as_str().unwrap())).collect();
    assert_eq!(
        told,
        [
            ["server", "is missing; send a text: The server, by slug or id."],
            ["why", "is missing; send a text: What it is for."],
            ["hours", "send a whole number: For how long."],
        ]
    );
    let answer = key.post(TEAMS, json!("a team")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        (answer.text("/errors/0/path"), answer.text("/errors/0/message")),
        ("", "send an object: A new team.")
    );
}

#[tokio::test]
async fn a_repeated_post_happens_once() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let once = [("idempotency-key", "a1")];
    let body = json!({ "name": "Platform" });
    let first = key.send(Method::POST, TEAMS, &once, Some(body.clone())).await.expect(StatusCode::CREATED);
    let again = key.send(Method::POST, TEAMS, &once, Some(body)).await.expect(StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = key.send(Method::POST, TEAMS, &once, Some(json!({ "name": "Other" }))).await;
    assert_eq!(other.expect(StatusCode::CONFLICT).text("/code"), "idempotency_key_reused");
    assert_eq!(app.recorded(&org).await, ["team.created"]);
}

#[tokio::test]
async fn a_list_is_paged_by_name() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    for name in ["Cee", "Aye", "Bee"] {
        key.post(TEAMS, json!({ "name": name })).await.expect(StatusCode::CREATED);
    }
    let first = key.get(&format!("{TEAMS}?limit=2")).await.expect(StatusCode::OK);
    assert_eq!((first.text("/items/0/name"), first.text("/items/1/name")), ("Aye", "Bee"));
    let next = first.text("/next_cursor");
    let second = key.get(&format!("{TEAMS}?limit=2&cursor={next}")).await.expect(StatusCode::OK);
    assert_eq!(second.text("/items/0/name"), "Cee");
    assert!(second.body["next_cursor"].is_null());
    let bad = key.get(&format!("{TEAMS}?limit=0")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.text("/errors/0/path"), "limit");
}

#[tokio::test]
async fn a_key_does_what_its_scopes_and_its_owners_role_both_allow() {
    let app = TestApp::start().await;
    let (org, ada, _) = acme(&app).await;
    let reader = app.key_of(&org, ada.id, Role::Admin, &["teams:read"]).await;
    reader.get(TEAMS).await.expect(StatusCode::OK);
    let refused = reader.post(TEAMS, json!({ "name": "x" })).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.text("/code"), "forbidden");
    app.script(None).get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
    app.script(Some("prk_nonsense")).get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn another_organizations_key_finds_nothing() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let other = app.org("other").await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let foreign = app.key_of(&other, eve.id, Role::Owner, &["*"]).await;
    key.post(TEAMS, json!({ "name": "Platform" })).await.expect(StatusCode::CREATED);
    foreign.get(TEAMS).await.expect(StatusCode::NOT_FOUND);
    foreign.get("/api/v1/orgs/other/teams/platform").await.expect(StatusCode::NOT_FOUND);
}
