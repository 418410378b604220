//! An agent of one era and a server of the other: each meets a peer of its own kind, and nothing is lost on the way.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use portreeve::{
    base::risk::Class,
    domain::servers::{Declared, Era, SeenTool, Snapshot},
};
use serde_json::{Value, json};

use crate::{
    kit::fake_server::{Asked, FakeServer, Frames, Script},
    proxy::stage::{Agent, Reply, Stage, tools},
};

/// A server of one era beside the usual one, whose tools were accepted, and an agent at its address.
pub(super) struct Shore {
    pub(super) stage: Stage,
    pub(super) server: FakeServer,
    pub(super) agent: Agent,
}

impl Shore {
    pub(super) async fn of(era: Era, answerer: impl Fn(&Asked) -> Script + Send + Sync + 'static) -> Self {
        let capabilities = r#"{"tools":{"listChanged":true},"tasks":{},"prompts":{}}"#;
        Self::declaring(era, "http", capabilities, answerer).await
    }

    pub(super) async fn declaring(
        era: Era,
        transport: &str,
        capabilities: &str,
        answerer: impl Fn(&Asked) -> Script + Send + Sync + 'static,
    ) -> Self {
        let stage = Stage::with_ceiling(Class::Write).await;
        let server = FakeServer::answering(answerer).await;
        let id = stage.app.server_over(&stage.org, "shore", transport, &server.url("/mcp")).await;
        let declared = Declared {
            era: Some(era),
            protocol_version: Some(if era == Era::Modern { "2026-07-28" } else { "2025-06-18" }.to_owned()),
            name: Some("Shore".to_owned()),
            version: Some("3".to_owned()),
            capabilities: Some(capabilities.into()),
            ..Declared::default()
        };
        let tools = tools().iter().map(|tool| SeenTool::read(&tool.to_string()).unwrap()).collect();
        let seen = Snapshot { declared, tools, items: Vec::new() };
        stage.app.accept_catalogue(&stage.org, id, &seen).await;
        let agent = stage.agent.at(&format!("{}/mcp/acme/shore", stage.app.origin()));
        Self { stage, server, agent }
    }

    /// What the server was sent, message by message.
    pub(super) fn asked(&self) -> Vec<(Asked, Value)> {
        let read = |asked: Asked| {
            let message = serde_json::from_slice(&asked.body).unwrap_or_default();
            (asked, message)
        };
        self.server.asked().into_iter().map(read).collect()
    }

    pub(super) fn methods(&self) -> Vec<String> {
        let named = |(asked, message): &(Asked, Value)| match message["method"].as_str() {
            Some(method) => method.to_owned(),
            None => asked.method.clone(),
        };
        self.asked().iter().map(named).collect()
    }
}

pub(super) fn answered(message: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string()
}

/// A server with sessions, which forgets the first one after `calls` calls.
pub(super) fn with_sessions(calls: usize) -> impl Fn(&Asked) -> Script + Send + Sync + 'static {
    let count = Mutex::new((0, 0));
    move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let mut count = count.lock().unwrap();
        let method = message["method"].as_str().unwrap_or_default();
        if method == "initialize" {
            count.0 += 1;
            let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {} });
            let session = format!("session-{}", count.0);
            let headers = [("content-type", "application/json"), ("mcp-session-id", session.as_str())];
            return Script::answer("200 OK", &headers, answered(&message, &result));
        }
        let session = format!("session-{}", count.0);
        if asked.header("mcp-session-id") != Some(&session) {
            return Script::answer("404 Not Found", &[], "");
        }
        if message["id"].is_null() {
            return Script::answer("202 Accepted", &[], "");
        }
        count.1 += 1;
        if count.0 == 1 && count.1 > calls {
            return Script::answer("404 Not Found", &[("content-type", "text/plain")], "gone");
        }
        match method {
            "tools/list" => Script::json(&answered(&message, &json!({ "tools": tools() }))),
            "tools/call" => {
                let text = json!([{ "type": "text", "text": "done" }]);
                Script::json(&answered(&message, &json!({ "content": text, "odd": 1.50 })))
            }
            _ => {
                let error = json!({ "code": -32601, "message": "No" });
                Script::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }).to_string())
            }
        }
    }
}

