//! How agents wait for a human: by the best way that each says it can.

use http::StatusCode;
use portreeve::base::risk::Class;
use serde_json::{Value, json};

use crate::{
    kit::{app::TestApp, fake_server::Script as Wire},
    proxy::{
        approvals::{Asking, asking, asking_on, once},
        bridge::{answered, opened, until},
        stage::{Reply, Stage, usual},
    },
};

/// Calls as a client of the modern era that leads its person to an address.
async fn call_linked(asking: &Asking, more: Value) -> Reply {
    let mut params = json!({ "name": "create_issue", "arguments": { "title": "a" }, "_meta": {
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {}, "url": {} } } } });
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    asking.stage.agent.ask("tools/call", params).await
}

fn back(state: &Value, action: &str) -> Value {
    json!({ "requestState": state, "inputResponses": { "approval": { "action": action } } })
}

#[tokio::test]
async fn an_agent_that_can_is_led_to_the_page_and_its_call_goes_on_when_somebody_agreed() {
    let asking = asking(json!({})).await;
    let asked = call_linked(&asking, json!({})).await;
    assert_eq!(asked.status, StatusCode::OK);
    let result = asked.json()["result"].clone();
    assert_eq!(result["resultType"], "input_required");
    let question = &result["inputRequests"]["approval"];
    assert_eq!(
        (&question["method"], &question["params"]["mode"]),
        (&json!("elicitation/create"), &json!("url"))
    );
    let id = result["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
    let url = question["params"]["url"].as_str().unwrap();
    assert!(url.ends_with(&format!("/o/acme/approvals/{id}")), "{url}");
    let state = &result["requestState"];
    let declined = call_linked(&asking, back(state, "decline")).await;
    assert!(declined.words().starts_with("[APPROVAL NEEDED]"), "{}", declined.text);
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(call_linked(&asking, back(state, "accept")).await.words(), "done");
    let sent = String::from_utf8_lossy(&asking.stage.reached()[0].body).into_owned();
    assert!(!sent.contains("requestState") && !sent.contains("inputResponses"), "{sent}");
    let foreign = call_linked(&asking, back(&json!("made-up"), "accept")).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_agent_that_comes_back_before_anybody_decided_waits_for_a_moment() {
    let asking = asking(json!({})).await;
    let result = call_linked(&asking, json!({})).await.json()["result"].clone();
    let id = result["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
    let decided = async {
        asking.stage.calls_once(2).await;
        asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    };
    let (again, ()) = tokio::join!(call_linked(&asking, back(&result["requestState"], "accept")), decided);
    assert_eq!(again.words(), "done");
}

/// What an agent hears that listens for progress, until its call is over, when this is decided.
async fn heard(asking: &Asking, decision: Value) -> Vec<Value> {
    let params =
        json!({ "name": "create_issue", "arguments": { "title": "a" }, "_meta": { "progressToken": "p1" } });
    let decided = async {
        asking.stage.calls_once(1).await;
        let waiting = asking.approver.get("/api/v1/orgs/acme/approvals?state=pending").await;
        let id = waiting.text("/items/0/id").to_owned();
        asking.decide(&asking.approver, &id, decision).await.expect(StatusCode::OK);
    };
    let (reply, ()) = tokio::join!(asking.stage.agent.ask("tools/call", params), decided);
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let data = reply.text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn an_agent_that_listens_hears_for_whom_its_call_waits_and_then_what_came_of_it() {
    let asking = asking(json!({})).await;
    let heard = heard(&asking, once()).await;
    let told = &heard[0];
    assert_eq!(
        (&told["method"], &told["params"]["progressToken"]),
        (&json!("notifications/progress"), &json!("p1"))
    );
    let words = told["params"]["message"].as_str().unwrap();
    assert!(words.starts_with("create_issue waits for anyone with the role approver: http"), "{words}");
    let last = heard.last().unwrap();
    assert_eq!((&last["id"], &last["result"]["content"][0]["text"]), (&json!(7), &json!("done")));
    assert_eq!(asking.stage.reached().len(), 1);
}

#[tokio::test]
async fn an_agent_that_listens_hears_that_somebody_did_not_agree() {
    let asking = asking(json!({})).await;
    let heard = heard(&asking, json!({ "decision": "deny", "reason": "Not today." })).await;
    let words = heard.last().unwrap()["result"]["content"][0]["text"].as_str().unwrap();
    assert!(words.starts_with("[PORTREEVE DENIED]") && words.contains("Not today."), "{words}");
    assert!(asking.stage.reached().is_empty());
}

#[tokio::test]
async fn an_agent_that_listens_or_comes_back_hears_that_other_arguments_were_approved() {
    let other = json!({ "decision": "approve_once", "arguments": { "title": "b" } });
    let told = |words: &str| {
        assert!(words.starts_with("[APPROVAL NEEDED]") && words.contains(r#"{"title":"b"}"#), "{words}");
    };
    let listening = asking(json!({})).await;
    let heard = heard(&listening, other.clone()).await;
    told(heard.last().unwrap()["result"]["content"][0]["text"].as_str().unwrap());
    assert!(listening.stage.reached().is_empty());
    assert_eq!(listening.call("b").await.words(), "done");
    let led = asking(json!({})).await;
    let result = call_linked(&led, json!({})).await.json()["result"].clone();
    let id = result["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
    let decided = async {
        led.stage.calls_once(2).await;
        led.decide(&led.approver, &id, other).await.expect(StatusCode::OK);
    };
    let (again, ()) = tokio::join!(call_linked(&led, back(&result["requestState"], "accept")), decided);
    told(&again.words());
    let narrowed = json!({ "arguments": { "title": "b" }, "requestState": result["requestState"] });
    assert_eq!(call_linked(&led, narrowed).await.words(), "done");
    assert_eq!(led.stage.reached().len(), 1);
}

/// A server that opens a session of its own, or knows none.
async fn of_the_old_era(has_sessions: bool) -> Stage {
    Stage::over(Class::Financial, move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let kind = ("content-type", "application/json");
        if message["method"] != "initialize" {
            return usual(asked);
        }
        if has_sessions {
            let result = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {} });
            return Wire::answer(
                "200 OK",
                &[kind, ("mcp-session-id", "theirs")],
                answered(&message, &result),
            );
        }
        let error =
            json!({ "jsonrpc": "2.0", "id": message["id"], "error": { "code": -32022, "message": "No" } });
        Wire::answer("400 Bad Request", &[kind], error.to_string())
    })
    .await
}

#[tokio::test]
async fn a_client_of_the_old_era_is_led_to_the_page_by_its_own_error() {
    for has_sessions in [true, false] {
        let stage = of_the_old_era(has_sessions).await;
        if !has_sessions {
            // What the server was found to speak: the handshake that it refuses is ours to answer then.
            let found = "update servers set era = 'modern', protocol_version = '2026-07-28'";
            stage.app.change(found).await;
        }
        let asking = asking_on(stage, json!({}), json!([])).await;
        let agent = &asking.stage.agent;
        let (_, session) = opened(agent, json!({ "elicitation": { "url": {} } })).await;
        let headers = [("mcp-session-id", session.as_str())];
        let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": { "name": "create_issue", "arguments": { "title": "a" } } });
        let led = agent.post(call.to_string(), &headers).await;
        assert_eq!((led.status, led.code()), (StatusCode::OK, -32042), "{}", led.text);
        let data = led.json()["error"]["data"].clone();
        let id = data["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
        let elicitation = &data["elicitations"][0];
        assert_eq!((&elicitation["mode"], &elicitation["elicitationId"]), (&json!("url"), &json!(id)));
        assert!(elicitation["url"].as_str().unwrap().ends_with(&format!("/o/acme/approvals/{id}")));
        asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
        assert_eq!(agent.post(call.to_string(), &headers).await.words(), "done");
        let (_, session) = opened(agent, json!({ "elicitation": {} })).await;
        let told = agent.post(call.to_string(), &[("mcp-session-id", session.as_str())]).await;
        assert!(told.words().starts_with("[APPROVAL NEEDED]"), "a client of forms is told: {}", told.text);
    }
}

/// A server that asks for something before it carries a call out.
async fn asking_back() -> Stage {
    Stage::over(Class::Financial, |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let state = message["params"].get("requestState");
        if message["method"] != "tools/call" || state.is_some_and(|state| state == "second") {
            return usual(asked);
        }
        let next = if state.is_some() { "second" } else { "first" };
        let result = json!({ "resultType": "input_required", "inputRequests": {}, "requestState": next });
        Wire::json(&answered(&message, &result))
    })
    .await
}

#[tokio::test]
async fn a_call_that_its_server_asks_back_about_is_agreed_to_and_counted_once() {
    let limit = json!({ "counter": "issues", "window": "day", "max": 2, "scope": "grant" });
    let asking = asking_on(asking_back().await, json!({}), json!([limit])).await;
    let call = async |state: Option<&Value>, title: &str| {
        let mut params = json!({ "name": "create_issue", "arguments": { "title": title } });
        if let Some(state) = state {
            params["requestState"] = state.clone();
            params["inputResponses"] = json!({});
        }
        asking.stage.agent.ask("tools/call", params).await
    };
    let id = asking.asked("a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let first = call(None, "a").await.json()["result"]["requestState"].clone();
    let second = call(Some(&first), "a").await.json()["result"]["requestState"].clone();
    assert!(first.is_string() && second.is_string() && first != second);
    assert_eq!(call(Some(&second), "a").await.words(), "done", "three rounds, and one approval");
    assert_eq!(asking.stage.app.number("select used::bigint from limit_counts").await, 1);
    // Whoever goes on from a round again, or with something else, makes another call.
    assert!(call(Some(&second), "a").await.words().starts_with("[APPROVAL NEEDED]"));
    assert!(call(Some(&first), "a").await.words().starts_with("[APPROVAL NEEDED]"));
    let id = asking.asked("b").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let other = call(None, "b").await.json()["result"]["requestState"].clone();
    assert!(call(Some(&other), "c").await.words().starts_with("[APPROVAL NEEDED]"));
    assert_eq!(asking.stage.app.number("select used::bigint from limit_counts").await, 2);
}

#[tokio::test]
async fn a_round_that_rested_for_a_day_or_under_other_policies_is_a_new_call() {
    let asking = asking_on(asking_back().await, json!({}), json!([])).await;
    let call = async |state: &Value, title: &str| {
        let params = json!({ "name": "create_issue", "arguments": { "title": title }, "requestState": state,
            "inputResponses": {} });
        asking.stage.agent.ask("tools/call", params).await
    };
    let begun = async |title: &str| {
        let id = asking.asked(title).await;
        asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
        asking.call(title).await.json()["result"]["requestState"].clone()
    };
    let state = begun("a").await;
    asking.stage.app.clock.advance(time::Duration::hours(25));
    assert!(call(&state, "a").await.words().starts_with("[APPROVAL NEEDED]"));
    let state = begun("b").await;
    let rule = json!({ "require_approval_if": [{ "conditions": [], "quorum": 2 }] });
    asking.publish(json!({ "version": "1", "default": "allow", "tools": { "create_issue": rule } })).await;
    assert!(call(&state, "b").await.words().starts_with("[APPROVAL NEEDED]"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_its_agent_called_off_is_not_made_when_somebody_agrees() {
    for endpoint in ["/mcp/acme/github", "/mcp/acme"] {
        let asking = asking_on(of_the_old_era(true).await, json!({}), json!([])).await;
        let beside = TestApp::beside(&asking.stage.app).await;
        let here = asking.stage.agent.at(&format!("{}{endpoint}", asking.stage.app.origin()));
        let there = asking.stage.agent.at(&format!("{}{endpoint}", beside.origin()));
        let (_, session) = opened(&here, json!({})).await;
        let headers = [("mcp-session-id", session.as_str())];
        let tool = if endpoint == "/mcp/acme" { "github__create_issue" } else { "create_issue" };
        let call = |id: u64, title: &str| {
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool,
                "arguments": { "title": title }, "_meta": { "progressToken": id } } })
            .to_string()
        };
        let mut heard = String::new();
        let mut off = here.begin(call(2, "a"), &headers).await;
        until(&mut off, &mut heard, 1).await;
        let mut stays = here.begin(call(3, "b"), &headers).await;
        until(&mut stays, &mut String::new(), 1).await;
        let cancel =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 2 } });
        let taken = there.post(cancel.to_string(), &headers).await;
        assert!(taken.status.is_success(), "{}", taken.text);
        let waiting = asking.approver.get("/api/v1/orgs/acme/approvals?state=pending").await;
        for id in ["/items/0/id", "/items/1/id"].map(|at| waiting.text(at).to_owned()) {
            asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
        }
        assert!(stays.text().await.unwrap().contains("done"), "another call goes on: {endpoint}");
        let told = off.text().await.unwrap();
        assert!(!told.contains("done"), "{endpoint}: {told}");
        assert_eq!(asking.stage.reached().len(), 1, "{endpoint}");
    }
}
