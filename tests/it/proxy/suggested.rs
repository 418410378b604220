//! A suggested policy at work: what adopting it changes for the next call.

use http::{Method, StatusCode};
use portreeve::base::{permission::Role, risk::Class};
use serde_json::{Value, json};

use crate::proxy::stage::Stage;

const ADOPT: &str = "/api/v1/orgs/acme/servers/github/suggested-policy/adopt";

#[tokio::test]
async fn what_was_adopted_holds_for_the_next_call() {
    let stage = Stage::with_ceiling(Class::Financial).await;
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let key = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    assert_eq!(stage.agent.call("delete_repository").await.words(), "done");
    assert_eq!(stage.agent.call("create_issue").await.words(), "done");

    let made = key.post(ADOPT, json!({})).await.expect(StatusCode::OK);
    assert_eq!(made.text("/outcome"), "in_force");
    assert_eq!(stage.agent.call("delete_repository").await.code(), -32602, "as if there were none");
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
    // Where a minute ends while calls are made, the next one has its own count.
    let mut passed = 0;
    let last = loop {
        let answer = stage.agent.call("create_issue").await;
        if answer.words() != "done" || passed > 130 {
            break answer;
        }
        passed += 1;
    };
    assert!(last.words().contains("[LIMIT]") && (60..=120).contains(&passed), "{passed}: {}", last.words());

    // A grant that no policy speaks for may do what stands here.
    let grant = format!("/api/v1/orgs/acme/grants/{}", stage.grant);
    let bare = json!({ "policy": Value::Null });
    key.send(Method::PATCH, &grant, &[], Some(bare)).await.expect(StatusCode::OK);
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
}
