//! A question that one replica asked, and an answer that comes to another.

use std::time::Duration;

use http::StatusCode;
use portreeve::{
    base::{
        actor::Principal,
        ids::{CallQuestionId, DataKeyId, GrantId},
        risk::Class,
    },
    domain::{
        approvals::store::waiting::{self, MadeCall},
        questions::{NewQuestion, SealedWords, store},
        servers::Era,
    },
    io::db::Tx,
};
use serde_json::{Value, json};

use crate::{
    kit::{
        app::TestApp,
        fake_server::{Asked, Script},
    },
    proxy::{
        bridge::{Shore, asking, messages, modern, opened, until, without_sessions},
        stage::{Agent, Stage},
    },
};

/// Another replica, and the agent at it, under this path.
async fn beside(shore: &Shore, path: &str) -> (TestApp, Agent) {
    let app = TestApp::beside(&shore.stage.app).await;
    let agent = shore.agent.at(&format!("{}{path}", app.origin()));
    (app, agent)
}

async fn nothing_is_left(app: &TestApp) {
    app.until_number("select count(*) from call_questions", 0).await;
    app.until_number("select count(*) from call_pieces", 0).await;
}

/// A call that waits for what a person says to a form, and how it is taken up again.
async fn parked(shore: &Shore) -> Value {
    let first = modern(&shore.agent, forms(), json!({})).await;
    let asked = messages(&first.text).pop().unwrap()["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{}", first.text);
    let said = json!({ "action": "accept", "content": { "word": "quiet" } });
    json!({ "requestState": asked["requestState"], "inputResponses": { "1": said } })
}

fn forms() -> Value {
    json!({ "elicitation": { "form": {} } })
}

#[tokio::test]
async fn a_call_that_waits_at_one_replica_is_taken_up_at_another_and_made_once() {
    let form = json!({ "message": "Sure?", "requestedSchema": { "type": "object", "properties": {} } });
    let shore = Shore::of(Era::Legacy, asking("elicitation/create", form)).await;
    let back = parked(&shore).await;
    let (second, there) = beside(&shore, "/mcp/acme/shore").await;

    let lacking = json!({ "requestState": back["requestState"], "inputResponses": {} });
    let lacking = modern(&there, forms(), lacking).await;
    assert_eq!((lacking.status, lacking.code()), (StatusCode::BAD_REQUEST, -32602));
    let other = json!({ "requestState": back["requestState"], "inputResponses": back["inputResponses"],
                        "arguments": { "title": "no" } });
    assert_eq!(modern(&there, forms(), other).await.code(), -32602, "it is another call");

    let answer = modern(&there, forms(), back.clone()).await;
    assert_eq!(answer.words(), back["inputResponses"]["1"].to_string());
    assert_eq!(answer.json()["id"], "a");
    for agent in [&there, &shore.agent] {
        let again = modern(agent, forms(), back.clone()).await;
        assert_eq!((again.status, again.code()), (StatusCode::BAD_REQUEST, -32602), "once is enough");
    }
    let calls = shore.methods().iter().filter(|method| *method == "tools/call").count();
    assert_eq!(calls, 1, "the server was called once");
    nothing_is_left(&second).await;
    // Each of the six requests has an intent and an outcome.
    let recorded = shore.stage.calls_once(12).await;
    let is_known = |action: &str| matches!(action, "call.allowed" | "call.answered");
    assert!(recorded.iter().all(|(action, _)| is_known(action)), "{recorded:?}");
}

#[tokio::test]
async fn a_call_whose_replica_is_gone_is_told_to_begin_again() {
    let form = json!({ "message": "Sure?", "requestedSchema": { "type": "object", "properties": {} } });
    let shore = Shore::of(Era::Legacy, asking("elicitation/create", form)).await;
    let back = parked(&shore).await;
    let (second, there) = beside(&shore, "/mcp/acme/shore").await;
    let Shore { stage, server, .. } = shore;
    let _database = stage.app.stop().await;
    let answer = modern(&there, forms(), back).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, -32602), "{}", answer.text);
    nothing_is_left(&second).await;
    let is_call = |asked: &Asked| String::from_utf8_lossy(&asked.body).contains("tools/call");
    assert_eq!(server.asked().iter().filter(|asked| is_call(asked)).count(), 1);
}

