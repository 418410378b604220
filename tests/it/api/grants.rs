//! Grants and their tokens over the API.

use http::{Method, StatusCode};
use portreeve::base::{ids::OrgId, permission::Role};
use serde_json::{Value, json};
use sqlx::{Connection, Row};
use time::Duration;

use crate::kit::{
    app::TestApp,
    database::connect,
    http::{Answer, Script},
    people::{Person, PlantedOrg},
};

const GRANTS: &str = "/api/v1/orgs/acme/grants";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, ada, key)
}

fn body(principal: Value) -> Value {
    json!({ "label": "Claude Code", "principal": principal, "servers": "all", "class_ceiling": "write" })
}

/// A grant for a person, and its address.
async fn granted(key: &Script, user: &Person) -> (Answer, String) {
    let made = key.post(GRANTS, body(json!({ "user": user.email }))).await.expect(StatusCode::CREATED);
    let one = format!("{GRANTS}/{}", made.text("/id"));
    (made, one)
}

async fn epoch(app: &TestApp, org: OrgId) -> i64 {
    let mut conn = connect(&app.database.superuser()).await;
    let row = sqlx::query("select epoch from orgs where id = $1").bind(org.uuid()).fetch_one(&mut conn);
    let epoch = row.await.unwrap().get(0);
    conn.close().await.unwrap();
    epoch
}

fn paths(answer: &Answer) -> Vec<&str> {
    answer.body["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_grant_is_made_read_changed_and_ended_and_each_step_is_on_record() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let body = json!({
        "label": "Claude Code", "principal": { "user": ada.id.to_string() }, "servers": ["github"],
        "policy": null, "class_ceiling": "write", "expires_at": "2027-06-01T00:00:00Z",
        "bindings": { "cidrs": ["192.0.2.0/24"], "clients": ["claude-code"] },
    });
    let made = key.post(GRANTS, body).await.expect(StatusCode::CREATED);
    assert_eq!(made.text("/principal/user"), ada.id.to_string());
    assert_eq!(made.text("/principal/name"), "Ada Admin");
    assert_eq!(made.body["servers"], json!(["github"]));
    assert_eq!((made.text("/state"), made.text("/class_ceiling")), ("active", "write"));
    assert_eq!(made.body["bindings"], json!({ "cidrs": ["192.0.2.0/24"], "clients": ["claude-code"] }));
    assert_eq!(made.text("/created_by"), ada.id.to_string());
    assert_eq!((&made.body["policy"], &made.body["version"]), (&Value::Null, &json!(1)));

    let one = format!("{GRANTS}/{}", made.text("/id"));
    let read = key.get(&one).await.expect(StatusCode::OK);
    assert_eq!(read.body, made.body);
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let change = json!({ "servers": "all", "expires_at": null, "bindings": {} });
    let changed = key.send(Method::PATCH, &one, &seen, Some(change)).await.expect(StatusCode::OK);
    assert_eq!((&changed.body["servers"], &changed.body["expires_at"]), (&json!("all"), &Value::Null));
    assert_eq!(changed.body["bindings"], json!({ "cidrs": [], "clients": [] }));
    assert_eq!(changed.text("/label"), "Claude Code");
    let late = json!({ "label": "x" });
    key.send(Method::PATCH, &one, &seen, Some(late)).await.expect(StatusCode::PRECONDITION_FAILED);

    let reason = json!({ "reason": "Laptop lost" });
    let suspended = key.post(&format!("{one}/suspend"), reason).await.expect(StatusCode::OK);
    assert_eq!((suspended.text("/state"), suspended.text("/suspended/reason")), ("suspended", "Laptop lost"));
    let resumed = key.send(Method::POST, &format!("{one}/resume"), &[], None).await.expect(StatusCode::OK);
    assert_eq!((resumed.text("/state"), &resumed.body["suspended"]), ("active", &Value::Null));
    let revoked = key.send(Method::POST, &format!("{one}/revoke"), &[], None).await.expect(StatusCode::OK);
    assert_eq!(
        (revoked.text("/state"), revoked.text("/revoked/by")),
        ("revoked", ada.id.to_string().as_str())
    );
    for step in ["suspend", "resume"] {
        let refused = key.post(&format!("{one}/{step}"), json!({})).await.expect(StatusCode::CONFLICT);
        assert_eq!(refused.text("/code"), "grant_revoked");
    }
    let again = key.send(Method::POST, &format!("{one}/revoke"), &[], None).await.expect(StatusCode::OK);
    assert_eq!(again.body, revoked.body);
    let wanted = ["grant.created", "grant.changed", "grant.suspended", "grant.resumed", "grant.revoked"];
    assert_eq!(app.recorded(&org).await, wanted);
}

