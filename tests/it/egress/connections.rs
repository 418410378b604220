//! What becomes of connections.

use axum::{Router, body::Body, routing::any};
use http::{Method, StatusCode};
use portreeve::io::net::error::{EgressError, Moment};
use tokio::net::TcpListener;

use super::{get, local, next, request, text};
use crate::kit::fake_server::{Act, FakeServer, Script};

/// Lets the runtime notice what has happened on its sockets.
async fn settle() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_connection_carries_one_request_after_the_other() {
    let (events, frames) = Script::events();
    let server = FakeServer::scripted([
        Script::text("one"),
        Script::answer("204 No Content", &[], ""),
        events,
        Script::raw(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\nx-trailer: 1\r\n\r\n",
        ),
        Script::raw("HTTP/1.1 304 Not Modified\r\n\r\n"),
        Script::json("{}"),
    ])
    .await;
    let egress = local();
    assert_eq!(text(&egress, &server.url("/1")).await.as_deref(), Ok("one"));
    assert_eq!(get(&egress, &server.url("/2")).await.unwrap().status, StatusCode::NO_CONTENT);
    frames.send("data: 1\n\n");
    drop(frames);
    assert_eq!(text(&egress, &server.url("/3")).await.as_deref(), Ok("data: 1\n\n"));
    assert_eq!(text(&egress, &server.url("/4")).await.as_deref(), Ok("four"));
    assert_eq!(get(&egress, &server.url("/5")).await.unwrap().status, StatusCode::NOT_MODIFIED);
    let mut ask = request(&egress, &server.url("/6")).unwrap();
    ask.method = Method::DELETE;
    egress.send(ask).await.unwrap().read(10).await.unwrap();
    let asked: Vec<_> = server.asked().into_iter().map(|asked| (asked.path, asked.connection)).collect();
    let wanted: Vec<_> = (1..=6).map(|number| (format!("/{number}"), 1)).collect();
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let server = FakeServer::answering(|asked| Script::text(&asked.path)).await;
    let egress = local();
    let [one, two] = ["/1", "/2"].map(|path| server.url(path));
    let (one, two) = tokio::join!(text(&egress, &one), text(&egress, &two));
    assert_eq!((one.as_deref(), two.as_deref()), (Ok("/1"), Ok("/2")));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_not_used_again() {
    let close = [("connection", "close")];
    let server = FakeServer::scripted([
        Script::answer("200 OK", &close, "1"),
        Script::answer("200 OK", &[("keep-alive", "timeout=1")], "2"),
        Script::acts([Act::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n3".to_vec()), Act::Close]),
        Script::text("4"),
    ])
    .await;
    let egress = local();
    for number in 1..=3 {
        assert_eq!(text(&egress, &server.url("/")).await.unwrap(), number.to_string());
    }
    server.is_left().await;
    settle().await;
    assert_eq!(text(&egress, &server.url("/")).await.as_deref(), Ok("4"));
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn what_a_server_sends_unasked_is_not_the_next_answer() {
    let stuffed =
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let server = FakeServer::scripted([Script::raw(stuffed), Script::text("2")]).await;
    let egress = local();
    assert_eq!(text(&egress, &server.url("/")).await.as_deref(), Ok("1"));
    settle().await;
    assert_eq!(text(&egress, &server.url("/")).await.as_deref(), Ok("2"));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_request_that_was_written_is_never_sent_again() {
    let server =
        FakeServer::scripted([Script::text("1"), Script::acts([Act::Close]), Script::text("3")]).await;
    let egress = local();
    assert_eq!(text(&egress, &server.url("/1")).await.as_deref(), Ok("1"));
    let error = text(&egress, &server.url("/2")).await.expect_err("the server hangs up after reading");
    assert_eq!(error, EgressError::Closed(Moment::BeforeAnswer));
    let asked: Vec<_> = server.asked().into_iter().map(|asked| (asked.path, asked.connection)).collect();
    assert_eq!(asked, [("/1".to_owned(), 1), ("/2".to_owned(), 1)]);
    assert_eq!(text(&egress, &server.url("/3")).await.as_deref(), Ok("3"));
}

#[tokio::test]
async fn whoever_stops_waiting_for_an_answer_closes_the_connection() {
    let server = FakeServer::scripted([Script::silence()]).await;
    let egress = local();
    let ask = request(&egress, &server.url("/")).unwrap();
    {
        let mut sent = Box::pin(egress.send(ask));
        while server.asked().is_empty() {
            tokio::select! {
                biased;
                reply = &mut sent => panic!("{reply:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    server.is_left().await;
}

#[tokio::test]
async fn whoever_drops_a_body_closes_the_connection() {
    let (script, frames) = Script::events();
    let server = FakeServer::scripted([script]).await;
    let egress = local();
    let mut body = get(&egress, &server.url("/")).await.unwrap().body;
    frames.send("data: one\n\n");
    assert_eq!(next(&mut body).await.unwrap().unwrap(), "data: one\n\n");
    drop(body);
    server.is_left().await;
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_is_an_answer() {
    let early = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large";
    let server = FakeServer::greeting(early).await;
    let egress = local();
    let mut ask = request(&egress, &server.url("/")).unwrap();
    ask.method = Method::POST;
    ask.body = vec![b'x'; 8 << 20].into();
    let reply = egress.send(ask).await.unwrap();
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(reply.read(100).await.unwrap(), "too large");
    server.is_left().await;
}

#[tokio::test]
async fn a_body_goes_out_through_a_door_of_ours_as_it_comes_and_ends_with_it() {
    let (script, frames) = Script::events();
    let server = FakeServer::scripted([script]).await;
    let (egress, url) = (local(), server.url("/"));
    let door = Router::new().route(
        "/",
        any(async move || {
            let reply = get(&egress, &url).await.unwrap();
            (reply.status, reply.headers, Body::new(reply.body))
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outside = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, door).await });

    let reply = get(&local(), &outside).await.unwrap();
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    let mut body = reply.body;
    for event in ["data: one\n\n", "data: two\n\n"] {
        frames.send(event);
        assert_eq!(next(&mut body).await.unwrap().unwrap(), event);
    }
    drop(body);
    server.is_left().await;
    serving.abort();
}

#[tokio::test]
async fn a_sweep_closes_only_what_has_rested_too_long() {
    let server =
        FakeServer::answering(|_| Script::answer("200 OK", &[("keep-alive", "timeout=30")], "1")).await;
    let egress = local();
    text(&egress, &server.url("/")).await.unwrap();
    egress.sweep();
    text(&egress, &server.url("/")).await.unwrap();
    assert_eq!(server.connections(), 1);
}