/// A server that asks for a form, and says nothing more when it has it.
fn never_ending() -> impl Fn(&Asked) -> Script + Send + Sync + 'static {
    let form = json!({ "message": "Sure?", "requestedSchema": { "type": "object", "properties": {} } });
    let asking = asking("elicitation/create", form);
    move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        if message["id"] == 99 { Script::answer("202 Accepted", &[], "") } else { asking(asked) }
    }
}

#[tokio::test]
async fn a_call_is_called_off_whose_agent_waits_at_a_replica_that_is_gone() {
    let shore = Shore::of(Era::Legacy, never_ending()).await;
    let back = parked(&shore).await;
    let (second, there) = beside(&shore, "/mcp/acme/shore").await;
    let gone = async {
        let taken = "select count(*) from call_questions where alive_at is not null";
        shore.stage.app.until_number(taken, 1).await;
        second.stop().await;
    };
    tokio::select! {
        answer = modern(&there, forms(), back) => panic!("it was answered: {}", answer.text),
        () = gone => {}
    }
    assert!(!shore.methods().contains(&"notifications/cancelled".to_owned()), "it may yet come back");
    shore.stage.app.change("update call_questions set expires_at = clock_timestamp()").await;
    let called_off = async {
        while !shore.methods().contains(&"notifications/cancelled".to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), called_off).await.expect("nobody waits for it");
}

#[tokio::test]
async fn what_a_call_comes_to_is_left_as_far_as_there_is_room_and_somebody_waits() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let (id, piece) = (CallQuestionId::fresh(), SealedWords { key: DataKeyId::fresh(), bytes: vec![1] });
    let waits = Duration::from_secs(60);
    let mut tx = stage.app.org_tx(stage.org.id).await;
    let new = NewQuestion { id, grant: stage.grant, server: stage.server, call: None, wanted: &[] };
    store::insert(&mut tx, &new, waits).await.unwrap();
    assert!(store::answer(&mut tx, id, &piece, waits).await.unwrap());
    assert!(!store::answer(&mut tx, id, &piece, waits).await.unwrap(), "it was answered before");
    let mut left = 0;
    while store::leave(&mut tx, id, left, &piece).await.unwrap() {
        left += 1;
        assert!(left < 1000, "there is always room");
    }
    assert!(store::leave(&mut tx, id, left - 1, &piece).await.unwrap(), "it lies there already");
    store::delete_pieces(&mut tx, id, 1).await.unwrap();
    assert!(store::leave(&mut tx, id, left, &piece).await.unwrap());
    assert!(!store::leave(&mut tx, id, left + 1, &piece).await.unwrap());

    let ids = [CallQuestionId::fresh(), id];
    assert_eq!(store::take(&mut tx, &ids).await.unwrap(), [(id, piece.clone())]);
    assert!(store::take(&mut tx, &ids).await.unwrap().is_empty(), "they are taken once");
    assert!(!store::delete_untaken(&mut tx, id).await.unwrap(), "somebody goes on with it");
    assert!(store::beat(&mut tx, id).await.unwrap());
    store::wait(&mut tx, id, Duration::ZERO).await.unwrap();
    assert!(!store::beat(&mut tx, id).await.unwrap(), "nobody waits any longer");
    store::delete_pieces(&mut tx, id, left).await.unwrap();
    assert!(!store::leave(&mut tx, id, left, &piece).await.unwrap());
    tx.done().await.unwrap();
}

