//! The merged endpoint: every server of a grant behind one address, and nothing that a server's own address would refuse.

use http::StatusCode;
use portreeve::{
    base::{actor::Principal, ids::ServerId, risk::Class},
    domain::servers::{Declared, ItemKind, SeenItem, SeenTool, Snapshot},
};
use serde_json::{Value, json};

use crate::{
    kit::fake_server::{Asked, FakeServer, Script},
    proxy::{
        bridge::{messages, until},
        stage::{Agent, Stage},
        streams::listen,
    },
};

/// A second server beside the usual one, and an agent at the merged address.
struct Merged {
    stage: Stage,
    files: FakeServer,
    files_id: ServerId,
    agent: Agent,
}

const LONG: &str = "read_a_file_that_somebody_else_has_opened_before_and_not_closed";

fn file_tools() -> Vec<Value> {
    let tool = |name: &str| {
        json!({ "name": name, "description": name, "inputSchema": { "type": "object" },
                "annotations": { "readOnlyHint": true }, "_meta": { "ui": { "resourceUri": "ui://view" } } })
    };
    vec![tool("get_issue"), tool(LONG)]
}

fn page(member: &str, items: Value, next: Option<&str>) -> Value {
    let mut page = json!({ member: items, "resultType": "complete", "ttlMs": 9, "cacheScope": "public" });
    if let Some(next) = next {
        page["nextCursor"] = next.into();
    }
    page
}

/// A server of files: two pages of resources, prompts, templates, completions and tasks.
fn files(asked: &Asked) -> Script {
    let Ok(message) = serde_json::from_slice::<Value>(&asked.body) else { return Script::json("{}") };
    let params = &message["params"];
    let result = match message["method"].as_str().unwrap_or_default() {
        "resources/list" if params["cursor"].is_null() => {
            page("resources", json!([{ "uri": "file:///a", "name": "a" }]), Some("second"))
        }
        "resources/list" => page("resources", json!([{ "uri": "file:///b", "name": "b" }]), None),
        "resources/templates/list" => {
            page("resourceTemplates", json!([{ "uriTemplate": "file:///{path}", "name": "any" }]), None)
        }
        "prompts/list" => page("prompts", json!([{ "name": "summary" }, { "name": LONG }]), None),
        "resources/read" => {
            let mut read = page("contents", json!([{ "uri": params["uri"], "text": "file:///a" }]), None);
            read["asked"] = params["uri"].clone();
            read
        }
        "prompts/get" => json!({ "resultType": "complete", "description": params["name"], "messages": [
            { "role": "user", "content": { "type": "resource_link", "uri": "file:///a", "name": "a" } } ] }),
        "completion/complete" => json!({ "resultType": "complete", "completion": { "values": [
            params["ref"]["uri"].as_str().or(params["ref"]["name"].as_str()) ] } }),
        "tools/call" => json!({ "resultType": "complete", "asked": params["name"], "content": [
            { "type": "text", "text": "done" }, { "type": "resource_link", "uri": "file:///b", "name": "b" } ] }),
        "tasks/get" => json!({ "resultType": "complete", "taskId": params["taskId"], "status": "completed" }),
        _ => json!({ "resultType": "complete" }),
    };
    Script::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
}

