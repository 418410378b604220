//! What is said on streams of their own: the transport of 2024, and what servers say unasked, in either era.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use portreeve::{
    base::{actor::Principal, permission::Role, risk::Class},
    domain::servers::Era,
};
use serde_json::{Value, json};

use crate::{
    kit::{
        app::TestApp,
        fake_server::{Asked, FakeServer, Frames, Script},
    },
    proxy::{
        bridge::{Shore, answered, messages, modern, opened, until},
        stage::{Agent, Stage, tools, usual},
    },
};

type Streams = Arc<Mutex<Vec<Option<Frames>>>>;

/// A server of the transport of 2024: one address for the stream, another for messages. It hangs up where an issue is to
/// be created, and asks for a form before it gets one.
fn by_stream(streams: Streams) -> impl Fn(&Asked) -> Script + Send + Sync + 'static {
    let called = Mutex::new(Value::Null);
    move |asked| {
        let mut streams = streams.lock().unwrap();
        if asked.method == "GET" {
            let (script, frames) = Script::events();
            frames.send(&format!(": hello\n\nevent: endpoint\ndata: /messages?s={}\n\n", streams.len()));
            streams.push(Some(frames));
            return script;
        }
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let at: usize = asked.path.strip_prefix("/messages?s=").and_then(|at| at.parse().ok()).unwrap();
        let Some(frames) = &streams[at] else { return Script::answer("404 Not Found", &[], "") };
        let say = |message: String| frames.send(&format!("event: message\ndata: {message}\n\n"));
        let version = json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {} });
        match message["method"].as_str() {
            Some("initialize") => say(answered(&message, &version)),
            Some("tools/list") => say(answered(&message, &json!({ "tools": tools() }))),
            Some("tools/call") if message["params"]["name"] == "create_issue" => streams[at] = None,
            Some("tools/call") => {
                let token = &message["params"]["_meta"]["progressToken"];
                let params = json!({ "progressToken": token, "progress": 1 });
                let progress =
                    json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
                let params = json!({ "message": "Sure?" });
                let question =
                    json!({ "jsonrpc": "2.0", "id": 99, "method": "elicitation/create", "params": params });
                *called.lock().unwrap() = message.clone();
                say(progress.to_string());
                say(question.to_string());
            }
            None if message["id"] == 99 => {
                let said = message.get("result").or(message.get("error")).unwrap().to_string();
                let result = json!({ "content": [{ "type": "text", "text": said }] });
                say(answered(&called.lock().unwrap(), &result));
            }
            _ => {}
        }
        Script::answer("202 Accepted", &[], "Accepted")
    }
}

async fn on_stream(streams: &Streams) -> Shore {
    let capabilities = r#"{"tools":{"listChanged":true}}"#;
    Shore::declaring(Era::Legacy, "sse", capabilities, by_stream(Arc::clone(streams))).await
}

#[tokio::test]
async fn agents_of_both_kinds_use_a_server_of_the_transport_of_2024() {
    let streams = Streams::default();
    let shore = on_stream(&streams).await;
    let list = shore.agent.ask("tools/list", json!({})).await.json()["result"].clone();
    assert_eq!(list["tools"].as_array().unwrap().len(), 2, "a deletion is above the ceiling");
    assert_eq!((&list["resultType"], &list["cacheScope"]), (&json!("complete"), &json!("private")));
    let can = json!({ "elicitation": {} });
    let first = modern(&shore.agent, can.clone(), json!({})).await;
    let heard = messages(&first.text);
    assert_eq!(heard[0]["params"]["progressToken"], "mine");
    let state = &heard[1]["result"]["requestState"];
    let more = json!({ "requestState": state, "inputResponses": { "1": { "action": "decline" } } });
    assert_eq!(modern(&shore.agent, can, more).await.words(), r#"{"action":"decline"}"#);

    let (open, session) = opened(&shore.agent, json!({})).await;
    assert_eq!(open.json()["result"]["capabilities"], json!({ "tools": { "listChanged": true } }));
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let call =
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"get_issue","arguments":{}}}"#;
    let call = shore.agent.post(call, &within).await;
    assert!(call.words().contains("-32601") && call.json()["id"] == "x", "{}", call.text);

    let posted: Vec<_> = shore.asked().into_iter().filter(|(asked, _)| asked.method == "POST").collect();
    assert!(posted.iter().all(|(asked, _)| asked.path.starts_with("/messages?s=")));
    assert!(posted.iter().all(|(asked, _)| asked.header("mcp-session-id").is_none()));
    assert!(posted.iter().all(|(asked, _)| asked.header("authorization").is_none()));
    assert_eq!(streams.lock().unwrap().len(), 3, "one for each client and what it can do");
    let calls = shore.stage.calls_once(10).await;
    assert!(calls.iter().all(|(action, _)| action == "call.allowed" || action == "call.answered"));
}