#[tokio::test]
async fn a_principal_is_named_by_id_slug_or_address() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let team = app.team(&org, "crew").await;
    let (account, _) = app.service_account(&org, "robot").await;
    for (principal, pointer, id) in [
        (json!({ "user": ada.email.to_uppercase() }), "/principal/user", ada.id.to_string()),
        (json!({ "team": "crew" }), "/principal/team", team.to_string()),
        (json!({ "team": team.to_string() }), "/principal/team", team.to_string()),
        (json!({ "service_account": "robot" }), "/principal/service_account", account.to_string()),
    ] {
        let made = key.post(GRANTS, body(principal)).await.expect(StatusCode::CREATED);
        assert_eq!(made.text(pointer), id);
        assert_eq!(made.body["principal"].as_object().unwrap().len(), 2, "one id and a name");
        let listed = key.get(&format!("{GRANTS}?principal={id}")).await.expect(StatusCode::OK);
        assert_eq!(listed.text("/items/0/id"), made.text("/id"));
    }
    let mine = key.get(&format!("{GRANTS}?principal=me")).await.expect(StatusCode::OK);
    assert_eq!(mine.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_fault_of_a_grant_is_told_at_once_with_its_remedy() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let bad = json!({
        "label": " ", "principal": { "team": "nobody" }, "servers": ["nowhere"], "class_ceiling": "read",
        "expires_at": "2020-01-01T00:00:00Z", "bindings": { "cidrs": ["10.0.0.1/8"], "clients": ["a\nb"] },
    });
    let answer = key.post(GRANTS, bad).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let mut found = paths(&answer);
    found.sort_unstable();
    let wanted = ["bindings.cidrs", "bindings.clients", "expires_at", "label", "principal", "servers"];
    assert_eq!(found, wanted);
    let body = answer.body.to_string();
    assert!(body.contains("10.0.0.0/8") && body.contains("nowhere"), "{body}");
    for (bad, path) in [
        (json!({ "label": "x", "principal": {}, "servers": "all", "class_ceiling": "read" }), "principal"),
        (
            json!({ "label": "x", "principal": { "user": "a", "team": "b" }, "servers": "all",
            "class_ceiling": "read" }),
            "principal",
        ),
        (
            json!({ "label": "x", "principal": { "user": "a" }, "servers": "some", "class_ceiling": "read" }),
            "servers",
        ),
        (
            json!({ "label": "x", "principal": { "user": "a" }, "servers": "all", "class_ceiling": "root" }),
            "class_ceiling",
        ),
    ] {
        let answer = key.post(GRANTS, bad).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&answer), [path], "{:#}", answer.body);
    }
}

#[tokio::test]
async fn a_policy_that_nobody_knows_is_refused() {
    let app = TestApp::start().await;
    let (_, ada, key) = acme(&app).await;
    let mut with = body(json!({ "user": ada.email }));
    with["policy"] = json!("read-only");
    let answer = key.post(GRANTS, with).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(paths(&answer), ["policy"]);
    assert!(answer.text("/errors/0/message").contains("no policy of this name"));
}

#[tokio::test]
async fn a_token_is_shown_once_and_never_outlives_its_grant() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let mut ending = body(json!({ "user": ada.email }));
    ending["expires_at"] = json!("2026-12-01T00:00:00Z");
    let made = key.post(GRANTS, ending).await.expect(StatusCode::CREATED);
    let tokens = format!("{GRANTS}/{}/tokens", made.text("/id"));
    let token = key.post(&tokens, json!({ "label": "laptop" })).await.expect(StatusCode::CREATED);
    assert!(token.text("/token").starts_with("prg_") && token.text("/token").ends_with(token.text("/tail")));
    assert_eq!(token.text("/expires_at"), "2026-12-01T00:00:00Z", "with its grant");
    let listed = key.get(&tokens).await.expect(StatusCode::OK);
    assert_eq!(listed.text("/items/0/id"), token.text("/id"));
    assert_eq!(listed.text("/items/0/state"), "live");
    assert!(!listed.body.to_string().contains("prg_"));
    for at in ["2026-12-02T00:00:00Z", "2020-01-01T00:00:00Z", "2031-01-01T00:00:00Z"] {
        let late = json!({ "label": "x", "expires_at": at });
        let answer = key.post(&tokens, late).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&answer), ["expires_at"], "{at}");
    }
    app.clock.advance(Duration::days(12));
    let answer = key.post(&tokens, json!({ "label": "x" })).await.expect(StatusCode::CONFLICT);
    assert_eq!(answer.text("/code"), "grant_expired");
    assert_eq!(app.recorded(&org).await, ["grant.created", "grant_token.created"]);
}

