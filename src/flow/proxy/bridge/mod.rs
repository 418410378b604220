//! Between the eras: an agent of one and a server of the other.
//!
//! To the agent, Portreeve is a server of the agent's era; to the server, a client of the server's. What was judged is
//! carried out, in the other dress; questions of the server reach the agent in the way of its era, and its answers go back.
//! Where both speak the same era nothing of this is met.
//!
//! Lacks on purpose: any judgment; a call comes here with its permit and its record, and is closed as any other.
//!
//! Invariant: a question waits on the replica that asked it. An answer that comes to another replica is told to begin
//! again, and nothing is carried out twice.

mod agent;
mod desk;
mod dress;
mod job;
mod listen;
mod old;
mod sessions;
mod talk;
mod to_legacy;
mod to_modern;

use std::{collections::HashMap, sync::Arc};

use http::{HeaderMap, HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    base::crypto::digest,
    domain::servers,
    flow::proxy::{
        admit::Admitted,
        ask::{Answer, Ask},
        bridge::{
            agent::{Agent, Mouth, Word},
            desk::{Desk, NotResumed, Resumed},
            dress::Sender,
            job::{Cut, Job},
            listen::{Unasked, Wanted},
            sessions::Sessions,
            talk::Line,
        },
        credential::Credential,
        edit::Editor,
        gateway::Gateway,
        handles::{Holder, Session},
        judge::Permit,
        pieces,
        record::{Ending, OpenCall},
        reply::{self, Failed},
        route::{Call, Payload},
    },
    protocol::mcp::{
        canonical::canonical,
        error::{self, Code},
        message::{self, Message, Outcome, Request, Response},
        method::Method,
        raw::Raw,
        strict::{self, Limits},
        version::{Era, Version},
    },
};

/// What the bridge keeps in memory.
#[derive(Debug)]
pub struct Bridge {
    sessions: Arc<Sessions>,
    desk: Arc<Desk>,
    listeners: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Bridge {
    /// With nothing kept yet.
    pub fn new(tasks: TaskTracker) -> Self {
        let listeners = Arc::new(Semaphore::new(listen::MOST));
        Self { sessions: Arc::default(), desk: Arc::default(), listeners, tasks }
    }
}

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

/// How a call crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To a server of the old era.
    ToLegacy,
    /// To a server of the modern era.
    ToModern,
}

