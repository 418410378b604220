//! Sessions, tasks and states: sealed to the grant and the server, opened for nobody else.

use http::{Method, StatusCode};
use portreeve::base::{actor::Principal, risk::Class};
use serde_json::{Value, json};

use crate::{kit::fake_server::Script, proxy::stage::Stage};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"old-agent","version":"3"}}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;

async fn legacy() -> Stage {
    Stage::over(Class::Write, |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match message["method"].as_str() {
            Some("initialize") => {
                let result = json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
                let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string();
                let headers = [("content-type", "application/json"), ("mcp-session-id", "their-own-session")];
                Script::answer("200 OK", &headers, body)
            }
            _ => super::stage::usual(asked),
        }
    })
    .await
}

#[tokio::test]
async fn a_session_is_sealed_and_the_server_sees_its_own() {
    let stage = legacy().await;
    let begun = stage.agent.post(INITIALIZE, &[]).await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    assert_ne!(session, "their-own-session");
    stage.agent.post(LIST, &[("mcp-session-id", &session)]).await;
    let last = stage.upstream.asked().pop().unwrap();
    assert_eq!(last.header("mcp-session-id"), Some("their-own-session"));
    let (_, record) = stage.calls_once(4).await.remove(2);
    let client = record.call.unwrap().client.unwrap();
    assert_eq!(client.name, "old-agent", "a later call of the session is known by who began it");
}

#[tokio::test]
async fn a_session_of_somebody_else_is_not_found_on_any_method() {
    let stage = legacy().await;
    let begun = stage.agent.post(INITIALIZE, &[]).await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let (_, token) = stage.app.grant(&stage.org, Principal::User(stage.person), Class::Write).await;
    let other = stage.agent.carrying(&token);
    let before = stage.upstream.asked().len();
    for handle in [session.as_str(), "their-own-session", "x"] {
        let agent = if handle == session { &other } else { &stage.agent };
        let headers = [("mcp-session-id", handle)];
        assert_eq!(agent.post(LIST, &headers).await.status, StatusCode::NOT_FOUND);
        let stream = [("mcp-session-id", handle), ("accept", "text/event-stream")];
        assert_eq!(agent.send(Method::GET, &stream).await.status, StatusCode::NOT_FOUND);
        assert_eq!(agent.send(Method::DELETE, &headers).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(stage.upstream.asked().len(), before, "nothing reached the server");
}

#[tokio::test]
async fn tasks_and_states_go_out_sealed_and_come_back_opened() {
    let stage = Stage::over(Class::Write, |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let result = match message["method"].as_str() {
            Some("tools/call") if message["params"].get("requestState").is_none() => {
                json!({ "resultType": "input_required", "inputRequests": {}, "requestState": "their-state" })
            }
            Some("tools/call") => json!({ "resultType": "task", "taskId": "their-task" }),
            _ => json!({ "resultType": "complete" }),
        };
        Script::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
    })
    .await;
    let asked = stage.agent.call("get_issue").await.json();
    let state = asked["result"]["requestState"].as_str().unwrap().to_owned();
    assert_ne!(state, "their-state");
    let again = json!({ "name": "get_issue", "requestState": &state });
    let task = stage.agent.ask("tools/call", again).await.json();
    let task = task["result"]["taskId"].as_str().unwrap().to_owned();
    let same =
        stage.agent.ask("tools/call", json!({ "name": "get_issue", "requestState": state })).await.json();
    assert_eq!(same["result"]["taskId"], task, "a task keeps its name");
    let polled = stage.agent.ask("tasks/get", json!({ "taskId": task })).await;
    assert_eq!(polled.status, StatusCode::OK, "{}", polled.text);
    let seen = stage.upstream.asked();
    let body = |at: usize| serde_json::from_slice::<Value>(&seen[at].body).unwrap();
    assert_eq!(body(seen.len() - 2)["params"]["requestState"], "their-state");
    assert_eq!(body(seen.len() - 1)["params"]["taskId"], "their-task");
    assert_eq!(seen.last().unwrap().header("mcp-name"), Some("their-task"));
    let foreign = stage.agent.ask("tasks/get", json!({ "taskId": "their-task" })).await;
    assert_eq!((foreign.status, foreign.code()), (StatusCode::NOT_FOUND, -32602));
}

/// An answer as servers send it that do not know its length before.
fn chunked(body: &str) -> Script {
    let mut bytes =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for piece in body.as_bytes().chunks(100_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    Script::raw(bytes)
}

#[tokio::test]
async fn handles_are_sealed_however_long_an_answer_is_and_however_it_is_sent() {
    for (padding, is_chunked) in [(0, true), (99_980, true), (3_000_000, true), (3_000_000, false)] {
        let stage = Stage::over(Class::Write, move |asked| {
            let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            if message["method"] != "tools/call" {
                return super::stage::usual(asked);
            }
            let result = match message["params"].get("requestState") {
                None => json!({ "inputRequests": { "a": "x".repeat(padding) }, "requestState": "their-state",
                    "resultType": "input_required" }),
                Some(_) => json!({ "content": [{ "type": "text", "text": "y".repeat(padding) }], "taskId": "their-task",
                    "resultType": "task" }),
            };
            let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string();
            if is_chunked { chunked(&body) } else { Script::json(&body) }
        })
        .await;
        let asked = stage.agent.call("get_issue").await.json();
        let state = asked["result"]["requestState"].as_str().unwrap_or_default().to_owned();
        assert!(!state.is_empty() && state != "their-state", "{padding} {is_chunked}");
        assert_eq!(asked["result"]["inputRequests"]["a"].as_str().map(str::len), Some(padding));
        let again = json!({ "name": "get_issue", "requestState": state });
        let task = stage.agent.ask("tools/call", again).await.json();
        let task = task["result"]["taskId"].as_str().unwrap_or_default().to_owned();
        assert!(!task.is_empty() && task != "their-task", "{padding} {is_chunked}");
        let sent: Value = serde_json::from_slice(&stage.reached().last().unwrap().body).unwrap();
        assert_eq!(sent["params"]["requestState"], "their-state");
        // What was passed on to its end was answered, whoever stops asking for more.
        for (action, record) in stage.calls_once(4).await {
            let code = record.call.and_then(|call| call.code);
            assert_eq!(code, None, "{action} {padding} {is_chunked}");
        }
    }
}

#[tokio::test]
async fn headers_that_nobody_compared_with_the_body_stay_here() {
    let stage = legacy().await;
    let body =
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"get_issue","arguments":{}}}"#;
    let said = [
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "delete_everything"),
        ("mcp-param-title", "other"),
    ];
    let reply = stage.agent.post(body, &said).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let seen = stage.reached().pop().unwrap();
    for name in ["mcp-method", "mcp-name", "mcp-param-title"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("content-type"), Some("application/json"));
}
