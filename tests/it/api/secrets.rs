//! Secrets over the API: written, never read, and seen only by whom they concern.

use http::{Method, StatusCode};
use portreeve::{base::permission::Role, domain::secrets::SecretOwner};
use serde_json::{Value, json};
use time::Duration;

use crate::kit::{
    app::TestApp,
    http::{Answer, Script},
    people::{Person, PlantedOrg},
};

const SECRETS: &str = "/api/v1/orgs/acme/secrets";
const VALUE: &str = "v4lue-nobody-reads";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, ada, key)
}

fn names(listed: &Answer) -> Vec<&str> {
    listed.body["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

fn paths(answer: &Answer) -> Vec<&str> {
    answer.body["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect()
}

/// What stands in the database of a secret's value.
async fn stored(app: &TestApp, id: &str) -> Vec<u8> {
    use sqlx::Row;
    let id: portreeve::base::ids::SecretId = id.parse().unwrap();
    let mut conn = crate::kit::database::connect(&app.database.superuser()).await;
    let row = sqlx::query("select sealed_value from secrets where id = $1").bind(id.uuid());
    row.fetch_one(&mut conn).await.unwrap().get(0)
}

#[tokio::test]
async fn a_secret_is_added_read_rotated_changed_and_destroyed_and_its_value_is_nowhere() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let body = json!({ "scope": "org", "name": "github_token", "description": "For reading.", "value": VALUE,
        "rotate_after_days": 7 });
    let made = key.post(SECRETS, body).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/scope"), made.text("/name")), ("org", "github_token"));
    assert_eq!((&made.body["team"], &made.body["version"]), (&Value::Null, &json!(1)));
    assert_eq!((&made.body["used_by"], &made.body["overdue"]), (&json!([]), &json!(false)));
    assert_eq!((&made.body["last_used_at"], &made.body["unused"]), (&Value::Null, &json!(true)));
    let one = format!("{SECRETS}/{}", made.text("/id"));
    let read = key.get(&one).await.expect(StatusCode::OK);
    assert_eq!(read.body, made.body);
    let first = stored(&app, made.text("/id")).await;

    app.clock.advance(Duration::days(8));
    assert_eq!(key.get(&one).await.body["overdue"], json!(true));
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let seen = [("if-match", tag.as_str())];
    let next = Some(json!({ "value": format!("{VALUE}-2") }));
    let rotate = format!("{one}/rotate");
    let rotated = key.send(Method::POST, &rotate, &seen, next.clone()).await.expect(StatusCode::OK);
    assert_eq!((&rotated.body["version"], &rotated.body["overdue"]), (&json!(2), &json!(false)));
    key.send(Method::POST, &rotate, &seen, next).await.expect(StatusCode::PRECONDITION_FAILED);
    assert_ne!(stored(&app, made.text("/id")).await, first, "the old value is gone");

    let change = json!({ "name": "gh_token", "description": "", "rotate_after_days": null });
    let changed = key.send(Method::PATCH, &one, &[], Some(change.clone())).await.expect(StatusCode::OK);
    assert_eq!((changed.text("/name"), &changed.body["rotate_after_days"]), ("gh_token", &Value::Null));
    let again = key.send(Method::PATCH, &one, &[], Some(change)).await.expect(StatusCode::OK);
    assert_eq!(again.body["version"], json!(3), "nothing was to be changed");
    let left = json!({});
    assert_eq!(key.send(Method::PATCH, &one, &[], Some(left)).await.body, again.body);

    key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.get(&one).await.expect(StatusCode::NOT_FOUND);
    let steps = ["created", "rotated", "changed", "deleted"];
    assert_eq!(app.recorded(&org).await, steps.map(|step| format!("secret.{step}")));
    let events = key.text_of(Method::GET, "/api/v1/orgs/acme/events?kind=admin", None).await;
    let export = key.text_of(Method::GET, "/api/v1/orgs/acme/events/export", None).await;
    assert!(events.contains("secret.rotated") && export.contains("secret.rotated"));
    assert!(!events.contains(VALUE) && !export.contains(VALUE));
}

#[tokio::test]
async fn names_and_values_are_held_to_what_a_request_can_carry() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    app.team(&org, "crew").await;
    let post = |body: Value| key.post(SECRETS, body);
    for (body, wanted) in [
        (json!({ "scope": "org", "name": "No Name", "value": "" }), vec!["name", "value"]),
        (json!({ "scope": "org", "name": "x", "value": "a\r\nX-Evil: 1" }), vec!["value"]),
        (json!({ "scope": "org", "name": "x", "value": " padded" }), vec!["value"]),
        (json!({ "scope": "org", "name": "x", "value": "x".repeat(8_001) }), vec!["value"]),
        (json!({ "scope": "team", "name": "x", "value": "x" }), vec!["team"]),
        (json!({ "scope": "team", "team": "none", "name": "x", "value": "x" }), vec!["team"]),
        (json!({ "scope": "org", "team": "crew", "name": "x", "value": "x" }), vec!["team"]),
        (
            json!({ "scope": "org", "name": "x", "value": "x", "rotate_after_days": 0 }),
            vec!["rotate_after_days"],
        ),
    ] {
        let refused = post(body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&refused), wanted, "{:#}", refused.body);
        assert!(!refused.body.to_string().contains("X-Evil"), "values are not sent back");
    }
    post(json!({ "scope": "everybody", "name": "x", "value": "x" }))
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    let body = |scope: &str, team: &str| json!({ "scope": scope, "team": team, "name": "x", "value": "x" });
    for (scope, team) in [("org", ""), ("team", "crew"), ("user", "")] {
        post(body(scope, team)).await.expect(StatusCode::CREATED);
        let twice = post(body(scope, team)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(paths(&twice), ["name"], "one name of one owner");
    }
    let listed = key.get(&format!("{SECRETS}?limit=2")).await.expect(StatusCode::OK);
    assert_eq!(names(&listed), ["x", "x"]);
    let rest = key.get(&format!("{SECRETS}?limit=2&cursor={}", listed.text("/next_cursor"))).await;
    assert_eq!((names(&rest), &rest.body["next_cursor"]), (vec!["x"], &Value::Null));
    let of_team = key.get(&format!("{SECRETS}?team=crew")).await.expect(StatusCode::OK);
    assert_eq!((of_team.text("/items/0/team"), names(&of_team).len()), ("crew", 1));
    key.get(&format!("{SECRETS}?team=none")).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(names(&key.get(&format!("{SECRETS}?q=nothing")).await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_persons_own_secret_is_there_for_nobody_else() {
    let app = TestApp::start().await;
    let (org, _, admin) = acme(&app).await;
    let bob = app.member(&org, "Bob Builder", Role::Member).await;
    let bobs = app.key_of(&org, bob.id, Role::Member, &["*"]).await;
    app.secret(&org, SecretOwner::Org, "shared", "x").await;
    let body = |scope: &str| json!({ "scope": scope, "name": "bobs_private_thing", "value": VALUE });
    let made = bobs.post(SECRETS, body("user")).await.expect(StatusCode::CREATED);
    assert_eq!(names(&bobs.get(SECRETS).await), ["bobs_private_thing"]);
    assert_eq!(names(&admin.get(SECRETS).await), ["shared"]);
    let one = format!("{SECRETS}/{}", made.text("/id"));
    for (method, path, body) in [
        (Method::GET, one.clone(), None),
        (Method::PATCH, one.clone(), Some(json!({ "description": "mine now" }))),
        (Method::POST, format!("{one}/rotate"), Some(json!({ "value": "x" }))),
        (Method::DELETE, format!("{one}?confirm=true"), None),
    ] {
        admin.send(method, &path, &[], body).await.expect(StatusCode::NOT_FOUND);
    }
    bobs.post(SECRETS, body("org")).await.expect(StatusCode::FORBIDDEN);
    let events = admin.text_of(Method::GET, "/api/v1/orgs/acme/events?kind=admin", None).await;
    assert!(events.contains("secret.created") && !events.contains("bobs_private_thing"), "{events}");

    // A key says less than its owner may.
    let narrow = app.key_of(&org, bob.id, Role::Member, &["access:ask"]).await;
    narrow.get(SECRETS).await.expect(StatusCode::FORBIDDEN);
    narrow.post(SECRETS, body("user")).await.expect(StatusCode::FORBIDDEN);
    let reader = app.key_of(&org, bob.id, Role::Admin, &["secrets:read"]).await;
    reader.get(SECRETS).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_service_account_keeps_the_organizations_secrets_and_none_of_its_own() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let body = json!({ "name": "Robot", "role": "admin" });
    key.post("/api/v1/orgs/acme/service-accounts", body).await.expect(StatusCode::CREATED);
    let body = json!({ "name": "robot", "scopes": ["*"], "service_account": "robot" });
    let made = key.post("/api/v1/orgs/acme/api-keys", body).await.expect(StatusCode::CREATED);
    let token = made.text("/token");
    let robot = app.script(Some(token));
    let body = |scope: &str| json!({ "scope": scope, "name": "x", "value": "x" });
    robot.post(SECRETS, body("org")).await.expect(StatusCode::CREATED);
    let refused = robot.post(SECRETS, body("user")).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "secret_person");
    assert_eq!(names(&robot.get(SECRETS).await), ["x"]);
    assert_eq!(app.recorded(&org).await.last().unwrap(), "secret.created");
}

#[tokio::test]
async fn an_owner_keeps_only_so_many() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    app.secret(&org, SecretOwner::User(ada.id), "first", "x").await;
    let many = "insert into secrets (org_id, id, scope, user_id, name, sealed_value, data_key_id, created_at, updated_at,
            rotated_at)
        select org_id, gen_random_uuid(), scope, user_id, 'n' || n, sealed_value, data_key_id, now(), now(), now()
        from secrets, generate_series(2, 200) n";
    assert_eq!(app.change(many).await, 199);
    let refused = key.post(SECRETS, json!({ "scope": "user", "name": "x", "value": "x" })).await;
    assert_eq!(refused.expect(StatusCode::CONFLICT).text("/code"), "secrets_many");
    key.post(SECRETS, json!({ "scope": "org", "name": "x", "value": "x" })).await.expect(StatusCode::CREATED);
}

const MAP: &str = "/api/v1/orgs/acme/servers/github/credentials";

fn header(source: &str, secret: &str) -> Value {
    json!([{ "target": "header", "name": "X-Token", "source": source, "secret": secret }])
}

#[tokio::test]
async fn a_map_names_secrets_that_are_there_and_shows_no_value() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let put = |map: Value| key.send(Method::PUT, MAP, &[], Some(map));
    for (map, path, words) in [
        (header("org_secret", "nowhere"), "secret", "no secret nowhere; add it first, at /o/acme/secrets"),
        (header("org_secret", ""), "secret", "enter a name"),
        (header("user_secret", "No Name"), "secret", "use only a to z"),
        (header("static", "x"), "secret", "only where the value comes from one"),
        (header("oauth", ""), "provider", "name the provider"),
        (header("anywhere", ""), "source", "choose static, oauth, org_secret, team_secret or user_secret"),
    ] {
        let refused = put(map).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let error = refused.body["errors"].as_array().unwrap().iter().find(|error| error["path"] == path);
        assert!(error.is_some_and(|e| e["message"].as_str().unwrap().contains(words)), "{:#}", refused.body);
    }
    let mut both = header("user_secret", "own");
    both[0]["value"] = json!("x");
    assert_eq!(paths(&put(both).await.expect(StatusCode::UNPROCESSABLE_ENTITY)), ["value"]);

    let shared = app.secret(&org, SecretOwner::Org, "shared", VALUE).await;
    put(header("org_secret", "shared")).await.expect(StatusCode::OK);
    let shown = key.get(MAP).await.expect(StatusCode::OK);
    let item = &shown.body["items"][0];
    assert_eq!((&item["source"], &item["secret"]), (&json!("org_secret"), &json!("shared")));
    assert_eq!((&item["template"], &item["has_value"]), (&json!("{value}"), &json!(false)));
    let again = put(header("org_secret", "shared")).await.expect(StatusCode::OK);
    assert_eq!(again.body["items"][0]["id"], item["id"], "the same stays the same");

    let one = format!("{SECRETS}/{shared}");
    assert_eq!(key.get(&one).await.body["used_by"], json!(["github"]));
    let named = Some(json!({ "name": "other" }));
    let refused = key.send(Method::PATCH, &one, &[], named).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text("/errors/0/message").contains("The server github asks for it by its name"));
    let refused = key.send(Method::DELETE, &one, &[], None).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "secret_used");
    key.send(Method::DELETE, &format!("{one}?confirm=true"), &[], None).await.expect(StatusCode::NO_CONTENT);
    let gone = key.get(MAP).await.expect(StatusCode::OK);
    assert_eq!(gone.body["items"][0]["secret"], "shared", "the map still says what is asked for");

    // What is asked of teams and people may come later.
    for source in ["team_secret", "user_secret"] {
        put(header(source, "later")).await.expect(StatusCode::OK);
    }
    let value = json!([{ "target": "header", "name": "X-Token", "source": "static" }]);
    assert_eq!(paths(&put(value).await.expect(StatusCode::UNPROCESSABLE_ENTITY)), ["value"]);
    let record = key.text_of(Method::GET, "/api/v1/orgs/acme/events?kind=admin", None).await;
    assert!(record.contains("server.credentials_changed") && !record.contains(VALUE));
    let probe = json!({ "url": "https://github.example.com/mcp", "credentials": header("user_secret", "x") });
    let refused = key.post("/api/v1/orgs/acme/servers/probe", probe).await;
    assert_eq!(paths(&refused.expect(StatusCode::UNPROCESSABLE_ENTITY)), ["source"]);
}