#[tokio::test]
async fn an_agent_without_sessions_uses_a_server_with_them() {
    let shore = Shore::of(Era::Legacy, with_sessions(100)).await;
    let said = shore.agent.ask("server/discover", json!({})).await.json()["result"].clone();
    assert_eq!(said["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(said["capabilities"], json!({ "tools": { "listChanged": true }, "prompts": {} }));
    let info = json!({ "name": "Shore", "version": "3" });
    assert_eq!(said["_meta"]["io.modelcontextprotocol/serverInfo"], info);
    assert!(shore.asked().is_empty());

    let list = shore.agent.ask("tools/list", json!({})).await.json()["result"].clone();
    assert_eq!(list["tools"].as_array().unwrap().len(), 2, "a deletion is above the ceiling");
    let rest = (&list["resultType"], &list["ttlMs"], &list["cacheScope"]);
    assert_eq!(rest, (&json!("complete"), &json!(0), &json!("private")));
    let call = shore.agent.call("get_issue").await;
    assert_eq!(call.words(), "done");
    assert!(call.text.contains(r#""odd":1.5"#) && call.json()["id"] == 7, "{}", call.text);
    assert_eq!(call.json()["result"]["resultType"], "complete");
    let absent = shore.agent.ask("prompts/get", json!({ "name": "x" })).await;
    assert_eq!((absent.status, absent.code()), (StatusCode::NOT_FOUND, -32601));

    let wanted = ["initialize", "notifications/initialized", "tools/list", "tools/call", "prompts/get"];
    assert_eq!(shore.methods(), wanted);
    let asked = shore.asked();
    assert_eq!(asked[0].1["params"]["clientInfo"], json!({ "name": "test-agent", "version": "1.2" }));
    assert_eq!(asked[0].1["params"]["capabilities"], json!({ "extensions": {} }), "tasks do not cross");
    let (sent, message) = &asked[3];
    assert_eq!(sent.header("mcp-session-id"), Some("session-1"));
    assert_eq!(sent.header("mcp-protocol-version"), Some("2025-06-18"));
    assert_eq!((sent.header("mcp-method"), sent.header("mcp-name")), (None, None));
    let arguments = json!({ "name": "get_issue", "arguments": { "title": "hello" }, "_meta": {} });
    assert_eq!(message["params"], arguments);

    let calls = shore.stage.calls_once(8).await;
    assert!(calls.iter().all(|(action, _)| action == "call.allowed" || action == "call.answered"));
}

#[tokio::test]
async fn a_session_that_the_server_forgot_is_opened_anew_and_each_grant_has_its_own() {
    let shore = Shore::of(Era::Legacy, with_sessions(1)).await;
    assert_eq!(shore.agent.call("get_issue").await.words(), "done");
    assert_eq!(shore.agent.call("get_issue").await.words(), "done");
    let opened = |methods: Vec<String>| methods.iter().filter(|method| *method == "initialize").count();
    assert_eq!(opened(shore.methods()), 2);
    let principal = portreeve::base::actor::Principal::User(shore.stage.person);
    let (_, token) = shore.stage.app.grant(&shore.stage.org, principal, Class::Read).await;
    shore.agent.carrying(&token).call("get_issue").await;
    assert_eq!(opened(shore.methods()), 3, "nobody speaks in a session of somebody else");
}

/// A server of the old era that asks a person something before it answers a call.
pub(super) fn asking(
    method: &'static str,
    params: Value,
) -> impl Fn(&Asked) -> Script + Send + Sync + 'static {
    let open: Arc<Mutex<Option<(Frames, Value)>>> = Arc::default();
    move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        match message["method"].as_str() {
            Some("initialize") => {
                let result = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {} });
                Script::json(&answered(&message, &result))
            }
            Some("tools/call") => {
                let (script, frames) = Script::events();
                let token = &message["params"]["_meta"]["progressToken"];
                let event = |message: Value| frames.send(&format!("data: {message}\n\n"));
                event(json!({ "jsonrpc": "2.0", "id": "ping", "method": "ping" }));
                event(json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                              "params": { "progressToken": token, "progress": 1 } }));
                event(json!({ "jsonrpc": "2.0", "method": "notifications/message",
                              "params": { "level": "info", "data": "hm" } }));
                event(json!({ "jsonrpc": "2.0", "id": 99, "method": method, "params": params }));
                *open.lock().unwrap() = Some((frames, message["id"].clone()));
                script
            }
            None if message["id"] == 99 => {
                if let Some((frames, id)) = open.lock().unwrap().take() {
                    let said = message.get("result").or(message.get("error")).unwrap().to_string();
                    let result = json!({ "content": [{ "type": "text", "text": said }] });
                    let end = json!({ "jsonrpc": "2.0", "id": id, "result": result });
                    frames.send(&format!("data: {end}\n\n"));
                }
                Script::answer("202 Accepted", &[], "")
            }
            _ => Script::answer("202 Accepted", &[], ""),
        }
    }
}

