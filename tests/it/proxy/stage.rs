//! An organization with a scripted server, a grant and an agent that carries its token.

use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};
use portreeve::{
    base::{
        actor::Principal,
        ids::{GrantId, ServerId, UserId},
        permission::Role,
        risk::Class,
    },
    domain::audit::{self, EventFilter, EventKind, Record},
    io::db::Tx,
};
use serde_json::{Value, json};

use crate::kit::{
    app::TestApp,
    fake_server::{Asked, FakeServer, Script},
    people::PlantedOrg,
};

/// How long what follows an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every test of the gate stands on.
pub(super) struct Stage {
    pub(super) app: TestApp,
    pub(super) org: PlantedOrg,
    pub(super) person: UserId,
    pub(super) upstream: FakeServer,
    pub(super) server: ServerId,
    pub(super) grant: GrantId,
    pub(super) agent: Agent,
}

/// Software that carries a token.
#[derive(Clone)]
pub(super) struct Agent {
    client: reqwest::Client,
    url: String,
    token: String,
    /// What it can do, as it says with requests that are about no task.
    capabilities: Value,
}

/// What an agent was answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

/// The tools that the scripted server has: one of each class that tests need.
pub(super) fn tools() -> Vec<Value> {
    let tool = |name: &str, hints: Value| {
        json!({
            "name": name,
            "description": format!("Does {name}."),
            "inputSchema": { "type": "object", "properties": { "title": { "type": "string" } } },
            "annotations": hints,
        })
    };
    vec![
        tool("get_issue", json!({ "readOnlyHint": true })),
        tool("create_issue", json!({ "readOnlyHint": false, "destructiveHint": false })),
        tool("delete_repository", json!({ "destructiveHint": true })),
    ]
}

/// Answers as a small server of the modern era does: lists, and an echo of every call.
pub(super) fn usual(asked: &Asked) -> Script {
    let Ok(message) = serde_json::from_slice::<Value>(&asked.body) else { return Script::json("{}") };
    let result = match message["method"].as_str().unwrap_or_default() {
        "tools/list" => {
            json!({ "tools": tools(), "resultType": "complete", "ttlMs": 1000, "cacheScope": "public" })
        }
        "server/discover" => json!({
            "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} }, "resultType": "complete",
            "ttlMs": 0, "cacheScope": "public"
        }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": "done" }], "resultType": "complete" }),
        _ => json!({ "resultType": "complete" }),
    };
    Script::json(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string())
}

impl Stage {
    /// With the usual server, whose tools were read and accepted, and a grant for the person up to this class.
    pub(super) async fn with_ceiling(ceiling: Class) -> Self {
        Self::over(ceiling, usual).await
    }

    /// With a server that answers like this.
    pub(super) async fn over(
        ceiling: Class,
        answerer: impl Fn(&Asked) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self::of(TestApp::start().await, ceiling, answerer).await
    }

    /// The same in an app of the test's own.
    pub(super) async fn of(
        app: TestApp,
        ceiling: Class,
        answerer: impl Fn(&Asked) -> Script + Send + Sync + 'static,
    ) -> Self {
        let org = app.org("acme").await;
        let person = app.member(&org, "Ada Agent", Role::Member).await.id;
        let upstream = FakeServer::answering(answerer).await;
        let server = app.server_at(&org, "github", &upstream.url("/mcp")).await;
        app.accept_tools(&org, server, &tools()).await;
        let (grant, token) = app.grant(&org, Principal::User(person), ceiling).await;
        let agent = Agent::new(&format!("{}/mcp/acme/github", app.origin()), &token);
        Self { app, org, person, upstream, server, grant, agent }
    }

    /// The records of calls, oldest first.
    pub(super) async fn calls(&self) -> Vec<(String, Record)> {
        let filter = EventFilter { kind: Some(EventKind::Call), ..EventFilter::default() };
        let page = portreeve::base::page::PageRequest { limit: 200, after: None };
        let mut tx = self.app.org_tx(self.org.id).await;
        let mut calls = Vec::new();
        for row in audit::list(&mut tx, &filter, &page).await.unwrap().items.into_iter().rev() {
            let detail = audit::find(&mut tx, row.id).await.unwrap().unwrap();
            calls.push((row.action, detail.record.expect("the record reads")));
        }
        tx.done().await.unwrap();
        calls
    }

    /// Waits until this many records of calls stand; outcomes follow the answer.
    pub(super) async fn calls_once(&self, count: usize) -> Vec<(String, Record)> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let calls = self.calls().await;
            if calls.len() >= count {
                return calls;
            }
            tokio::task::yield_now().await;
        }
        panic!("there are only {:?}", self.calls().await.iter().map(|call| &call.0).collect::<Vec<_>>());
    }

    /// The tool calls that reached the server.
    pub(super) fn reached(&self) -> Vec<Asked> {
        let is_call = |asked: &Asked| String::from_utf8_lossy(&asked.body).contains("tools/call");
        self.upstream.asked().into_iter().filter(is_call).collect()
    }
}

