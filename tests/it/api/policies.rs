//! Policies over the API: their life, what is wrong with a document, layers, and calls that nobody makes.

use http::{Method, StatusCode};
use portreeve::base::{actor::Principal, permission::Role, risk::Class};
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    http::{Answer, Script},
    people::{Person, PlantedOrg},
    upstream::tool,
};

const POLICIES: &str = "/api/v1/orgs/acme/policies";
const CREW: &str = "/api/v1/orgs/acme/policies/crew";

async fn acme(app: &TestApp) -> (PlantedOrg, Person, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    (org, ada, key)
}

fn open() -> Value {
    json!({ "version": "1", "default": "allow" })
}

fn new(document: Value, publish: bool) -> Value {
    json!({ "name": "Crew", "document": document, "publish": publish, "note": "First" })
}

fn errors(answer: &Answer) -> Vec<(String, String)> {
    let errors = answer.body["errors"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    errors.iter().map(|error| (text(&error["path"]), text(&error["message"]))).collect()
}

#[tokio::test]
async fn a_policy_is_written_published_changed_rolled_back_and_deleted_and_each_step_is_on_record() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let made = key.post(POLICIES, new(open(), false)).await.expect(StatusCode::CREATED);
    assert_eq!((made.text("/slug"), &made.body["live_version"]), ("crew", &Value::Null));
    assert_eq!(made.body["draft"]["document"], open());
    assert!(made.text("/id").starts_with("pol_"));
    let published =
        key.post(&format!("{CREW}/publish"), json!({ "note": "First" })).await.expect(StatusCode::OK);
    assert_eq!((&published.body["live_version"], &published.body["draft"]), (&json!(1), &Value::Null));
    let none = key.post(&format!("{CREW}/publish"), json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(none.text("/code"), "no_draft");

    let tag = published.headers["etag"].to_str().unwrap().to_owned();
    let locked = json!({ "version": "1", "default": "deny" });
    let draft = json!({ "document": locked });
    let path = format!("{CREW}/draft");
    let seen = [("if-match", tag.as_str())];
    let saved = key.send(Method::PUT, &path, &seen, Some(draft.clone())).await.expect(StatusCode::OK);
    assert_eq!((&saved.body["document"], &saved.body["draft"]["document"]), (&open(), &locked));
    assert_eq!(
        (&saved.body["draft"]["from_version"], &saved.body["draft"]["stale"]),
        (&json!(1), &json!(false))
    );
    let other = json!({ "document": open() });
    key.send(Method::PUT, &path, &seen, Some(other)).await.expect(StatusCode::PRECONDITION_FAILED);
    let second =
        key.post(&format!("{CREW}/publish"), json!({ "note": "Locked" })).await.expect(StatusCode::OK);
    assert_eq!((&second.body["live_version"], &second.body["document"]), (&json!(2), &locked));

    let back = json!({ "version": 1, "note": "Too strict" });
    let back = key.post(&format!("{CREW}/rollback"), back).await.expect(StatusCode::OK);
    assert_eq!((&back.body["live_version"], &back.body["document"]), (&json!(3), &open()));
    let versions = key.get(&format!("{CREW}/versions?limit=2")).await.expect(StatusCode::OK);
    let numbers: Vec<_> =
        versions.body["items"].as_array().unwrap().iter().map(|v| v["number"].clone()).collect();
    assert_eq!(numbers, [3, 2]);
    assert_eq!(versions.body["items"][0]["restores"], json!(1));
    let cursor = versions.text("/next_cursor").to_owned();
    let rest = key.get(&format!("{CREW}/versions?cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!((rest.text("/items/0/note"), rest.text("/items/0/author_name")), ("First", "test key"));
    assert_eq!(rest.text("/items/0/author"), ada.id.to_string());
    let first = key.get(&format!("{CREW}/versions/2")).await.expect(StatusCode::OK);
    assert_eq!(first.body["document"], locked);
    key.get(&format!("{CREW}/versions/9")).await.expect(StatusCode::NOT_FOUND);

    let renamed = json!({ "name": "The crew", "slug": "the-crew" });
    key.send(Method::PATCH, CREW, &[], Some(renamed)).await.expect(StatusCode::OK);
    key.get(CREW).await.expect(StatusCode::NOT_FOUND);
    let there = format!("{POLICIES}/the-crew");
    key.send(Method::DELETE, &there, &[], None).await.expect(StatusCode::NO_CONTENT);
    key.get(&there).await.expect(StatusCode::NOT_FOUND);
    let wanted = [
        "policy.created",
        "policy.published",
        "policy.published",
        "policy.published",
        "policy.changed",
        "policy.deleted",
    ];
    assert_eq!(app.recorded(&org).await, wanted);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_document_is_told_with_its_place() {
    let app = TestApp::start().await;
    let (org, _, key) = acme(&app).await;
    let wrong = json!({ "version": "2", "defualt": "allow", "tools": { "a": { "deny_if": [{ "conditions": [
        { "path": "args.x", "op": "equals", "value": 1 }
    ] }] } } });
    let refused = key.post(POLICIES, new(wrong, true)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text("/code"), "invalid_document");
    let errors = errors(&refused);
    let paths: Vec<_> = errors.iter().map(|(path, _)| path.as_str()).collect();
    for place in ["document/version", "document/defualt", "document/tools/a/deny_if/0/conditions/0/op"] {
        assert!(paths.contains(&place), "{place}: {paths:?}");
    }
    assert!(errors.iter().any(|(_, message)| message.contains("Did you mean default?")), "{errors:?}");
    let twice = r#"{"name":"Crew","document":{"version":"1","default":"allow","default":"deny"}}"#;
    let refused = key.post_text(POLICIES, twice).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.text("/code"), "invalid_document", "a key that is there twice is seen");
    key.post(POLICIES, new(open(), false)).await.expect(StatusCode::CREATED);
    let again = key.post(POLICIES, new(open(), false)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(self::errors(&again)[0].0, "slug");
    assert_eq!(app.recorded(&org).await, ["policy.created"]);
}

#[tokio::test]
async fn a_draft_begun_from_a_version_that_was_replaced_is_not_published_unseen() {
    let app = TestApp::start().await;
    let (_, _, key) = acme(&app).await;
    key.post(POLICIES, new(open(), true)).await.expect(StatusCode::CREATED);
    let draft = json!({ "document": { "version": "1", "default": "deny" } });
    key.send(Method::PUT, &format!("{CREW}/draft"), &[], Some(draft.clone())).await.expect(StatusCode::OK);
    key.post(&format!("{CREW}/publish"), json!({})).await.expect(StatusCode::OK);
    // Somebody goes back while somebody else writes.
    let ask = json!({ "document": { "version": "1", "default": "require_approval" } });
    key.send(Method::PUT, &format!("{CREW}/draft"), &[], Some(ask)).await.expect(StatusCode::OK);
    let back = key.post(&format!("{CREW}/rollback"), json!({ "version": 1 })).await.expect(StatusCode::OK);
    assert_eq!(back.body["draft"]["stale"], json!(true), "the work of others is not dropped");
    let refused = key.post(&format!("{CREW}/publish"), json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "draft_stale");
    let rebased = key.post(&format!("{CREW}/draft/rebase"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(rebased.body["draft"]["stale"], json!(false));
    let published = key.post(&format!("{CREW}/publish"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(published.body["live_version"], json!(4));
}

#[tokio::test]
async fn what_is_in_force_somewhere_is_not_deleted_and_only_what_was_published_can_be_attached() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    app.team(&org, "crew").await;
    app.server_at(&org, "github", "https://github.example.com/mcp").await;
    key.post(POLICIES, new(open(), false)).await.expect(StatusCode::CREATED);
    let grant = json!({ "label": "x", "principal": { "user": ada.email }, "servers": "all", "policy": "crew",
        "class_ceiling": "read" });
    let layers = json!({ "org": "crew", "teams": { "crew": "crew" }, "servers": { "github": "crew" } });
    let path = "/api/v1/orgs/acme/layers";
    let unpublished = key.post("/api/v1/orgs/acme/grants", grant.clone()).await;
    assert_eq!(errors(&unpublished.expect(StatusCode::UNPROCESSABLE_ENTITY))[0].0, "policy");
    let refused = key.send(Method::PUT, path, &[], Some(layers.clone())).await;
    let faults = errors(&refused.expect(StatusCode::UNPROCESSABLE_ENTITY));
    assert_eq!(faults.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["org", "teams", "servers"]);
    key.post(&format!("{CREW}/publish"), json!({})).await.expect(StatusCode::OK);
    let made = key.post("/api/v1/orgs/acme/grants", grant).await.expect(StatusCode::CREATED);
    assert_eq!(made.text("/policy"), "crew");
    let set = key.send(Method::PUT, path, &[], Some(layers.clone())).await.expect(StatusCode::OK);
    let of = |answer: &Answer| json!({ "org": answer.body["org"], "teams": answer.body["teams"], "servers": answer.body["servers"] });
    assert_eq!(of(&set), layers);
    assert_eq!(of(&key.get(path).await.expect(StatusCode::OK)), layers);
    let stale = [("if-match", "\"v1\"")];
    key.send(Method::PUT, path, &stale, Some(json!({}))).await.expect(StatusCode::PRECONDITION_FAILED);
    let refused = key.send(Method::DELETE, CREW, &[], None).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "policy_in_force");
    assert!(refused.text("/detail").contains("the organization, 1 team, 1 server, 1 grant"));
    let nobody = json!({ "teams": { "no-team": "crew" }, "servers": { "no-server": "nothing" } });
    let refused =
        key.send(Method::PUT, path, &[], Some(nobody)).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(errors(&refused).len(), 3);
    let none = json!({});
    key.send(Method::PUT, path, &[], Some(none.clone())).await.expect(StatusCode::OK);
    key.send(Method::PUT, path, &[], Some(none)).await.expect(StatusCode::OK);
    let last = app.recorded(&org).await;
    assert_eq!(last[last.len() - 2..], ["layers.changed", "layers.changed"], "the same again is no event");
}

#[tokio::test]
async fn a_call_that_nobody_makes_is_decided_as_a_real_one_live_and_as_it_is_being_written() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    app.accept_tools(&org, server, &[tool("merge", "Merges.", &["base"])]).await;
    key.post(POLICIES, new(open(), true)).await.expect(StatusCode::CREATED);
    let draft = json!({ "document": { "version": "1", "default": "allow", "tools": { "merge": {
        "deny_if": [{ "conditions": [{ "path": "args.base", "op": "eq", "value": "main" }] }]
    } } } });
    key.send(Method::PUT, &format!("{CREW}/draft"), &[], Some(draft)).await.expect(StatusCode::OK);
    let simulate = format!("{CREW}/simulate");
    let call = json!({ "call": { "tool": "merge", "arguments": { "base": "main" }, "user": ada.email } });
    let said = key.post(&simulate, call).await.expect(StatusCode::OK);
    assert_eq!((said.text("/verdict"), said.text("/live/verdict")), ("deny", "allow"));
    assert_eq!((said.text("/rule"), said.text("/layer")), ("/tools/merge/deny_if/0", "grant"));
    let decided: Vec<_> =
        said.body["trace"].as_array().unwrap().iter().filter(|step| step["state"] == "decided").collect();
    assert_eq!((decided.len(), &decided[0]["step"]), (1, &json!("deny")));
    assert_eq!(decided[0]["expected"], "a call of which this does not hold: base is main");
    let looked = json!([{ "condition": "base is main", "holds": true, "found": ["\"main\""] }]);
    assert_eq!(said.body["conditions"], looked);
    assert_eq!(said.body["live"]["conditions"], json!([]));
    let call = json!({ "call": { "tool": "merge", "arguments": { "base": "topic" } } });
    assert_eq!(key.post(&simulate, call).await.expect(StatusCode::OK).text("/verdict"), "allow");
    let tried =
        json!({ "document": { "version": "1", "default": "require_approval" }, "call": { "tool": "merge" } });
    assert_eq!(key.post(&simulate, tried).await.expect(StatusCode::OK).text("/verdict"), "require_approval");
    let hidden = json!({ "document": { "version": "1", "default": "allow", "hide": ["*"] }, "call": { "tool": "merge" } });
    assert_eq!(key.post(&simulate, hidden).await.expect(StatusCode::OK).text("/verdict"), "hide");
    let (grant, _) = app.grant(&org, Principal::User(ada.id), Class::Read).await;
    let above =
        json!({ "call": { "tool": "merge", "grant": grant.to_string(), "arguments": { "base": "topic" } } });
    let above = key.post(&simulate, above).await.expect(StatusCode::OK);
    assert_eq!(above.text("/verdict"), "hide", "the grant's ceiling is below the tool: {}", above.body);
    for (call, path) in [
        (json!({ "tool": "merge", "user": "nobody@example.com" }), "call.user"),
        (json!({ "tool": "merge", "grant": "grt_x" }), "call.grant"),
        (json!({ "tool": "nothing" }), "call.tool"),
        (json!({ "tool": "merge", "server": "nowhere" }), "call.server"),
        (json!({ "tool": "merge", "ip": "here" }), "call.ip"),
    ] {
        let refused = key.post(&simulate, json!({ "call": call })).await;
        assert_eq!(errors(&refused.expect(StatusCode::UNPROCESSABLE_ENTITY))[0].0, path);
    }
    let events = app.recorded(&org).await;
    assert!(events.iter().all(|action| action.starts_with("policy.")), "{events:?}");
}

#[tokio::test]
async fn a_test_that_does_not_hold_stands_in_the_way_unless_an_owner_says_why_it_should_not() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let owner = app.member(&org, "Olga Owner", Role::Owner).await;
    let owner = app.key_of(&org, owner.id, Role::Owner, &["*"]).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    app.accept_tools(&org, server, &[tool("merge", "Merges.", &["base"])]).await;
    key.post(POLICIES, new(open(), true)).await.expect(StatusCode::CREATED);
    let tests = format!("{CREW}/tests");
    let main = json!({ "name": "merging to main", "expected": "allow",
        "call": { "tool": "merge", "user": ada.email, "arguments": { "base": "main" } } });
    let made = key.post(&tests, main.clone()).await.expect(StatusCode::CREATED);
    let again = key.post(&tests, main).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(errors(&again)[0].0, "name");
    let runs = key.get(&tests).await.expect(StatusCode::OK);
    assert_eq!((&runs.body["items"][0]["holds"], runs.text("/items/0/verdict")), (&json!(true), "allow"));

    let locked = json!({ "document": { "version": "1", "default": "deny" } });
    key.send(Method::PUT, &format!("{CREW}/draft"), &[], Some(locked)).await.expect(StatusCode::OK);
    let runs = key.get(&tests).await.expect(StatusCode::OK);
    assert_eq!((&runs.body["items"][0]["holds"], runs.text("/items/0/rule")), (&json!(false), "/default"));
    let publish = format!("{CREW}/publish");
    let refused = key.post(&publish, json!({})).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.text("/code"), "tests_fail");
    let no_owner = json!({ "in_spite": "An incident" });
    let refused = key.post(&publish, no_owner.clone()).await.expect(StatusCode::CONFLICT);
    assert!(refused.text("/detail").contains("only an owner"));
    owner.post(&publish, no_owner).await.expect(StatusCode::OK);
    let id = made.text("/id");
    key.send(Method::DELETE, &format!("{tests}/{id}"), &[], None).await.expect(StatusCode::NO_CONTENT);
    key.send(Method::DELETE, &format!("{tests}/{id}"), &[], None).await.expect(StatusCode::NOT_FOUND);
    let events = app.recorded(&org).await;
    assert!(
        events.ends_with(&[
            "policy_test.created".into(),
            "policy.published".into(),
            "policy_test.deleted".into()
        ]),
        "{events:?}"
    );
}

#[tokio::test]
async fn going_back_to_a_version_that_breaks_a_test_is_held_to_it_as_a_publication_is() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let owner = app.member(&org, "Olga Owner", Role::Owner).await;
    let owner = app.key_of(&org, owner.id, Role::Owner, &["*"]).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    app.accept_tools(&org, server, &[tool("merge", "Merges.", &["base"])]).await;
    key.post(POLICIES, new(json!({ "version": "1", "default": "deny" }), true))
        .await
        .expect(StatusCode::CREATED);
    let draft = json!({ "document": open() });
    key.send(Method::PUT, &format!("{CREW}/draft"), &[], Some(draft)).await.expect(StatusCode::OK);
    key.post(&format!("{CREW}/publish"), json!({})).await.expect(StatusCode::OK);
    let test = json!({ "name": "merging", "expected": "allow",
        "call": { "tool": "merge", "user": ada.email, "arguments": { "base": "main" } } });
    key.post(&format!("{CREW}/tests"), test).await.expect(StatusCode::CREATED);

    let rollback = format!("{CREW}/rollback");
    let back = json!({ "version": 1 });
    for who in [&key, &owner] {
        let refused = who.post(&rollback, back.clone()).await.expect(StatusCode::CONFLICT);
        assert_eq!(refused.text("/code"), "tests_fail");
    }
    let none = key.post(&rollback, json!({ "version": 9 })).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(errors(&none)[0].0, "version");
    let in_spite = json!({ "version": 1, "in_spite": "An incident" });
    let refused = key.post(&rollback, in_spite.clone()).await.expect(StatusCode::CONFLICT);
    assert!(refused.text("/detail").contains("only an owner"));
    let done = owner.post(&rollback, in_spite).await.expect(StatusCode::OK);
    assert_eq!(done.body["live_version"], 3);
}

#[tokio::test]
async fn what_holds_after_all_layers_is_told_with_what_decides_and_what_depends_on_the_call() {
    let app = TestApp::start().await;
    let (org, ada, key) = acme(&app).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    let tools = ["close", "delete", "merge", "secret"].map(|name| tool(name, "Does it.", &["base"]));
    app.accept_tools(&org, server, &tools).await;
    let baseline = json!({ "version": "1", "default": "allow", "hide": ["secret"], "tools": {
        "merge": { "deny_if": [{ "name": "main is closed",
            "conditions": [{ "path": "args.base", "op": "eq", "value": "main" }] }] },
        "close": { "require": [{ "conditions": [{ "path": "ip", "op": "cidr", "value": "10.0.0.0/8" }] }] },
        "delete": { "deny_if": [{ "conditions": [{ "path": "user.role", "op": "eq", "value": "admin" }] }] }
    } });
    key.post(POLICIES, new(baseline, true)).await.expect(StatusCode::CREATED);
    let person = format!("{POLICIES}/effective?server=github&user={}", ada.email);
    let nothing = key.get(&person).await.expect(StatusCode::OK);
    assert_eq!((nothing.text("/items/0/decision"), &nothing.body["layers"]), ("deny", &json!([])));
    let layers = json!({ "org": "crew" });
    key.send(Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers)).await.expect(StatusCode::OK);
    let found = key.get(&person).await.expect(StatusCode::OK);
    let told: Vec<_> = found.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let text = |field: &str| item[field].as_str().unwrap_or_default().to_owned();
            (text("tool"), text("decision"), item["depends"].as_bool().unwrap(), text("rule"))
        })
        .collect();
    let wanted = [
        ("close", "allow", true, "/tools/close/action"),
        ("delete", "deny", false, "/tools/delete/deny_if/0"),
        ("merge", "allow", true, "/tools/merge/action"),
        ("secret", "hide", false, "/hide/0"),
    ];
    let wanted = wanted.map(|(tool, decision, depends, rule)| {
        (tool.to_owned(), decision.to_owned(), depends, rule.to_owned())
    });
    assert_eq!(told, wanted);
    let merge = &found.body["items"][2];
    assert_eq!(
        (&merge["layer"], &merge["policy"], &merge["version"]),
        (&json!("org"), &json!("crew"), &json!(1))
    );
    let open = json!([{ "decision": "deny", "layer": "org", "policy": "crew", "version": 1,
        "rule": "/tools/merge/deny_if/0", "name": "main is closed" }]);
    assert_eq!(merge["exceptions"], open);
    let first = key.get(&format!("{person}&limit=1&decision=allow")).await.expect(StatusCode::OK);
    assert_eq!(first.text("/items/0/tool"), "close");
    let cursor = first.text("/next_cursor").to_owned();
    let rest = key.get(&format!("{person}&decision=allow&cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!((rest.text("/items/0/tool"), &rest.body["next_cursor"]), ("merge", &Value::Null));
    let (grant, _) = app.grant(&org, Principal::User(ada.id), Class::Read).await;
    let weak = format!("{POLICIES}/effective?server=github&grant={grant}");
    let weak = key.get(&weak).await.expect(StatusCode::OK);
    assert_eq!(weak.text("/items/0/decision"), "hide", "above the grant's ceiling: {}", weak.body);
    let other = app.org("other").await;
    let stranger = app.member(&other, "Sam Stranger", Role::Owner).await;
    let (foreign, _) = app.grant(&other, Principal::User(stranger.id), Class::Read).await;
    for (query, field) in [
        ("server=github".to_owned(), "grant"),
        (format!("server=github&grant={foreign}"), "grant"),
        (format!("server=github&user={}", stranger.email), "user"),
        (format!("server=nowhere&user={}", ada.email), "server"),
        (format!("user={}", ada.email), "server"),
        (format!("server=github&user={}&decision=perhaps", ada.email), "decision"),
    ] {
        let refused = key.get(&format!("{POLICIES}/effective?{query}")).await;
        assert_eq!(errors(&refused.expect(StatusCode::UNPROCESSABLE_ENTITY))[0].0, field, "{query}");
    }
}
