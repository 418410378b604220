//! What servers answer to calls that waited as a task: late, too much, with an error, a question or a task of their own.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use http::StatusCode;
use portreeve::{base::risk::Class, domain::servers::Era};
use serde_json::{Value, json};

use crate::{
    kit::fake_server::{Asked, Frames, Script as Wire},
    proxy::{
        approvals::{asking, asking_on, once},
        bridge::{Shore, answered, with_sessions},
        stage::{Reply, Stage, usual},
        tasks::{TASKS, begin, begun, beside, call_as, poll, words},
    },
};

/// A server whose answers to calls come when the test sends them, as events.
async fn slow() -> (Stage, Arc<Mutex<Vec<Frames>>>) {
    let held = Arc::<Mutex<Vec<Frames>>>::default();
    let open = Arc::clone(&held);
    let stage = Stage::over(Class::Financial, move |asked: &Asked| {
        if !String::from_utf8_lossy(&asked.body).contains("tools/call") {
            return usual(asked);
        }
        let (script, frames) = Wire::events();
        open.lock().unwrap().push(frames);
        script
    })
    .await;
    (stage, held)
}

#[tokio::test]
async fn while_a_server_takes_its_time_the_task_is_working_and_a_later_poll_has_the_answer() {
    let (stage, held) = slow().await;
    let asking = asking_on(stage, json!({}), json!([])).await;
    let agent = &asking.stage.agent;
    let (task, id) = begin(&asking, "a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let runs = poll(agent, &task).await;
    assert_eq!(
        (&runs["status"], &runs["statusMessage"]),
        (&json!("working"), &json!("The call is being made."))
    );
    let (_app, there) = beside(&asking).await;
    assert_eq!(poll(&there, &task).await["status"], "working");
    let progress =
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}"#;
    let message = json!({ "id": 7 });
    let result = json!({ "content": [{ "type": "text", "text": "late" }], "resultType": "complete" });
    let frames = held.lock().unwrap().pop().unwrap();
    frames.send(&format!("data: {progress}\n\n"));
    frames.send(&format!("data: {}\n\n", answered(&message, &result)));
    drop(frames);
    asking.stage.app.until_number("select count(*) from call_tasks where state = 'over'", 1).await;
    assert_eq!(words(&poll(&there, &task).await), "late");
    let (off, id) = begin(&asking, "b").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(poll(agent, &off).await["status"], "working");
    agent.ask("tasks/cancel", json!({ "taskId": off })).await;
    let frames = held.lock().unwrap().pop().unwrap();
    frames.send(&format!("data: {}\n\n", answered(&message, &result)));
    drop(frames);
    asking.stage.calls_once(11).await;
    assert_eq!(poll(agent, &off).await["status"], "cancelled", "what is called off stays so");
    assert_eq!(asking.stage.reached().len(), 2);
}

#[tokio::test]
async fn of_a_call_whose_replica_died_nobody_says_more_than_is_known_and_it_is_not_made_again() {
    let asking = asking(json!({})).await;
    let (task, id) = begin(&asking, "a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let app = &asking.stage.app;
    app.change("update call_tasks set state = 'calling', round = 1, alive_at = now()").await;
    let agent = &asking.stage.agent;
    assert_eq!(poll(agent, &task).await["status"], "working", "it may live");
    app.change("update call_tasks set alive_at = now() - interval '2 minutes'").await;
    let (_app, there) = beside(&asking).await;
    for agent in [&there, agent] {
        let lost = poll(agent, &task).await;
        assert!(
            words(&lost).starts_with("[PORTREEVE FAILED]") && words(&lost).contains("nobody knows"),
            "{lost}"
        );
        assert_eq!(lost["result"]["_meta"]["portreeve/decision"]["code"], "outcome_unknown");
    }
    assert!(asking.stage.reached().is_empty());
    assert_eq!(app.number("select count(*) from call_tasks where sealed_call is not null").await, 0);
}

/// The code that an answer comes to; none where it stays what it is.
type Case = (&'static str, fn(&Value) -> Wire);

#[tokio::test]
async fn an_answer_that_is_too_large_or_none_is_said_to_be_so_and_an_error_stays_one() {
    let answers: [Case; 3] = [
        ("upstream_answer_too_large", |message| {
            let content = json!([{ "type": "text", "text": "x".repeat(1024 * 1024) }]);
            Wire::json(&answered(message, &json!({ "content": content, "resultType": "complete" })))
        }),
        ("upstream_answer_invalid", |_| Wire::answer("500 Internal Server Error", &[], "oh")),
        ("", |message| {
            let error = json!({ "code": -32603, "message": "no room" });
            Wire::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }).to_string())
        }),
    ];
    for (code, answer) in answers {
        let stage = Stage::over(Class::Financial, move |asked| {
            let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            if message["method"] == "tools/call" { answer(&message) } else { usual(asked) }
        })
        .await;
        let asking = asking_on(stage, json!({}), json!([])).await;
        let (task, id) = begin(&asking, "a").await;
        asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
        let over = poll(&asking.stage.agent, &task).await;
        if code.is_empty() {
            assert_eq!((&over["status"], &over["error"]["message"]), (&json!("failed"), &json!("no room")));
        } else {
            assert!(words(&over).starts_with("[PORTREEVE FAILED]"), "{over}");
            assert_eq!(over["result"]["_meta"]["portreeve/decision"]["code"], code);
        }
        assert_eq!(asking.stage.reached().len(), 1);
    }
}

