//! Policies at work: what they say of a call holds for the next one on every replica, and stands in the record.

use http::{Method, StatusCode};
use portreeve::base::{actor::Principal, permission::Role, risk::Class};
use serde_json::{Value, json};

use crate::{
    kit::{app::TestApp, http::Script},
    proxy::stage::{Reply, Stage, tools, usual},
};

/// The stage with a key that may write policies, and the grant under a policy with this document.
pub(super) async fn under(document: Value) -> (Stage, Script) {
    let stage = Stage::with_ceiling(Class::Financial).await;
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let key = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let new = json!({ "name": "Crew", "slug": "crew", "document": document, "publish": true });
    key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    attach(&stage, &key, json!("crew")).await;
    (stage, key)
}

async fn attach(stage: &Stage, key: &Script, policy: Value) {
    let grant = format!("/api/v1/orgs/acme/grants/{}", stage.grant);
    key.send(Method::PATCH, &grant, &[], Some(json!({ "policy": policy }))).await.expect(StatusCode::OK);
}

fn decision(reply: &Reply) -> Value {
    reply.json()["result"]["_meta"]["portreeve/decision"].clone()
}

fn listed(reply: &Reply) -> Vec<String> {
    let tools = reply.json()["result"]["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_denied_call_says_which_rule_why_and_what_to_do_and_stands_in_the_record() {
    let (stage, _) = under(json!({
        "version": "1", "default": "allow",
        "tools": { "create_issue": { "deny_if": [{
            "name": "no greetings",
            "conditions": [{ "path": "args.title", "op": "eq", "value": "hello" }],
            "on_deny": "Greetings are no issues"
        }] } }
    }))
    .await;
    let denied = stage.agent.call("create_issue").await;
    let words = denied.words();
    assert!(words.starts_with("[PORTREEVE DENIED] The policy crew, rule no greetings, denies"), "{words}");
    assert!(
        words.contains("Greetings are no issues. Other arguments may pass.") && words.contains("/c/req_")
    );
    let said = decision(&denied);
    assert_eq!((&said["code"], &said["policy"]), (&json!("policy_denied"), &json!("crew")));
    assert_eq!((&said["rule"], &said["version"]), (&json!("/tools/create_issue/deny_if/0"), &json!(1)));
    let other = json!({ "name": "create_issue", "arguments": { "title": "It is broken" } });
    assert_eq!(stage.agent.ask("tools/call", other).await.words(), "done");
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
    assert_eq!(stage.reached().len(), 2);
    let calls = stage.calls_once(5).await;
    let refused = calls.iter().find(|(action, _)| action == "call.refused").unwrap();
    let decided = refused.1.call.as_ref().unwrap().decided.clone().unwrap();
    assert_eq!((decided.effect.as_ref(), decided.layer.as_ref()), ("deny", "grant"));
    let allowed = calls.iter().find(|(action, _)| action == "call.allowed").unwrap();
    let decided = allowed.1.call.as_ref().unwrap().decided.clone().unwrap();
    assert_eq!((decided.effect.as_ref(), decided.rule.as_str()), ("allow", "/tools/create_issue/action"));
}

#[tokio::test]
async fn a_call_too_large_for_the_rules_is_denied_with_a_code_of_its_own() {
    let (stage, _) = under(json!({
        "version": "1", "default": "allow",
        "all_tools": { "deny_if": [{
            "conditions": [{ "path": "args.title", "op": "regex", "value": "[ab]*a[ab]{1000}c" }]
        }] }
    }))
    .await;
    let large = json!({ "name": "create_issue", "arguments": { "title": "ab".repeat(50_000) } });
    let denied = stage.agent.ask("tools/call", large).await;
    let words = denied.words();
    assert!(
        words.contains("The arguments are too large for the rules to be judged. Send fewer or shorter"),
        "{words}"
    );
    let said = decision(&denied);
    assert_eq!(
        (&said["code"], &said["rule"]),
        (&json!("arguments_too_large"), &json!("/all_tools/deny_if/0"))
    );
    assert_eq!(stage.agent.call("create_issue").await.words(), "done");
    assert_eq!(stage.reached().len(), 1);
}

#[tokio::test]
async fn a_hidden_tool_is_as_if_there_were_none_and_a_denied_one_is_not_listed() {
    let (stage, _) = under(json!({
        "version": "1", "default": "deny", "hide": ["class:destructive"],
        "tools": { "get_*": {}, "create_issue": { "action": "deny", "reason": "Ask the crew" } }
    }))
    .await;
    assert_eq!(listed(&stage.agent.ask("tools/list", json!({})).await), ["get_issue"]);
    let all = stage.agent.at(&format!("{}/mcp/acme", stage.app.origin()));
    assert_eq!(listed(&all.ask("tools/list", json!({})).await), ["github__get_issue"]);
    let (hidden, none) =
        (stage.agent.call("delete_repository").await, stage.agent.call("no_such_tool").await);
    let said = |reply: &Reply, name: &str| reply.text.replace(name, "TOOL");
    assert_eq!(said(&hidden, "delete_repository"), said(&none, "no_such_tool"));
    assert_eq!(hidden.headers.get("content-type"), none.headers.get("content-type"));
    assert!(stage.agent.call("create_issue").await.words().contains("Ask the crew."));
    assert!(stage.reached().is_empty());
    let codes: Vec<_> =
        stage.calls().await.iter().filter_map(|(_, record)| record.call.as_ref()?.code.clone()).collect();
    assert_eq!(codes, ["tool_hidden", "tool_unknown", "policy_denied"]);
}

#[tokio::test]
async fn a_grant_that_no_policy_speaks_for_may_do_nothing() {
    let (stage, key) = under(json!({ "version": "1", "default": "allow" })).await;
    attach(&stage, &key, Value::Null).await;
    let denied = stage.agent.call("get_issue").await;
    assert!(denied.words().contains("No policy speaks for this grant"), "{}", denied.words());
    assert_eq!(decision(&denied)["code"], "no_policy");
    assert!(listed(&stage.agent.ask("tools/list", json!({})).await).is_empty());
    let layers = json!({ "org": "crew" });
    key.send(Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers)).await.expect(StatusCode::OK);
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
}

