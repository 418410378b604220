//! Sessions at servers and the accounts that they were opened with: no token of one is sent in a session of another.

use std::{collections::HashMap, sync::Mutex};

use http::{Method, StatusCode};
use portreeve::{
    base::{permission::Role, risk::Class},
    domain::servers::Era,
};
use serde_json::{Value, json};

use crate::{
    kit::{
        fake_provider::FakeProvider,
        fake_server::{Asked, Script},
        people::Person,
    },
    proxy::{
        bridge::{Shore, answered},
        stage::{Agent, Stage, usual},
    },
};

/// A server that takes whoever opened a session for who calls in it, and answers nobody else there.
fn strict() -> impl Fn(&Asked) -> Script + Send + Sync + 'static {
    let sessions: Mutex<HashMap<String, String>> = Mutex::default();
    move |asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let carried = asked.header("authorization").unwrap_or_default().to_owned();
        let mut sessions = sessions.lock().unwrap();
        if message["method"] == "initialize" {
            let session = format!("session-{}", sessions.len());
            sessions.insert(session.clone(), carried);
            let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {} });
            let headers = [("content-type", "application/json"), ("mcp-session-id", session.as_str())];
            return Script::answer("200 OK", &headers, answered(&message, &result));
        }
        let opened_by = asked.header("mcp-session-id").and_then(|session| sessions.get(session));
        if opened_by != Some(&carried) {
            return Script::answer(
                "403 Forbidden",
                &[("content-type", "text/plain")],
                "somebody else's session",
            );
        }
        if message["id"].is_null() {
            return Script::answer("202 Accepted", &[], "");
        }
        let text = json!([{ "type": "text", "text": "done" }]);
        Script::json(&answered(&message, &json!({ "content": text })))
    }
}

/// Two accounts of one person, the second for calls about work.
async fn two_accounts() -> Shore {
    let shore = Shore::of(Era::Legacy, strict()).await;
    two_accounts_at(&shore.stage, "shore").await;
    shore
}

async fn two_accounts_at(stage: &Stage, server: &str) {
    let (app, org) = (&stage.app, &stage.org);
    let hub = FakeProvider::start().await;
    app.hub(org, "hub", &hub).await;
    let admin = app.member(org, "Admin", Role::Admin).await;
    let admin = app.key_of(org, admin.id, Role::Admin, &["*"]).await;
    let carries = json!([{ "target": "header", "name": "Authorization", "source": "oauth", "provider": "hub",
        "template": "Bearer {value}" }]);
    let path = format!("/api/v1/orgs/acme/servers/{server}/credentials");
    admin.send(Method::PUT, &path, &[], Some(carries)).await.expect(StatusCode::OK);
    let browser = app.signed_in(stage.person).await;
    let mut person = Person { id: stage.person, email: String::new(), browser };
    app.connected(org, &mut person, "hub").await;
    hub.sign_in_as("work");
    let work = app.connected(org, &mut person, "hub").await;
    let own = app.key_of(org, person.id, Role::Member, &["*"]).await;
    let rule = json!({ "account_if": [{ "path": "args.title", "op": "starts_with", "value": "work" }] });
    let one = format!("/api/v1/orgs/acme/connections/{work}");
    own.send(Method::PATCH, &one, &[], Some(rule)).await.expect(StatusCode::OK);
}

fn create(title: &str) -> Value {
    json!({ "name": "create_issue", "arguments": { "title": title } })
}

#[tokio::test]
async fn each_account_has_a_session_of_its_own_where_the_client_brings_none() {
    let shore = two_accounts().await;
    for title in ["mine", "work: one", "mine again", "work: two"] {
        assert_eq!(shore.agent.ask("tools/call", create(title)).await.words(), "done", "{title}");
    }
    let opened = shore.methods().iter().filter(|method| *method == "initialize").count();
    assert_eq!(opened, 2, "one for each account, and no more");
    // The record says with which account each call was made.
    let named =
        "select count(distinct convert_from(record, 'utf8')::json #>> '{call,connection}') from events
        where action = 'call.allowed'";
    assert_eq!(shore.stage.app.number(named).await, 2);
}

#[tokio::test]
async fn a_session_that_a_client_opened_is_not_used_with_another_account() {
    let shore = two_accounts().await;
    let agent: &Agent = &shore.agent;
    let send = async |id: u64, method: &str, params: Value, session: &str| {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let within = [("mcp-session-id", session), ("mcp-protocol-version", "2025-06-18")];
        agent.post(body, if session.is_empty() { &[] } else { &within }).await
    };
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "a", "version": "1" } });
    let begun = send(1, "initialize", hello.clone(), "").await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    assert_eq!(send(2, "tools/call", create("mine"), &session).await.words(), "done");
    let refused = send(3, "tools/call", create("work: one"), &session).await;
    assert!(refused.words().starts_with("[PORTREEVE DENIED]"), "{}", refused.text);
    let decision = refused.json()["result"]["_meta"]["portreeve/decision"].clone();
    assert_eq!(decision["code"], "session_of_other_account");
    assert_eq!(send(4, "tools/call", create("mine"), &session).await.words(), "done", "the session goes on");
    // Where another account is the usual one now, the client opens another session, and that is all.
    let app = &shore.stage.app;
    app.change(
        "with was as (update connections set is_default = false where is_default returning id)
        update connections set is_default = true, account_if = '' where id not in (select id from was)",
    )
    .await;
    app.change("update orgs set epoch = epoch + 1").await;
    let gone = send(5, "tools/call", create("mine"), &session).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "{}", gone.text);
    let begun = send(6, "initialize", hello, "").await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    assert_eq!(send(7, "tools/call", create("mine"), &session).await.words(), "done");
}

/// Two accounts of one person at a server of the modern era that makes a task of each call and answers about one only whoever
/// began it.
#[tokio::test]
async fn a_task_is_asked_about_with_the_account_that_it_was_begun_with() {
    let begun: Mutex<HashMap<String, String>> = Mutex::default();
    let server = move |asked: &Asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let carried = asked.header("authorization").unwrap_or_default().to_owned();
        let mut begun = begun.lock().unwrap();
        match message["method"].as_str() {
            Some("tools/call") => {
                let id = format!("task-{}", begun.len());
                begun.insert(id.clone(), carried);
                let task = json!({ "resultType": "task", "taskId": id, "status": "working" });
                Script::json(&answered(&message, &task))
            }
            Some("tasks/get") => {
                let id = message["params"]["taskId"].as_str().unwrap_or_default();
                let status = if begun.get(id) == Some(&carried) { "completed" } else { "unknown here" };
                Script::json(&answered(&message, &json!({ "taskId": id, "status": status })))
            }
            _ => usual(asked),
        }
    };
    let stage = Stage::over(Class::Financial, server).await;
    two_accounts_at(&stage, "github").await;
    let agent = &stage.agent;
    for title in ["mine", "work: one", "mine again"] {
        let made = agent.ask("tools/call", create(title)).await.json();
        let task = made["result"]["taskId"].as_str().unwrap_or_default().to_owned();
        assert!(!task.is_empty() && !task.starts_with("task-"), "{made}");
        for _ in 0..2 {
            let told = agent.ask("tasks/get", json!({ "taskId": task })).await.json();
            assert_eq!(told["result"]["status"], "completed", "{title}: {told}");
            assert_eq!(told["result"]["taskId"], task.as_str(), "a task keeps its name");
        }
    }
}
