//! One conversation with a server: requests out, results back.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    domain::servers::Era,
    flow::catalogue::{carried::Carried, events::Events, old::OldStream},
    io::net::{
        body::ReplyBody,
        client::{Egress, Reply, Request},
        error::EgressError,
        target::Target,
    },
};

/// The revision whose requests describe themselves.
pub(super) const MODERN: &str = "2026-07-28";
/// Revisions with a handshake, newest first.
pub(super) const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// How much of a refusal is read, to see whether it is one of the protocol.
const REFUSAL_CAP: usize = 64 * 1024;
/// How long one answer may take to begin.
const FIRST_BYTE_WITHIN: Duration = Duration::from_secs(20);

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum TalkError {
    /// The way there.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// It wants to know who calls; the scheme and the place of its metadata, as far as it said.
    #[error("the server wants to know who calls: it answered 401{0}")]
    AuthNeeded(String),
    /// It knows who calls and says no.
    #[error("the server answered 403: whoever the credentials stand for may not do this")]
    Forbidden,
    /// It wants us to go elsewhere.
    #[error("the server sends us elsewhere, which Portreeve does not follow{0}")]
    Redirect(String),
    /// It answered with a status that is no success and no refusal of the protocol.
    #[error("the server answered {}", .0.as_u16())]
    Status(StatusCode),
    /// It refused by the protocol.
    #[error("the server refused by the protocol with code {code}")]
    Rpc {
        /// The HTTP status.
        status: StatusCode,
        /// The code.
        code: i64,
        /// Versions that it says it speaks.
        supported: Vec<String>,
    },
    /// It answered with something else than JSON or a stream.
    #[error("the server answered, but not as an MCP server does")]
    NotMcp,
    /// It spoke a version that nobody here does.
    #[error("the server speaks no version of the protocol that Portreeve knows")]
    Version,
    /// It sent more than is read.
    #[error("the server sent more than {0}")]
    TooMuch(&'static str),
    /// It sent pages that lead in a circle.
    #[error("the pages of a list lead in a circle")]
    Circle,
    /// It ended the stream without an answer.
    #[error("the server ended its stream without an answer")]
    NoAnswer,
    /// It took too long as a whole.
    #[error("reading the catalogue took more than {0} seconds")]
    TooLong(u64),
    /// It speaks the other transport.
    #[error("the server speaks HTTP with SSE, the transport of 2024")]
    OldTransport,
    /// It sends messages to another origin.
    #[error("the server asks for messages to be sent to another host")]
    ForeignEndpoint,
}

impl TalkError {
    /// What to do about it.
    pub(super) const fn fix(&self) -> &'static str {
        match self {
            Self::AuthNeeded(_) => {
                "Where its requests carry accounts, connect your own first, under Connected accounts. Else add a credential, \
                 such as a header Authorization with the template Bearer {value}. If that does not help, the value has expired \
                 or is for another server."
            }
            Self::Forbidden => {
                "Give the account behind the credential the right it lacks, or use another credential."
            }
            Self::Redirect(_) => "Enter the address that it sends us to, if you trust it.",
            Self::Status(_) => {
                "Check the path of the address; MCP endpoints often end in /mcp. Then look into its log."
            }
            Self::Rpc { .. } => "Look into the server's log; it understood the request and refused it.",
            Self::NotMcp => "Check the path of the address; MCP endpoints often end in /mcp.",
            Self::Version => "Update the server.",
            Self::TooMuch(_) => "Have the server offer less, or split it into several.",
            Self::Circle => "Tell whoever maintains the server: a cursor leads back to an earlier page.",
            Self::NoAnswer => "Look into the server's log, then run the check again.",
            Self::TooLong(_) => "Check that the server is not overloaded, then run the check again.",
            Self::OldTransport => "Choose the transport HTTP with SSE.",
            Self::ForeignEndpoint => {
                "Tell whoever maintains the server; Portreeve keeps to the host it was given."
            }
            Self::Egress(_) => "",
        }
    }

    /// Whether speaking to it in another way cannot help.
    pub(super) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Egress(_) | Self::AuthNeeded(_) | Self::Forbidden | Self::Redirect(_) | Self::TooMuch(_)
        )
    }
}

