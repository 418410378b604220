//! Limits: exactly as many calls pass as they allow, on any number of replicas, and what is given back is given back.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use portreeve::{
    base::{permission::Role, risk::Class},
    io::db::Tx,
};
use serde_json::{Value, json};
use sqlx::Executor;

use crate::{
    kit::{
        app::TestApp,
        fake_server::{Asked, Script as Wire},
        http::Script,
    },
    proxy::stage::{Reply, Stage, usual},
};

/// The stage with its grant under a policy in which `get_issue` has these rules.
async fn under(rules: Value) -> (Stage, Script) {
    on(Stage::with_ceiling(Class::Financial).await, rules).await
}

async fn on(stage: Stage, rules: Value) -> (Stage, Script) {
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let key = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let document = json!({ "version": "1", "default": "allow", "tools": { "get_issue": rules } });
    let new = json!({ "name": "Crew", "slug": "crew", "document": document, "publish": true });
    key.post("/api/v1/orgs/acme/policies", new).await.expect(StatusCode::CREATED);
    let grant = format!("/api/v1/orgs/acme/grants/{}", stage.grant);
    let attach = json!({ "policy": "crew" });
    key.send(Method::PATCH, &grant, &[], Some(attach)).await.expect(StatusCode::OK);
    (stage, key)
}

fn limit(max: u32, more: Value) -> Value {
    let mut limit = json!({ "counter": "issues", "window": "day", "max": max, "scope": "grant" });
    for (key, value) in more.as_object().unwrap() {
        limit[key] = value.clone();
    }
    json!({ "limits": [limit] })
}

fn is_done(reply: &Reply) -> bool {
    reply.words() == "done"
}