#[tokio::test]
async fn all_layers_must_allow_and_the_strictest_answers() {
    let (stage, key) = under(json!({ "version": "1", "default": "allow" })).await;
    let team = stage.app.team(&stage.org, "crew").await;
    let members = format!("/api/v1/orgs/acme/teams/{team}/members");
    let member = json!({ "person": stage.person.to_string(), "role": "member" });
    key.post(&members, member).await.expect(StatusCode::CREATED);
    let deny =
        |tool: &str| json!({ "version": "1", "default": "allow", "tools": { tool: { "action": "deny" } } });
    for (slug, document) in [
        ("guardrail", json!({ "version": "1", "default": "allow", "hide": ["delete_*"] })),
        ("of-the-team", deny("create_issue")),
        ("baseline", deny("get_issue")),
    ] {
        let new = json!({ "name": slug, "slug": slug, "document": document, "publish": true });
        key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    }
    let layers = json!({ "org": "guardrail", "teams": { "crew": "of-the-team" }, "servers": { "github": "baseline" } });
    key.send(Method::PUT, "/api/v1/orgs/acme/layers", &[], Some(layers)).await.expect(StatusCode::OK);
    let by = |reply: &Reply| decision(reply)["policy"].as_str().unwrap_or_default().to_owned();
    assert_eq!(by(&stage.agent.call("create_issue").await), "of-the-team");
    assert_eq!(by(&stage.agent.call("get_issue").await), "baseline");
    assert_eq!(stage.agent.call("delete_repository").await.code(), -32602);
    // Whoever is in no such team has no such layer.
    let other = stage.app.member(&stage.org, "Other Member", Role::Member).await;
    let (_, token) = stage.app.grant(&stage.org, Principal::User(other.id), Class::Write).await;
    assert_eq!(stage.agent.carrying(&token).call("create_issue").await.words(), "done");
}