/// A modern call whose client can be asked for a form, and what else it says.
pub(super) async fn modern(agent: &Agent, capabilities: Value, more: Value) -> Reply {
    let mut params = json!({ "name": "get_issue", "arguments": { "title": "hello" }, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": "mine",
        "io.modelcontextprotocol/clientCapabilities": capabilities } });
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    let body = json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params }).to_string();
    let headers =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "get_issue")];
    agent.post(body, &headers).await
}

/// The messages of a stream.
pub(super) fn messages(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn a_question_of_an_old_server_is_a_result_that_wants_input_and_the_same_call_goes_on() {
    let form = json!({ "message": "Sure?", "requestedSchema": { "type": "object", "properties": {} } });
    let shore = Shore::of(Era::Legacy, asking("elicitation/create", form.clone())).await;
    let can = json!({ "elicitation": { "form": {} } });
    let first = modern(&shore.agent, can.clone(), json!({})).await;
    let heard = messages(&first.text);
    assert_eq!(heard.len(), 2, "progress and the question, but no log that nobody asked for: {}", first.text);
    assert_eq!(heard[0]["params"]["progressToken"], "mine");
    let wanted = &heard[1]["result"];
    assert_eq!((&heard[1]["id"], &wanted["resultType"]), (&json!("a"), &json!("input_required")));
    let question = json!({ "method": "elicitation/create", "params": form });
    assert_eq!(wanted["inputRequests"], json!({ "1": question }));
    let state = wanted["requestState"].clone();

    let missing =
        modern(&shore.agent, can.clone(), json!({ "requestState": state, "inputResponses": {} })).await;
    assert_eq!((missing.status, missing.code()), (StatusCode::BAD_REQUEST, -32602));
    let said = json!({ "action": "accept", "content": {} });
    let more = json!({ "requestState": state, "inputResponses": { "1": said } });
    let other =
        json!({ "requestState": state, "inputResponses": { "1": said }, "arguments": { "title": "no" } });
    assert_eq!(modern(&shore.agent, can.clone(), other).await.code(), -32602, "it is another call");
    let second = modern(&shore.agent, can.clone(), more.clone()).await;
    assert_eq!(second.words(), said.to_string());
    let again = modern(&shore.agent, can, more).await;
    assert_eq!((again.status, again.code()), (StatusCode::BAD_REQUEST, -32602), "once is enough");
    let calls = shore.methods().iter().filter(|method| *method == "tools/call").count();
    assert_eq!(calls, 1, "the server was called once");
}

#[tokio::test]
async fn a_question_that_the_agent_cannot_answer_is_refused_for_it() {
    let shore = Shore::of(Era::Legacy, asking("sampling/createMessage", json!({ "messages": [] }))).await;
    let answer = modern(&shore.agent, json!({ "elicitation": {} }), json!({})).await;
    let last = messages(&answer.text).pop().unwrap();
    assert!(last["result"]["content"][0]["text"].as_str().unwrap().contains("-32601"), "{last}");
}

/// Modern servers answer whoever describes themselves, and nobody else.
fn described(asked: &Asked, message: &Value) -> bool {
    let meta = &message["params"]["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        && meta["io.modelcontextprotocol/clientCapabilities"].is_object()
        && asked.header("mcp-protocol-version") == Some("2026-07-28")
        && asked.header("mcp-method") == message["method"].as_str()
        && asked.header("mcp-name") == message["params"]["name"].as_str()
        && asked.header("mcp-session-id").is_none()
}

pub(super) fn without_sessions(asked: &Asked) -> Script {
    let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    if !described(asked, &message) {
        let error = json!({ "code": -32601, "message": "No" });
        let body = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }).to_string();
        return Script::answer("404 Not Found", &[("content-type", "application/json")], body);
    }
    let params = &message["params"];
    match message["method"].as_str().unwrap_or_default() {
        "tools/list" => {
            let list =
                json!({ "tools": tools(), "resultType": "complete", "ttlMs": 5, "cacheScope": "public" });
            Script::json(&answered(&message, &list))
        }
        "tools/call" if params["inputResponses"].is_null() && params["name"] == "create_issue" => {
            let question = json!({ "method": "elicitation/create", "params": { "message": "Sure?" } });
            let wanted = json!({ "resultType": "input_required", "requestState": "s3cret",
                                 "inputRequests": { "sure": question } });
            Script::json(&answered(&message, &wanted))
        }
        "tools/call" => {
            let said = params["inputResponses"]["sure"]["content"]["yes"].to_string();
            let said = format!("{said} {}", params["requestState"]);
            let content = json!([{ "type": "text", "text": said }]);
            Script::json(&answered(&message, &json!({ "resultType": "complete", "content": content })))
        }
        _ => {
            let error = json!({ "code": -32602, "message": "Unknown" });
            let body = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }).to_string();
            Script::answer("400 Bad Request", &[("content-type", "application/json")], body)
        }
    }
}

