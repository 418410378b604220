//! Carries a passed call out: to the server, and its answer back.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, StatusCode, header};

use crate::{
    flow::proxy::{
        admit::Admitted,
        again::{self, Again},
        ask::{self, Answer, AnswerBody, Ask},
        bridge,
        credential::Credential,
        demand,
        edit::Editor,
        gateway::Gateway,
        handles::Session,
        hold,
        judge::Permit,
        record::{Ending, OpenCall, Pass},
        refusal,
        relay::{self, Relay},
        reply::{self, Failed},
        route::{Call, Payload},
    },
    io::net::{
        client::{Reply, Request},
        error::EgressError,
    },
    protocol::mcp::{
        message::Message,
        method::{Method, Target},
        version::Era,
    },
};

/// How large an answer may be that is read as a whole before it is passed on.
const MAX_WHOLE: usize = 10 * 1024 * 1024;
/// Answers up to this size are looked through for handles of the server; larger ones are passed on as they come.
const MAX_LOOKED_THROUGH: u64 = 1024 * 1024;

/// The caller's headers that a server may see; all others stay here.
const FORWARDED: [&str; 6] =
    ["accept", "content-type", "mcp-protocol-version", "last-event-id", "traceparent", "tracestate"];
/// Headers that repeat what the body says.
const REPEATING: [&str; 2] = ["mcp-method", "mcp-name"];
/// Headers that mirror arguments of tools.
const MIRRORED: &str = "mcp-param-";
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// A server's headers that the caller may see; all others stay here.
const RETURNED: [&str; 4] = ["content-type", "mcp-protocol-version", "retry-after", "allow"];

/// Carries the call out.
pub async fn dispatch(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    pass: Pass<'_>,
    credential: Credential,
) -> Answer {
    let (permit, open) = pass.into_parts();
    if let Payload::Message(Message::Notification(told)) = &permit.call().payload
        && let (Method::Cancelled, Ok(Some(id))) = (told.method(), told.params.request_id())
    {
        Box::pin(hold::call_off(gateway, ask, admitted, &id.key())).await;
    }
    if let Some(way) = bridge::way(permit.call()) {
        // Boxed, so that what few calls need makes no call larger.
        return Box::pin(bridge::dispatch(gateway, ask, admitted, &permit, open, credential, way)).await;
    }
    let account = credential.account();
    let Some(first) = request(gateway, ask, permit.call(), credential) else {
        return failed(gateway, ask, &permit, open, None, ("upstream_address_refused", String::new()));
    };
    let mut reply = gateway.egress.send(first).await;
    let is_refused = reply.as_ref().is_ok_and(|reply| reply.status == StatusCode::UNAUTHORIZED);
    if let (true, Some(account)) = (is_refused, account) {
        match Box::pin(again::refused(gateway, admitted, &permit, account)).await {
            Again::With(credential) => {
                if let Some(second) = request(gateway, ask, permit.call(), credential) {
                    reply = Box::pin(gateway.egress.send(second)).await;
                }
            }
            Again::Later => {
                let status = StatusCode::UNAUTHORIZED;
                let (code, sentence) = unaccepted(status);
                let fault = (code, again::in_a_moment(&sentence));
                return failed(gateway, ask, &permit, open, Some(status), fault);
            }
            Again::Never => {}
        }
    }
    if let (Ok(reply), Some(account)) = (&reply, account)
        && reply.status == StatusCode::FORBIDDEN
        && let Some(refusal) =
            Box::pin(demand::told(gateway, admitted, &permit, account, &reply.headers)).await
    {
        if let Some(open) = open {
            open.close(&demand::ending(&refusal), Some(StatusCode::FORBIDDEN.as_u16()), 0);
        }
        return reply::refusal(gateway, ask, &permit.call().refused(admitted, refusal));
    }
    match reply {
        Ok(reply) if bridge::may_be_ours_to_open(permit.call()) => {
            Box::pin(opening(gateway, ask, admitted, &permit, open, reply)).await
        }
        Ok(reply) => answer(gateway, ask, admitted, &permit, open, reply).await,
        Err(error) => failed(gateway, ask, &permit, open, None, refusal::failure(&error)),
    }
}