/// What a request came to.
pub(super) type Heard = Result<Box<RawValue>, TalkError>;

/// One side of a conversation.
pub(super) struct Talker<'a> {
    egress: &'a Egress,
    carried: &'a Carried,
    target: Target,
    /// How requests are dressed.
    pub(super) era: Era,
    /// What the version header says, once that is known.
    pub(super) version: Option<&'static str>,
    session: Option<HeaderValue>,
    /// Where answers come on the transport of 2024.
    pub(super) stream: Option<OldStream>,
    next_id: u64,
    /// How many bytes may still be read.
    left: usize,
}

impl<'a> Talker<'a> {
    pub(super) fn new(egress: &'a Egress, carried: &'a Carried, target: Target, bytes: usize) -> Self {
        Self {
            egress,
            carried,
            target,
            era: Era::Modern,
            version: Some(MODERN),
            session: None,
            stream: None,
            next_id: 1,
            left: bytes,
        }
    }

    /// Asks, and waits for the result.
    pub(super) async fn ask(&mut self, method: &str, params: Map<String, Value>) -> Heard {
        let (id, request) = self.request(method, params);
        let reply = self.egress.send(request).await?;
        self.hear(reply, id).await
    }

    /// Tells, and does not care what comes of it.
    pub(super) async fn tell(&mut self, method: &str) {
        let body = json!({"jsonrpc": "2.0", "method": method});
        let request = self.dressed(method, body.to_string());
        if let Err(error) = self.egress.send(request).await {
            tracing::debug!(%error, "a notification did not arrive");
        }
    }

    /// Ends the session, where there is one.
    pub(super) async fn end(self) {
        let Some(session) = self.session.clone() else { return };
        let mut request = Request::new(Method::DELETE, self.target.clone());
        request.headers = self.headers();
        request.headers.insert(SESSION, session);
        // A server that keeps its sessions answers 405, which is its right.
        if let Err(error) = self.egress.send(request).await {
            tracing::debug!(%error, "a session was not ended");
        }
    }

    /// A request in the dress of the era, with its id.
    pub(super) fn request(&mut self, method: &str, mut params: Map<String, Value>) -> (u64, Request) {
        let id = self.next_id;
        self.next_id += 1;
        if self.era == Era::Modern {
            params.insert("_meta".to_owned(), meta());
        }
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        (id, self.dressed(method, body.to_string()))
    }

    /// Goes on counting after the first request, which another hand has sent.
    pub(super) const fn skip_first(&mut self) {
        self.next_id += 1;
    }

    /// A request for the stream of the transport of 2024.
    pub(super) fn stream_request(&self) -> Request {
        let mut request = Request::new(Method::GET, self.target.clone());
        request.headers.clone_from(self.carried.headers());
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        request.first_byte_within = FIRST_BYTE_WITHIN;
        request
    }