impl Merged {
    async fn new(ceiling: Class) -> Self {
        let stage = Stage::with_ceiling(ceiling).await;
        let files = FakeServer::answering(files).await;
        let files_id = stage.app.server_at(&stage.org, "files", &files.url("/mcp")).await;
        let item = |definition: Value| SeenItem::read(ItemKind::Prompt, &definition.to_string()).unwrap();
        let seen = Snapshot {
            declared: Declared {
                capabilities: Some(r#"{"tools":{},"resources":{},"prompts":{},"completions":{}}"#.into()),
                ..Declared::default()
            },
            tools: file_tools().iter().map(|tool| SeenTool::read(&tool.to_string()).unwrap()).collect(),
            items: vec![item(json!({ "name": "summary" })), item(json!({ "name": LONG }))],
        };
        stage.app.accept_catalogue(&stage.org, files_id, &seen).await;
        let agent = stage.agent.at(&format!("{}/mcp/acme", stage.app.origin()));
        Self { stage, files, files_id, agent }
    }

    /// The messages that the server of files was sent.
    fn asked(&self) -> Vec<Value> {
        self.files.asked().iter().map(|asked| serde_json::from_slice(&asked.body).unwrap()).collect()
    }

    /// All items of a list, page by page, and how many pages there were.
    async fn all(&self, method: &str, member: &str) -> (Vec<Value>, usize) {
        let (mut items, mut params, mut pages) = (Vec::new(), json!({}), 0);
        loop {
            let answer = self.agent.ask(method, params.clone()).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            let result = answer.json()["result"].clone();
            assert_eq!(result["cacheScope"], "private", "{}", answer.text);
            items.extend(result[member].as_array().unwrap().iter().cloned());
            pages += 1;
            let Some(next) = result["nextCursor"].as_str() else { return (items, pages) };
            params["cursor"] = next.into();
        }
    }
}

fn each<'v>(items: &'v [Value], key: &str) -> Vec<&'v str> {
    items.iter().map(|item| item[key].as_str().unwrap()).collect()
}

#[tokio::test]
async fn tools_of_all_servers_are_listed_under_their_servers_names_and_called_under_their_own() {
    let merged = Merged::new(Class::Write).await;
    let (tools, pages) = merged.all("tools/list", "tools").await;
    let names = each(&tools, "name");
    assert_eq!(pages, 1);
    assert_eq!(names[0], "files__get_issue");
    assert!(names[1].starts_with("files__read_a_file_that_somebody_else_has") && names[1].len() == 60);
    assert_eq!(&names[2..], ["github__create_issue", "github__get_issue"], "a deletion is above the ceiling");
    assert_eq!(tools[0]["_meta"]["ui"]["resourceUri"], "files+ui://view");
    assert!(merged.files.asked().is_empty(), "the list is what was reviewed");

    let answer = merged.agent.call(names[1]).await.json();
    assert_eq!(answer["result"]["asked"], LONG);
    assert_eq!(answer["result"]["content"][1]["uri"], "files+file:///b");
    let asked = merged.files.asked();
    assert_eq!(asked[0].header("mcp-name"), Some(LONG), "the header says what the body says");
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(merged.agent.call("github__get_issue").await.words(), "done");

    let calls = merged.stage.calls_once(5).await;
    let (action, record) = &calls[0];
    let call = record.call.as_ref().expect("a call");
    assert_eq!(
        (action.as_str(), call.method.as_deref(), call.server),
        ("call.answered", Some("tools/list"), None)
    );
    let call = calls[1].1.call.as_ref().expect("a call");
    assert_eq!((call.server, call.subject.as_deref()), (Some(merged.files_id), Some(LONG)));
}

#[tokio::test]
async fn what_may_not_be_called_is_as_unknown_as_what_is_not_there() {
    let merged = Merged::new(Class::Read).await;
    let hidden = merged.agent.call("github__create_issue").await;
    assert_eq!((hidden.status, hidden.code()), (StatusCode::OK, -32602));
    for (asked, unknown) in [
        ("github__created_issue", "github__created_issue"),
        ("nobody__create_issue", "nobody__create_issue"),
        ("create_issue", "create_issue"),
        ("__create_issue", "__create_issue"),
    ] {
        let answer = merged.agent.call(asked).await;
        assert_eq!(answer.text.replace(unknown, "github__create_issue"), hidden.text, "{asked}");
    }
    assert!(merged.stage.reached().is_empty());
    let calls = merged.stage.calls_once(5).await;
    assert!(calls.iter().all(|(action, _)| action == "call.refused"));
    assert_eq!(calls[0].1.call.as_ref().unwrap().code.as_deref(), Some("class_above_ceiling"));
}

