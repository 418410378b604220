//! What may come back, and how long it may take.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use portreeve::io::net::{
    client::{Egress, EgressSettings},
    error::{ConnectFault, EgressError, Moment, Part, Phase},
};
use tokio::net::{TcpSocket, TcpStream};

use super::{get, local, next, request, settings, text};
use crate::kit::{
    fake_names::FakeNames,
    fake_server::{Act, FakeServer, Script, closed_port},
};

const SHORT: Duration = Duration::from_millis(60);

#[tokio::test]
async fn a_request_arrives_as_it_was_made_and_the_answer_comes_back() {
    let server = FakeServer::scripted([Script::answer(
        "202 Accepted",
        &[
            ("x-two", "b"),
            ("x-two", "a"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
        ],
        "{\"ok\":true}",
    )])
    .await;
    let egress = local();
    let mut ask = request(&egress, &server.url("/mcp?key=1")).unwrap();
    ask.method = Method::POST;
    ask.body = Bytes::from_static(b"{\"jsonrpc\":\"2.0\"}");
    ask.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
    ask.headers.insert(header::HOST, HeaderValue::from_static("elsewhere.example"));
    let reply = egress.send(ask).await.unwrap();

    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let two: Vec<_> = reply.headers.get_all("x-two").iter().collect();
    assert_eq!(two, ["b", "a"]);
    for gone in ["connection", "x-hop", "keep-alive", "transfer-encoding"] {
        assert!(!reply.headers.contains_key(gone), "{gone}");
    }
    assert_eq!(reply.read(100).await.unwrap(), "{\"ok\":true}");

    let [asked] = server.asked().try_into().unwrap();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/mcp?key=1"));
    assert_eq!(asked.body, b"{\"jsonrpc\":\"2.0\"}");
    assert_eq!(asked.header("authorization"), Some("Bearer abc"));
    assert_eq!(asked.header("host"), Some(format!("127.0.0.1:{}", server.port()).as_str()));
    assert_eq!(asked.header("content-length"), Some("17"));
    assert!(asked.header("user-agent").is_some_and(|agent| agent.starts_with("portreeve/")));
    assert_eq!(asked.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).count(), 1);
}

#[tokio::test]
async fn redirects_are_answers_and_nobody_follows_them() {
    let canary = FakeServer::canary().await;
    let server = FakeServer::scripted([Script::redirect(&canary.url("/inside"))]).await;
    let reply = get(&local(), &server.url("/")).await.unwrap();
    assert_eq!(reply.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(reply.headers[header::LOCATION], canary.url("/inside"));
    assert_eq!((server.connections(), canary.connections()), (1, 0));
}

#[tokio::test]
async fn events_pass_on_one_by_one_as_they_are_sent() {
    let (script, frames) = Script::events();
    let server = FakeServer::scripted([script]).await;
    let mut body = get(&local(), &server.url("/sse")).await.unwrap().body;
    for event in ["data: one\n\n", "data: two\n\n", ": three\n\n"] {
        frames.send(event);
        assert_eq!(next(&mut body).await.unwrap().unwrap(), event);
    }
    drop(frames);
    assert!(next(&mut body).await.is_none());
    assert!(next(&mut body).await.is_none());
}

#[tokio::test]
async fn a_large_body_passes_in_small_parts() {
    let large = vec![7_u8; 4 << 20];
    let server = FakeServer::scripted([Script::answer("200 OK", &[], &large)]).await;
    let mut body = get(&local(), &server.url("/")).await.unwrap().body;
    let (mut total, mut largest) = (0, 0);
    while let Some(part) = next(&mut body).await {
        let part = part.unwrap();
        (total, largest) = (total + part.len(), largest.max(part.len()));
    }
    assert_eq!(total, large.len());
    assert!(largest <= 256 * 1024, "{largest}");
}

#[tokio::test]
async fn a_document_has_a_size_at_the_most() {
    let endless = |head: &str| {
        let head = Act::Write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes());
        Script::acts([
            head,
            Act::Forever(b"400\r\n".iter().chain(&[b'x'; 1024]).chain(b"\r\n").copied().collect()),
        ])
    };
    let server = FakeServer::scripted([
        endless("transfer-encoding: chunked"),
        endless("content-length: 99999999999"),
        endless("x-length: none"),
        Script::text("exactly 20 characters"),
        Script::text("just 20 characters !"),
    ])
    .await;
    let egress = local();
    let mut outcomes = Vec::new();
    for _ in 0..5 {
        outcomes.push(get(&egress, &server.url("/")).await.unwrap().read(20).await);
    }
    let (last, too_large) = outcomes.split_last().unwrap();
    assert!(
        too_large.iter().all(|outcome| *outcome == Err(EgressError::TooLarge(Part::Body))),
        "{too_large:?}"
    );
    assert_eq!(last.as_ref().unwrap(), "just 20 characters !");
    drop(egress);
    server.is_left().await;
}