fn knowing_tasks() -> Value {
    json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } })
}

impl Agent {
    pub(super) fn new(url: &str, token: &str) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let (client, capabilities) = (client.build().unwrap(), knowing_tasks());
        Self { client, url: url.to_owned(), token: token.to_owned(), capabilities }
    }

    /// The same agent at another address.
    pub(super) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same software, which does not know tasks.
    pub(super) fn without_tasks(&self) -> Self {
        Self { capabilities: json!({}), ..self.clone() }
    }

    /// The same software with another token.
    pub(super) fn carrying(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Sends bytes as they are, with more headers.
    pub(super) async fn post(&self, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Reply {
        Reply::of(self.begin(body, headers).await).await
    }

    /// The same, with the answer still on its way.
    pub(super) async fn begin(
        &self,
        body: impl Into<Vec<u8>>,
        headers: &[(&str, &str)],
    ) -> reqwest::Response {
        let mut request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body.into()).send().await.unwrap()
    }

    /// Opens the stream of a session.
    pub(super) async fn follow(&self, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.client.get(&self.url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("accept", "text/event-stream").send().await.unwrap()
    }

    /// Any other method.
    pub(super) async fn send(&self, method: http::Method, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.client.request(method, &self.url).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::of(request.send().await.unwrap()).await
    }

    /// A request of the modern era, with the headers that repeat it; what `_meta` says goes before what is usual.
    pub(super) async fn ask(&self, method: &str, mut params: Value) -> Reply {
        let is_about_a_task = method.starts_with("tasks/");
        let capabilities = if is_about_a_task { knowing_tasks() } else { self.capabilities.clone() };
        let usual = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities,
            "io.modelcontextprotocol/clientInfo": { "name": "test-agent", "version": "1.2" },
        });
        let mut meta = params["_meta"].take().as_object().cloned().unwrap_or_default();
        for (key, value) in usual.as_object().unwrap() {
            meta.entry(key).or_insert_with(|| value.clone());
        }
        params["_meta"] = Value::Object(meta);
        let name = ["name", "uri", "taskId"].into_iter().find_map(|key| params[key].as_str());
        let name = name.unwrap_or_default().to_owned();
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string();
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
        self.post(body, &headers).await
    }

    /// A call of a tool.
    pub(super) async fn call(&self, tool: &str) -> Reply {
        self.ask("tools/call", json!({ "name": tool, "arguments": { "title": "hello" } })).await
    }
}

impl Reply {
    async fn of(answer: reqwest::Response) -> Self {
        let (status, headers) = (answer.status(), answer.headers().clone());
        Self { status, headers, text: answer.text().await.unwrap_or_default() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self))
    }

    /// The code of JSON-RPC's error, or 0.
    pub(super) fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap_or_default()
    }

    /// What a model reads.
    pub(super) fn words(&self) -> String {
        self.json()["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned()
    }
}
