//! API keys over the API.

use http::{Method, StatusCode};
use portreeve::{
    base::permission::Role,
    domain::{
        audit::{self, Unrecorded},
        tenancy::store as tenancy,
    },
    io::db::OrgTx,
};
use serde_json::{Value, json};
use time::Duration;

use crate::kit::{
    app::TestApp,
    database::connect,
    http::{Answer, Script},
    people::{Person, PlantedOrg},
};

const KEYS: &str = "/api/v1/orgs/acme/api-keys";
const ACCOUNTS: &str = "/api/v1/orgs/acme/service-accounts";
const TEAMS: &str = "/api/v1/orgs/acme/teams";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, ada, key)
}

/// Makes a key and takes it into use.
async fn made(app: &TestApp, by: &Script, body: Value) -> (Answer, Script) {
    let made = by.post(KEYS, body).await.expect(StatusCode::CREATED);
    let script = app.script(Some(made.text("/token")));
    (made, script)
}

#[tokio::test]
async fn a_key_is_made_shown_once_renamed_and_revoked() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let body = json!({ "name": "Export", "scopes": ["teams:read"], "expires_in_days": 30 });
    let (answer, export) = made(&app, &key, body).await;
    assert_eq!(answer.text("/owner/id"), ada.id.to_string());
    assert_eq!(answer.text("/state"), "live");
    assert_eq!(answer.text("/expires_at"), "2026-12-21T12:00:00Z");
    assert!(
        answer.text("/token").starts_with("prk_") && answer.text("/token").ends_with(answer.text("/tail"))
    );
    export.get(TEAMS).await.expect(StatusCode::OK);

    let one = format!("{KEYS}/{}", answer.text("/id"));
    let read = key.get(&one).await.expect(StatusCode::OK);
    assert!(read.body.get("token").is_none());
    assert_eq!(read.text("/last_used_at"), "2026-11-21T12:00:00Z");
    let listed = key.get(KEYS).await.expect(StatusCode::OK).body.to_string();
    assert!(!listed.contains("prk_") && listed.contains("Export"));

    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let name = json!({ "name": "Nightly export" });
    let renamed = key.send(Method::PATCH, &one, &seen, Some(name.clone())).await.expect(StatusCode::OK);
    assert_eq!(renamed.text("/name"), "Nightly export");
    key.send(Method::PATCH, &one, &seen, Some(name)).await.expect(StatusCode::PRECONDITION_FAILED);

    key.send(Method::DELETE, &one, &seen, None).await.expect(StatusCode::PRECONDITION_FAILED);
    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    export.get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(key.get(&one).await.text("/state"), "revoked");
    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(app.recorded(&org).await, ["api_key.created", "api_key.changed", "api_key.revoked"]);
}

#[tokio::test]
async fn the_person_in_whose_name_a_key_acts_gets_a_letter() {
    let app = TestApp::start().await;
    let (_, ada, key) = acme(&app).await;
    made(&app, &key, json!({ "name": "Export", "scopes": ["teams:read"] })).await;
    app.run_jobs().await;
    let letters = app.postbox.mails();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to.as_str(), ada.email);
    assert!(letters[0].text.contains("Export") && !letters[0].text.contains("prk_"));
}

#[tokio::test]
async fn every_dead_key_is_refused_with_the_same_words() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    key.post(ACCOUNTS, json!({ "name": "Deploy", "role": "admin" })).await.expect(StatusCode::CREATED);
    let body = |days: u16| json!({ "name": "k", "service_account": "deploy", "scopes": ["*"], "expires_in_days": days });
    let (_, expired) = made(&app, &key, body(1)).await;
    let (answer, revoked) = made(&app, &key, body(30)).await;
    let (_, disabled) = made(&app, &key, body(30)).await;
    let bob = app.member(&org, "Bob Briefly", Role::Admin).await;
    let gone = app.key_of(&org, bob.id, Role::Admin, &["*"]).await;
    for script in [&expired, &revoked, &disabled, &gone] {
        script.get(TEAMS).await.expect(StatusCode::OK);
    }

    key.send(Method::DELETE, &format!("{KEYS}/{}", answer.text("/id")), &[], None)
        .await
        .expect(StatusCode::NO_CONTENT);
    key.send(Method::POST, &format!("{ACCOUNTS}/deploy/disable"), &[], None).await.expect(StatusCode::OK);
    let mut tx = app.org_tx(org.id).await;
    let owners = tenancy::members::lock_owners(&mut tx).await.unwrap();
    let _ = tenancy::members::remove(&mut tx, &owners, bob.id, None).await.unwrap();
    keep(tx).await;
    app.clock.advance(Duration::days(2));

    let unknown = app.script(Some("prk_nonsense")).get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
    for script in [expired, revoked, disabled, gone] {
        let answer = script.get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
        assert_eq!(without_request(answer.body), without_request(unknown.body.clone()));
    }
}