#[tokio::test]
async fn a_stream_that_breaks_off_fails_its_call_and_the_next_call_opens_another() {
    let streams = Streams::default();
    let shore = on_stream(&streams).await;
    let broken = shore.agent.call("create_issue").await;
    assert!(broken.words().contains("ended its stream without an answer"), "{}", broken.text);
    assert_eq!(shore.stage.calls_once(2).await[1].0, "call.failed");
    let list = shore.agent.ask("tools/list", json!({})).await;
    assert_eq!(list.json()["result"]["tools"].as_array().unwrap().len(), 2);
    assert_eq!(streams.lock().unwrap().len(), 2);
    let calls = shore.methods().iter().filter(|method| *method == "tools/call").count();
    assert_eq!(calls, 1, "nothing is carried out twice");
}

#[tokio::test]
async fn a_stream_that_sends_messages_to_another_host_is_not_followed() {
    let canary = FakeServer::canary().await;
    let elsewhere = canary.url("/messages");
    let shore = Shore::declaring(Era::Legacy, "sse", "{}", move |_| {
        let (script, frames) = Script::events();
        frames.send(&format!("event: endpoint\ndata: {elsewhere}\n\n"));
        script
    })
    .await;
    let refused = shore.agent.call("get_issue").await;
    assert!(refused.words().contains("to another host"), "{}", refused.text);
    assert_eq!(canary.connections(), 0);
    let calls = shore.stage.calls_once(2).await;
    assert_eq!(calls[1].1.call.as_ref().unwrap().code.as_deref(), Some("upstream_address_refused"));
}

/// A server with sessions, whose stream the test holds; without one where there is none.
fn with_news(streams: Option<Streams>) -> impl Fn(&Asked) -> Script + Send + Sync + 'static {
    move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let answer = |result: Value| {
            let headers = [("content-type", "application/json"), ("mcp-session-id", "s-1")];
            Script::answer("200 OK", &headers, answered(&message, &result))
        };
        if message["method"] == "initialize" {
            let capabilities =
                json!({ "tools": { "listChanged": true }, "resources": { "subscribe": true } });
            return answer(json!({ "protocolVersion": "2025-06-18", "capabilities": capabilities }));
        }
        if asked.header("mcp-session-id") != Some("s-1") {
            return Script::answer("400 Bad Request", &[], "");
        }
        match (asked.method.as_str(), message["method"].as_str(), &streams) {
            ("GET", _, Some(streams)) => {
                let (script, frames) = Script::events();
                streams.lock().unwrap().push(Some(frames));
                script
            }
            ("GET", ..) => Script::answer("405 Method Not Allowed", &[], ""),
            ("DELETE", ..) => Script::answer("204 No Content", &[], ""),
            (_, Some("resources/subscribe"), _) if message["params"]["uri"] == "file:///b" => {
                let error = json!({ "code": -32002, "message": "No" });
                Script::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }).to_string())
            }
            (_, Some("resources/subscribe"), _) => answer(json!({})),
            _ => Script::answer("202 Accepted", &[], ""),
        }
    }
}

/// A subscription of the modern era.
pub(super) async fn listen(agent: &Agent, filter: Value) -> reqwest::Response {
    let params = json!({ "notifications": filter, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {} } });
    let body = json!({ "jsonrpc": "2.0", "id": "sub", "method": "subscriptions/listen", "params": params });
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")];
    agent.begin(body.to_string(), &headers).await
}

const NEWS: &str =
    r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true}}"#;
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

fn news(method: &str, params: Value) -> String {
    let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
    format!("id: 1\ndata: {message}\n\n")
}