#[tokio::test]
async fn a_preview_says_what_a_map_would_change_and_who_would_lack_what_and_stores_nothing() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let narrow = app.key_of(&org, ada.id, Role::Admin, &["servers:write"]).await;
    app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let old = json!([{ "target": "header", "name": "X-Old", "value": VALUE }]);
    key.send(Method::PUT, MAP, &[], Some(old)).await.expect(StatusCode::OK);
    let recorded = app.recorded(&org).await;
    let preview = format!("{MAP}/preview");
    let map = json!([
        { "target": "header", "name": "x-old", "template": "Bearer {value}" },
        { "target": "header", "name": "X-Own", "source": "user_secret", "secret": "own" },
        { "target": "query", "name": "key", "value": VALUE },
    ]);
    let found = key.post(&preview, map).await.expect(StatusCode::OK);
    let changes = json!([
        { "target": "header", "name": "x-old", "change": "changed" },
        { "target": "header", "name": "X-Own", "change": "added" },
        { "target": "query", "name": "key", "change": "added" },
    ]);
    assert_eq!(found.body["changes"], changes, "{:#}", found.body);
    let need = &found.body["needs"][0];
    assert_eq!(
        (&need["name"], &need["kind"], &need["new"]),
        (&json!("own"), &json!("user_secret"), &json!(true))
    );
    let members = app.number("select count(*) from memberships").await;
    assert_eq!((&need["met"], &need["lacking"]), (&json!(false), &json!(members)));
    assert!(!found.body.to_string().contains(VALUE));
    assert!(!need["first"].as_array().unwrap().is_empty(), "{need}");
    let own = json!([{ "target": "header", "name": "X-Own", "source": "user_secret", "secret": "own" }]);
    let counted = narrow.post(&preview, own).await.expect(StatusCode::OK);
    let need = &counted.body["needs"][0];
    assert_eq!((&need["first"], &need["lacking"]), (&json!([]), &json!(members)), "counted, not named");
    let gone = key.post(&preview, json!([])).await.expect(StatusCode::OK);
    assert_eq!(gone.body["changes"][0]["change"], "removed");

    let refused = key.post(&preview, header("org_secret", "nowhere")).await;
    assert_eq!(paths(&refused.expect(StatusCode::UNPROCESSABLE_ENTITY)), ["secret"]);
    let stale = [("if-match", "\"v99\"")];
    let body = Some(json!([]));
    key.send(Method::POST, &preview, &stale, body).await.expect(StatusCode::PRECONDITION_FAILED);
    let shown = key.get(MAP).await.expect(StatusCode::OK);
    assert_eq!(shown.body["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(app.recorded(&org).await, recorded);
}

#[tokio::test]
async fn values_open_after_every_data_key_was_wrapped_anew() {
    use portreeve::domain::{
        secrets::{
            Scope,
            store::{SEALED_IN, served},
        },
        vault::{Cell, MasterRing, Rewrap, Sealed, Vault},
    };
    use portreeve::io::db::SystemTx;

    let app = TestApp::start().await;
    let org = app.org("acme").await;
    let id = app.secret(&org, SecretOwner::Org, "shared", VALUE).await;
    let new = "t2:PnGDVoouSe7AZej30MtHE4VGaZ4nwX9mFfVdulZQk0I=";
    let both = format!("{new},{}", crate::kit::app::MASTER_KEYS);
    let vault = Vault::new(MasterRing::parse(&both).unwrap(), app.clock.clone());
    let mut tx = SystemTx::begin(app.db()).await.unwrap();
    Rewrap::default().step(&vault, &mut tx).await.unwrap();
    portreeve::domain::audit::commit_unrecorded(tx, portreeve::domain::audit::Unrecorded::Resealing)
        .await
        .unwrap();
    // Only the new key is needed from now on.
    let vault = Vault::new(MasterRing::parse(new).unwrap(), app.clock.clone());
    let mut tx = app.org_tx(org.id).await;
    let found = served::find_for(&mut tx, Scope::Org, "shared", None).await.unwrap().unwrap();
    assert_eq!(found.id, id);
    let sealed = Sealed { key: found.key, bytes: found.bytes };
    let cell = Cell::new(SEALED_IN.0, SEALED_IN.1, id);
    assert_eq!(vault.open(&mut tx, cell, &sealed).await.unwrap().expose(), VALUE.as_bytes());
    // It is bound to its row: in the place of another it does not open.
    let other = Cell::new(SEALED_IN.0, SEALED_IN.1, portreeve::base::ids::SecretId::fresh());
    assert!(vault.open(&mut tx, other, &sealed).await.is_err());
}
