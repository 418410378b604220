//! What the merged endpoint answers by itself: who it is, which tools there are, and that it is there.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::{
    domain::servers::DecisionTool,
    flow::{
        decision::{Caller, ServerFacts, as_policies_see},
        proxy::{
            admit::Admitted,
            ask::{Answer, Ask},
            bridge::Bridged,
            gateway::Gateway,
            handles::Session,
            merged::{Problem, changes, cursor::Cursor, heard::Heard, names, places},
            record::{self, Recorded},
            refusal::Refusal,
            reply, tasks,
        },
    },
    protocol::mcp::{
        error,
        message::Request,
        method::ListKind,
        splice::Edits,
        strict::{self, Limits},
        version::{Era, Version},
    },
};

/// How many tools a page has.
const PAGE: usize = 500;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// One request that is answered here.
pub(super) struct Own<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) ask: &'a Ask,
    pub(super) admitted: &'a Admitted,
    pub(super) heard: &'a Heard,
    pub(super) request: &'a Request<'a>,
}

impl Own<'_> {
    /// Opens a session.
    pub(super) async fn initialize(&self) -> Result<Recorded, Problem> {
        let asked = self.request.params.protocol_version();
        let asked = asked.map_err(|fault| Refusal::BadParams { what: fault.to_string() })?;
        asked.ok_or_else(|| Refusal::BadParams { what: "params.protocolVersion is missing".to_owned() })?;
        let bridged = Bridged::of(self.request);
        let result = json!({
            "protocolVersion": bridged.version,
            "capabilities": self.capabilities(),
            "serverInfo": server_info(),
            "instructions": self.instructions(),
        });
        let client = self.heard.client.clone();
        let session = Session {
            upstream: String::new(),
            client,
            bridged: Some(bridged),
            account: None,
            takes_links: false,
        };
        let handle = self.gateway.handles.seal_session(self.admitted.holder_of_all(), &session);
        let mut answer = self.answer(&result.to_string());
        if let Ok(value) = HeaderValue::from_str(&handle) {
            answer.headers.insert(SESSION, value);
        }
        self.recorded(answer).await
    }

    /// Says what there is, to whoever speaks without sessions.
    pub(super) async fn discover(&self) -> Result<Recorded, Problem> {
        let versions: Vec<_> = Version::ALL.into_iter().rev().map(Version::name).collect();
        let result = json!({
            "resultType": "complete",
            "supportedVersions": versions,
            "capabilities": self.capabilities(),
            "instructions": self.instructions(),
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": { SERVER_INFO: server_info() },
        });
        self.recorded(self.answer(&result.to_string())).await
    }

    /// Says that it is there.
    pub(super) async fn pong(&self) -> Result<Recorded, Problem> {
        let stale = record::in_force(self.gateway, self.admitted).await?;
        Ok(stale.unwrap_or_else(|| Recorded::Answer(Box::new(self.answer("{}")))))
    }

    /// Begins to tell of changes.
    pub(super) async fn listen(&self) -> Result<Recorded, Problem> {
        let wants_tools = changes::wants_tools(self.request);
        let wants_tools = wants_tools.map_err(|what| Refusal::BadParams { what: what.to_owned() })?;
        let method = self.request.method();
        let client = self.heard.client.as_ref();
        let stale = record::answered(self.gateway, self.ask, self.admitted, method, client).await?;
        Ok(stale.unwrap_or_else(|| {
            let asked = (self.request, wants_tools);
            let answer = changes::subscription(self.gateway, self.ask, self.admitted, self.heard, asked);
            Recorded::Answer(Box::new(answer))
        }))
    }

    /// The tools of all servers that this agent may call, as they were reviewed.
    pub(super) async fn tools(&self) -> Result<Recorded, Problem> {
        let client = self.heard.client.as_ref();
        let all = callable(self.admitted, &self.admitted.caller(client, self.ask.origin.ip));
        let start = self.start(&all)?;
        let page = &all[start..all.len().min(start + PAGE)];
        let mut list = String::with_capacity(page.len() * 1024);
        for (name, facts, definition) in page {
            let Some(shown) = shown(facts, definition, name) else { continue };
            list.push_str(if list.is_empty() { "" } else { "," });
            list.push_str(&shown);
        }
        let next = all.get(start + PAGE).and(page.last());
        let next = next.map(|(name, ..)| {
            let cursor = Cursor::new(ListKind::Tools, None, Some(name.clone()));
            cursor.seal(&self.gateway.handles, self.admitted.holder_of_all())
        });
        let next = next.map(|next| format!(",\"nextCursor\":\"{next}\"")).unwrap_or_default();
        let result = format!("{{\"tools\":[{list}]{next}{}}}", self.cached());
        self.recorded(self.answer(&result)).await
    }

    /// A page of a list on which nothing is left.
    pub(super) async fn empty_page(&self, kind: ListKind) -> Result<Recorded, Problem> {
        let result = format!("{{\"{}\":[]{}}}", kind.member(), self.cached());
        self.recorded(self.answer(&result)).await
    }

    /// Behind which tool the page begins.
    fn start(&self, all: &[(String, &ServerFacts, &str)]) -> Result<usize, Refusal> {
        let cursor = Cursor::of(self.gateway, self.admitted, self.request, ListKind::Tools)?;
        let Some(cursor) = cursor else { return Ok(0) };
        let behind = cursor.behind.unwrap_or_default();
        Ok(all.partition_point(|(name, ..)| *name <= behind))
    }

    /// What at least one of the servers can do.
    fn capabilities(&self) -> Value {
        let mut all = Map::from_iter([("tools".to_owned(), json!({ "listChanged": true }))]);
        let servers = self.admitted.servers();
        let said = servers.iter().filter_map(|facts| {
            serde_json::from_str::<Map<String, Value>>(facts.server.declared.capabilities.as_deref()?).ok()
        });
        for said in said {
            for key in ["prompts", "resources", "completions"] {
                if said.contains_key(key) {
                    all.insert(key.to_owned(), json!({}));
                }
            }
        }
        let caller = self.admitted.caller(self.heard.client.as_ref(), self.ask.origin.ip);
        if self.heard.era == Era::Modern && servers.iter().any(|facts| caller.may_wait(facts)) {
            tasks::declare(&mut all);
        }
        Value::Object(all)
    }

    /// Texts of servers are not repeated here: nobody reviewed them, and all would speak to all.
    fn instructions(&self) -> String {
        let servers = self.admitted.servers();
        let names = servers.iter().map(|facts| format!("{} ({})", facts.server.slug, facts.server.name));
        format!(
            "Several servers behind one address. A tool or prompt is named {{server}}__{{name}}, and the address of a \
             resource begins with {{server}}+. Servers: {}.",
            names.collect::<Vec<_>>().join(", ")
        )
    }

    fn cached(&self) -> &'static str {
        match self.heard.era {
            Era::Modern => ",\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\"",
            Era::Legacy => "",
        }
    }

    fn answer(&self, result: &str) -> Answer {
        let raw = strict::check(result.as_bytes(), &Limits::of(result.len()));
        let body = raw.map(|raw| error::result(self.request.id, raw)).unwrap_or_default();
        reply::json_answer(http::StatusCode::OK, body)
    }

    async fn recorded(&self, answer: Answer) -> Result<Recorded, Problem> {
        let client = self.heard.client.as_ref();
        let method = self.request.method();
        let stale = record::answered(self.gateway, self.ask, self.admitted, method, client).await?;
        Ok(stale.unwrap_or_else(|| Recorded::Answer(Box::new(answer))))
    }
}

