//! What a server says of itself on the way to an agent, and what is followed of it.

use std::sync::{Arc, Mutex};

use portreeve::base::risk::Class;
use serde_json::{Value, json};
use time::Duration;

use crate::{
    kit::fake_server::{Asked, Frames, Script},
    proxy::stage::{Reply, Stage, usual},
};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"old-agent","version":"3"}}}"#;

/// What a legacy server answers to the handshake, with these capabilities of tasks.
fn opening(tasks: &str) -> String {
    format!(
        r#"{{ "jsonrpc":"2.0","id":"\u0061", "result":{{"capabilities":{{"x":1.50,"tools":{{"listChanged":true}},
            "tasks":{tasks} , "list":{{}}}},"protocolVersion":"2025-11-25","list":[1e2]}}}}"#
    )
}

#[tokio::test]
async fn the_list_of_tasks_is_refused_and_so_not_promised_and_nothing_else_of_the_answer_changes() {
    let tasks = [
        (
            r#"{ "list" : {} , "cancel":{},"requests":{"list":{}}}"#,
            r#"{ "cancel":{},"requests":{"list":{}}}"#,
        ),
        (r#"{"cancel":{}, "l\u0069st":{"a":[1]} }"#, r#"{"cancel":{} }"#),
        (r#"{"list":true}"#, "{}"),
        (r#"{"cancel":{}}"#, r#"{"cancel":{}}"#),
        ("[7]", "[7]"),
    ];
    for (said, shown) in tasks {
        for streams in [false, true] {
            let one_line = opening(said).replace('\n', " ");
            let stage = Stage::over(Class::Write, move |_| {
                if streams {
                    let events = format!("id: 7\nevent: message\ndata: {one_line}\n\n");
                    return Script::answer("200 OK", &[("content-type", "text/event-stream")], events);
                }
                Script::json(&one_line)
            })
            .await;
            let answer = stage.agent.post(INITIALIZE, &[]).await;
            let wanted = opening(shown).replace('\n', " ");
            assert!(answer.text.contains(&wanted), "{said}: {}", answer.text);
            assert!(!streams || answer.text.starts_with("id: 7\nevent: message\ndata: "), "{}", answer.text);
        }
    }
}

/// A stage whose server keeps one stream open, on which a test speaks.
async fn streaming() -> (Stage, Arc<Mutex<Option<Frames>>>) {
    let open: Arc<Mutex<Option<Frames>>> = Arc::default();
    let kept = Arc::clone(&open);
    let stage = Stage::over(Class::Write, move |asked: &Asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        if asked.method == "GET" || message["method"] == "subscriptions/listen" {
            let (script, frames) = Script::events();
            *kept.lock().unwrap() = Some(frames);
            return script;
        }
        usual(asked)
    })
    .await;
    (stage, open)
}

#[tokio::test]
async fn a_server_that_says_its_lists_changed_is_read_again_once_in_either_era() {
    for (method, list) in [("GET", "tools"), ("POST", "prompts"), ("POST", "resources")] {
        let (stage, open) = streaming().await;
        // What is due by itself is read before.
        stage.app.run_jobs().await;
        let agent = stage.agent.clone();
        let listening = tokio::spawn(async move {
            match method {
                "GET" => agent.send(http::Method::GET, &[("accept", "text/event-stream")]).await,
                _ => agent.ask("subscriptions/listen", json!({ "notifications": {} })).await,
            }
        });
        let frames = loop {
            // The lock is given back before anybody else's turn.
            let taken = open.lock().unwrap().take();
            match taken {
                Some(frames) => break frames,
                None => tokio::task::yield_now().await,
            }
        };
        let said = format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{list}/list_changed\",\"params\":{{}}}}\n\n"
        );
        (0..20).for_each(|_| frames.send(&said));
        drop(frames);
        let heard: Reply = listening.await.unwrap();
        assert_eq!(heard.text, said.repeat(20), "what was said goes on as it is");
        let waiting = "select count(*) from jobs where kind = 'refresh_server' and finished_at is null";
        while stage.app.number(waiting).await == 0 {
            tokio::task::yield_now().await;
        }
        let before = stage.upstream.asked().len();
        stage.app.run_jobs().await;
        assert_eq!(stage.upstream.asked().len(), before, "wishes for a reading are gathered first");
        stage.app.clock.advance(Duration::seconds(6));
        stage.app.run_jobs().await;
        let read = stage.upstream.asked().split_off(before);
        let lists = read.iter().filter(|asked| asked.header("mcp-method") == Some("tools/list"));
        assert_eq!(lists.count(), 1, "{method} {list}: twenty wishes are one reading");
    }
}
