//! Tasks in the words of revision 2025-11-25.

use http::StatusCode;
use portreeve::base::risk::Class;
use serde_json::{Value, json};

use crate::{
    kit::fake_server::Script as Wire,
    proxy::{
        approvals::{Asking, asking_on, once},
        bridge::{answered, messages},
        stage::{Agent, Reply, Stage, usual},
    },
};

/// A server of the era before whose tools may run as tasks, if they want to.
async fn of_the_era_before(makes_tasks: bool) -> Asking {
    let stage = Stage::over(Class::Financial, move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let result = match message["method"].as_str() {
            Some("tools/call") if makes_tasks => {
                json!({ "task": { "taskId": "theirs", "status": "working" } })
            }
            Some("tools/call") => {
                json!({ "content": [{ "type": "text", "text": "done" }], "_meta": { "n": 1.0 } })
            }
            Some("tasks/get") => json!({ "taskId": message["params"]["taskId"], "status": "completed" }),
            Some("tasks/result") => {
                json!({ "content": [{ "type": "text", "text": message["params"]["taskId"] }] })
            }
            _ => return usual(asked),
        };
        Wire::json(&answered(&message, &result))
    })
    .await;
    let promised = r#"{"tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}}"#;
    let found = format!(
        "update servers set era = 'legacy', protocol_version = '2025-11-25', capabilities = '{promised}'"
    );
    stage.app.change(&found).await;
    stage.app.change("update orgs set epoch = epoch + 1").await;
    asking_on(stage, json!({}), json!([])).await
}

async fn old(agent: &Agent, method: &str, params: Value) -> Reply {
    let body = json!({ "jsonrpc": "2.0", "id": "o", "method": method, "params": params });
    agent.post(body.to_string(), &[("mcp-protocol-version", "2025-11-25")]).await
}

#[tokio::test]
async fn a_client_of_the_era_before_is_given_a_task_and_its_result_by_a_method_of_its_own() {
    let asking = of_the_era_before(false).await;
    let agent = &asking.stage.agent;
    let begun = async |title: &str| {
        let call =
            json!({ "name": "create_issue", "arguments": { "title": title }, "task": { "ttl": 60000 } });
        let reply = old(agent, "tools/call", call).await;
        let result = reply.json()["result"].clone();
        let (task, meta) = (&result["task"], &result["_meta"]);
        assert_eq!(
            (&task["status"], &task["pollInterval"]),
            (&json!("working"), &json!(5000)),
            "{}",
            reply.text
        );
        let said = meta["io.modelcontextprotocol/model-immediate-response"].as_str().unwrap();
        assert!(said.starts_with("create_issue waits for"), "{said}");
        let id = meta["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
        (task["taskId"].as_str().unwrap().to_owned(), id)
    };
    let get =
        async |task: &str| old(agent, "tasks/get", json!({ "taskId": task })).await.json()["result"].clone();
    let result = async |task: &str| old(agent, "tasks/result", json!({ "taskId": task })).await;
    let (task, id) = begun("a").await;
    let waits = get(&task).await;
    assert_eq!((&waits["status"], &waits["ttl"]), (&json!("working"), &json!(30 * 60 * 1000)));
    let decided = async {
        asking.stage.calls_once(3).await;
        asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    };
    let (told, ()) = tokio::join!(result(&task), decided);
    assert_eq!(told.headers["content-type"], "text/event-stream", "it waits until there is one");
    let told = messages(&told.text).pop().unwrap();
    assert_eq!((&told["id"], &told["result"]["content"][0]["text"]), (&json!("o"), &json!("done")));
    let related = json!({ "n": 1.0, "io.modelcontextprotocol/related-task": { "taskId": task } });
    assert_eq!(told["result"]["_meta"], related);
    assert_eq!(
        (&get(&task).await["status"], &get(&task).await["result"]),
        (&json!("completed"), &Value::Null)
    );
    assert_eq!(result(&task).await.json(), told, "what came of it is told again");
    assert_eq!(old(agent, "tasks/cancel", json!({ "taskId": task })).await.code(), -32602);
    let (task, id) = begun("b").await;
    let deny = json!({ "decision": "deny", "reason": "Not today." });
    asking.decide(&asking.approver, &id, deny).await.expect(StatusCode::OK);
    assert_eq!(get(&task).await["status"], "failed");
    let told = result(&task).await;
    assert!(told.words().starts_with("[PORTREEVE DENIED]") && told.words().contains("Not today."));
    let (task, _) = begun("c").await;
    let off = old(agent, "tasks/cancel", json!({ "taskId": task })).await;
    assert_eq!(off.json()["result"]["status"], "cancelled", "{}", off.text);
    assert_eq!(
        (get(&task).await["status"].clone(), result(&task).await.code()),
        (json!("cancelled"), -32600)
    );
    let plain =
        old(agent, "tools/call", json!({ "name": "create_issue", "arguments": { "title": "d" } })).await;
    assert!(plain.words().starts_with("[APPROVAL NEEDED]"), "who asks for no task is given none");
    assert_eq!(asking.stage.reached().len(), 1);
}

#[tokio::test]
async fn a_task_of_the_era_before_that_the_server_makes_goes_on_under_the_same_id() {
    let asking = of_the_era_before(true).await;
    let agent = &asking.stage.agent;
    let call = json!({ "name": "create_issue", "arguments": { "title": "a" }, "task": {} });
    let begun = old(agent, "tools/call", call.clone()).await.json()["result"].clone();
    let task = begun["task"]["taskId"].as_str().unwrap().to_owned();
    let id = begun["_meta"]["portreeve/decision"]["approval"].as_str().unwrap().to_owned();
    asking.decide(&asking.approver, &id, once()).await.expect(StatusCode::OK);
    let got = old(agent, "tasks/get", json!({ "taskId": task })).await.json()["result"].clone();
    assert_eq!((&got["taskId"], &got["status"]), (&json!(task), &json!("completed")));
    let told = old(agent, "tasks/result", json!({ "taskId": task })).await;
    assert_eq!(told.words(), "theirs", "the server is asked by its own id");
    asking.stage.app.change("update servers set capabilities = '{}'").await;
    asking.stage.app.change("update orgs set epoch = epoch + 1").await;
    let unpromised = old(agent, "tools/call", call).await;
    assert!(
        unpromised.words().starts_with("[APPROVAL NEEDED]"),
        "a wish that nobody promised is passed over"
    );
    assert_eq!(asking.stage.reached().len(), 1);
}