/// Whether, and how, a call has to cross.
pub fn way(call: &Call<'_>) -> Option<Way> {
    // The transport of 2024 is spoken by no agent here, so both eras have to cross to it.
    if is_old(call) {
        return Some(Way::ToLegacy);
    }
    let server = call.server.server.declared.era?;
    let is_ours = call.session.as_ref().is_some_and(|session| session.bridged.is_some());
    match (call.era, server) {
        (Era::Modern, servers::Era::Legacy) => Some(Way::ToLegacy),
        (Era::Legacy, servers::Era::Modern) if is_ours => Some(Way::ToModern),
        (Era::Legacy, servers::Era::Legacy) if is_ours => Some(Way::ToLegacy),
        _ => None,
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
        "capabilities": dress::capabilities(declared.capabilities.as_deref(), Era::Legacy),
        "serverInfo": server_info(call),
        "instructions": declared.instructions,
    });
    let mut answer = own(request, result, open);
    let session = Session { upstream: String::new(), client: call.client.clone(), bridged: Some(bridged) };
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
fn own(request: &Request<'_>, mut result: Value, open: Option<OpenCall>) -> Answer {
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

/// Carries a call across.
pub async fn dispatch(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    open: Option<OpenCall>,
    credential: Credential,
    way: Way,
) -> Answer {
    let call = permit.call();
    let desk = &gateway.bridge.desk;
    let holder = admitted.holder(&call.server);
    match &call.payload {
        Payload::Listen => unasked(gateway, ask, admitted, permit, credential, way).await,
        Payload::End => reply::ended(),
        Payload::Message(Message::Notification(told)) => {
            if let (Method::Cancelled, Ok(Some(id))) = (told.method(), told.params.request_id()) {
                desk.call_off(holder, &named(ask, &id.key()));
            }
            reply::accepted()
        }
        Payload::Message(Message::Response(response)) => match heard(desk, holder, response) {
            true => reply::accepted(),
            false => reply::unasked(),
        },
        Payload::Message(Message::Request(request)) => match request.method() {
            // An old server keeps the level in its session; a modern one is told with each request.
            Method::LoggingSetLevel if way == Way::ToLegacy => {
                carry(gateway, ask, admitted, permit, open, credential, way).await
            }
            Method::Ping | Method::LoggingSetLevel => own(request, json!({}), open),
            Method::Initialize => self::open(gateway, admitted, call, open),
            Method::ServerDiscover => own(request, discovered(call), open),
            Method::SubscriptionsListen => match Wanted::of(request) {
                Ok(_) => carry(gateway, ask, admitted, permit, open, credential, way).await,
                Err(what) => {
                    let answer = bad_params(request, what);
                    if let Some(open) = open {
                        open.close(&Ending::Answered, None, 0);
                    }
                    answer
                }
            },
            Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => absent(request, call.era, open),
            _ => carry(gateway, ask, admitted, permit, open, credential, way).await,
        },
    }
}

/// The stream of a session of ours: what the server says unasked.
async fn unasked(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    credential: Credential,
    way: Way,
) -> Answer {
    let call = permit.call();
    let bridged = call.session.as_ref().and_then(|session| session.bridged.as_ref());
    let (Some(bridged), Some(target)) = (bridged, call.server.target.as_ref()) else {
        return reply::no_stream();
    };
    let mut carried = HeaderMap::new();
    let target = credential.attach(&mut carried, target);
    let line = Line { egress: gateway.egress.clone(), target, carried, is_old: is_old(call) };
    let sender = Sender {
        capabilities: dress::client_capabilities(&bridged.capabilities).to_string(),
        client: bridged.client.clone(),
    };
    let declared = &call.server.server.declared;
    let Ok(room) = Arc::clone(&gateway.bridge.listeners).try_acquire_owned() else {
        return reply::no_stream();
    };
    match Unasked::of(line, &sender, declared, way).await {
        Ok(Some(unasked)) => {
            let (outlet, pieces) = pieces::channel();
            let editor = Editor::of(gateway, admitted, permit);
            gateway.bridge.tasks.spawn(async move {
                let _room = room;
                unasked.pass_on(editor, outlet).await;
            });
            pieces::stream(None, pieces)
        }
        Ok(None) => reply::no_stream(),
        Err(talk::Silent { code, sentence, .. }) => {
            let name = &call.server.server.name;
            let failed = Failed {
                id: None,
                is_tool_call: false,
                era: call.era,
                server: name,
                code,
                sentence: &sentence,
            };
            reply::failure(gateway, ask, &failed)
        }
    }
}

fn is_old(call: &Call<'_>) -> bool {
    call.server.server.transport == servers::Transport::Sse
}

/// What a server of the old era is, in the words of the modern one.
fn discovered(call: &Call<'_>) -> Value {
    let declared = &call.server.server.declared;
    json!({
        "resultType": "complete",
        "supportedVersions": [Version::LATEST.name()],
        "capabilities": dress::capabilities(declared.capabilities.as_deref(), Era::Modern),
        "instructions": declared.instructions,
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": { "io.modelcontextprotocol/serverInfo": server_info(call) },
    })
}

/// What has no counterpart in the other era, or needs a stream that is not offered.
fn absent(request: &Request<'_>, era: Era, open: Option<OpenCall>) -> Answer {
    let body = error::error(era, Some(request.id), Code::MethodNotFound, "Method not found", None);
    if let Some(open) = open {
        open.close(&Ending::Answered, None, body.len());
    }
    let status = if era == Era::Modern { StatusCode::NOT_FOUND } else { StatusCode::OK };
    reply::json_answer(status, body)
}

/// Takes an answer that came to the merged endpoint; whether a server of the grant asked.
pub fn heard_by_any(gateway: &Gateway, admitted: &Admitted, response: &Response<'_>) -> bool {
    let desk = &gateway.bridge.desk;
    admitted.servers().iter().any(|facts| heard(desk, admitted.holder(facts), response))
}

/// Calls off a request that went through the merged endpoint.
pub fn call_off_any(gateway: &Gateway, ask: &Ask, admitted: &Admitted, id: &str) {
    let id = named(ask, id);
    admitted.servers().iter().for_each(|facts| gateway.bridge.desk.call_off(admitted.holder(facts), &id));
}

/// An agent answers a question; whether anybody asked.
fn heard(desk: &Desk, holder: Holder, response: &Response<'_>) -> bool {
    let id = response.id.and_then(|id| id.raw().string()?.parse().ok());
    let word = match response.outcome {
        Outcome::Result(result) => Word::Result(result.text().to_owned()),
        Outcome::Error(error) => Word::Error(error.text().to_owned()),
    };
    id.is_some_and(|id| desk.answer(holder, id, word))
}

async fn carry(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    open: Option<OpenCall>,
    credential: Credential,
    way: Way,
) -> Answer {
    let call = permit.call();
    let (Some(request), Some(target)) = (call.request(), call.server.target.as_ref()) else {
        return reply::no_stream();
    };
    let body = call.opened.body.clone().unwrap_or_else(|| ask.body.clone());
    let (outlet, pieces) = pieces::channel();
    let mouth = Mouth {
        id: request.id.raw().text().to_owned(),
        pieces: outlet,
        open,
        link: gateway.explanation(ask.origin.request),
        received: 0,
    };
    let holder = admitted.holder(&call.server);
    let digest = digest_of(request);
    let mouth = match taken_up(gateway, holder, digest, &body, request, mouth) {
        Ok(Some(mouth)) => mouth,
        Ok(None) => return pieces::answer(pieces).await,
        Err(refused) => return *refused,
    };
    let mut carried = HeaderMap::new();
    for name in ["traceparent", "tracestate"] {
        if let Some(value) = ask.headers.get(name) {
            carried.insert(HeaderName::from_static(name), value.clone());
        }
    }
    let target = credential.attach(&mut carried, target);
    let sender = sender(call, request);
    let agent = Agent {
        era: call.era,
        mouth,
        capabilities: serde_json::from_str(&sender.capabilities).unwrap_or_default(),
        wants_log: call.era == Era::Legacy
            || request.params.meta("io.modelcontextprotocol/logLevel").is_some(),
        progress: request.params.progress_token().ok().flatten().map(|token| token.raw().text().to_owned()),
        digest,
        is_tool_call: request.method() == Method::ToolsCall,
        server: Arc::clone(&call.server.server.name),
        editor: Editor::of(gateway, admitted, permit),
        desk: Arc::clone(&gateway.bridge.desk),
        handles: gateway.handles.clone(),
        holder,
    };
    let line = Line { egress: gateway.egress.clone(), target, carried, is_old: is_old(call) };
    let job =
        Job { body, line, server: Arc::clone(&call.server), sender, agent, off: CancellationToken::new() };
    set_going(gateway, job, named(ask, &request.id.key()), way);
    pieces::answer(pieces).await
}

/// The id of a request, told apart from those of the grant's other sessions.
fn named(ask: &Ask, id: &str) -> String {
    format!("{}/{id}", ask.header("mcp-session-id").unwrap_or_default())
}

fn set_going(gateway: &Gateway, mut job: Job, id: String, way: Way) {
    let (desk, sessions) = (Arc::clone(&gateway.bridge.desk), Arc::clone(&gateway.bridge.sessions));
    let now = gateway.clock.now();
    let wanted = job::request(&job.body)
        .filter(|request| request.method() == Method::SubscriptionsListen)
        .and_then(|request| Wanted::of(&request).ok());
    let room = wanted.as_ref().map(|_| Arc::clone(&gateway.bridge.listeners).try_acquire_owned());
    gateway.bridge.tasks.spawn(async move {
        let running = desk.run(job.agent.holder, id);
        job.off = running.off.clone();
        match (wanted, room) {
            (Some(wanted), Some(Ok(_room))) => return listen::to_legacy(job, wanted).await,
            (Some(_), _) => return job.settle(Err(Cut::Silent(listen::too_many()))).await,
            (None, _) => {}
        }
        match way {
            Way::ToLegacy => to_legacy::carry(job, sessions, now).await,
            Way::ToModern => to_modern::carry(job).await,
        }
    });
}

/// Takes up a call that waits for what this request brings; the mouth comes back where it begins a new one.
fn taken_up(
    gateway: &Gateway,
    holder: Holder,
    digest: digest::Digest,
    body: &[u8],
    request: &Request<'_>,
    mouth: Mouth,
) -> Result<Option<Mouth>, Box<Answer>> {
    // The state was opened in the body that is carried out, not in the one that came.
    let state = job::request(body)
        .and_then(|opened| opened.params.request_state().ok().flatten().map(std::borrow::Cow::into_owned));
    let Some(state) = state else { return Ok(Some(mouth)) };
    let responses = request.params.input_responses().ok().flatten();
    let words: HashMap<_, _> = responses
        .iter()
        .flat_map(Raw::members)
        .filter_map(|member| {
            Some((member.key.string()?.into_owned(), Word::Result(member.value.text().to_owned())))
        })
        .collect();
    let parked = state.parse().map_err(|_| NotResumed::Unknown);
    let resumed =
        parked.and_then(|id| gateway.bridge.desk.resume(holder, digest, id, Resumed { words, mouth }));
    match resumed {
        Ok(()) => Ok(None),
        Err(NotResumed::Unknown) => Err(Box::new(begin_anew(request))),
        Err(NotResumed::Lacks(key)) => {
            let message = format!("params.inputResponses lacks {key}");
            Err(Box::new(bad_params(request, &message)))
        }
    }
}

fn begin_anew(request: &Request<'_>) -> Answer {
    bad_params(request, "This call no longer waits for an answer. Make it again without requestState.")
}

fn bad_params(request: &Request<'_>, message: &str) -> Answer {
    let body = error::error(Era::Modern, Some(request.id), Code::InvalidParams, message, None);
    reply::json_answer(StatusCode::BAD_REQUEST, body)
}

/// A call is the same again where method, name and arguments are.
fn digest_of(request: &Request<'_>) -> digest::Digest {
    let mut said = request.method().name().as_bytes().to_vec();
    for key in ["name", "uri", "arguments"] {
        said.push(0);
        if let Some(raw) = request.params.get(key) {
            said.extend_from_slice(&canonical(raw));
        }
    }
    digest::sha256(&said)
}

fn sender(call: &Call<'_>, request: &Request<'_>) -> Sender {
    let bridged = call.session.as_ref().and_then(|session| session.bridged.as_ref());
    match (bridged, request.params.self_description()) {
        (Some(bridged), _) => Sender {
            capabilities: dress::client_capabilities(&bridged.capabilities).to_string(),
            client: bridged.client.clone(),
        },
        (None, Ok(said)) => Sender {
            capabilities: said.capabilities.text().to_owned(),
            client: said.client.map(|client| client.text().to_owned()),
        },
        (None, Err(_)) => Sender { capabilities: "{}".to_owned(), client: None },
    }
}
