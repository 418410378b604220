//! What each kind of bad request is answered, as `docs/mcp.md` says.

use std::sync::Mutex;

use http::{Method, StatusCode};
use portreeve::base::risk::Class;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    kit::fake_server::{Act, FakeServer, Script, closed_port},
    proxy::stage::Stage,
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_issue"}}"#;

#[tokio::test]
async fn whoever_carries_no_good_token_is_challenged_on_every_method() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let made_up = format!("prg_{}", "a".repeat(80));
    for token in ["", "nonsense", made_up.as_str()] {
        let agent = stage.agent.carrying(token);
        let post = agent.post(CALL, &[]).await;
        let get = agent.send(Method::GET, &[("accept", "text/event-stream")]).await;
        for answer in [post, get] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
            let challenge = answer.headers["www-authenticate"].to_str().unwrap().to_owned();
            assert!(challenge.starts_with("Bearer realm=\"portreeve\""), "{challenge}");
        }
    }
    let plain = stage.agent.carrying("").post(CALL, &[]).await;
    assert!(!plain.headers["www-authenticate"].to_str().unwrap().contains("error"));
    assert!(stage.reached().is_empty());
}

#[tokio::test]
async fn a_message_that_could_be_read_two_ways_is_refused() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let cases: [(&[u8], i64); 10] = [
        (b"", -32700),
        (b"{", -32700),
        (br#"{"jsonrpc":"2.0","id":7,"method":"ping"} {}"#, -32700),
        (br#"{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":7,"Method":"ping","method":"ping"}"#, -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}", -32700),
        (br#"[{"jsonrpc":"2.0","id":7,"method":"ping"}]"#, -32600),
        (br#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[]}"#, -32600),
    ];
    for (body, code) in cases {
        let answer = stage.agent.post(body, &[]).await;
        let text = String::from_utf8_lossy(body).into_owned();
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, code),
            "{text}: {}",
            answer.text
        );
    }
    let nested = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"get_issue","arguments":{}1{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    assert_eq!(stage.agent.post(nested, &[]).await.status, StatusCode::BAD_REQUEST);
    assert!(stage.reached().is_empty());
}

#[tokio::test]
async fn what_is_no_request_of_the_protocol_is_told_so() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let agent = &stage.agent;
    let put = agent.send(Method::PUT, &[]).await;
    assert_eq!(put.status, StatusCode::METHOD_NOT_ALLOWED);
    let picture = agent.send(Method::GET, &[("accept", "image/png")]).await;
    assert_eq!(picture.status, StatusCode::NOT_ACCEPTABLE);
    let large = agent.post(vec![b' '; 5 * 1024 * 1024], &[]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let page = agent.post(CALL, &[("origin", "https://evil.example.com")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let rebound = agent.post(CALL, &[("host", "evil.example.com")]).await;
    assert_eq!(rebound.status, StatusCode::FORBIDDEN);
    assert!(stage.reached().is_empty());
}

#[tokio::test]
async fn an_unknown_server_and_one_outside_of_the_grant_are_answered_alike() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let base = stage.app.origin().to_owned();
    let unknown = stage.agent.at(&format!("{base}/mcp/acme/nowhere")).call("get_issue").await;
    let other = stage.app.org("other").await;
    let foreign = FakeServer::canary().await;
    let server = stage.app.server_at(&other, "github", &foreign.url("/mcp")).await;
    let by_id = stage.agent.at(&format!("{base}/mcp/{server}")).call("get_issue").await;
    assert_eq!((unknown.status, by_id.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(unknown.text, by_id.text);
    let elsewhere = stage.agent.at(&format!("{base}/mcp/other/github")).call("get_issue").await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
    assert_eq!(foreign.connections(), 0);
    let own = stage.agent.at(&format!("{base}/mcp/{}", stage.server)).call("get_issue").await;
    assert_eq!(own.words(), "done");
}

#[tokio::test]
async fn a_header_that_contradicts_the_body_is_refused() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "get_issue",
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {} },
    }});
    let headers =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "create_issue")];
    let answer = stage.agent.post(body.to_string(), &headers).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, -32020));
    assert!(stage.reached().is_empty());
}

#[tokio::test]
async fn a_server_that_fails_is_named_in_words_a_model_reads_and_its_challenge_stays_here() {
    let answers = ["401 Unauthorized", "403 Forbidden", "302 Found"];
    for status in answers {
        let stage = Stage::over(Class::Write, move |_| {
            Script::answer(
                status,
                &[("www-authenticate", "Bearer"), ("location", "http://127.0.0.1/x")],
                "{}",
            )
        })
        .await;
        let answer = stage.agent.call("get_issue").await;
        assert_eq!(answer.status, StatusCode::OK, "{status}: {}", answer.text);
        assert!(answer.words().starts_with("[PORTREEVE FAILED] github"), "{}", answer.text);
        assert!(answer.headers.get("www-authenticate").is_none() && answer.headers.get("location").is_none());
        let calls = stage.calls_once(2).await;
        assert_eq!(calls[1].0, "call.failed");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_said_to_be_gone() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let port = closed_port().await;
    let gone = stage.app.server_at(&stage.org, "gone", &format!("http://127.0.0.1:{port}/mcp")).await;
    stage.app.accept_tools(&stage.org, gone, &super::stage::tools()).await;
    let agent = stage.agent.at(&format!("{}/mcp/acme/gone", stage.app.origin()));
    let answer = agent.call("get_issue").await;
    assert!(answer.words().contains("refuses connections"), "{}", answer.text);
    assert_eq!(agent.ask("tools/list", json!({})).await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_server_that_breaks_off_in_the_middle_of_a_stream_breaks_the_answer_off_on_record() {
    let (goes_on, until) = mpsc::unbounded_channel();
    let until = Mutex::new(Some(until));
    let stage = Stage::over(Class::Write, move |_| {
        let event = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let begun = format!("{head}{:x}\r\n{event}\r\n", event.len());
        let until = until.lock().unwrap().take().expect("one call");
        Script::acts([Act::Write(begun.into_bytes()), Act::Follow(until), Act::Close])
    })
    .await;
    let mut answer = stage.agent.begin(CALL, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut text = String::new();
    let mut goes_on = Some(goes_on);
    let broken = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                text.push_str(std::str::from_utf8(&chunk).unwrap());
                if text.contains("notifications/message") {
                    drop(goes_on.take());
                }
            }
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && text.contains("notifications/message"), "{text}");
    let calls = stage.calls_once(2).await;
    let ended = calls[1].1.call.as_ref().unwrap();
    assert_eq!((calls[1].0.as_str(), ended.code.as_deref()), ("call.failed", Some("upstream_hung_up")));
}