#[tokio::test]
async fn a_publication_and_a_rollback_hold_for_the_next_call_on_every_replica() {
    let (stage, key) = under(json!({ "version": "1", "default": "allow" })).await;
    let beside = TestApp::beside(&stage.app).await;
    let elsewhere = stage.agent.at(&format!("{}/mcp/acme/github", beside.origin()));
    for agent in [&stage.agent, &elsewhere] {
        assert_eq!(agent.call("get_issue").await.words(), "done");
    }
    let policy = "/api/v1/orgs/acme/policies/crew";
    let draft = json!({ "document": { "version": "1", "default": "deny" } });
    key.send(Method::PUT, &format!("{policy}/draft"), &[], Some(draft)).await.expect(StatusCode::OK);
    assert_eq!(stage.agent.call("get_issue").await.words(), "done", "a draft puts nothing in force");
    key.post(&format!("{policy}/publish"), json!({ "note": "Locked" })).await.expect(StatusCode::OK);
    for agent in [&stage.agent, &elsewhere] {
        assert!(agent.call("get_issue").await.words().starts_with("[PORTREEVE DENIED]"));
    }
    key.post(&format!("{policy}/rollback"), json!({ "version": 1 })).await.expect(StatusCode::OK);
    for agent in [&elsewhere, &stage.agent] {
        assert_eq!(agent.call("get_issue").await.words(), "done");
    }
    assert_eq!(stage.reached().len(), 5);
}

#[tokio::test]
async fn an_observed_policy_stops_nothing_and_what_it_would_have_done_is_on_record() {
    let (stage, _) = under(json!({ "version": "1", "mode": "observe", "default": "deny" })).await;
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
    let calls = stage.calls_once(2).await;
    let observed = &calls[0].1.call.as_ref().unwrap().observed;
    assert_eq!(observed.len(), 1);
    assert_eq!((observed[0].effect.as_ref(), observed[0].rule.as_str()), ("deny", "/default"));
}