/// The request to the server: the judged bytes, the few headers it may see, and the server's own credential.
fn request(gateway: &Gateway, ask: &Ask, call: &Call<'_>, credential: Credential) -> Option<Request> {
    let target = call.server.target.as_ref()?;
    let verb = match ask.verb {
        ask::Verb::Post => Verb::POST,
        ask::Verb::Get => Verb::GET,
        ask::Verb::Delete => Verb::DELETE,
    };
    let mut headers = forwarded(ask, call);
    let target = credential.attach(&mut headers, target);
    let mut request = Request::new(verb, target);
    request.headers = headers;
    request.first_byte_within = gateway.egress.call_within();
    // A stream of a session is silent for as long as nothing happens.
    request.idle_within = None;
    request.body = match &call.payload {
        Payload::Message(_) => call.opened.body.clone().unwrap_or_else(|| ask.body.clone()),
        Payload::Listen | Payload::End => Bytes::new(),
    };
    Some(request)
}

/// Whether a server may see a header of the caller's.
pub fn goes_on(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORWARDED.contains(&name) || REPEATING.contains(&name) || name.starts_with(MIRRORED)
}

fn forwarded(ask: &Ask, call: &Call<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    for name in FORWARDED {
        if let Some(value) = ask.headers.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    // The body is one message in UTF-8, whatever its label says.
    if headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    // What repeats the body was compared with it in the era that has such headers; in the other nobody judged it.
    if call.era == Era::Modern {
        for (name, value) in &ask.headers {
            if REPEATING.contains(&name.as_str()) || name.as_str().starts_with(MIRRORED) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    if let Some(name) = call.opened.renamed.as_deref().and_then(|name| HeaderValue::from_str(name).ok()) {
        headers.insert(HeaderName::from_static("mcp-name"), name);
    }
    if let Some(session) = call.session.as_ref().filter(|session| session.bridged.is_none())
        && let Ok(value) = HeaderValue::from_str(&session.upstream)
    {
        headers.insert(SESSION, value);
    }
    headers
}

/// The answer to a handshake of a server that may have none: then the session is ours.
async fn opening(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    open: Option<OpenCall>,
    reply: Reply,
) -> Answer {
    let (status, is_stream) = (reply.status, is_event_stream(&reply.headers));
    let headers = returned(gateway, admitted, permit, &reply);
    match reply.read(MAX_WHOLE).await {
        Ok(body) if bridge::is_refused(status, &body, is_stream) => {
            bridge::open(gateway, admitted, permit.call(), open)
        }
        Ok(body) => {
            if let Some(fault) = refused_by_server(status) {
                return failed(gateway, ask, permit, open, Some(status), fault);
            }
            let editor = Editor::of(gateway, admitted, permit, open.as_ref());
            let body = if is_stream { relay::edited(&editor, body) } else { edited(&editor, body) };
            if let Some(open) = open {
                open.close(&ended(status), Some(status.as_u16()), body.len());
            }
            Answer { status, headers, body: AnswerBody::Whole(body) }
        }
        Err(error) => failed(gateway, ask, permit, open, Some(status), refusal::failure(&error)),
    }
}

/// An answer that is no list: what cannot be read in it stays as it is.
fn edited(editor: &Editor, body: Bytes) -> Bytes {
    editor.edit(&body).ok().flatten().map_or(body, Bytes::from)
}

async fn answer(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    open: Option<OpenCall>,
    reply: Reply,
) -> Answer {
    let status = reply.status;
    if let Some(fault) = refused_by_server(status) {
        return failed(gateway, ask, permit, open, Some(status), fault);
    }
    let headers = returned(gateway, admitted, permit, &reply);
    let editor = Editor::of(gateway, admitted, permit, open.as_ref());
    if is_event_stream(&reply.headers) {
        let relay = Relay::of_events(reply, open, editor);
        return Answer { status, headers, body: AnswerBody::stream(relay) };
    }
    if !must_read(permit.call(), &reply) {
        let relay = match status.is_success() && permit.call().request().is_some() {
            true => Relay::of_message(reply, open, editor),
            false => Relay::of_bytes(reply, open),
        };
        return Answer { status, headers, body: AnswerBody::stream(relay) };
    }
    match reply.read(MAX_WHOLE).await {
        Ok(body) if status.is_success() && permit.call().request().is_some() && !is_message(&body) => {
            failed(gateway, ask, permit, open, Some(status), invalid())
        }
        Ok(body) => {
            let edited = if status.is_success() { editor.edit(&body) } else { Ok(None) };
            let Ok(edited) = edited else {
                let fault = ("upstream_answer_invalid", "the server's list cannot be read".to_owned());
                return failed(gateway, ask, permit, open, Some(status), fault);
            };
            let body = edited.map_or(body, Bytes::from);
            if let Some(open) = open {
                open.close(&ended(status), Some(status.as_u16()), body.len());
            }
            Answer { status, headers, body: AnswerBody::Whole(body) }
        }
        Err(error) => failed(gateway, ask, permit, open, Some(status), refusal::failure(&error)),
    }
}

/// Whether this may be the answer to a request: an object, or the batch that one revision knows. Its client reads the rest.
fn is_message(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// What is said of a server that answers a request with anything else.
pub fn invalid() -> (&'static str, String) {
    ("upstream_answer_invalid", "the server answered, but not as an MCP server does".to_owned())
}

/// What a status alone says of how a call ended.
pub fn ended(status: StatusCode) -> Ending {
    if status.is_server_error() {
        Ending::Failed("upstream_failed".into(), format!("the server answered with HTTP {}", status.as_u16()))
    } else {
        Ending::Answered
    }
}

/// A status that must not reach the agent: it would take a challenge of the server for ours, or follow it elsewhere.
pub fn refused_by_server(status: StatusCode) -> Option<(&'static str, String)> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some(unaccepted(status))
        }
        status if status.is_redirection() || status.is_informational() => {
            Some(("upstream_redirected", "the server sends elsewhere, which is not followed".to_owned()))
        }
        _ => None,
    }
}

fn unaccepted(status: StatusCode) -> (&'static str, String) {
    (
        "upstream_refused_credential",
        format!("the server does not accept the credential it was sent (HTTP {})", status.as_u16()),
    )
}

/// Answers are read whole where something in them may have to be changed.
fn must_read(call: &Call<'_>, reply: &Reply) -> bool {
    let Some(request) = call.request() else { return false };
    let is_listed = matches!(request.method().target(), Target::List(_) | Target::Task | Target::Tasks)
        || matches!(request.method(), Method::Initialize | Method::ServerDiscover);
    let length =
        reply.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    is_listed || call.merged.is_some() || length.is_some_and(|length: u64| length <= MAX_LOOKED_THROUGH)
}

/// Whether an answer is a stream of events.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

fn returned(gateway: &Gateway, admitted: &Admitted, permit: &Permit<'_>, reply: &Reply) -> HeaderMap {
    let (call, account) = (permit.call(), permit.account());
    let mut headers = HeaderMap::with_capacity(6);
    for name in RETURNED {
        if let Some(value) = reply.headers.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    // What stands for the server's session is sealed to this grant and server.
    if let Some(upstream) = reply.headers.get(SESSION).and_then(|value| value.to_str().ok()) {
        let session = Session {
            upstream: upstream.to_owned(),
            client: call.client.clone(),
            bridged: None,
            account,
            takes_links: call.takes_links(),
        };
        let handle = gateway.handles.seal_session(admitted.holder(&call.server), &session);
        if let Ok(value) = HeaderValue::from_str(&handle) {
            headers.insert(SESSION, value);
        }
    }
    headers
}

fn failed(
    gateway: &Gateway,
    ask: &Ask,
    permit: &Permit<'_>,
    open: Option<OpenCall>,
    status: Option<StatusCode>,
    (code, sentence): (&'static str, String),
) -> Answer {
    let call = permit.call();
    if let Some(open) = open {
        open.close(&Ending::Failed(code.into(), sentence.clone()), status.map(|status| status.as_u16()), 0);
    }
    let request = call.request();
    reply::failure(
        gateway,
        ask,
        &Failed {
            id: request.map(|request| request.id.raw().text()),
            is_tool_call: request.is_some_and(|request| request.method() == Method::ToolsCall),
            era: call.era,
            server: &call.server.server.name,
            code,
            sentence: &sentence,
        },
    )
}

/// Why a stream broke, for the record.
pub fn broken(error: &EgressError) -> Ending {
    let (code, sentence) = refusal::failure(error);
    Ending::Failed(code.into(), sentence)
}
