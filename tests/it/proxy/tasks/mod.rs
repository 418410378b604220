//! Calls that wait for a human as a task: given to agents that know tasks, and made once when one of them asks.

mod before;
mod servers;

use futures_util::future::join_all;
use http::StatusCode;
use portreeve::base::{actor::Principal, risk::Class};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    kit::app::TestApp,
    proxy::{
        approvals::{Asking, asking, asking_on, once},
        stage::{Agent, Reply, Stage},
    },
};

const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Calls as a client that knows tasks, and can do what else is said.
async fn call_as(agent: &Agent, arguments: Value, more: Value) -> Reply {
    let mut capabilities = json!({ "extensions": { TASKS: {} } });
    for (key, value) in more.as_object().unwrap() {
        capabilities[key] = value.clone();
    }
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": capabilities });
    agent.ask("tools/call", json!({ "name": "create_issue", "arguments": arguments, "_meta": meta })).await
}

/// What a call came to that is to wait as a task: the task's id, and the approval's.
fn begun(reply: &Reply) -> (String, String) {
    let result = &reply.json()["result"];
    assert_eq!((reply.status, &result["resultType"]), (StatusCode::OK, &json!("task")), "{}", reply.text);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&result["taskId"]), text(&result["_meta"]["portreeve/decision"]["approval"]))
}

async fn begin(asking: &Asking, title: &str) -> (String, String) {
    begun(&call_as(&asking.stage.agent, json!({ "title": title }), json!({})).await)
}

/// Where a task stands.
async fn poll(agent: &Agent, task: &str) -> Value {
    let reply = agent.ask("tasks/get", json!({ "taskId": task })).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let result = reply.json()["result"].clone();
    assert_eq!((&result["resultType"], &result["taskId"]), (&json!("complete"), &json!(task)), "{result}");
    result
}

/// What a model reads of a task that is over.
fn words(task: &Value) -> String {
    assert_eq!(task["status"], "completed", "{task}");
    task["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

async fn beside(asking: &Asking) -> (TestApp, Agent) {
    let app = TestApp::beside(&asking.stage.app).await;
    let agent = asking.stage.agent.at(&format!("{}/mcp/acme/github", app.origin()));
    (app, agent)
}

#[tokio::test]
async fn a_call_waits_as_a_task_and_is_made_once_when_somebody_agreed_and_its_agent_asks() {
    let limit = json!({ "counter": "issues", "window": "day", "max": 1, "scope": "grant" });
    let asking = asking_on(Stage::with_ceiling(Class::Financial).await, json!({}), json!([limit])).await;
    let agent = &asking.stage.agent;
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": { "extensions": { TASKS: {} } },
        "progressToken": "p" });
    let call = json!({ "name": "create_issue", "arguments": { "title": "a-quiet-title" }, "_meta": meta });
    let reply = agent.ask("tools/call", call).await;
    let result = &reply.json()["result"];
    assert_eq!((&result["status"], &result["pollIntervalMs"]), (&json!("working"), &json!(5000)));
    assert_eq!(result["ttlMs"], json!(30 * 60 * 1000));
    let (task, id) = begun(&reply);
    let said = result["statusMessage"].as_str().unwrap();
    assert!(said.starts_with("create_issue waits for anyone with the role approver, until 12:30 UTC: http"));
    assert!(said.ends_with(&format!("/o/acme/approvals/{id}")), "{said}");
    assert_eq!(begun(&call_as(agent, json!({ "title": "a-quiet-title" }), json!({})).await).0, task);
    let waits = poll(agent, &task).await;
    assert_eq!((&waits["status"], &waits["statusMessage"]), (&json!("working"), &json!(said)));
    let sealed = "select count(*) from call_tasks where position('quiet'::bytea in sealed_call) > 0";
    assert_eq!(asking.stage.app.number(sealed).await, 0);
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    assert!(asking.stage.reached().is_empty(), "nothing is made before its agent asks");
    let made = poll(agent, &task).await;
    assert_eq!(words(&made), "done");
    for _ in 0..3 {
        assert_eq!(poll(agent, &task).await, made, "what came of it is told again");
    }
    let reached = asking.stage.reached();
    let sent = String::from_utf8_lossy(&reached[0].body).into_owned();
    assert_eq!((reached.len(), reached[0].header("mcp-name")), (1, Some("create_issue")));
    assert!(sent.contains("a-quiet-title") && !sent.contains("progressToken"), "{sent}");
    let kept = "select count(*) from call_tasks where sealed_call is not null";
    assert_eq!(asking.stage.app.number(kept).await, 0, "the request is gone when it cannot be made again");
    assert_eq!(asking.stage.app.number("select used::bigint from limit_counts").await, 1);
    assert_eq!(asking.stage.app.number("select uses::bigint from approvals").await, 1);
    let calls = asking.stage.calls().await;
    let of_call = |action: &str| {
        let is_it = |call: &&(String, portreeve::domain::audit::Record)| {
            call.0 == action && call.1.call.as_ref().unwrap().method.as_deref() == Some("tools/call")
        };
        calls.iter().filter(is_it).collect::<Vec<_>>()
    };
    let allowed = of_call("call.allowed");
    assert_eq!((allowed.len(), of_call("call.answered").len()), (1, 1), "an intent and an outcome");
    assert_eq!(allowed[0].1.call.as_ref().unwrap().approval.unwrap().to_string(), id);
}

