//! An MCP server of somebody else that speaks either era and offers what a test wants.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::kit::fake_server::{Asked, FakeServer, Script};

/// Which era it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Modern,
    Legacy,
}

/// What it offers, and on which terms.
pub(crate) struct Offer {
    pub(crate) speaks: Speaks,
    /// Lists by their member: `tools`, `prompts`, `resources`, `resourceTemplates`.
    pub(crate) tools: Vec<Value>,
    pub(crate) prompts: Vec<Value>,
    pub(crate) resources: Vec<Value>,
    /// How many entries stand on one page.
    pub(crate) page: usize,
    /// The value of `Authorization` without which it answers 401.
    pub(crate) bearer: Option<&'static str>,
    /// Answers come as events instead of JSON.
    pub(crate) streams: bool,
    /// It answers everything with this status.
    pub(crate) broken: Option<&'static str>,
}

/// The server; the offer may change while it runs.
pub(crate) struct Upstream {
    pub(crate) server: FakeServer,
    offer: Arc<Mutex<Offer>>,
}

/// A tool with a description and arguments that are texts.
pub(crate) fn tool(name: &str, description: &str, arguments: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        arguments.iter().map(|argument| ((*argument).to_owned(), json!({ "type": "string" }))).collect();
    json!({
        "name": name, "description": description,
        "inputSchema": { "type": "object", "properties": properties },
    })
}

impl Upstream {
    /// One that offers these tools.
    pub(crate) async fn offering(speaks: Speaks, tools: Vec<Value>) -> Self {
        let offer = Arc::new(Mutex::new(Offer {
            speaks,
            tools,
            prompts: Vec::new(),
            resources: Vec::new(),
            page: 100,
            bearer: None,
            streams: false,
            broken: None,
        }));
        let heard = Arc::clone(&offer);
        let server = FakeServer::answering(move |asked| answer(&heard.lock().unwrap(), asked)).await;
        Self { server, offer }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.server.url("/mcp")
    }

    /// Changes what it offers.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Offer)) {
        change(&mut self.offer.lock().unwrap());
    }

    /// The methods that were asked for, in their order; `DELETE` where a session was ended.
    pub(crate) fn methods(&self) -> Vec<String> {
        let method = |asked: &Asked| match asked.method.as_str() {
            "POST" => {
                let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
                body["method"].as_str().unwrap_or_default().to_owned()
            }
            other => other.to_owned(),
        };
        self.server.asked().iter().map(method).collect()
    }
}

fn answer(offer: &Offer, asked: &Asked) -> Script {
    if let Some(status) = offer.broken {
        return Script::answer(status, &[("content-type", "text/html")], "<h1>No</h1>");
    }
    if offer.bearer.is_some_and(|bearer| asked.header("authorization") != Some(bearer)) {
        let challenge = [("www-authenticate", "Bearer realm=\"s3cret-realm\"")];
        return Script::answer("401 Unauthorized", &challenge, "");
    }
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    match asked.method.as_str() {
        "POST" if body["id"].is_null() => Script::answer("202 Accepted", &[], ""),
        "POST" => match offer.speaks {
            Speaks::Modern => modern(offer, asked, &body),
            Speaks::Legacy => legacy(offer, asked, &body),
        },
        "DELETE" if offer.speaks == Speaks::Legacy => Script::answer("200 OK", &[], ""),
        _ => Script::answer("405 Method Not Allowed", &[], ""),
    }
}

fn modern(offer: &Offer, asked: &Asked, body: &Value) -> Script {
    let meta = &body["params"]["_meta"];
    let agrees = asked.header("mcp-protocol-version") == Some("2026-07-28")
        && meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        && meta["io.modelcontextprotocol/clientCapabilities"].is_object()
        && asked.header("mcp-method") == body["method"].as_str();
    if !agrees {
        return refuse(body, "400 Bad Request", -32020);
    }
    let result = match body["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities(offer),
            "ttlMs": 0, "cacheScope": "public", "instructions": "Be kind.",
            "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "fake", "version": "1.2" } },
        }),
        method => match list(offer, method, &body["params"]) {
            Some(result) => result,
            None => return refuse(body, "404 Not Found", -32601),
        },
    };
    reply(offer, body, &result)
}

fn legacy(offer: &Offer, asked: &Asked, body: &Value) -> Script {
    let method = body["method"].as_str().unwrap_or_default();
    if method == "initialize" {
        let result = json!({
            "protocolVersion": "2025-06-18", "capabilities": capabilities(offer),
            "serverInfo": { "name": "fake", "version": "0.9" },
        });
        let text = json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }).to_string();
        let headers = [("content-type", "application/json"), ("mcp-session-id", "s-1")];
        return Script::answer("200 OK", &headers, text);
    }
    if asked.header("mcp-session-id") != Some("s-1") {
        return Script::answer("400 Bad Request", &[("content-type", "text/plain")], "no session");
    }
    match list(offer, method, &body["params"]) {
        Some(result) => reply(offer, body, &result),
        None => refuse(body, "200 OK", -32601),
    }
}

fn capabilities(offer: &Offer) -> Value {
    let mut all = json!({ "tools": { "listChanged": true } });
    if !offer.prompts.is_empty() {
        all["prompts"] = json!({});
    }
    if !offer.resources.is_empty() {
        all["resources"] = json!({});
    }
    all
}

fn list(offer: &Offer, method: &str, params: &Value) -> Option<Value> {
    let (member, entries) = match method {
        "tools/list" => ("tools", &offer.tools),
        "prompts/list" => ("prompts", &offer.prompts),
        "resources/list" => ("resources", &offer.resources),
        _ => return None,
    };
    let start: usize = params["cursor"].as_str().and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let end = (start + offer.page).min(entries.len());
    let mut result = json!({ member: entries[start.min(end)..end] });
    if end < entries.len() {
        result["nextCursor"] = json!(end.to_string());
    }
    Some(result)
}

fn reply(offer: &Offer, body: &Value, result: &Value) -> Script {
    let text = json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }).to_string();
    if !offer.streams {
        return Script::json(&text);
    }
    let progress = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
    let events = format!(": hello\n\ndata: {progress}\n\nevent: message\ndata: {text}\n\n");
    Script::answer("200 OK", &[("content-type", "text/event-stream")], events)
}

fn refuse(body: &Value, status: &str, code: i64) -> Script {
    let error = json!({ "code": code, "message": "No such thing" });
    let text = json!({ "jsonrpc": "2.0", "id": body["id"], "error": error }).to_string();
    Script::answer(status, &[("content-type", "application/json")], text)
}
