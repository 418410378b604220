//! Told to stop, the server lets running requests end and takes no new ones.

use std::{net::TcpListener, sync::Arc};

use axum::{Router, routing::get};
use portreeve::app::server::{self, Behind};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[tokio::test]
async fn a_running_request_is_answered_after_the_order_to_stop() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, gate) = (Arc::clone(&entered), Arc::clone(&release));
    let slow = async move || {
        inside.notify_one();
        gate.notified().await;
        "done"
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/slow", listener.local_addr().expect("an address"));
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    let router = Router::new().route("/slow", get(slow));
    let accepting = TaskTracker::new();
    accepting.spawn(server::serve(
        listener,
        Behind { router, agents: None },
        connections.clone(),
        stopping.clone(),
    ));

    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = accepting.spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { client.get(url).send().await }
    });
    entered.notified().await;
    stopping.cancel();
    accepting.close();
    connections.close();
    assert_eq!(connections.len(), 1, "the request still runs");
    release.notify_one();
    let answer = request.await.expect("not cut off").expect("an answer");
    assert_eq!(answer.text().await.expect("a body"), "done");
    connections.wait().await;
    accepting.wait().await;
    assert!(client.get(url).send().await.is_err(), "nobody listens any more");
}