#[tokio::test]
async fn lists_go_on_from_server_to_server_and_pass_over_one_that_fails() {
    let merged = Merged::new(Class::Read).await;
    let broken = FakeServer::answering(|_| Script::answer("500 Oh", &[], "no")).await;
    let last = FakeServer::answering(files).await;
    for (slug, server) in [("gone", &broken), ("more", &last)] {
        let id = merged.stage.app.server_at(&merged.stage.org, slug, &server.url("/mcp")).await;
        let capabilities = Some(r#"{"resources":{},"prompts":{}}"#.into());
        let seen =
            Snapshot { declared: Declared { capabilities, ..Declared::default() }, ..Snapshot::default() };
        merged.stage.app.accept_catalogue(&merged.stage.org, id, &seen).await;
    }
    let (resources, pages) = merged.all("resources/list", "resources").await;
    let wanted = ["files+file:///a", "files+file:///b", "more+file:///a", "more+file:///b"];
    assert_eq!((each(&resources, "uri"), pages), (wanted.to_vec(), 4));
    assert_eq!(merged.asked()[1]["params"]["cursor"], "second", "the server's own cursor");
    let (templates, _) = merged.all("resources/templates/list", "resourceTemplates").await;
    assert_eq!(each(&templates, "uriTemplate"), ["files+file:///{path}", "more+file:///{path}"]);
    let (prompts, _) = merged.all("prompts/list", "prompts").await;
    assert_eq!(each(&prompts, "name")[0], "files__summary");
    assert_eq!(broken.asked().len(), 3);
    assert!(merged.stage.upstream.asked().is_empty(), "a server without resources is not asked for any");
}

#[tokio::test]
async fn prompts_resources_and_completions_lead_to_their_server() {
    let merged = Merged::new(Class::Read).await;
    let (prompts, _) = merged.all("prompts/list", "prompts").await;
    for (prompt, own) in prompts.iter().zip(["summary", LONG]) {
        let got = merged.agent.ask("prompts/get", json!({ "name": prompt["name"] })).await.json();
        assert_eq!(got["result"]["description"], own);
        assert_eq!(got["result"]["messages"][0]["content"]["uri"], "files+file:///a");
    }
    let read = merged.agent.ask("resources/read", json!({ "uri": "files+file:///a" })).await.json();
    assert_eq!(read["result"]["asked"], "file:///a");
    assert_eq!(read["result"]["contents"], json!([{ "uri": "files+file:///a", "text": "file:///a" }]));
    for (reference, own) in [
        (json!({ "type": "ref/prompt", "name": "files__summary" }), "summary"),
        (json!({ "type": "ref/resource", "uri": "files+file:///{path}" }), "file:///{path}"),
    ] {
        let params = json!({ "ref": reference, "argument": { "name": "path", "value": "a" } });
        let answer = merged.agent.ask("completion/complete", params).await.json();
        assert_eq!(answer["result"]["completion"]["values"], json!([own]));
    }
    for (method, params) in [
        ("prompts/get", json!({ "name": "nobody__summary" })),
        ("prompts/get", json!({ "name": "summary" })),
        ("resources/read", json!({ "uri": "file:///a" })),
        ("resources/read", json!({ "uri": "nobody+file:///a" })),
    ] {
        let answer = merged.agent.ask(method, params.clone()).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, -32602), "{method} {params}");
    }
}

#[tokio::test]
async fn a_task_is_asked_for_at_the_server_that_has_it() {
    let merged = Merged::new(Class::Read).await;
    let begun = FakeServer::answering(|asked| {
        let message: Value = serde_json::from_slice(&asked.body).unwrap();
        let result = json!({ "resultType": "task", "taskId": "t-1", "status": "working",
                             "content": [], "asked": message["params"]["taskId"] });
        Script::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
    })
    .await;
    let id = merged.stage.app.server_at(&merged.stage.org, "slow", &begun.url("/mcp")).await;
    let tool = json!({ "name": "wait", "inputSchema": {}, "annotations": { "readOnlyHint": true } });
    merged.stage.app.accept_tools(&merged.stage.org, id, &[tool]).await;
    let task = merged.agent.call("slow__wait").await.json()["result"]["taskId"].as_str().unwrap().to_owned();
    assert_ne!(task, "t-1");
    let polled = merged.agent.ask("tasks/get", json!({ "taskId": task })).await.json();
    assert_eq!((&polled["result"]["asked"], &polled["result"]["taskId"]), (&json!("t-1"), &json!(task)));
    assert_eq!(begun.asked()[1].header("mcp-name"), Some("t-1"));
    let unknown = merged.agent.ask("tasks/get", json!({ "taskId": "t-1" })).await;
    assert_eq!((unknown.status, unknown.code()), (StatusCode::NOT_FOUND, -32602));
}