#[tokio::test]
async fn what_a_server_asks_first_is_asked_by_the_task_and_counted_once() {
    let stage = Stage::over(Class::Financial, |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let params = &message["params"];
        let next = match (message["method"].as_str(), params["requestState"].as_str()) {
            (Some("tools/call"), None) => "first",
            (Some("tools/call"), Some("first")) if params["inputResponses"]["name"]["content"] == "Ada" => {
                "second"
            }
            _ => return usual(asked),
        };
        let form = json!({ "name": { "method": "elicitation/create", "params": { "message": "Who?" } } });
        let asks = if next == "first" { form } else { json!({}) };
        let result = json!({ "resultType": "input_required", "inputRequests": asks, "requestState": next });
        Wire::json(&answered(&message, &result))
    })
    .await;
    let limit = json!({ "counter": "issues", "window": "day", "max": 5, "scope": "grant" });
    let asking = asking_on(stage, json!({}), json!([limit])).await;
    let agent = &asking.stage.agent;
    let (task, id) = begin(&asking, "a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let asked = poll(agent, &task).await;
    assert_eq!(
        (&asked["status"], &asked["inputRequests"]["1.name"]["params"]["message"]),
        (&json!("input_required"), &json!("Who?"))
    );
    let say = async |responses: Value| {
        let said = json!({ "taskId": task, "inputResponses": responses });
        assert_eq!(agent.ask("tasks/update", said).await.status, StatusCode::OK);
    };
    say(json!({ "name": { "content": "Ada" }, "2.name": { "content": "Ada" } })).await;
    assert_eq!(poll(agent, &task).await["status"], "input_required", "what nobody asked is no answer");
    say(json!({ "1.name": { "content": "Ada" } })).await;
    assert_eq!(words(&poll(agent, &task).await), "done");
    say(json!({ "1.name": { "content": "Ada" } })).await;
    assert_eq!(asking.stage.reached().len(), 3, "once for each round");
    assert_eq!(asking.stage.app.number("select used::bigint from limit_counts").await, 1);
    assert_eq!(asking.stage.app.number("select uses::bigint from approvals").await, 1);
}

#[tokio::test]
async fn a_task_that_the_server_makes_of_the_call_is_asked_about_under_the_id_that_is_known() {
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    let stage = Stage::over(Class::Financial, move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let result = match message["method"].as_str() {
            Some("tools/call") => {
                json!({ "resultType": "task", "taskId": "their-task", "status": "working" })
            }
            Some("tasks/get") => {
                seen.store(asked.header("mcp-name") == Some("their-task"), Ordering::SeqCst);
                json!({ "resultType": "complete", "taskId": message["params"]["taskId"], "status": "working",
                    "statusMessage": "theirs" })
            }
            Some("tasks/cancel") => json!({ "resultType": "complete", "theirs": true }),
            _ => return usual(asked),
        };
        Wire::json(&answered(&message, &result))
    })
    .await;
    let asking = asking_on(stage, json!({}), json!([])).await;
    let (task, id) = begin(&asking, "a").await;
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(poll(&asking.stage.agent, &task).await["statusMessage"], "theirs");
    }
    assert!(asked.load(Ordering::SeqCst), "the server is asked by its own id");
    let off = asking.stage.agent.ask("tasks/cancel", json!({ "taskId": task })).await;
    assert_eq!(off.json()["result"]["theirs"], true);
    assert_eq!(asking.stage.reached().len(), 1);
}

#[tokio::test]
async fn tasks_are_offered_where_a_human_may_be_asked_and_work_across_servers_and_eras() {
    let offered = |reply: &Reply| reply.json()["result"]["capabilities"]["extensions"][TASKS].is_object();
    let plain = Stage::with_ceiling(Class::Financial).await;
    assert!(!offered(&plain.agent.ask("server/discover", json!({})).await));
    let asking = asking(json!({})).await;
    let app = &asking.stage.app;
    let merged = asking.stage.agent.at(&format!("{}/mcp/acme", app.origin()));
    assert!(!offered(
        &plain.agent.at(&format!("{}/mcp/acme", plain.app.origin())).ask("server/discover", json!({})).await
    ));
    for agent in [&asking.stage.agent, &merged] {
        assert!(offered(&agent.ask("server/discover", json!({})).await));
    }
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": { "extensions": { TASKS: {} } } });
    let call = json!({ "name": "github__create_issue", "arguments": { "title": "a" }, "_meta": meta });
    let (task, id) = begun(&merged.ask("tools/call", call).await);
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    assert_eq!(words(&poll(&merged, &task).await), "done");
    assert_eq!(words(&poll(&asking.stage.agent, &task).await), "done", "it is of the server");
    let sent: Value = serde_json::from_slice(&asking.stage.reached()[0].body).unwrap();
    assert_eq!(sent["params"]["name"], "create_issue");

    let Shore { stage, server: _old, agent } = Shore::of(Era::Legacy, with_sessions(100)).await;
    let crossing = asking_on(stage, json!({}), json!([])).await;
    assert!(offered(&agent.ask("server/discover", json!({})).await));
    let (task, id) = begun(&call_as(&agent, json!({ "title": "a" }), json!({})).await);
    crossing.decide(&crossing.approver, &id, once()).await.expect(StatusCode::OK);
    let over = poll(&agent, &task).await;
    assert_eq!(over["status"], "completed", "{over}");
}