#[tokio::test]
async fn a_replaced_token_overlaps_as_long_as_was_asked() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let (_, one) = granted(&key, &ada).await;
    let tokens = format!("{one}/tokens");
    let first = key.post(&tokens, json!({ "label": "laptop" })).await.expect(StatusCode::CREATED);
    let rotate = |token: &Answer| format!("{tokens}/{}/rotate", token.text("/id"));
    let ends = async |token: &Answer| {
        let listed = key.get(&tokens).await.expect(StatusCode::OK);
        let found =
            listed.body["items"].as_array().unwrap().iter().find(|item| item["id"] == token.text("/id"));
        let found = found.unwrap();
        (found["state"].as_str().unwrap().to_owned(), found["expires_at"].as_str().unwrap().to_owned())
    };
    let second = key.send(Method::POST, &rotate(&first), &[], None).await.expect(StatusCode::CREATED);
    assert_eq!(second.text("/label"), "laptop");
    assert_ne!(second.text("/token"), first.text("/token"));
    assert_eq!(ends(&first).await, ("live".to_owned(), "2026-11-22T12:00:00Z".to_owned()), "a day");
    let third = key.post(&rotate(&second), json!({ "overlap_minutes": 0 })).await.expect(StatusCode::CREATED);
    assert_eq!(ends(&second).await.0, "revoked");
    let refused = key.post(&rotate(&second), json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "grant_token_over");
    for minutes in [-1, 10_081] {
        let bad = json!({ "overlap_minutes": minutes });
        let answer = key.post(&rotate(&third), bad).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&answer), ["overlap_minutes"]);
    }
    let one_token = format!("{tokens}/{}", third.text("/id"));
    key.send(Method::DELETE, &one_token, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.send(Method::DELETE, &one_token, &[], None).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(ends(&third).await.0, "revoked");
    let wanted = [
        "grant.created",
        "grant_token.created",
        "grant_token.created",
        "grant_token.rotated",
        "grant_token.created",
        "grant_token.rotated",
        "grant_token.revoked",
    ];
    assert_eq!(app.recorded(&org).await, wanted);
}