#[tokio::test]
async fn what_observed_rules_would_have_done_is_counted_by_rule_and_leads_to_its_calls() {
    let tried = |key: &str| json!({ key: [{ "mode": "observe", "conditions": [] }] });
    let (stage, key) = under(json!({ "version": "1", "default": "allow", "tools": {
        "get_issue": tried("deny_if"), "create_issue": tried("require_approval_if"),
    } }))
    .await;
    for tool in ["get_issue", "get_issue", "create_issue", "delete_repository"] {
        assert_eq!(stage.agent.call(tool).await.words(), "done");
    }
    stage.calls_once(8).await;
    let path = "/api/v1/orgs/acme/policies/crew/observed";
    let all = key.get(path).await.expect(StatusCode::OK);
    assert_eq!((&all.body["calls"], &all.body["ended"]), (&json!(4), &Value::Null));
    let (get, create) = ("/tools/get_issue/deny_if/0", "/tools/create_issue/require_approval_if/0");
    assert_eq!(
        all.body["rules"],
        json!([
            { "rule": get, "version": 1, "denied": 2, "asked": 0 },
            { "rule": create, "version": 1, "denied": 0, "asked": 1 },
        ])
    );
    assert_eq!(all.body["items"].as_array().map(Vec::len), Some(3));
    let first = key.get(&format!("{path}?limit=1&rule={get}&version=1")).await.expect(StatusCode::OK);
    assert_eq!((first.text("/items/0/tool"), first.text("/items/0/server")), ("get_issue", "github"));
    let cursor = first.text("/next_cursor");
    let rest = key.get(&format!("{path}?limit=1&rule={get}&version=1&cursor={cursor}")).await;
    let rest = rest.expect(StatusCode::OK);
    assert_ne!(rest.body["items"][0]["event"], first.body["items"][0]["event"]);
    assert_eq!(rest.body["next_cursor"], Value::Null);
    let none = key.get(&format!("{path}?version=2")).await.expect(StatusCode::OK);
    assert_eq!(none.body["items"], json!([]));

    let mut una = stage.app.member(&stage.org, "Una Auditor", Role::Auditor).await.browser;
    let page = una.get("/o/acme/policies/crew/observed").await.expect(StatusCode::OK);
    assert!(page.says("Would have been denied") && page.says("Would have been asked"), "{}", page.body);
    let event = first.text("/items/0/event");
    assert!(page.body.contains(&format!("/o/acme/audit/{event}")), "{}", page.body);
    let event = una.get(&format!("/o/acme/audit/{event}")).await.expect(StatusCode::OK);
    assert!(event.says("which is only tried there") && event.body.contains(get), "{}", event.body);
    let editor = una.get("/o/acme/policies/crew").await.expect(StatusCode::OK);
    assert!(editor.body.contains("/o/acme/policies/crew/observed"), "{}", editor.body);
    let wrong = una.get("/o/acme/policies/crew/observed?version=one").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_editor_tells_how_often_each_tool_was_called_and_leads_to_the_calls() {
    let (stage, key) = under(json!({ "version": "1", "default": "allow" })).await;
    for tool in ["create_issue", "create_issue", "get_issue"] {
        stage.agent.call(tool).await;
    }
    stage.calls_once(6).await;
    let new =
        json!({ "name": "Writing", "server": "github", "document": { "version": "1", "default": "deny" } });
    key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    let mut una = stage.app.member(&stage.org, "Una Auditor", Role::Auditor).await.browser;
    let page = una.get("/o/acme/policies/writing").await.expect(StatusCode::OK);
    let cells: Vec<_> =
        page.body.split("num t-use\">").skip(1).map(|rest| rest.split("</td>").next().unwrap()).collect();
    let called = |count: &str| cells.iter().filter(|cell| cell.contains(&format!("\">{count}</a>"))).count();
    assert_eq!((called("2"), called("1")), (1, 1), "{cells:?}");
    let path = "/o/acme/audit?kind=call&q=tool%3A%22create_issue%22+server%3Agithub+from%3A7d";
    let path = path.replace('&', "&#38;");
    assert!(page.body.contains(&path), "{}", page.body);
}

#[tokio::test]
async fn prompts_and_resources_fall_under_policies_by_names_of_their_own() {
    let (stage, _) = under(json!({
        "version": "1", "default": "deny", "tools": { "prompt:review*": {}, "resource:file:///public/*": {} }
    }))
    .await;
    let ok = |reply: &Reply| reply.json()["result"].is_object();
    assert!(ok(&stage.agent.ask("prompts/get", json!({ "name": "review_code" })).await));
    assert!(!ok(&stage.agent.ask("prompts/get", json!({ "name": "secrets" })).await));
    assert!(ok(&stage.agent.ask("resources/read", json!({ "uri": "file:///public/a" })).await));
    assert!(!ok(&stage.agent.ask("resources/read", json!({ "uri": "file:///etc/passwd" })).await));
}

#[tokio::test]
async fn a_tool_that_nobody_reviewed_may_be_called_where_every_policy_says_so() {
    let app = TestApp::start().await;
    let stage = Stage::of(app, Class::Financial, usual).await;
    let mut changed = tools();
    changed[0]["description"] = json!("Does something else.");
    stage.app.see_tools(&stage.org, stage.server, &changed).await;
    assert!(stage.agent.call("get_issue").await.words().contains("waits for an admin's review"));
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let key = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let document = json!({ "version": "1", "default": "allow", "unreviewed_tools": "default" });
    let new = json!({ "name": "Trusting", "slug": "trusting", "document": document, "publish": true });
    key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    attach(&stage, &key, json!("trusting")).await;
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
}
