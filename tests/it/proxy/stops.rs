//! What stops agents is in force for every call that begins after it was answered, on every replica.

use http::StatusCode;
use portreeve::base::{permission::Role, risk::Class};
use serde_json::json;

use crate::{
    kit::app::TestApp,
    proxy::stage::{Agent, Stage},
};

/// Another process over the same database, with snapshots of its own.
async fn replica(stage: &Stage) -> (TestApp, Agent) {
    let app = TestApp::beside(&stage.app).await;
    let agent = stage.agent.at(&format!("{}/mcp/acme/github", app.origin()));
    (app, agent)
}

#[tokio::test]
async fn a_closed_gate_stops_the_next_call_on_every_replica_and_an_open_one_lets_it_pass() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let (_replica, elsewhere) = replica(&stage).await;
    assert_eq!(stage.agent.call("get_issue").await.words(), "done");
    assert_eq!(elsewhere.call("get_issue").await.words(), "done");
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let script = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let close = json!({ "open": false, "reason": "drill" });
    script.send(http::Method::PUT, "/api/v1/orgs/acme/gate", &[], Some(close)).await.expect(StatusCode::OK);
    for agent in [&stage.agent, &elsewhere] {
        let answer = agent.call("get_issue").await;
        assert!(answer.words().starts_with("[PORTREEVE DENIED]") && answer.words().contains("drill"));
        let note =
            agent.post(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#, &[]).await;
        assert_eq!(note.status, StatusCode::FORBIDDEN, "what is not recorded is judged all the same");
    }
    let open = json!({ "open": true });
    script.send(http::Method::PUT, "/api/v1/orgs/acme/gate", &[], Some(open)).await.expect(StatusCode::OK);
    for agent in [&stage.agent, &elsewhere] {
        assert_eq!(agent.call("get_issue").await.words(), "done");
    }
    assert_eq!(stage.reached().len(), 4);
}

#[tokio::test]
async fn a_revoked_token_a_suspended_grant_and_a_suspended_person_stop_everywhere() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let (_replica, elsewhere) = replica(&stage).await;
    for agent in [&stage.agent, &elsewhere] {
        assert_eq!(agent.call("get_issue").await.words(), "done");
    }
    let admin = stage.app.member(&stage.org, "Admin", Role::Admin).await;
    let script = stage.app.key_of(&stage.org, admin.id, Role::Admin, &["*"]).await;
    let grant = format!("/api/v1/orgs/acme/grants/{}", stage.grant);
    script.post(&format!("{grant}/suspend"), json!({ "reason": "lunch" })).await.expect(StatusCode::OK);
    for agent in [&stage.agent, &elsewhere] {
        assert!(agent.call("get_issue").await.words().contains("suspended"));
    }
    script.post(&format!("{grant}/resume"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(elsewhere.call("get_issue").await.words(), "done");
    let person = format!("/api/v1/orgs/acme/members/{}", stage.person);
    let out = script.post(&format!("{person}/suspend"), json!({ "reason": "leave" })).await;
    assert_eq!(out.expect(StatusCode::OK).text("/suspended_reason"), "leave");
    for agent in [&stage.agent, &elsewhere] {
        let answer = agent.call("get_issue").await;
        assert!(answer.text.contains("person or account"), "{}", answer.text);
    }
    script.post(&format!("{person}/resume"), json!({})).await.expect(StatusCode::OK);
    assert_eq!(elsewhere.call("get_issue").await.words(), "done");
    script.post(&format!("{grant}/revoke"), json!({ "reason": "over" })).await.expect(StatusCode::OK);
    for agent in [&stage.agent, &elsewhere] {
        assert_eq!(agent.call("get_issue").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(stage.reached().len(), 4);
}