#[tokio::test]
async fn a_subscription_hears_the_stream_of_an_old_server_and_ends_its_session_when_it_goes() {
    let streams = Streams::default();
    let shore = Shore::declaring(Era::Legacy, "http", NEWS, with_news(Some(Arc::clone(&streams)))).await;
    let wanted = json!({ "toolsListChanged": true, "resourceSubscriptions": ["file:///a", "file:///b"] });
    let (mut stream, mut text) = (listen(&shore.agent, wanted).await, String::new());
    let first = until(&mut stream, &mut text, 1).await.remove(0);
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    let honored = json!({ "toolsListChanged": true, "resourceSubscriptions": ["file:///a"] });
    assert_eq!(first["params"], json!({ "notifications": honored, "_meta": { SUBSCRIPTION: "sub" } }));

    let send = |text: String| streams.lock().unwrap()[0].as_ref().unwrap().send(&text);
    send(news("notifications/prompts/list_changed", json!({})));
    send(news("notifications/message", json!({ "level": "info", "data": "hm" })));
    send(news("notifications/tools/list_changed", json!({})));
    send("data: {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n\n".to_owned());
    send(news("notifications/resources/updated", json!({ "uri": "file:///a" })));
    let heard = until(&mut stream, &mut text, 3).await;
    assert_eq!(heard[1]["method"], "notifications/tools/list_changed", "the rest was not asked for");
    assert_eq!(heard[1]["params"]["_meta"][SUBSCRIPTION], "sub");
    let updated = json!({ "uri": "file:///a", "_meta": { SUBSCRIPTION: "sub" } });
    assert_eq!((heard.len(), &heard[2]["params"]), (3, &updated));

    drop(stream);
    let calls = shore.stage.calls_once(2).await;
    assert_eq!((calls[0].0.as_str(), calls[1].0.as_str()), ("call.allowed", "call.abandoned"));
    let methods = shore.methods();
    assert_eq!(methods.last().map(String::as_str), Some("DELETE"), "{methods:?}");
    let pong = |(_, message): &(Asked, Value)| message["id"] == 5 && message["result"] == json!({});
    assert!(shore.asked().iter().any(pong));
}

#[tokio::test]
async fn a_subscription_at_a_server_without_a_stream_gets_nothing_and_ends() {
    let shore = Shore::declaring(Era::Legacy, "http", NEWS, with_news(None)).await;
    let stream = listen(&shore.agent, json!({ "toolsListChanged": true })).await;
    let heard = messages(&stream.text().await.unwrap());
    assert_eq!(heard[0]["params"]["notifications"], json!({}));
    let ended = json!({ "resultType": "complete", "_meta": { SUBSCRIPTION: "sub" } });
    assert_eq!((heard.len(), &heard[1]["id"], &heard[1]["result"]), (2, &json!("sub"), &ended));
    assert_eq!(shore.stage.calls_once(2).await[1].0, "call.answered");

    let bad = listen(&shore.agent, json!({ "toolsListChanged": "yes" })).await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    assert!(bad.text().await.unwrap().contains("-32602"));
    assert_eq!(shore.stage.calls_once(4).await[3].0, "call.answered");
}

#[tokio::test]
async fn a_subscription_hears_the_transport_of_2024_too() {
    let streams = Streams::default();
    let shore = on_stream(&streams).await;
    let (mut stream, mut text) =
        (listen(&shore.agent, json!({ "toolsListChanged": true })).await, String::new());
    until(&mut stream, &mut text, 1).await;
    let told = news("notifications/tools/list_changed", json!({}));
    streams.lock().unwrap()[0].as_ref().unwrap().send(&told);
    let heard = until(&mut stream, &mut text, 2).await;
    assert_eq!(heard[1]["method"], "notifications/tools/list_changed");
    *streams.lock().unwrap() = vec![None];
    let heard = until(&mut stream, &mut text, 3).await;
    assert_eq!(heard[2]["result"]["resultType"], "complete", "a stream that is over ends the subscription");
}

/// A modern server whose subscription the test holds.
fn subscribed(streams: Streams) -> impl Fn(&Asked) -> Script + Send + Sync + 'static {
    move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let is_modern = asked.header("mcp-method") == Some("subscriptions/listen")
            && asked.header("mcp-session-id").is_none()
            && message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28";
        if !is_modern {
            return Script::answer("404 Not Found", &[], "");
        }
        let (script, frames) = Script::events();
        let tag = json!({ SUBSCRIPTION: message["id"] });
        let params = json!({ "notifications": message["params"]["notifications"], "_meta": tag });
        frames.send(&news("notifications/subscriptions/acknowledged", params));
        frames.send(&news("notifications/tools/list_changed", json!({ "_meta": tag })));
        streams.lock().unwrap().push(Some(frames));
        script
    }
}

