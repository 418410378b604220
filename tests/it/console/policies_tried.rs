//! Trying calls, tests, layers and what holds after all of them, in the browser.

use http::StatusCode;
use portreeve::base::{actor::Principal, permission::Role, risk::Class};
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    http::{Script, Visitor},
    people::PlantedOrg,
    upstream::tool,
};

const CREW: &str = "/o/acme/policies/crew";
const MERGE: &str = "/tools/merge/deny_if/0";

/// Whoever writes policies, the server github with the tool merge, and the policy crew: allowing, with a draft that closes
/// the branch main.
async fn acme(app: &TestApp) -> (PlantedOrg, Visitor, Script) {
    let org = app.org("acme").await;
    let ada = app.member(&org, "Ada Admin", Role::Admin).await;
    let key = app.key_of(&org, ada.id, Role::Admin, &["*"]).await;
    let server = app.server_at(&org, "github", "https://github.example.com/mcp").await;
    app.accept_tools(&org, server, &[tool("merge", "Merges.", &["base"])]).await;
    let new = json!({ "name": "Crew", "document": { "version": "1", "default": "allow" }, "publish": true });
    key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    draft(&key, closed()).await;
    (org, ada.browser, key)
}

fn closed() -> Value {
    json!({ "version": "1", "default": "allow", "tools": { "merge": {
        "deny_if": [{ "conditions": [{ "path": "args.base", "op": "eq", "value": "main" }] }]
    } } })
}