#[tokio::test]
async fn a_repeated_request_makes_one_token_and_answers_with_the_same_text() {
    let app = TestApp::start().await;
    let (_, ada, key) = acme(&app).await;
    let (_, one) = granted(&key, &ada).await;
    let tokens = format!("{one}/tokens");
    let once = [("idempotency-key", "mint-1")];
    let body = json!({ "label": "laptop" });
    let first = key.send(Method::POST, &tokens, &once, Some(body.clone())).await.expect(StatusCode::CREATED);
    let again = key.send(Method::POST, &tokens, &once, Some(body)).await.expect(StatusCode::CREATED);
    assert_eq!(first.text("/token"), again.text("/token"));
    assert_eq!(key.get(&tokens).await.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn whatever_decisions_rest_on_raises_the_epoch() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let (account, _) = app.service_account(&org, "robot").await;
    let (_, one) = granted(&key, &ada).await;
    let mut last = epoch(&app, org.id).await;
    let tokens = format!("{one}/tokens");
    let token = key.post(&tokens, json!({ "label": "laptop" })).await.expect(StatusCode::CREATED);
    let id = token.text("/id").to_owned();
    let account = format!("/api/v1/orgs/acme/service-accounts/{account}");
    let mut steps = vec![
        (Method::PATCH, one.clone(), Some(json!({ "class_ceiling": "read" }))),
        (Method::POST, format!("{tokens}/{id}/rotate"), Some(json!({}))),
        (Method::DELETE, format!("{tokens}/{id}"), None),
        (Method::POST, format!("{one}/suspend"), Some(json!({}))),
        (Method::POST, format!("{one}/resume"), None),
        (Method::POST, format!("{one}/revoke"), None),
    ];
    steps.extend(["disable", "enable"].map(|step| (Method::POST, format!("{account}/{step}"), None)));
    for (method, path, body) in steps {
        let answer = key.send(method, &path, &[], body).await;
        assert!(answer.status.is_success(), "{path}: {:#}", answer.body);
        let now = epoch(&app, org.id).await;
        assert!(now > last, "{path} raised no epoch");
        last = now;
    }
    key.get(&one).await.expect(StatusCode::OK);
    assert_eq!(epoch(&app, org.id).await, last, "looking raises none");
}

#[tokio::test]
async fn what_a_principal_loses_its_grants_lose() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let bob = app.member(&org, "Bob Briefly", Role::Member).await;
    app.team(&org, "crew").await;
    app.service_account(&org, "robot").await;
    let (_, his) = granted(&key, &bob).await;
    let (_, hers) = granted(&key, &ada).await;
    let of = async |principal: Value| {
        let made = key.post(GRANTS, body(principal)).await.expect(StatusCode::CREATED);
        format!("{GRANTS}/{}", made.text("/id"))
    };
    let (crew, robot) =
        (of(json!({ "team": "crew" })).await, of(json!({ "service_account": "robot" })).await);
    let base = "/api/v1/orgs/acme";
    let account = format!("{base}/service-accounts/robot");
    key.send(Method::POST, &format!("{account}/disable"), &[], None).await.expect(StatusCode::OK);
    assert_eq!(key.get(&robot).await.text("/state"), "principal_gone");
    let gone = key.get(&format!("{GRANTS}?state=principal_gone")).await.expect(StatusCode::OK);
    assert_eq!(gone.body["items"].as_array().unwrap().len(), 1);
    key.send(Method::DELETE, &account, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.send(Method::DELETE, &format!("{base}/teams/crew"), &[], None).await.expect(StatusCode::NO_CONTENT);
    let member = format!("{base}/members/{}", bob.id);
    let ended = key.get(&format!("{member}/offboard")).await.expect(StatusCode::OK).body.to_string();
    assert!(ended.contains("grants"), "{ended}");
    key.send(Method::DELETE, &member, &[], None).await.expect(StatusCode::OK);
    for gone in [his, crew, robot] {
        key.get(&gone).await.expect(StatusCode::NOT_FOUND);
    }
    key.get(&hers).await.expect(StatusCode::OK);
    let recorded = app.recorded(&org).await;
    assert_eq!(recorded.iter().filter(|action| *action == "grant.revoked").count(), 2, "{recorded:?}");
}

#[tokio::test]
async fn another_organizations_people_teams_and_servers_name_nothing_here() {
    let app = TestApp::start().await;
    let (_, ada, key) = acme(&app).await;
    let other = app.org("other").await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let team = app.team(&other, "crew").await;
    let (account, _) = app.service_account(&other, "robot").await;
    let server = app.server_at(&other, "github", "https://github.example.com/mcp").await;
    for principal in [
        json!({ "user": eve.id.to_string() }),
        json!({ "user": eve.email }),
        json!({ "team": team.to_string() }),
        json!({ "service_account": account.to_string() }),
    ] {
        let answer = key.post(GRANTS, body(principal)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&answer), ["principal"]);
    }
    let mut reaching = body(json!({ "user": ada.email }));
    reaching["servers"] = json!([server.to_string()]);
    let answer = key.post(GRANTS, reaching).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(paths(&answer), ["servers"]);
}

#[tokio::test]
async fn a_key_without_the_scope_neither_sees_nor_makes_grants() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let (_, one) = granted(&key, &ada).await;
    let reader = app.key_of(&org, ada.id, Role::Admin, &["grants:read"]).await;
    reader.get(&one).await.expect(StatusCode::OK);
    reader.post(&format!("{one}/tokens"), json!({ "label": "x" })).await.expect(StatusCode::FORBIDDEN);
    reader.post(&format!("{one}/suspend"), json!({})).await.expect(StatusCode::FORBIDDEN);
    let blind = app.key_of(&org, ada.id, Role::Admin, &["teams:read"]).await;
    blind.get(GRANTS).await.expect(StatusCode::FORBIDDEN);
    blind.get(&one).await.expect(StatusCode::FORBIDDEN);
}