#[tokio::test]
async fn the_stream_of_an_old_agent_hears_what_a_modern_server_says_unasked() {
    let streams = Streams::default();
    let shore = Shore::of(Era::Modern, subscribed(Arc::clone(&streams))).await;
    let (_, session) = opened(&shore.agent, json!({})).await;
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let (mut stream, mut text) = (shore.agent.follow(&within).await, String::new());
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let told = until(&mut stream, &mut text, 1).await.remove(0);
    assert_eq!(told["method"], "notifications/tools/list_changed", "the acknowledgment is none of its words");
    assert_eq!(told["params"], json!({ "_meta": {} }));
    let asked = shore.asked().pop().unwrap().1;
    assert_eq!(
        asked["params"]["notifications"],
        json!({ "toolsListChanged": true }),
        "what the server tells"
    );
    streams.lock().unwrap().clear();
    assert!(stream.chunk().await.unwrap().is_none(), "it ends where the server ends it");
}

#[tokio::test]
async fn an_old_agent_follows_resources_of_a_modern_server_from_any_replica() {
    let streams = Streams::default();
    let shore = Shore::declaring(Era::Modern, "http", NEWS, subscribed(Arc::clone(&streams))).await;
    let app = &shore.stage.app;
    let beside = TestApp::beside(app).await;
    let elsewhere = shore.agent.at(&format!("{}/mcp/acme/shore", beside.origin()));
    let (open, session) = opened(&shore.agent, json!({})).await;
    assert_eq!(open.json()["result"]["capabilities"]["resources"], json!({ "subscribe": true }));
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let (mut stream, mut text) = (shore.agent.follow(&within).await, String::new());
    until(&mut stream, &mut text, 1).await;
    let say = async |verb: &str, uri: &str| {
        let method = format!("resources/{verb}");
        let body = json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": { "uri": uri } });
        let reply = elsewhere.post(body.to_string(), &within).await;
        assert_eq!(reply.json()["result"], json!({}), "{}", reply.text);
    };
    let followed = || {
        let asked = shore.asked().pop().unwrap().1;
        asked["params"]["notifications"]["resourceSubscriptions"].clone()
    };

    for _ in 0..2 {
        say("subscribe", "file:///a").await;
    }
    // The server tells of its tools whenever it is subscribed to.
    until(&mut stream, &mut text, 2).await;
    assert_eq!(followed(), json!(["file:///a"]));
    let updated = json!({ "uri": "file:///a", "_meta": { SUBSCRIPTION: 1 } });
    let updated = news("notifications/resources/updated", updated);
    streams.lock().unwrap().last().unwrap().as_ref().unwrap().send(&updated);
    let heard = until(&mut stream, &mut text, 3).await;
    assert_eq!(heard[2]["params"], json!({ "uri": "file:///a", "_meta": {} }));
    let plain =
        "select count(*) from resource_subscriptions where position('file'::bytea in sealed_address) > 0";
    assert_eq!(app.number(plain).await, 0);

    say("unsubscribe", "file:///a").await;
    until(&mut stream, &mut text, 4).await;
    assert_eq!(followed(), Value::Null);
    say("subscribe", "file:///b").await;
    assert_eq!(elsewhere.send(Method::DELETE, &within).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.number("select count(*) from resource_subscriptions").await, 0);
}

#[tokio::test]
async fn a_stream_whose_server_never_agrees_is_over_when_its_agent_goes() {
    let streams = Streams::default();
    let telling = subscribed(Arc::clone(&streams));
    let is_about_one = |asked: &Asked| String::from_utf8_lossy(&asked.body).contains("resourceSubscriptions");
    let server = move |asked: &Asked| if is_about_one(asked) { Script::silence() } else { telling(asked) };
    let shore = Shore::declaring(Era::Modern, "http", NEWS, server).await;
    let (_, session) = opened(&shore.agent, json!({})).await;
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let (mut stream, mut text) = (shore.agent.follow(&within).await, String::new());
    until(&mut stream, &mut text, 1).await;
    let body = r#"{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"file:///a"}}"#;
    assert_eq!(shore.agent.post(body, &within).await.json()["result"], json!({}));
    let over = async {
        while !shore.server.asked().iter().any(is_about_one) {
            tokio::task::yield_now().await;
        }
        drop(stream);
        while !streams.lock().unwrap()[0].as_ref().unwrap().are_left() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), over).await.expect("nobody listens");
}