pub(super) async fn opened(agent: &Agent, capabilities: Value) -> (Reply, String) {
    let open = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": capabilities,
        "clientInfo": { "name": "old", "version": "1" } } });
    let opened = agent.post(open.to_string(), &[]).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.text);
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    (opened, session)
}

#[tokio::test]
async fn a_handshake_is_refused_in_many_ways_and_answered_by_a_server_of_both_eras_itself() {
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"No"}}"#;
    let event = format!("data: {error}\n\n");
    let kind = |kind: &'static str| [("content-type", kind)];
    for (status, kind, body) in [
        ("200 OK", kind("application/json"), error),
        ("200 OK", kind("text/event-stream"), event.as_str()),
        ("400 Bad Request", kind("application/json"), error),
        ("405 Method Not Allowed", kind("text/plain"), "no"),
    ] {
        let body = body.to_owned();
        let shore = Shore::of(Era::Modern, move |_| Script::answer(status, &kind, &body)).await;
        let (open, _) = opened(&shore.agent, json!({})).await;
        assert_eq!(open.json()["result"]["serverInfo"]["name"], "Shore", "{status}");
    }
    let both = |_: &Asked| {
        let result = r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"own"}}"#;
        let body = format!("id: 7\ndata: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}\n\n");
        Script::answer("200 OK", &[("content-type", "text/event-stream"), ("mcp-session-id", "s")], body)
    };
    let shore = Shore::of(Era::Modern, both).await;
    let (open, session) = opened(&shore.agent, json!({})).await;
    assert!(open.text.starts_with("id: 7\ndata: ") && open.text.contains("\"own\""), "{}", open.text);
    assert_ne!(session, "s");
    let refused = Shore::of(Era::Modern, |_| Script::answer("401 No", &[], "")).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
    assert_eq!(refused.agent.post(body, &[]).await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn an_agent_with_sessions_uses_a_server_without_them() {
    let shore = Shore::of(Era::Modern, without_sessions).await;
    let (open, session) =
        opened(&shore.agent, json!({ "roots": { "listChanged": true }, "tasks": {} })).await;
    let result = open.json()["result"].clone();
    assert_eq!(result["protocolVersion"], "2025-06-18");
    assert_eq!(result["capabilities"], json!({ "tools": { "listChanged": true }, "prompts": {} }));
    assert_eq!(result["serverInfo"], json!({ "name": "Shore", "version": "3" }));
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(shore.agent.post(told, &within).await.status, StatusCode::ACCEPTED);
    let ping = shore.agent.post(r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#, &within).await;
    assert_eq!(ping.text, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    let before = shore.asked().len();

    let list = shore.agent.post(r#"{"jsonrpc":"2.0","id":3,"method":"tools/list"}"#, &within).await.json();
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(list["result"].as_object().unwrap().len(), 1, "no word of the other era: {list}");
    let call =
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"get_issue","arguments":{}}}"#;
    let call = shore.agent.post(call, &within).await;
    assert_eq!((call.words().as_str(), &call.json()["id"]), ("null null", &json!("x")));
    let wrong =
        shore.agent.post(r#"{"jsonrpc":"2.0","id":5,"method":"prompts/get","params":{"name":"x"}}"#, &within);
    let wrong = wrong.await;
    assert_eq!((wrong.status, wrong.code()), (StatusCode::OK, -32602), "a 4xx would end the session");

    let meta = shore.asked()[before].1["params"]["_meta"].clone();
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({ "roots": {} }));
    assert_eq!(meta["io.modelcontextprotocol/clientInfo"], json!({ "name": "old", "version": "1" }));
    let stream = [within[0], within[1], ("accept", "text/event-stream")];
    assert_eq!(shore.agent.send(Method::GET, &stream).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(shore.agent.send(Method::DELETE, &within).await.status, StatusCode::NO_CONTENT);
}

/// Reads a stream until a message has come, and leaves the stream open.
pub(super) async fn until(stream: &mut reqwest::Response, text: &mut String, count: usize) -> Vec<Value> {
    while text.matches("\n\n").count() < count {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    messages(text)
}

#[tokio::test]
async fn input_that_a_modern_server_wants_is_asked_for_on_the_stream_of_an_old_agent() {
    let shore = Shore::of(Era::Modern, without_sessions).await;
    let (_, session) = opened(&shore.agent, json!({ "elicitation": {} })).await;
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let call =
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"create_issue","arguments":{}}}"#;
    let (mut stream, mut text) = (shore.agent.begin(call, &within).await, String::new());
    let question = until(&mut stream, &mut text, 1).await.pop().unwrap();
    assert_eq!(
        (&question["method"], &question["params"]["message"]),
        (&json!("elicitation/create"), &json!("Sure?"))
    );
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"],
                         "result": { "action": "accept", "content": { "yes": true } } });
    let (_, other) = opened(&shore.agent, json!({})).await;
    assert_ne!(other, session);
    assert_eq!(shore.agent.post(answer.to_string(), &within).await.status, StatusCode::ACCEPTED);
    let twice = shore.agent.post(answer.to_string(), &within).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST, "nobody asks any more");
    let end = until(&mut stream, &mut text, 2).await.pop().unwrap();
    assert_eq!(end["result"]["content"][0]["text"], "true \"s3cret\"");
    assert_eq!(end["id"], 4);
}

