//! What is answered here without the server: the opening of a session that is ours, and what a server declares of itself.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    domain::servers,
    flow::proxy::{
        admit::Admitted,
        ask::Answer,
        bridge::{dress, talk},
        gateway::Gateway,
        handles::Session,
        record::{Ending, OpenCall},
        reply,
        route::Call,
        tasks,
    },
    protocol::mcp::{
        error,
        message::{self, Message, Outcome, Request},
        method::Method,
        raw::Raw,
        strict::{self, Limits},
        version::Version,
    },
};

/// A session that is Portreeve's own, because its server knows none of this kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridged {
    /// What the client can do, as it said.
    #[serde(rename = "a")]
    pub capabilities: String,
    /// Which software it claims to be, as it said.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The revision that was agreed on.
    #[serde(rename = "v")]
    pub version: String,
}

impl Bridged {
    /// Whether the client leads its person to an address where it is asked to.
    pub fn takes_links(&self) -> bool {
        let said: Value = serde_json::from_str(&self.capabilities).unwrap_or_default();
        said.pointer("/elicitation/url").is_some()
    }

    /// Of a client that says nothing of itself.
    pub fn unsaid() -> Self {
        let version = Version::LATEST_LEGACY.name().to_owned();
        Self { capabilities: "{}".to_owned(), client: None, version }
    }

    /// What a client says of itself when it opens a session, and the revision that is agreed on with it.
    pub fn of(request: &Request<'_>) -> Self {
        let text = |raw: Option<Raw<'_>>| raw.map(|raw| raw.text().to_owned());
        let asked = request.params.protocol_version().ok().flatten();
        let version = asked.as_deref().and_then(Version::parse).filter(|version| !version.is_modern());
        Self {
            capabilities: text(request.params.capabilities().ok().flatten())
                .unwrap_or_else(|| "{}".to_owned()),
            client: text(request.params.client().ok().flatten()),
            // Whoever asks for a revision without a handshake is offered the newest that has one.
            version: version.unwrap_or(Version::LATEST_LEGACY).name().to_owned(),
        }
    }
}

/// Whether the answer to a handshake has to be looked at, because the server may be one that has none.
pub fn may_be_ours_to_open(call: &Call<'_>) -> bool {
    let is_opening = call.request().is_some_and(|request| request.method() == Method::Initialize);
    is_opening && call.server.server.declared.era == Some(servers::Era::Modern)
}

/// Whether a refused handshake means that the server has none, so that the session is to be ours.
pub fn is_refused(status: StatusCode, body: &[u8], is_stream: bool) -> bool {
    let is_about_us =
        matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    let says_no = |data: &[u8]| {
        let message = message::parse(data, &Limits::of(data.len()));
        matches!(message, Ok(Message::Response(response)) if matches!(response.outcome, Outcome::Error(_)))
    };
    if !status.is_success() {
        return status.is_client_error() && !is_about_us;
    }
    if is_stream { talk::events(body).iter().any(|event| says_no(event)) } else { says_no(body) }
}

/// Opens a session of ours for a server that has none.
pub fn open(gateway: &Gateway, admitted: &Admitted, call: &Call<'_>, open: Option<OpenCall>) -> Answer {
    let Some(request) = call.request() else { return reply::no_stream() };
    let bridged = Bridged::of(request);
    let declared = &call.server.server.declared;
    let result = json!({
        "protocolVersion": bridged.version,
        "capabilities": dress::capabilities(declared.capabilities.as_deref()),
        "serverInfo": server_info(call),
        "instructions": declared.instructions,
    });
    let mut answer = own(request, result, open);
    let session = Session {
        upstream: String::new(),
        client: call.client.clone(),
        bridged: Some(bridged),
        account: None,
        takes_links: false,
    };
    let handle = gateway.handles.seal_session(admitted.holder(&call.server), &session);
    if let Ok(value) = handle.parse() {
        answer.headers.insert(talk::SESSION, value);
    }
    answer
}

fn server_info(call: &Call<'_>) -> Value {
    let server = &call.server.server;
    let name = server.declared.name.as_deref().unwrap_or(&server.name);
    json!({ "name": name, "version": server.declared.version.as_deref().unwrap_or("0") })
}

/// An answer that needs no server.
pub fn own(request: &Request<'_>, mut result: Value, open: Option<OpenCall>) -> Answer {
    if let Value::Object(result) = &mut result {
        result.retain(|_, value| !value.is_null());
    }
    let text = result.to_string();
    let raw = strict::check(text.as_bytes(), &Limits::of(text.len()));
    let body = raw.map(|raw| error::result(request.id, raw)).unwrap_or_default();
    if let Some(open) = open {
        open.close(&Ending::Answered, None, body.len());
    }
    reply::json_answer(StatusCode::OK, body)
}

/// What a server of the old era is, in the words of the modern one.
pub fn discovered(call: &Call<'_>, may_wait: bool) -> Value {
    let declared = &call.server.server.declared;
    let mut capabilities = dress::capabilities(declared.capabilities.as_deref());
    // The server's own tasks do not cross; those of ours, in which calls wait, need not.
    if let (true, Value::Object(all)) = (may_wait, &mut capabilities) {
        tasks::declare(all);
    }
    json!({
        "resultType": "complete",
        "supportedVersions": [Version::LATEST.name()],
        "capabilities": capabilities,
        "instructions": declared.instructions,
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": server_info(call) },
    })
}