async fn keep(tx: OrgTx) {
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await.unwrap();
}

fn without_request(mut body: Value) -> Value {
    body.as_object_mut().unwrap().remove("request_id").unwrap();
    body
}

#[tokio::test]
async fn a_smaller_role_lowers_a_key_at_once() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let bob = app.member(&org, "Bob Admin", Role::Admin).await;
    let script = app.key_of(&org, bob.id, Role::Admin, &["*"]).await;
    script.get(TEAMS).await.expect(StatusCode::OK);
    let mut tx = app.org_tx(org.id).await;
    let owners = tenancy::members::lock_owners(&mut tx).await.unwrap();
    let _ = tenancy::members::change_role(&mut tx, &owners, bob.id, Role::Auditor, None, app.clock.now())
        .await
        .unwrap();
    keep(tx).await;
    script.get(TEAMS).await.expect(StatusCode::FORBIDDEN);

    key.post(ACCOUNTS, json!({ "name": "Deploy", "role": "admin" })).await.expect(StatusCode::CREATED);
    let (_, deploy) =
        made(&app, &key, json!({ "name": "k", "service_account": "deploy", "scopes": ["*"] })).await;
    deploy.get(TEAMS).await.expect(StatusCode::OK);
    let smaller = json!({ "role": "auditor" });
    key.send(Method::PATCH, &format!("{ACCOUNTS}/deploy"), &[], Some(smaller)).await.expect(StatusCode::OK);
    deploy.get(TEAMS).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn each_operation_asks_for_its_own_scope() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let (answer, _) = made(&app, &key, json!({ "name": "k", "scopes": ["teams:read"] })).await;
    let one = format!("{KEYS}/{}", answer.text("/id"));
    let reader = app.key_of(&org, ada.id, Role::Admin, &["api-keys:read"]).await;
    let writer = app.key_of(&org, ada.id, Role::Admin, &["api-keys:write"]).await;
    let other = app.key_of(&org, ada.id, Role::Admin, &["teams:read", "service-accounts:read"]).await;
    let steps = [
        (Method::GET, KEYS.to_owned(), None),
        (Method::GET, one.clone(), None),
        (Method::POST, KEYS.to_owned(), Some(json!({ "name": "n", "scopes": ["api-keys:write"] }))),
        (Method::PATCH, one.clone(), Some(json!({ "name": "n" }))),
        (Method::POST, format!("{one}/rotate"), Some(json!({}))),
        (Method::DELETE, one, None),
    ];
    for (n, (method, path, body)) in steps.into_iter().enumerate() {
        let reads = n < 2;
        let send = async |script: &Script| script.send(method.clone(), &path, &[], body.clone()).await.status;
        assert_eq!(send(&other).await, StatusCode::FORBIDDEN, "{method} {path}");
        assert_eq!(send(&reader).await == StatusCode::FORBIDDEN, !reads, "{method} {path}");
        assert_eq!(send(&writer).await == StatusCode::FORBIDDEN, reads, "{method} {path}");
    }
}