/// Name, server and definition of every tool that an agent may call, by name.
pub(super) fn callable<'a>(
    admitted: &'a Admitted,
    caller: &Caller<'_>,
) -> Vec<(String, &'a ServerFacts, &'a str)> {
    let mut all = Vec::new();
    for facts in admitted.servers() {
        let slug = facts.server.slug.as_str();
        let shown = |tool: &DecisionTool| {
            facts.callable(tool.name.as_str(), caller.grant.ceiling).is_ok()
                && caller.lists(facts, &as_policies_see(tool))
        };
        for tool in facts.server.tools.iter().filter(|tool| shown(tool)) {
            if let Some(definition) = tool.accepted_definition.as_deref() {
                all.push((names::merged(slug, tool.name.as_str()), facts.as_ref(), definition));
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// A definition as it is offered here.
fn shown(facts: &ServerFacts, definition: &str, name: &str) -> Option<String> {
    let raw = strict::check(definition.as_bytes(), &Limits::of(definition.len())).ok()?;
    let mut edits = Edits::of(definition.as_bytes());
    places::tool(&mut edits, facts.server.slug.as_str(), raw, name);
    String::from_utf8(edits.apply().ok()?).ok()
}

fn server_info() -> Value {
    json!({ "name": "portreeve", "title": "Portreeve", "version": env!("CARGO_PKG_VERSION") })
}