#[tokio::test]
async fn a_call_that_is_called_off_while_its_agent_is_asked_something_is_over() {
    let shore = Shore::of(Era::Modern, without_sessions).await;
    let (_, session) = opened(&shore.agent, json!({ "elicitation": {} })).await;
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let call =
        r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"create_issue","arguments":{}}}"#;
    let (mut stream, mut text) = (shore.agent.begin(call, &within).await, String::new());
    until(&mut stream, &mut text, 1).await;
    let off = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}"#;
    assert_eq!(shore.agent.post(off, &within).await.status, StatusCode::ACCEPTED);
    assert!(stream.chunk().await.unwrap().is_none(), "nothing more is said");
    shore.stage.app.until_number("select count(*) from open_calls", 0).await;
    let calls = shore.stage.calls().await;
    assert_eq!(calls.last().unwrap().0, "call.abandoned");
    shore.stage.app.until_number("select count(*) from call_questions", 0).await;
}

#[tokio::test]
async fn a_server_that_says_no_is_told_in_the_agents_own_form() {
    let shore = Shore::of(Era::Legacy, |_| Script::answer("503 Oh", &[], "<h1>No</h1>")).await;
    let failed = shore.agent.call("get_issue").await;
    assert_eq!(failed.json()["result"]["isError"], true);
    assert!(failed.words().starts_with("[PORTREEVE FAILED] shore: the server answered with HTTP 503"));
    let calls = shore.stage.calls_once(2).await;
    assert_eq!(calls[1].0, "call.failed");
    assert_eq!(calls[1].1.call.as_ref().unwrap().code.as_deref(), Some("upstream_failed"));
}

#[tokio::test]
async fn behind_the_merged_endpoint_both_kinds_of_agent_reach_both_kinds_of_server() {
    let shore = Shore::of(Era::Legacy, with_sessions(100)).await;
    let agent = shore.agent.at(&format!("{}/mcp/acme", shore.stage.app.origin()));
    assert_eq!(agent.call("shore__get_issue").await.words(), "done");
    let (_, session) = opened(&agent, json!({})).await;
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let call = r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"shore__get_issue"}}"#;
    assert_eq!(agent.post(call, &within).await.words(), "done");
    let unopened = agent.post(call, &[]).await;
    assert_eq!(unopened.words(), "done", "whoever opened no session has none at the server's either");
}

#[tokio::test]
async fn the_end_of_a_session_ends_what_is_held_for_it_at_its_servers() {
    let shore = Shore::of(Era::Legacy, with_sessions(100)).await;
    let agent = shore.agent.at(&format!("{}/mcp/acme", shore.stage.app.origin()));
    let (_, session) = opened(&agent, json!({})).await;
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let call = r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"shore__get_issue"}}"#;
    assert_eq!(agent.post(call, &within).await.words(), "done");
    let ended = || {
        let sessions = shore.asked().into_iter().filter(|(asked, _)| asked.method == "DELETE");
        sessions.map(|(asked, _)| asked.header("mcp-session-id").unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (_, other) = opened(&agent, json!({})).await;
    let others = [("mcp-session-id", other.as_str()), ("mcp-protocol-version", "2025-06-18")];
    assert_eq!(agent.send(Method::DELETE, &others).await.status, StatusCode::NO_CONTENT);
    assert!(ended().is_empty(), "nothing is held for it: {:?}", ended());
    for _ in 0..2 {
        assert_eq!(agent.send(Method::DELETE, &within).await.status, StatusCode::NO_CONTENT);
        assert_eq!(ended(), ["session-1"]);
    }
}