#[tokio::test]
async fn a_call_beyond_a_limit_is_told_what_is_used_and_when_to_come_back() {
    let (stage, _) = under(limit(2, json!({ "on_deny": "Be patient." }))).await;
    for _ in 0..2 {
        assert!(is_done(&stage.agent.call("get_issue").await));
    }
    let reply = stage.agent.call("get_issue").await;
    let words = reply.words();
    assert!(words.starts_with("[LIMIT] Be patient. The policy crew allows 2 issues per day"), "{words}");
    assert!(words.contains("2 are used. Try again in"), "{words}");
    let decision = &reply.json()["result"]["_meta"]["portreeve/decision"];
    assert_eq!(
        (&decision["code"], &decision["rule"]),
        (&json!("limit_reached"), &json!("/tools/get_issue/limits/0"))
    );
    assert_eq!(decision["left"], json!(0));
    assert!(decision["retry_after"].as_u64().is_some_and(|seconds| (1..=86_400).contains(&seconds)));
    assert!(is_done(&stage.agent.call("create_issue").await), "other tools are not limited");
    assert_eq!(stage.reached().len(), 3);
    // The span is over: what was counted in it counts no more.
    stage.app.change("update limit_counts set began_at = began_at - interval '1 day'").await;
    assert!(is_done(&stage.agent.call("get_issue").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_as_many_pass_as_the_limit_allows_on_three_replicas_at_once() {
    let (stage, _) = under(limit(25, json!({}))).await;
    let (second, third) = (TestApp::beside(&stage.app).await, TestApp::beside(&stage.app).await);
    let agents = [
        stage.agent.clone(),
        stage.agent.at(&format!("{}/mcp/acme/github", second.origin())),
        stage.agent.at(&format!("{}/mcp/acme/github", third.origin())),
    ];
    let calls = (0..90).map(|at| agents[at % 3].call("get_issue"));
    let passed = join_all(calls).await.iter().filter(|reply| is_done(reply)).count();
    assert_eq!((passed, stage.reached().len()), (25, 25));
    assert_eq!(stage.app.number("select used::bigint from limit_counts").await, 25);
}

#[tokio::test]
async fn sums_are_exact_and_an_amount_that_does_not_fit_leaves_room_for_one_that_does() {
    let rules = json!({ "limits": [{ "counter": "spent", "window": "month", "max": 1, "scope": "user",
        "increment_from": "args.amount" }] });
    let (stage, _) = under(rules).await;
    let pay = async |amount: Value| {
        stage.agent.ask("tools/call", json!({ "name": "get_issue", "arguments": { "amount": amount } })).await
    };
    for _ in 0..9 {
        assert!(is_done(&pay(json!(0.1)).await));
    }
    assert!(pay(json!(0.2)).await.words().starts_with("[LIMIT]"));
    assert!(is_done(&pay(json!(0.1)).await), "ten tenths are one, not a little more");
    assert!(pay(json!(0.01)).await.words().starts_with("[LIMIT]"));
    let never = pay(json!(1.5)).await;
    assert!(never.words().contains("this call counts 1.5, which can never fit"), "{}", never.words());
    assert_eq!(never.json()["result"]["_meta"]["portreeve/decision"]["retry_after"], Value::Null);
    assert!(pay(json!(-1)).await.words().starts_with("[PORTREEVE DENIED]"));
    assert!(pay(json!("0")).await.words().starts_with("[PORTREEVE DENIED]"));
}

#[tokio::test]
async fn different_values_are_counted_once_each() {
    let (stage, _) =
        under(limit(2, json!({ "distinct": "args.title", "kind": "sliding", "window": "hour" }))).await;
    let titled = async |title: &str| {
        stage.agent.ask("tools/call", json!({ "name": "get_issue", "arguments": { "title": title } })).await
    };
    for title in ["a", "b", "a", "b", "a"] {
        assert!(is_done(&titled(title).await), "{title}");
    }
    assert!(titled("c").await.words().starts_with("[LIMIT]"));
    let kept =
        stage.app.number("select count(*) from limit_values where encode(value, 'escape') like '%a%'").await;
    assert!(kept <= 2, "values are digests");
}

#[tokio::test]
async fn an_observed_limit_counts_and_stops_nothing() {
    let (stage, key) = under(limit(1, json!({}))).await;
    let document = json!({ "version": "1", "mode": "observe", "default": "allow",
        "tools": { "get_issue": limit(1, json!({})) } });
    let draft = json!({ "document": document });
    key.send(Method::PUT, "/api/v1/orgs/acme/policies/crew/draft", &[], Some(draft))
        .await
        .expect(StatusCode::OK);
    key.post("/api/v1/orgs/acme/policies/crew/publish", json!({})).await.expect(StatusCode::OK);
    for _ in 0..3 {
        assert!(is_done(&stage.agent.call("get_issue").await));
    }
    assert_eq!(stage.app.number("select used::bigint from limit_counts").await, 3);
}

#[tokio::test]
async fn beyond_a_limit_a_human_is_asked_where_it_says_so() {
    let (mut stage, key) = under(limit(1, json!({ "on_exceed": "require_approval" }))).await;
    stage.agent = stage.agent.without_tasks();
    assert!(is_done(&stage.agent.call("get_issue").await));
    let asked = stage.agent.call("get_issue").await;
    assert!(asked.words().starts_with("[APPROVAL NEEDED]"), "{}", asked.words());
    let id = asked.json()["result"]["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
    let decide = format!("/api/v1/orgs/acme/approvals/{id}/decide");
    key.post(&decide, json!({ "decision": "approve_once" })).await.expect(StatusCode::OK);
    assert!(is_done(&stage.agent.call("get_issue").await));
    assert!(stage.agent.call("get_issue").await.words().starts_with("[APPROVAL NEEDED]"));
    assert_eq!(stage.reached().len(), 2);
}

#[tokio::test]
async fn what_is_used_is_seen_and_taken_back_on_record() {
    let (stage, key) = under(limit(1, json!({}))).await;
    assert!(is_done(&stage.agent.call("get_issue").await));
    assert!(stage.agent.call("get_issue").await.words().starts_with("[LIMIT]"));
    let usage = key.get("/api/v1/orgs/acme/usage?policy=crew").await.expect(StatusCode::OK);
    let one = &usage.body["items"][0];
    assert_eq!((&one["counter"], &one["used"], &one["max"]), (&json!("issues"), &json!("1"), &json!("1")));
    assert_eq!((&one["scope"], &one["of"]), (&json!("grant"), &json!(stage.grant.to_string())));
    let reset = format!("/api/v1/orgs/acme/usage/{}/reset", usage.text("/items/0/key"));
    key.post(&reset, json!({})).await.expect(StatusCode::NO_CONTENT);
    key.post(&reset, json!({})).await.expect(StatusCode::NOT_FOUND);
    assert!(is_done(&stage.agent.call("get_issue").await));
    assert!(stage.app.recorded(&stage.org).await.contains(&"limit.reset".to_owned()));
}

#[tokio::test]
async fn a_place_is_free_again_when_its_call_has_ended() {
    let (stage, _) = under(json!({ "concurrency": 1 })).await;
    for _ in 0..3 {
        assert!(is_done(&stage.agent.call("get_issue").await));
        stage.app.until_number("select count(*) from limit_holds", 0).await;
    }
}

/// Begins a call, and hangs up as soon as this is so.
async fn hung_up(stage: &Stage, is_so: impl Future<Output = ()>) {
    tokio::select! {
        answer = stage.agent.call("get_issue") => panic!("it was answered: {}", answer.text),
        () = is_so => {}
    }
}

async fn nothing_is_held(stage: &Stage) {
    let calls = stage.calls_once(2).await;
    assert_eq!((calls[0].0.as_str(), calls[1].0.as_str()), ("call.allowed", "call.abandoned"));
    stage.app.until_number("select count(*) from open_calls", 0).await;
    assert_eq!(stage.app.number("select count(*) from limit_holds").await, 0);
}

#[tokio::test]
async fn a_place_is_free_again_when_its_agent_hangs_up_before_there_is_an_answer() {
    let silent = |asked: &Asked| {
        let is_call = String::from_utf8_lossy(&asked.body).contains("tools/call");
        if is_call { Wire::silence() } else { usual(asked) }
    };
    let (stage, _) = on(Stage::over(Class::Financial, silent).await, json!({ "concurrency": 1 })).await;
    hung_up(&stage, async {
        while stage.reached().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    nothing_is_held(&stage).await;
}

#[tokio::test]
async fn a_call_whose_agent_hangs_up_while_it_is_put_on_record_is_closed_and_not_made() {
    let (stage, _) = under(json!({ "concurrency": 1 })).await;
    let mut head = stage.app.org_tx(stage.org.id).await;
    head.conn().execute("select from audit_heads for update").await.unwrap();
    hung_up(&stage, stage.app.until_a_lock_is_waited_for()).await;
    head.done().await.unwrap();
    nothing_is_held(&stage).await;
    assert!(stage.reached().is_empty());
}

/// Breaks where a call's message has this in it.
fn breaks_at(word: &'static str) -> impl Fn(&Asked) -> Wire + Send + Sync {
    move |asked| {
        let is_bad = String::from_utf8_lossy(&asked.body).contains(word);
        if is_bad { Wire::answer("500 Internal Server Error", &[], "") } else { usual(asked) }
    }
}

async fn titled(stage: &Stage, title: &str, body: &str) -> Reply {
    let arguments = json!({ "title": title, "body": body });
    stage.agent.ask("tools/call", json!({ "name": "get_issue", "arguments": arguments })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_calls_that_fail_at_once_gives_back_its_own() {
    let stage = Stage::over(Class::Financial, breaks_at("tools/call")).await;
    let (stage, _) = on(stage, limit(60, json!({ "count_errors": false }))).await;
    join_all((0..60).map(|_| stage.agent.call("get_issue"))).await;
    stage.app.until_number("select count(*) from limit_holds", 0).await;
    assert_eq!(stage.app.number("select used::bigint from limit_counts").await, 0);
}

#[tokio::test]
async fn a_value_of_a_call_that_fails_is_forgotten_unless_another_call_stands_for_it() {
    let rules = limit(1, json!({ "distinct": "args.title", "count_errors": false }));
    let (stage, key) = on(Stage::over(Class::Financial, breaks_at("break")).await, rules).await;
    let counted = async || {
        stage.app.until_number("select count(*) from limit_holds", 0).await;
        let usage = key.get("/api/v1/orgs/acme/usage").await.expect(StatusCode::OK);
        usage.text("/items/0/used").to_owned()
    };
    assert!(!titled(&stage, "a", "break").await.text.contains("[LIMIT]"));
    assert_eq!(counted().await, "0");
    assert!(is_done(&titled(&stage, "b", "").await));
    assert!(!titled(&stage, "b", "break").await.text.contains("[LIMIT]"));
    assert_eq!(counted().await, "1");
    assert!(titled(&stage, "a", "").await.words().starts_with("[LIMIT]"));
    assert!(is_done(&titled(&stage, "b", "").await));
}

#[tokio::test]
async fn what_was_under_way_at_a_reset_gives_nothing_back_of_what_comes_after_it() {
    let (stage, key) = under(limit(1, json!({ "count_errors": false }))).await;
    assert!(is_done(&stage.agent.call("get_issue").await));
    stage.app.until_number("select count(*) from limit_holds", 0).await;
    // As a call leaves it that is under way.
    let held = "insert into limit_holds (org_id, call_id, key, began_at, amount, is_slot)
        select org_id, gen_random_uuid(), key, began_at, 1, false from limit_counts";
    assert_eq!(stage.app.change(held).await, 1);
    let usage = key.get("/api/v1/orgs/acme/usage").await.expect(StatusCode::OK);
    let reset = format!("/api/v1/orgs/acme/usage/{}/reset", usage.text("/items/0/key"));
    key.post(&reset, json!({})).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(stage.app.number("select count(*) from limit_holds").await, 0);
}

#[tokio::test]
async fn a_call_that_fails_does_not_count_where_errors_do_not() {
    let stage = Stage::over(Class::Financial, breaks_at("tools/call")).await;
    let (stage, _) = on(stage, limit(1, json!({ "count_errors": false }))).await;
    for _ in 0..2 {
        let reply = stage.agent.call("get_issue").await;
        assert!(!reply.text.contains("[LIMIT]"), "{}", reply.text);
        stage.app.until_number("select used::bigint from limit_counts", 0).await;
    }
}