    fn dressed(&self, method: &str, body: String) -> Request {
        let target = self.stream.as_ref().map_or(&self.target, |stream| &stream.endpoint);
        let mut request = Request::new(Method::POST, target.clone());
        request.headers = self.headers();
        let headers = &mut request.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if self.era == Era::Modern
            && let Ok(method) = HeaderValue::from_str(method)
        {
            headers.insert(METHOD, method);
        }
        request.body = Bytes::from(body);
        request.first_byte_within = FIRST_BYTE_WITHIN;
        request
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = self.carried.headers().clone();
        if let Some(version) = self.version {
            headers.insert(VERSION, HeaderValue::from_static(version));
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        headers
    }

    /// Reads the answer to the request of this id.
    pub(super) async fn hear(&mut self, reply: Reply, id: u64) -> Heard {
        if !reply.status.is_success() {
            return Err(refusal(reply).await);
        }
        if let Some(session) = reply.headers.get(SESSION) {
            self.session = Some(session.clone());
        }
        if let Some(stream) = &mut self.stream {
            return stream.answer(id, &mut self.left).await;
        }
        match content_type(&reply.headers) {
            "application/json" => {
                let body = reply.read(self.left).await.map_err(too_much)?;
                self.left -= body.len();
                answer(&body, id)?.ok_or(TalkError::NotMcp)?
            }
            "text/event-stream" => {
                let (mut body, mut events) = (reply.body, Events::of_at_most(self.left));
                from_stream_of(&mut body, &mut events, id, &mut self.left).await
            }
            _ => Err(TalkError::NotMcp),
        }
    }

    /// Whether the answer to a request for a stream is one, and the stream.
    pub(super) async fn open_stream(&mut self, reply: Reply) -> Result<OldStream, TalkError> {
        if !reply.status.is_success() {
            return Err(refusal(reply).await);
        }
        if content_type(&reply.headers) != "text/event-stream" {
            return Err(TalkError::NotMcp);
        }
        OldStream::open(self.egress, self.carried.url(), reply.body, &mut self.left).await
    }

    /// Sends a request that was made for the way there.
    pub(super) async fn send(&self, request: Request) -> Result<Reply, TalkError> {
        Ok(self.egress.send(request).await?)
    }
}

/// What every modern request says of who sends it.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": us(),
    })
}

/// Who we are.
pub(super) fn us() -> Value {
    json!({"name": "portreeve", "version": env!("CARGO_PKG_VERSION")})
}

/// Reads events until the answer to the request of this id is there.
pub(super) async fn from_stream_of(
    body: &mut ReplyBody,
    events: &mut Events,
    id: u64,
    left: &mut usize,
) -> Heard {
    loop {
        while let Some(event) = events.next() {
            if let Some(heard) = answer(&event.data, id)? {
                return heard;
            }
        }
        if !more(body, events, left).await? {
            return Err(TalkError::NoAnswer);
        }
    }
}

/// Takes the next bytes of a stream; whether there were any.
pub(super) async fn more(
    body: &mut ReplyBody,
    events: &mut Events,
    left: &mut usize,
) -> Result<bool, TalkError> {
    let Some(frame) = body.frame().await else { return Ok(false) };
    if let Ok(bytes) = frame?.into_data() {
        *left = left.checked_sub(bytes.len()).ok_or(TalkError::TooMuch("50 MB"))?;
        events.push(bytes).map_err(|_| TalkError::TooMuch("50 MB"))?;
    }
    Ok(true)
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default, borrow)]
    method: Option<&'a RawValue>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    #[serde(default)]
    data: Value,
}

/// Reads a message: `None` where it is not the answer to the request of this id.
fn answer(text: &[u8], id: u64) -> Result<Option<Heard>, TalkError> {
    // A list would be read as the members in their order.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(TalkError::NotMcp);
    }
    let envelope: Envelope<'_> = serde_json::from_slice(text).map_err(|_| TalkError::NotMcp)?;
    let is_ours = envelope.id.as_ref().and_then(Value::as_u64) == Some(id);
    // A refusal of what could not be read has no id.
    let is_about_us = is_ours || envelope.error.is_some() && envelope.id.as_ref().is_none_or(Value::is_null);
    if envelope.method.is_some() || !is_about_us {
        return Ok(None);
    }
    match (envelope.result, envelope.error) {
        (Some(result), None) => Ok(Some(Ok(result))),
        (None, Some(failure)) => Ok(Some(Err(refused(StatusCode::OK, &failure)))),
        _ => Err(TalkError::NotMcp),
    }
}

fn refused(status: StatusCode, failure: &Failure) -> TalkError {
    let supported = failure.data["supported"].as_array();
    let supported = supported.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    TalkError::Rpc { status, code: failure.code, supported }
}