#[tokio::test]
async fn nobody_makes_a_key_that_may_more_than_they() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    key.post(ACCOUNTS, json!({ "name": "Watch", "role": "auditor" })).await.expect(StatusCode::CREATED);
    let beyond_role = json!({ "name": "k", "service_account": "watch", "scopes": ["teams:write"] });
    let refused = key.post(KEYS, beyond_role).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text("/errors/0/path"), "scopes");
    assert!(refused.text("/errors/0/message").contains("auditor"));
    let admins = json!({ "name": "k", "scopes": ["org:delete"] });
    key.post(KEYS, admins).await.expect(StatusCode::UNPROCESSABLE_ENTITY);

    let narrow = app.key_of(&org, ada.id, Role::Admin, &["api-keys:write", "teams:read"]).await;
    for scopes in [json!(["*"]), json!(["teams:write"])] {
        let refused = narrow.post(KEYS, json!({ "name": "k", "scopes": scopes })).await;
        let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.text("/errors/0/path"), "scopes");
    }
    narrow.post(KEYS, json!({ "name": "k", "scopes": ["teams:read"] })).await.expect(StatusCode::CREATED);
    let (wide, _) = made(&app, &key, json!({ "name": "wide", "scopes": ["*"] })).await;
    let rotate = format!("{KEYS}/{}/rotate", wide.text("/id"));
    narrow.post(&rotate, json!({})).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let wrong = json!({ "name": "", "scopes": [], "expires_at": "2020-01-01T00:00:00Z" });
    let answer = key.post(KEYS, wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let paths: Vec<_> = (0..3).map(|n| answer.text(&format!("/errors/{n}/path")).to_owned()).collect();
    assert_eq!(paths, ["name", "scopes", "expires_at"]);
    for (field, body) in [
        ("service_account", json!({ "name": "k", "scopes": ["*"], "service_account": "nobody" })),
        ("expires_in_days", json!({ "name": "k", "scopes": ["*"], "expires_in_days": 366 })),
        ("scopes", json!({ "name": "k", "scopes": ["teams:fly"] })),
    ] {
        let answer = key.post(KEYS, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.text("/errors/0/path"), field);
    }
    let bad = key.get(&format!("{KEYS}?owner=nobody")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.text("/errors/0/path"), "owner");
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_token_and_makes_one_key() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let once = [("idempotency-key", "k1")];
    let body = json!({ "name": "Export", "scopes": ["teams:read"] });
    let first = key.send(Method::POST, KEYS, &once, Some(body.clone())).await.expect(StatusCode::CREATED);
    let again = key.send(Method::POST, KEYS, &once, Some(body)).await.expect(StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    app.script(Some(again.text("/token"))).get(TEAMS).await.expect(StatusCode::OK);
    assert_eq!(app.recorded(&org).await, ["api_key.created"]);
}

#[tokio::test]
async fn a_rotated_key_lives_on_for_the_overlap_and_no_longer() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let body = json!({ "name": "Export", "scopes": ["teams:read"], "expires_in_days": 30 });
    let (old, old_script) = made(&app, &key, body).await;
    let rotate = format!("{KEYS}/{}/rotate", old.text("/id"));
    let long =
        key.post(&rotate, json!({ "overlap_hours": 169 })).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(long.text("/errors/0/path"), "overlap_hours");

    app.clock.advance(Duration::days(1));
    let new = key.post(&rotate, json!({ "overlap_hours": 2 })).await.expect(StatusCode::CREATED);
    assert_eq!((new.text("/name"), &new.body["scopes"]), ("Export", &json!(["teams:read"])));
    assert_eq!(new.text("/expires_at"), "2026-12-22T12:00:00Z");
    let new_script = app.script(Some(new.text("/token")));
    for script in [&old_script, &new_script] {
        script.get(TEAMS).await.expect(StatusCode::OK);
    }
    app.clock.advance(Duration::hours(2));
    old_script.get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
    new_script.get(TEAMS).await.expect(StatusCode::OK);
    let over = key.post(&rotate, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(over.text("/code"), "key_is_over");

    let rotate = format!("{KEYS}/{}/rotate", new.text("/id"));
    key.post(&rotate, json!({ "overlap_hours": 0 })).await.expect(StatusCode::CREATED);
    new_script.get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
    let steps =
        ["api_key.created", "api_key.created", "api_key.rotated", "api_key.created", "api_key.rotated"];
    assert_eq!(app.recorded(&org).await, steps);
}

#[tokio::test]
async fn another_persons_key_can_be_revoked_but_not_rotated() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let bob = app.member(&org, "Bob Admin", Role::Admin).await;
    let bobs = app.key_of(&org, bob.id, Role::Admin, &["*"]).await;
    let listed = key.get(&format!("{KEYS}?owner={}", bob.id)).await.expect(StatusCode::OK);
    let one = format!("{KEYS}/{}", listed.text("/items/0/id"));
    let refused = key.post(&format!("{one}/rotate"), json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "not_your_key");
    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    bobs.get(TEAMS).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn keys_of_another_organization_are_unknown() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let (answer, _) = made(&app, &key, json!({ "name": "k", "scopes": ["*"] })).await;
    let id = answer.text("/id");
    let other = app.org("other").await;
    let eve = app.member(&other, "Eve Elsewhere", Role::Owner).await;
    let foreign = app.key_of(&other, eve.id, Role::Owner, &["*"]).await;
    let theirs = format!("/api/v1/orgs/other/api-keys/{id}");
    foreign.get(KEYS).await.expect(StatusCode::NOT_FOUND);
    foreign.get(&theirs).await.expect(StatusCode::NOT_FOUND);
    foreign.send(Method::DELETE, &theirs, &[], None).await.expect(StatusCode::NOT_FOUND);
    foreign.post(&format!("{theirs}/rotate"), json!({})).await.expect(StatusCode::NOT_FOUND);
    foreign
        .send(Method::PATCH, &theirs, &[], Some(json!({ "name": "x" })))
        .await
        .expect(StatusCode::NOT_FOUND);
    assert_eq!(key.get(&format!("{KEYS}/{id}")).await.text("/state"), "live");
    assert_eq!(app.recorded(&org).await, ["api_key.created"]);
}