#[tokio::test]
async fn a_denial_and_other_arguments_are_told_as_the_result_and_nothing_is_made() {
    let asking = asking(json!({})).await;
    let agent = &asking.stage.agent;
    let (task, id) = begin(&asking, "a").await;
    let deny = json!({ "decision": "deny", "reason": "Not today." });
    asking.decide(&asking.approver, &id, deny).await.expect(StatusCode::OK);
    let denied = poll(agent, &task).await;
    assert!(words(&denied).starts_with("[PORTREEVE DENIED]") && words(&denied).contains("Not today."));
    assert_eq!(denied["result"]["isError"], true);
    let (task, id) = begin(&asking, "b").await;
    let other = json!({ "decision": "approve_once", "arguments": { "title": "c" } });
    asking.decide(&asking.approver, &id, other).await.expect(StatusCode::OK);
    let narrowed = poll(agent, &task).await;
    assert!(words(&narrowed).contains(r#"exactly these arguments: {"title":"c"}"#), "{narrowed}");
    let decision = &narrowed["result"]["_meta"]["portreeve/decision"];
    assert_eq!(
        (&decision["code"], &decision["arguments"]),
        (&json!("approval_narrowed"), &json!({ "title": "c" }))
    );
    assert!(asking.stage.reached().is_empty());
    let now = call_as(agent, json!({ "title": "c" }), json!({})).await;
    assert_eq!(now.words(), "done", "what was agreed to needs no task");
    let refused = asking.stage.calls().await;
    let codes: Vec<_> = refused.iter().filter_map(|call| call.1.call.as_ref()?.code.clone()).collect();
    assert_eq!(codes, ["approval_needed", "approval_denied", "approval_needed", "approval_narrowed"]);
}

#[tokio::test]
async fn what_nobody_decided_or_another_call_used_is_told_and_nobody_is_asked_anew() {
    let asking = asking(json!({ "within": "10m" })).await;
    let agent = &asking.stage.agent;
    let (task, id) = begin(&asking, "a").await;
    let (used, other) = begin(&asking, "b").await;
    asking.decide(&asking.approver, &other, once()).await.expect(StatusCode::OK);
    assert_eq!(asking.call("b").await.words(), "done", "the agent was faster than its task");
    let over = words(&poll(agent, &used).await);
    assert!(over.starts_with("[APPROVAL NEEDED]") && over.contains("was used"), "{over}");
    asking.stage.app.clock.advance(Duration::minutes(11));
    let over = poll(agent, &task).await;
    assert!(words(&over).starts_with("[APPROVAL NEEDED]") && words(&over).contains("nobody decided in time"));
    let decision = &over["result"]["_meta"]["portreeve/decision"];
    assert_eq!((&decision["code"], &decision["approval"]), (&json!("approval_over"), &json!(id)));
    assert_eq!(asking.stage.app.number("select count(*) from approvals").await, 2);
    assert_eq!(asking.stage.reached().len(), 1);
    asking.stage.app.clock.advance(Duration::minutes(61));
    let gone = agent.ask("tasks/get", json!({ "taskId": task })).await;
    assert_eq!(
        (gone.status, gone.code()),
        (StatusCode::NOT_FOUND, -32602),
        "what is over is kept for an hour"
    );
    asking.stage.app.run_jobs().await;
    assert_eq!(asking.stage.app.number("select count(*) from call_tasks").await, 0);
}

#[tokio::test]
async fn a_task_that_is_called_off_is_not_made_and_nobody_need_decide() {
    let asking = asking(json!({})).await;
    let agent = &asking.stage.agent;
    let cancel = async |task: &str| {
        let reply = agent.ask("tasks/cancel", json!({ "taskId": task })).await;
        assert_eq!(reply.json()["result"], json!({ "resultType": "complete" }), "{}", reply.text);
    };
    let (task, id) = begin(&asking, "a").await;
    cancel(&task).await;
    assert_eq!(poll(agent, &task).await["status"], "cancelled");
    let late = asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::CONFLICT);
    assert_eq!(late.text("/code"), "approval_decided");
    assert!(asking.stage.app.recorded(&asking.stage.org).await.contains(&"approval.withdrawn".to_owned()));
    let (agreed, id) = begin(&asking, "b").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    cancel(&agreed).await;
    assert_eq!(poll(agent, &agreed).await["status"], "cancelled");
    cancel(&agreed).await;
    let (taken_back, id) = begin(&asking, "c").await;
    let person = asking.stage.person;
    let own =
        asking.stage.app.key_of(&asking.stage.org, person, portreeve::base::permission::Role::Member, &["*"]);
    let withdraw = format!("/api/v1/orgs/acme/approvals/{id}/withdraw");
    own.await.post(&withdraw, json!({})).await.expect(StatusCode::OK);
    assert_eq!(poll(agent, &taken_back).await["status"], "cancelled");
    assert!(asking.stage.reached().is_empty());
    let kept = "select count(*) from call_tasks where sealed_call is not null";
    assert_eq!(asking.stage.app.number(kept).await, 0);
}

#[tokio::test]
async fn a_task_is_of_its_grant_its_server_and_its_era_and_told_from_those_of_servers() {
    let asking = asking(json!({})).await;
    let (task, id) = begin(&asking, "a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let app = &asking.stage.app;
    let (_, token) =
        app.grant(&asking.stage.org, Principal::User(asking.stage.person), Class::Financial).await;
    let other = asking.stage.agent.carrying(&token);
    let url = asking.stage.upstream.url("/mcp");
    app.server_at(&asking.stage.org, "gitlab", &url).await;
    let elsewhere = asking.stage.agent.at(&format!("{}/mcp/acme/gitlab", app.origin()));
    let before = asking.stage.upstream.asked().len();
    for agent in [&other, &elsewhere] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let said = agent.ask(method, json!({ "taskId": task, "inputResponses": {} })).await;
            assert_eq!((said.status, said.code()), (StatusCode::NOT_FOUND, -32602), "{method}");
        }
    }
    let old = json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/result", "params": { "taskId": task } });
    let old = asking.stage.agent.post(old.to_string(), &[]).await;
    assert_eq!(old.status, StatusCode::NOT_FOUND, "{}", old.text);
    let undeclared = json!({ "taskId": task, "_meta": { "io.modelcontextprotocol/clientCapabilities": {} } });
    let undeclared = asking.stage.agent.ask("tasks/get", undeclared).await;
    assert_eq!((undeclared.status, undeclared.code()), (StatusCode::BAD_REQUEST, -32021));
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": { "extensions": { TASKS: {} } } });
    let elsewhere_named = json!({ "name": "get_issue", "taskId": task, "_meta": meta });
    let elsewhere_named = asking.stage.agent.ask("tools/call", elsewhere_named).await;
    assert_eq!(elsewhere_named.status, StatusCode::NOT_FOUND, "it is the id of nothing else");
    assert_eq!(asking.stage.upstream.asked().len(), before, "no server hears of it");
    assert_eq!(words(&poll(&asking.stage.agent, &task).await), "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_polls_at_once_on_three_replicas_make_the_call_once() {
    let asking = asking(json!({})).await;
    let (task, id) = begin(&asking, "a").await;
    let ((_second, second), (_third, third)) = (beside(&asking).await, beside(&asking).await);
    let agents = [asking.stage.agent.clone(), second, third];
    assert_eq!(poll(&agents[1], &task).await["status"], "working", "any replica knows it");
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let all = join_all((0..50).map(|at| poll(&agents[at % 3], &task))).await;
    assert!(all.iter().all(|one| one["status"] == "working" || words(one) == "done"), "{all:?}");
    assert!(all.iter().any(|one| one["status"] == "completed"));
    for agent in &agents {
        assert_eq!(words(&poll(agent, &task).await), "done");
    }
    assert_eq!(asking.stage.reached().len(), 1);
}

#[tokio::test]
async fn what_is_made_is_judged_by_what_is_in_force_then() {
    let asking = asking(json!({})).await;
    let agent = &asking.stage.agent;
    let agreed = async |title: &str| {
        let (task, id) = begin(&asking, title).await;
        asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
        (task, id)
    };
    let document =
        |rules: Value| json!({ "version": "1", "default": "allow", "tools": { "create_issue": rules } });
    let (asked_otherwise, id) = agreed("a").await;
    let quorum = json!({ "require_approval_if": [{ "conditions": [], "quorum": 2 }] });
    asking.publish(document(quorum)).await;
    let over = poll(agent, &asked_otherwise).await;
    assert!(words(&over).starts_with("[APPROVAL NEEDED]"), "{over}");
    assert_ne!(
        over["result"]["_meta"]["portreeve/decision"]["approval"],
        json!(id),
        "it is another question"
    );
    asking.publish(document(json!({ "require_approval_if": [{ "conditions": [] }] }))).await;
    let (denied, _) = agreed("b").await;
    asking.publish(document(json!({ "action": "deny" }))).await;
    let over = poll(agent, &denied).await;
    assert!(words(&over).starts_with("[PORTREEVE DENIED]"), "{over}");
    assert!(asking.stage.reached().is_empty());
    asking.publish(document(json!({ "require_approval_if": [{ "conditions": [] }] }))).await;
    let (freed, _) = begin(&asking, "c").await;
    asking.publish(document(json!({}))).await;
    assert_eq!(poll(agent, &freed).await["status"], "working", "it waits until somebody decides");
    let revoke = format!("/api/v1/orgs/acme/grants/{}/revoke", asking.stage.grant);
    asking.admin.post(&revoke, json!({ "reason": "over" })).await.expect(StatusCode::OK);
    let gone = agent.ask("tasks/get", json!({ "taskId": freed })).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    assert!(asking.stage.reached().is_empty());
}

#[tokio::test]
async fn what_may_not_be_stored_waits_in_another_way() {
    let asking = asking(json!({})).await;
    let under = async |masks: Value| {
        let rule = json!({ "require_approval_if": [{ "conditions": [] }], "redact": masks });
        asking
            .publish(json!({ "version": "1", "default": "allow", "tools": { "create_issue": rule } }))
            .await;
    };
    let secret = json!({ "title": "a", "token": "hush" });
    under(json!(["args.token"])).await;
    let told = call_as(&asking.stage.agent, secret.clone(), json!({ "elicitation": { "url": {} } })).await;
    assert_eq!(told.json()["result"]["resultType"], "input_required", "{}", told.text);
    begin(&asking, "nothing is masked here").await;
    under(json!(["result.**.email"])).await;
    let told = call_as(&asking.stage.agent, json!({ "title": "b" }), json!({})).await;
    assert!(told.text.contains("[APPROVAL NEEDED]"), "{}", told.text);
    under(json!([])).await;
    let large = json!({ "title": "x".repeat(300 * 1024) });
    let told = call_as(&asking.stage.agent, large, json!({})).await;
    assert!(told.text.contains("[APPROVAL NEEDED]"), "what is large is kept no second time");
    assert_eq!(asking.stage.app.number("select count(*) from call_tasks").await, 1);
}

#[tokio::test]
async fn an_agent_that_can_is_led_to_the_page_by_its_task() {
    let asking = asking(json!({})).await;
    let agent = &asking.stage.agent;
    let links = json!({ "elicitation": { "url": {} } });
    let (task, id) = begun(&call_as(agent, json!({ "title": "a" }), links).await);
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": {
        "elicitation": { "url": {} }, "extensions": { TASKS: {} } } });
    let look = async || {
        let reply = agent.ask("tasks/get", json!({ "taskId": task, "_meta": meta })).await;
        reply.json()["result"].clone()
    };
    for _ in 0..2 {
        let asked = look().await;
        assert_eq!(asked["status"], "input_required", "{asked}");
        let question = &asked["inputRequests"]["approval"];
        assert_eq!(
            (&question["method"], &question["params"]["mode"]),
            (&json!("elicitation/create"), &json!("url"))
        );
        assert!(question["params"]["url"].as_str().unwrap().ends_with(&format!("/o/acme/approvals/{id}")));
    }
    assert_eq!(poll(agent, &task).await["status"], "working", "who takes no addresses is shown none");
    let said = json!({ "taskId": task, "inputResponses": { "approval": { "action": "accept" }, "x": {} } });
    let taken = agent.ask("tasks/update", said).await;
    assert_eq!(taken.json()["result"], json!({ "resultType": "complete" }), "{}", taken.text);
    assert_eq!(look().await["status"], "working", "it is asked once");
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(words(&look().await), "done");
}