async fn refusal(reply: Reply) -> TalkError {
    let status = reply.status;
    match status {
        StatusCode::UNAUTHORIZED => return TalkError::AuthNeeded(challenge(&reply.headers)),
        StatusCode::FORBIDDEN => return TalkError::Forbidden,
        status if status.is_redirection() => return TalkError::Redirect(elsewhere(&reply.headers)),
        _ => {}
    }
    let is_json = content_type(&reply.headers) == "application/json";
    let Ok(body) = reply.read(REFUSAL_CAP).await else { return TalkError::Status(status) };
    match serde_json::from_slice::<Envelope<'_>>(&body) {
        Ok(Envelope { error: Some(failure), .. }) if is_json => refused(status, &failure),
        _ => TalkError::Status(status),
    }
}

/// The scheme that the server asks for; nothing else of what it wrote.
fn challenge(headers: &HeaderMap) -> String {
    let scheme = headers
        .get(header::WWW_AUTHENTICATE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split([' ', ',']).next())
        .filter(|scheme| (1..=20).contains(&scheme.len()) && scheme.bytes().all(|b| b.is_ascii_alphabetic()));
    scheme.map(|scheme| format!(" and asks for {scheme}")).unwrap_or_default()
}

/// The host that a redirect leads to.
fn elsewhere(headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let host =
        location.and_then(|to| url::Url::parse(to).ok()).and_then(|to| to.host_str().map(str::to_owned));
    host.map(|host| format!(": to {host}")).unwrap_or_default()
}

fn content_type(headers: &HeaderMap) -> &'static str {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = said.split(';').next().unwrap_or_default().trim();
    ["application/json", "text/event-stream"]
        .into_iter()
        .find(|kind| kind.eq_ignore_ascii_case(said))
        .unwrap_or_default()
}

fn too_much(error: EgressError) -> TalkError {
    match error {
        EgressError::TooLarge(_) => TalkError::TooMuch("50 MB"),
        other => TalkError::Egress(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn an_answer_is_told_from_other_messages() {
        let heard = |text: &str| answer(text.as_bytes(), 7);
        assert!(
            matches!(heard(r#"{"jsonrpc":"2.0","id":7,"result":{"a":1}}"#), Ok(Some(Ok(r))) if r.get() == r#"{"a":1}"#)
        );
        for other in [
            r#"{"jsonrpc":"2.0","id":8,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/x"}"#,
            r#"{"jsonrpc":"2.0","id":"7","result":{}}"#,
        ] {
            assert!(matches!(heard(other), Ok(None)), "{other}");
        }
        for bad in [
            "",
            "[]",
            "<html>",
            r#"{"id":7}"#,
            r#"{"id":7,"result":1,"error":{"code":1}}"#,
            r#"{"id":7,"id":7}"#,
        ] {
            assert!(matches!(heard(bad), Err(TalkError::NotMcp)), "{bad}");
        }
        let supported = r#"{"id":null,"error":{"code":-32022,"data":{"supported":["2025-11-25",1]}}}"#;
        let Ok(Some(Err(TalkError::Rpc { code, supported, .. }))) = heard(supported) else {
            panic!("a refusal")
        };
        assert_eq!((code, supported), (-32022, vec!["2025-11-25".to_owned()]));
    }

    #[test]
    fn of_a_challenge_only_the_scheme_is_told_and_of_a_redirect_only_the_host() {
        let told = challenge(&headers(header::WWW_AUTHENTICATE, "Bearer realm=\"s3cret\""));
        assert_eq!(told, " and asks for Bearer");
        assert_eq!(challenge(&headers(header::WWW_AUTHENTICATE, "<b>x")), "");
        assert_eq!(elsewhere(&headers(header::LOCATION, "https://b.example/x?token=1")), ": to b.example");
        assert_eq!(elsewhere(&headers(header::LOCATION, "/login")), "");
    }

    #[test]
    fn content_types_are_read_with_their_parameters() {
        assert_eq!(
            content_type(&headers(header::CONTENT_TYPE, "Application/JSON; charset=utf-8")),
            "application/json"
        );
        assert_eq!(content_type(&headers(header::CONTENT_TYPE, "text/html")), "");
    }
}