#[tokio::test]
async fn a_list_is_filtered_and_paged_newest_first() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    key.post(ACCOUNTS, json!({ "name": "Deploy", "role": "admin" })).await.expect(StatusCode::CREATED);
    made(&app, &key, json!({ "name": "mine", "scopes": ["*"], "expires_in_days": 1 })).await;
    made(&app, &key, json!({ "name": "its", "service_account": "deploy", "scopes": ["*"] })).await;
    let first = key.get(&format!("{KEYS}?limit=1")).await.expect(StatusCode::OK);
    assert_eq!(first.text("/items/0/name"), "its");
    let next = first.text("/next_cursor");
    let second = key.get(&format!("{KEYS}?limit=1&cursor={next}")).await.expect(StatusCode::OK);
    assert_eq!(second.text("/items/0/name"), "mine");
    let its = key.get(&format!("{KEYS}?owner=deploy")).await.expect(StatusCode::OK);
    assert_eq!((its.text("/items/0/name"), its.body["items"].as_array().unwrap().len()), ("its", 1));
    app.clock.advance(Duration::days(2));
    let expired = key.get(&format!("{KEYS}?owner=me&state=expired")).await.expect(StatusCode::OK);
    assert_eq!(expired.text("/items/0/state"), "expired");
    assert_eq!(expired.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn last_use_is_noted_once_a_minute() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let (answer, script) = made(&app, &key, json!({ "name": "k", "scopes": ["teams:read"] })).await;
    let one = format!("{KEYS}/{}", answer.text("/id"));
    let mut seen = Vec::new();
    for seconds in [0, 59, 1] {
        app.clock.advance(Duration::seconds(seconds));
        script.get(TEAMS).await.expect(StatusCode::OK);
        seen.push(key.get(&one).await.text("/last_used_at").to_owned());
    }
    assert_eq!(seen, ["2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z", "2026-11-21T12:01:00Z"]);
}

#[tokio::test]
async fn the_database_holds_a_hash_and_never_the_token() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    let once = [("idempotency-key", "k1")];
    let body = json!({ "name": "k", "scopes": ["*"] });
    let made = key.send(Method::POST, KEYS, &once, Some(body)).await.expect(StatusCode::CREATED);
    let secret = &made.text("/token")[30..54];
    let in_bytes: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut conn = connect(&app.database.superuser()).await;
    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let mut has_key = false;
    for table in tables {
        let rows = format!("select coalesce(string_agg(row_to_json(t)::text, ' '), '') from {table} t");
        let text: String = sqlx::query_scalar(sqlx::AssertSqlSafe(rows)).fetch_one(&mut conn).await.unwrap();
        assert!(!text.contains(secret) && !text.contains(&in_bytes), "{table}");
        has_key |= table == "api_keys" && text.contains(made.text("/tail"));
    }
    assert!(has_key, "the key itself is there");
}