#[tokio::test]
async fn headers_have_a_size_at_the_most() {
    let many = "x-many: 1\r\n".repeat(200);
    let server = FakeServer::scripted([
        Script::answer("200 OK", &[("x-large", &"a".repeat(60 * 1024))], "fits"),
        Script::answer("200 OK", &[("x-large", &"a".repeat(70 * 1024))], ""),
        Script::raw(format!("HTTP/1.1 200 OK\r\n{many}\r\n")),
        Script::acts([Act::Write(b"HTTP/1.1 200 OK\r\nx: ".to_vec()), Act::Forever(vec![b'a'; 1024])]),
    ])
    .await;
    let egress = local();
    assert_eq!(text(&egress, &server.url("/")).await.as_deref(), Ok("fits"));
    for what in ["one large header", "many headers", "an endless header"] {
        let error = get(&egress, &server.url("/")).await.expect_err(what);
        assert_eq!(error, EgressError::TooLarge(Part::Headers), "{what}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_called_so() {
    let garbage = [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 banana\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname : spaced\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a chunk\r\n",
    ];
    let server = FakeServer::scripted(garbage.map(Script::raw)).await;
    let egress = local();
    for bytes in garbage {
        let error = text(&egress, &server.url("/")).await.expect_err(bytes);
        assert_eq!(error, EgressError::Protocol, "{bytes:?}");
        assert!(error.may_have_arrived());
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_is_told_from_one_that_refuses() {
    let cut = |bytes: &str| Script::acts([Act::Write(bytes.as_bytes().to_vec()), Act::Close]);
    let server = FakeServer::scripted([
        cut(""),
        cut("HTTP/1.1 200 OK\r\ncontent-"),
        cut("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        cut("HTTP/1.1 200 OK\r\n\r\nup to the end of the connection"),
    ])
    .await;
    let egress = local();
    let mut outcomes = Vec::new();
    for _ in 0..5 {
        outcomes.push(text(&egress, &server.url("/")).await);
    }
    let before = Err(EgressError::Closed(Moment::BeforeAnswer));
    let within = Err(EgressError::Closed(Moment::MidBody));
    let whole = Ok("up to the end of the connection".to_owned());
    assert_eq!(outcomes, [before.clone(), before, within.clone(), within, whole]);
    assert_eq!(server.asked().len(), 5, "none is sent twice");

    let closed = closed_port().await;
    let error = get(&egress, &format!("http://127.0.0.1:{closed}/")).await.expect_err("closed");
    assert_eq!(error, EgressError::Connect(ConnectFault::Refused));
    assert!(!error.may_have_arrived());
}

#[tokio::test]
async fn the_head_of_an_answer_may_take_as_long_as_the_request_says() {
    let (script, answer) = Script::later();
    let server = FakeServer::scripted([Script::silence(), script]).await;
    let egress = local();
    let mut ask = request(&egress, &server.url("/")).unwrap();
    ask.first_byte_within = SHORT;
    let error = egress.send(ask).await.expect_err("silence");
    assert_eq!(error, EgressError::Timeout(Phase::FirstByte));
    assert!(error.may_have_arrived());
    server.is_left().await;

    answer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate".to_vec()).unwrap();
    drop(answer);
    assert_eq!(text(&egress, &server.url("/")).await.as_deref(), Ok("late"));
}

#[tokio::test]
async fn a_body_may_pause_as_long_as_the_request_says() {
    let (script, frames) = Script::events();
    let server = FakeServer::scripted([script]).await;
    let egress = local();
    let mut ask = request(&egress, &server.url("/")).unwrap();
    ask.idle_within = Some(SHORT);
    let mut body = egress.send(ask).await.unwrap().body;
    frames.send("data: one\n\n");
    assert_eq!(next(&mut body).await.unwrap().unwrap(), "data: one\n\n");
    assert_eq!(next(&mut body).await.unwrap(), Err(EgressError::Timeout(Phase::Idle)));
    assert!(next(&mut body).await.is_none());
    server.is_left().await;
}

#[tokio::test]
async fn looking_up_and_connecting_have_their_time() {
    let resolver = Arc::new(FakeNames::default().never_answers("slow.example"));
    let egress =
        Egress::new(EgressSettings { connect_within: SHORT, resolver, ..settings(&["127.0.0.0/8"]) });
    let error = get(&egress, "http://slow.example/").await.expect_err("no name server");
    assert_eq!(error, EgressError::Timeout(Phase::Lookup));

    // Nobody accepts, and the queue of the listener is full.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let error = get(&egress, &format!("http://{address}/")).await.expect_err("a full queue");
    assert_eq!(error, EgressError::Timeout(Phase::Connect));
    assert!(!error.may_have_arrived());
}