#[tokio::test]
async fn a_grant_sees_its_own_servers_alone_and_nobody_elses_cursor_leads_anywhere() {
    let merged = Merged::new(Class::Read).await;
    let first = merged.agent.ask("resources/list", json!({})).await.json();
    let cursor = first["result"]["nextCursor"].as_str().unwrap().to_owned();
    let app = &merged.stage.app;
    let (_, token) = app.grant(&merged.stage.org, Principal::User(merged.stage.person), Class::Read).await;
    let other = merged.agent.carrying(&token);
    for (agent, method, cursor) in [
        (&other, "resources/list", cursor.as_str()),
        (&merged.agent, "prompts/list", &cursor),
        (&merged.agent, "tools/list", &cursor),
        (&merged.agent, "resources/list", "second"),
    ] {
        let answer = agent.ask(method, json!({ "cursor": cursor })).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, -32602), "{method} {cursor}");
    }
    let stranger = app.org("globex").await;
    let strange = merged.agent.at(&format!("{}/mcp/globex", app.origin()));
    assert_eq!(strange.ask("tools/list", json!({})).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.slug, "globex");
}

#[tokio::test]
async fn headers_that_say_something_else_and_versions_nobody_speaks_are_refused() {
    let merged = Merged::new(Class::Write).await;
    let body = |version: &str| {
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "files__get_issue",
            "_meta": { "io.modelcontextprotocol/protocolVersion": version,
                       "io.modelcontextprotocol/clientCapabilities": {} } } })
        .to_string()
    };
    let modern =
        |name| [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", name)];
    for name in ["get_issue", "github__get_issue"] {
        let answer = merged.agent.post(body("2026-07-28"), &modern(name)).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, -32020), "{name}");
    }
    let answer = merged.agent.post(body("2026-07-28"), &modern("files__get_issue")).await;
    assert_eq!(answer.words(), "done");
    let headers = [
        ("mcp-protocol-version", "2031-01-01"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "files__get_issue"),
    ];
    let answer = merged.agent.post(body("2031-01-01"), &headers).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, -32022));
    assert_eq!(answer.json()["error"]["data"]["requested"], "2031-01-01");
    assert_eq!(merged.asked().len(), 1);
    let method = merged.agent.ask("x/anything", json!({})).await;
    assert_eq!((method.status, method.code()), (StatusCode::NOT_FOUND, -32601));
}