async fn draft(key: &Script, document: Value) {
    let path = "/api/v1/orgs/acme/policies/crew/draft";
    let body = json!({ "document": document });
    key.send(http::Method::PUT, path, &[], Some(body)).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_call_is_tried_on_what_is_in_force_and_on_the_draft_and_kept_as_a_test() {
    let app = TestApp::start().await;
    let (org, mut ada, _) = acme(&app).await;
    let simulate = format!("{CREW}/simulate");
    let page = ada.get(&simulate).await.expect(StatusCode::OK);
    let call = [("tool", "merge"), ("arguments", r#"{"base":"main"}"#)];
    let tried = ada.submit(&page, &simulate, &call).await.expect(StatusCode::OK);
    assert!(tried.says("In force, version 1: Allow") && tried.says("With the draft: Deny"), "{}", tried.body);
    assert!(tried.body.contains(MERGE) && tried.body.contains("<mark>"), "{}", tried.body);
    let csrf = ada.csrf();
    let keep =
        [&call[..], &[("csrf", csrf.as_str()), ("name", "main is closed"), ("expected", "deny")]].concat();
    let kept = ada.post(&format!("{CREW}/tests"), &keep).await;
    let tests = ada.follow(kept).await.expect(StatusCode::OK);
    assert!(tests.says("main is closed") && tests.says("Holds"), "{}", tests.body);
    assert!(app.recorded(&org).await.ends_with(&["policy_test.created".to_owned()]));
}

#[tokio::test]
async fn a_call_without_arguments_has_an_address_and_arguments_never_stand_in_one() {
    let app = TestApp::start().await;
    let (_, mut ada, _) = acme(&app).await;
    let simulate = format!("{CREW}/simulate");
    let page = ada.get(&simulate).await.expect(StatusCode::OK);
    let sent = ada.submit(&page, &simulate, &[("tool", "merge"), ("ip", "192.0.2.7")]).await;
    assert_eq!(sent.location().as_deref(), Some("/o/acme/policies/crew/simulate?tool=merge&ip=192.0.2.7"));
    let tried = ada.follow(sent).await.expect(StatusCode::OK);
    assert!(tried.says("With the draft: Allow"), "{}", tried.body);
    let secret = format!("{simulate}?tool=merge&arguments=%7B%22base%22%3A%22main%22%7D");
    let tried = ada.get(&secret).await.expect(StatusCode::OK);
    assert!(tried.says("With the draft: Allow"), "arguments in an address do not count");
    let page = ada.get(&simulate).await.expect(StatusCode::OK);
    let wrong = [("tool", "merge"), ("arguments", "{"), ("ip", "here")];
    let wrong = ada.submit(&page, &simulate, &wrong).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("f-arguments-err"), "{}", wrong.body);
}

#[tokio::test]
async fn the_simulator_stands_beside_the_rules_with_the_call_of_the_address() {
    let app = TestApp::start().await;
    let (_, mut ada, _) = acme(&app).await;
    let simulate = format!("{CREW}/simulate");
    let editor = ada.get(&format!("{CREW}?tool=merge&ip=192.0.2.7")).await.expect(StatusCode::OK);
    assert!(
        editor.body.contains("/o/acme/policies/crew/simulate?tool=merge&#38;ip=192.0.2.7"),
        "{}",
        editor.body
    );
    assert!(editor.body.contains("/o/acme/policies/crew/replay"), "{}", editor.body);
    let csrf = ada.csrf();
    let call = [("csrf", csrf.as_str()), ("tool", "merge"), ("arguments", r#"{"base":"main"}"#)];
    let answer = ada.begin(&simulate, &call).await.text().await.unwrap();
    assert!(!answer.contains("<!doctype") && answer.contains("With the draft: Deny"), "{answer}");
    assert!(answer.contains("In force, version 1: Allow") && answer.contains(MERGE), "{answer}");
    let call = [("csrf", csrf.as_str()), ("tool", "merge")];
    let answer = ada.begin(&simulate, &call).await;
    assert_eq!(answer.status(), StatusCode::OK, "without arguments too it is answered at once");
    let call = [("csrf", csrf.as_str()), ("tool", "merge"), ("arguments", "{")];
    let answer = ada.begin(&simulate, &call).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = ada.get(&format!("{simulate}?tool=merge")).await.expect(StatusCode::OK);
    assert!(page.body.contains("/o/acme/policies/crew?tool=merge"), "{}", page.body);
    let edit = [("csrf", csrf.as_str()), ("key", "other"), ("decision", "deny")];
    let edited = ada.begin(&format!("{CREW}/edit"), &edit).await;
    assert_eq!(edited.status(), StatusCode::OK);
    assert_eq!(edited.headers()["hx-trigger"], "edited");
    let edited = edited.text().await.unwrap();
    assert!(edited.contains("id=\"editor\"") && edited.contains("hx-swap-oob"), "{edited}");
}

#[tokio::test]
async fn tests_that_fail_stand_first_and_are_deleted() {
    let app = TestApp::start().await;
    let (org, mut ada, key) = acme(&app).await;
    let tests = format!("{CREW}/tests");
    let empty = ada.get(&tests).await.expect(StatusCode::OK);
    assert!(empty.says("No tests yet"));
    for (name, expected) in [("aaa holds", "allow"), ("zzz fails", "deny")] {
        let page = ada.get(&tests).await.expect(StatusCode::OK);
        let form = [("name", name), ("expected", expected), ("tool", "merge")];
        let added = ada.submit(&page, &tests, &form).await;
        ada.follow(added).await.expect(StatusCode::OK);
    }
    let page = ada.get(&tests).await.expect(StatusCode::OK);
    let at = |words: &str| page.body.find(words).unwrap();
    assert!(at("zzz fails") < at("aaa holds") && page.says("One test fails on the draft."));
    let again = [("name", "aaa holds"), ("expected", "allow"), ("tool", "")];
    let again = ada.submit(&page, &tests, &again).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("f-tool-err"), "{}", again.body);
    let all = key.get("/api/v1/orgs/acme/policies/crew/tests").await.expect(StatusCode::OK);
    let id = all.text("/items/0/id").to_owned();
    let page = ada.get(&tests).await.expect(StatusCode::OK);
    let gone = ada.submit(&page, &format!("{tests}/{id}/delete"), &[]).await;
    assert!(ada.follow(gone).await.says("The test is gone."));
    assert!(app.recorded(&org).await.ends_with(&["policy_test.deleted".to_owned()]));
}

#[tokio::test]
async fn layers_are_set_and_who_comes_second_is_told() {
    let app = TestApp::start().await;
    let (org, mut ada, key) = acme(&app).await;
    app.team(&org, "crew").await;
    let layers = "/o/acme/policies/layers";
    let page = ada.get(layers).await.expect(StatusCode::OK);
    assert!(page.says("All layers must allow; the strictest answer wins"));
    let body = json!({ "org": "crew" });
    key.send(http::Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(body)).await.expect(StatusCode::OK);
    let mine = [("org", ""), ("server:github", "crew"), ("team:crew", "crew")];
    let second = ada.submit(&page, layers, &mine).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(second.says("Someone else changed this"), "{}", second.body);
    let saved = ada.submit(&second, layers, &mine).await;
    ada.follow(saved).await.expect(StatusCode::OK);
    let now = key.get("/api/v1/orgs/acme/layers").await.expect(StatusCode::OK);
    assert_eq!(now.body["servers"], json!({ "github": "crew" }));
    assert_eq!((&now.body["teams"], &now.body["org"]), (&json!({ "crew": "crew" }), &Value::Null));
}

#[tokio::test]
async fn what_an_agent_may_do_is_told_tool_by_tool_for_those_who_read_policies() {
    let app = TestApp::start().await;
    let (org, mut ada, key) = acme(&app).await;
    let bob = app.member(&org, "Bob Member", Role::Member).await;
    let (grant, _) = app.grant(&org, Principal::User(bob.id), Class::Financial).await;
    key.post("/api/v1/orgs/acme/policies/crew/publish", json!({})).await.expect(StatusCode::OK);
    let layers = json!({ "servers": { "github": "crew" } });
    key.send(http::Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers)).await.expect(StatusCode::OK);
    let there = format!("/o/acme/policies/effective?grant={grant}&server=github");
    let page = ada.get(&there).await.expect(StatusCode::OK);
    assert!(page.says("Allow") && page.body.contains(MERGE), "{}", page.body);
    assert!(page.body.contains("/simulate?tool=merge"), "{}", page.body);
    let page = ada.get(&format!("{there}&decision=deny")).await.expect(StatusCode::OK);
    assert!(page.says("No tool matches"));
    let wrong = ada.get("/o/acme/policies/effective?grant=grt_x&server=github").await;
    assert!(wrong.expect(StatusCode::UNPROCESSABLE_ENTITY).body.contains("f-grant-err"));
    let mut auditor = app.member(&org, "Una Auditor", Role::Auditor).await.browser;
    auditor.get(&there).await.expect(StatusCode::OK);
    let mut bob = bob.browser;
    assert_eq!(bob.get(&there).await.status, StatusCode::FORBIDDEN);
}