#[tokio::test]
async fn an_answer_with_a_session_reaches_the_replica_that_asked_from_any_other_and_from_nobody_else() {
    let shore = Shore::of(Era::Modern, without_sessions).await;
    for path in ["/mcp/acme/shore", "/mcp/acme"] {
        let agent = shore.agent.at(&format!("{}{path}", shore.stage.app.origin()));
        let (second, there) = beside(&shore, path).await;
        let (_, session) = opened(&agent, json!({ "elicitation": {} })).await;
        let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
        let tool = if path.ends_with("shore") { "create_issue" } else { "shore__create_issue" };
        let call = json!({ "jsonrpc": "2.0", "id": 4, "method": "tools/call",
                           "params": { "name": tool, "arguments": {} } });
        let (mut stream, mut text) = (agent.begin(call.to_string(), &within).await, String::new());
        let question = until(&mut stream, &mut text, 1).await.pop().unwrap();
        assert_eq!(question["method"], "elicitation/create");
        let answer = json!({ "jsonrpc": "2.0", "id": question["id"],
                             "result": { "action": "accept", "content": { "yes": true } } })
        .to_string();

        let principal = Principal::User(shore.stage.person);
        let (_, token) = shore.stage.app.grant(&shore.stage.org, principal, Class::Write).await;
        let stranger = there.carrying(&token);
        let (_, own) = opened(&stranger, json!({})).await;
        let theirs = [("mcp-session-id", own.as_str()), ("mcp-protocol-version", "2025-06-18")];
        let refused = stranger.post(answer.clone(), &theirs).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);

        assert_eq!(there.post(answer.clone(), &within).await.status, StatusCode::ACCEPTED);
        let twice = there.post(answer, &within).await;
        assert_eq!(twice.status, StatusCode::BAD_REQUEST, "nobody asks any more");
        let end = until(&mut stream, &mut text, 2).await.pop().unwrap();
        assert_eq!(
            (&end["result"]["content"][0]["text"], &end["id"]),
            (&json!("true \"s3cret\""), &json!(4))
        );
        nothing_is_left(&second).await;
    }
}

/// A modern server that answers no call.
fn without_answers(asked: &Asked) -> Script {
    let is_call = String::from_utf8_lossy(&asked.body).contains("tools/call");
    if is_call { Script::silence() } else { without_sessions(asked) }
}

#[tokio::test]
async fn a_request_with_a_session_is_called_off_from_any_replica() {
    let shore = Shore::of(Era::Modern, without_answers).await;
    for (made, path) in [(1, "/mcp/acme/shore"), (2, "/mcp/acme")] {
        let agent = shore.agent.at(&format!("{}{path}", shore.stage.app.origin()));
        let (_second, there) = beside(&shore, path).await;
        let (_, session) = opened(&agent, json!({})).await;
        let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
        let tool = if path.ends_with("shore") { "get_issue" } else { "shore__get_issue" };
        let call = json!({ "jsonrpc": "2.0", "id": 4, "method": "tools/call",
                           "params": { "name": tool, "arguments": {} } });
        let called_off = async {
            while shore.methods().iter().filter(|method| *method == "tools/call").count() < made {
                tokio::task::yield_now().await;
            }
            let off = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 4 } });
            assert_eq!(there.post(off.to_string(), &within).await.status, StatusCode::ACCEPTED);
        };
        let (answer, ()) = tokio::join!(agent.post(call.to_string(), &within), called_off);
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::ACCEPTED, ""), "nobody reads it");
        shore.stage.app.until_number("select count(*) from open_calls", 0).await;
    }
    let calls = shore.stage.calls().await;
    assert_eq!(calls.iter().filter(|(action, _)| action == "call.abandoned").count(), 2);
}

#[tokio::test]
async fn what_is_called_off_is_one_call_of_one_grant() {
    let stage = Stage::with_ceiling(Class::Write).await;
    let made = |grant: GrantId, of: u8, seconds: u64| MadeCall {
        grant,
        call: [of; 32],
        since: Duration::from_secs(seconds),
    };
    let mut tx = stage.app.org_tx(stage.org.id).await;
    assert!(waiting::call_off_made(&mut tx, stage.grant, [7; 32]).await.unwrap());
    let calls = [
        made(GrantId::fresh(), 7, 60),
        made(stage.grant, 8, 60),
        made(stage.grant, 7, 60),
        // It began after that, and goes by the same id.
        made(stage.grant, 7, 0),
    ];
    assert_eq!(waiting::called_off(&mut tx, &calls).await.unwrap(), [2]);
    tx.done().await.unwrap();
}