#[tokio::test]
async fn a_grant_follows_so_many_resources_with_addresses_of_so_many_bytes() {
    let shore = Shore::declaring(Era::Modern, "http", NEWS, subscribed(Streams::default())).await;
    let (_, session) = opened(&shore.agent, json!({})).await;
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let follow = async |uri: &str| {
        let body =
            json!({ "jsonrpc": "2.0", "id": 5, "method": "resources/subscribe", "params": { "uri": uri } });
        shore.agent.post(body.to_string(), &within).await
    };
    assert_eq!(follow(&format!("file:///{}", "a".repeat(5_000))).await.code(), -32602);
    assert_eq!(follow("file:///a").await.json()["result"], json!({}));
    // As sessions leave them that ended without a word.
    let left = "insert into resource_subscriptions
            (org_id, id, grant_id, server_id, session, address, sealed_address, key_id)
        select org_id, gen_random_uuid(), grant_id, server_id, int8send(n), address, sealed_address, key_id
        from resource_subscriptions, generate_series(1, 5000) as n";
    assert_eq!(shore.stage.app.change(left).await, 5_000);
    assert_eq!(follow("file:///b").await.code(), -32602);
}

#[tokio::test]
async fn a_server_that_tells_nothing_unasked_has_no_stream() {
    let shore =
        Shore::declaring(Era::Modern, "http", r#"{"tools":{}}"#, subscribed(Streams::default())).await;
    let (_, session) = opened(&shore.agent, json!({})).await;
    let before = shore.asked().len();
    let within = [("mcp-session-id", session.as_str()), ("accept", "text/event-stream")];
    let none = shore.agent.send(Method::GET, &within).await;
    assert_eq!(none.status, StatusCode::METHOD_NOT_ALLOWED, "{}", none.text);
    let body = r#"{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"file:///a"}}"#;
    assert_eq!(shore.agent.post(body, &within[..1]).await.code(), -32601);
    assert_eq!(shore.asked().len(), before);
}

/// A server that keeps a stream open for whoever listens, and the agent's end of it once something came through.
async fn listening(stage: &Stage, agent: &Agent) -> reqwest::Response {
    let params = json!({ "notifications": { "toolsListChanged": true }, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {} } });
    let body = json!({ "jsonrpc": "2.0", "id": "sub", "method": "subscriptions/listen", "params": params });
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")];
    let mut stream = agent.begin(body.to_string(), &headers).await;
    assert!(stream.chunk().await.unwrap().is_some(), "{:?}", stage.calls().await);
    stream
}

async fn with_listeners() -> (Stage, Arc<Mutex<Vec<Frames>>>) {
    let open = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&open);
    let stage = Stage::over(Class::Write, move |asked| {
        if asked.header("mcp-method") != Some("subscriptions/listen") {
            return usual(asked);
        }
        let (script, frames) = Script::events();
        frames.send(&news("notifications/subscriptions/acknowledged", json!({})));
        kept.lock().unwrap().push(frames);
        script
    })
    .await;
    (stage, open)
}

/// Whether the stream is over; what comes meanwhile is passed over.
async fn is_over(mut stream: reqwest::Response) -> bool {
    let end = async { while let Ok(Some(_)) = stream.chunk().await {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), end).await.is_ok()
}

#[tokio::test]
async fn an_open_stream_ends_with_its_grant_on_every_replica_and_others_stay_open() {
    let (stage, open) = with_listeners().await;
    let beside = TestApp::beside(&stage.app).await;
    let elsewhere = stage.agent.at(&format!("{}/mcp/acme/github", beside.origin()));
    let person = Principal::User(stage.person);
    let (_, other) = stage.app.grant(&stage.org, person, Class::Write).await;
    let mut unhurt = listening(&stage, &stage.agent.carrying(&other)).await;
    let (here, there) = (listening(&stage, &stage.agent).await, listening(&stage, &elsewhere).await);
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let script = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let suspend = format!("/api/v1/orgs/acme/grants/{}/suspend", stage.grant);
    script.post(&suspend, json!({ "reason": "lunch" })).await.expect(StatusCode::OK);
    assert!(is_over(here).await && is_over(there).await);
    let calls = stage.calls_once(5).await;
    let ended = calls.iter().filter(|(action, _)| action == "call.abandoned").count();
    assert_eq!(ended, 2, "{:?}", calls.iter().map(|call| &call.0).collect::<Vec<_>>());
    for frames in open.lock().unwrap().iter() {
        frames.send(&news("notifications/tools/list_changed", json!({})));
    }
    assert!(unhurt.chunk().await.unwrap().is_some(), "another grant's stream goes on");
}

#[tokio::test]
async fn an_open_stream_ends_when_its_token_expires_and_when_the_process_does() {
    let (stage, _open) = with_listeners().await;
    let stream = listening(&stage, &stage.agent).await;
    stage.app.clock.advance(time::Duration::days(400));
    assert!(is_over(stream).await);
    let (stage, _open) = with_listeners().await;
    let stream = listening(&stage, &stage.agent).await;
    stage.app.wind_down();
    assert!(is_over(stream).await);
}