#[tokio::test]
async fn it_says_of_itself_what_its_servers_can_do() {
    let merged = Merged::new(Class::Read).await;
    let said = merged.agent.ask("server/discover", json!({})).await.json()["result"].clone();
    assert_eq!(said["supportedVersions"][0], "2026-07-28");
    let capabilities = json!({ "tools": { "listChanged": true }, "prompts": {}, "resources": {},
        "completions": {} });
    assert_eq!(said["capabilities"], capabilities);
    assert_eq!(said["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "portreeve");
    assert!(said["instructions"].as_str().unwrap().ends_with("Servers: files (files), github (github)."));
}

#[tokio::test]
async fn a_session_is_opened_kept_and_ended_and_is_nobody_elses() {
    let merged = Merged::new(Class::Read).await;
    let open = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "old", "version": "1" } } });
    let opened = merged.agent.post(open.to_string(), &[]).await;
    assert_eq!(opened.json()["result"]["protocolVersion"], "2025-06-18");
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let within = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-06-18")];
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(merged.agent.post(told, &within).await.status, StatusCode::ACCEPTED);
    let list = merged.agent.post(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#, &within).await.json();
    assert_eq!(each(list["result"]["tools"].as_array().unwrap(), "name")[0], "files__get_issue");
    assert_eq!(list["result"].get("cacheScope"), None, "the old era knows no such member");
    let pong = merged.agent.post(r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#, &within).await;
    assert_eq!(pong.text, r#"{"jsonrpc":"2.0","id":3,"result":{}}"#);
    let without = [("accept", "text/event-stream")];
    assert_eq!(merged.agent.send(http::Method::GET, &without).await.status, StatusCode::METHOD_NOT_ALLOWED);

    let app = &merged.stage.app;
    let (_, token) = app.grant(&merged.stage.org, Principal::User(merged.stage.person), Class::Read).await;
    let other = merged.agent.carrying(&token);
    let foreign = other.post(r#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#, &within).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(merged.agent.send(http::Method::DELETE, &within).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn agents_of_both_eras_hear_that_their_tools_are_others_until_they_may_not() {
    let merged = Merged::new(Class::Read).await;
    let open = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "old", "version": "1" } } });
    let opened = merged.agent.post(open.to_string(), &[]).await;
    let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let mut old = (merged.agent.follow(&[("mcp-session-id", &session)]).await, String::new());
    let mut new = (listen(&merged.agent, json!({ "toolsListChanged": true })).await, String::new());
    let tag = json!({ "io.modelcontextprotocol/subscriptionId": "sub" });
    let heard = until(&mut new.0, &mut new.1, 1).await;
    assert_eq!(heard[0]["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(heard[0]["params"], json!({ "notifications": { "toolsListChanged": true }, "_meta": tag }));

    // What is above the ceiling is none of this agent's tools, so nothing is to be heard of it.
    let app = &merged.stage.app;
    let switch = |tool: &str| {
        let off = format!("update tools set enabled = false where name = '{tool}'");
        async move {
            app.change(&off).await;
            app.change("update orgs set epoch = epoch + 1").await;
        }
    };
    switch("delete_repository").await;
    switch(LONG).await;
    assert_eq!(until(&mut old.0, &mut old.1, 1).await[0]["method"], "notifications/tools/list_changed");
    let heard = until(&mut new.0, &mut new.1, 2).await;
    assert_eq!(heard[1]["method"], "notifications/tools/list_changed");
    assert_eq!(heard[1]["params"], json!({ "_meta": tag }));

    app.change("update grants set revoked_at = now(), revoked_reason = 'over'").await;
    app.change("update orgs set epoch = epoch + 1").await;
    let heard = until(&mut new.0, &mut new.1, 3).await;
    let ended = json!({ "resultType": "complete", "_meta": tag });
    assert_eq!((&heard[2]["id"], &heard[2]["result"]), (&json!("sub"), &ended));
    assert_eq!(messages(&old.1).len(), 1);
    assert!(old.0.chunk().await.unwrap().is_none() && new.0.chunk().await.unwrap().is_none());
}

#[tokio::test]
async fn a_subscription_that_wants_no_tools_ends_at_once_and_a_bad_one_is_told_so() {
    let merged = Merged::new(Class::Read).await;
    let none = listen(&merged.agent, json!({ "resourceSubscriptions": ["files+file:///a"] })).await;
    let heard = messages(&none.text().await.unwrap());
    assert_eq!((heard.len(), &heard[0]["params"]["notifications"]), (2, &json!({})));
    let bad = listen(&merged.agent, json!({ "toolsListChanged": "yes" })).await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    assert!(bad.text().await.unwrap().contains("-32602"));
}

#[tokio::test]
async fn what_nobody_asked_for_is_refused() {
    let merged = Merged::new(Class::Read).await;
    let answer = merged.agent.post(r#"{"jsonrpc":"2.0","id":4,"result":{}}"#, &[]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let missing = merged.agent.ask("tools/call", json!({})).await;
    assert_eq!((missing.status, missing.code()), (StatusCode::BAD_REQUEST, -32602));
    assert!(missing.text.contains("params.name is missing"));
}
