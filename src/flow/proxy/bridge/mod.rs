//! Between the eras: an agent of one and a server of the other.
//!
//! To the agent, Portreeve is a server of the agent's era; to the server, a client of the server's. What was judged is
//! carried out, in the other dress; questions of the server reach the agent in the way of its era, and its answers go back.
//! Where both speak the same era nothing of this is met.
//!
//! Lacks on purpose: any judgment; a call comes here with its permit and its record, and is closed as any other.
//!
//! Invariant: a question waits on the replica that asked it, wherever its answer comes, and nothing is carried out twice. An
//! answer to a replica that is gone is told to begin again.

mod agent;
mod answers;
mod between;
mod courier;
mod crossing;
mod desk;
mod dress;
mod elsewhere;
mod followed;
mod job;
mod listen;
mod old;
mod opening;
mod sessions;
mod talk;
mod to_legacy;
mod to_modern;
mod unasked;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    base::{
        crypto::digest,
        ids::{CallQuestionId, ServerId},
    },
    domain::servers,
    flow::{
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            ask::{Answer, Ask},
            bridge::{
                agent::Word,
                answers::Answers,
                between::Between,
                crossing::{bad_params, carry},
                desk::Desk,
                dress::Sender,
                elsewhere::Elsewhere,
                followed::Followed,
                listen::Wanted,
                sessions::Sessions,
                talk::Line,
                unasked::Unasked,
            },
            credential::Credential,
            edit::Editor,
            gateway::Gateway,
            handles::Holder,
            judge::Permit,
            pieces,
            record::{Ending, OpenCall},
            reply::{self, Failed},
            route::{Call, Payload},
        },
    },
    protocol::mcp::{
        error::{self, Code},
        message::{Message, Outcome, Request, Response},
        method::Method,
        version::Era,
    },
};

pub use opening::{Bridged, discovered, is_refused, may_be_ours_to_open, open, own};

/// How long the end of a session at its server is waited for.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// What the bridge keeps in memory.
#[derive(Debug)]
pub struct Bridge {
    sessions: Arc<Sessions>,
    desk: Arc<Desk>,
    answers: Arc<Answers>,
    elsewhere: Arc<Elsewhere>,
    listeners: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Bridge {
    /// With nothing kept yet.
    pub fn new(tasks: TaskTracker) -> Self {
        let listeners = Arc::new(Semaphore::new(listen::MOST));
        Self {
            sessions: Arc::default(),
            desk: Arc::default(),
            answers: Arc::default(),
            elsewhere: Arc::default(),
            listeners,
            tasks,
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
        Payload::Listen => stream(gateway, ask, admitted, permit, credential, way).await,
        Payload::End => {
            end(gateway, ask, admitted, permit, credential).await;
            reply::ended()
        }
        Payload::Message(Message::Notification(told)) => {
            if let (Method::Cancelled, Ok(Some(id))) = (told.method(), told.params.request_id()) {
                let id = ask.names(&id.key());
                if !desk.call_off(holder, &id) {
                    call_off_elsewhere(gateway, ask, admitted, &id).await;
                }
            }
            reply::accepted()
        }
        Payload::Message(Message::Response(response)) => {
            let is_heard = heard(desk, holder, response)
                || heard_elsewhere(gateway, admitted, holder.server, response).await;
            if is_heard { reply::accepted() } else { reply::unasked() }
        }
        Payload::Message(Message::Request(request)) => match request.method() {
            // An old server keeps the level in its session; a modern one is told with each request.
            Method::LoggingSetLevel if way == Way::ToLegacy => {
                carry(gateway, ask, admitted, permit, open, credential, way).await
            }
            Method::Ping | Method::LoggingSetLevel => own(request, json!({}), open),
            Method::Initialize => self::open(gateway, admitted, call, open),
            Method::ServerDiscover => {
                let may_wait = admitted.caller(call.client.as_ref(), admitted.ip()).may_wait(&call.server);
                own(request, discovered(call, may_wait), open)
            }
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
            Method::ResourcesSubscribe | Method::ResourcesUnsubscribe => {
                followed::answer(gateway, ask, admitted, call, request, open).await
            }
            _ => carry(gateway, ask, admitted, permit, open, credential, way).await,
        },
    }
}

/// The stream of a session of ours: what the server says unasked.
async fn stream(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    credential: Credential,
    way: Way,
) -> Answer {
    let call = permit.call();
    let bridged = call.session.as_ref().and_then(|session| session.bridged.as_ref());
    let (Some(bridged), Some(line)) = (bridged, line(gateway, call, credential)) else {
        return reply::no_stream();
    };
    let sender = Sender {
        capabilities: dress::client_capabilities(&bridged.capabilities).to_string(),
        client: bridged.client.clone(),
    };
    let declared = &call.server.server.declared;
    let Ok(room) = Arc::clone(&gateway.bridge.listeners).try_acquire_owned() else {
        return reply::no_stream();
    };
    let followed = Followed::of(gateway, ask, admitted, call);
    match Unasked::of(line, sender, declared, way, followed).await {
        Ok(Some(unasked)) => {
            let (outlet, pieces) = pieces::channel();
            let editor = Editor::of(gateway, admitted, permit, None);
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

/// The way to a call's server, without anything of the call.
fn line(gateway: &Gateway, call: &Call<'_>, credential: Credential) -> Option<Line> {
    let mut carried = HeaderMap::new();
    let target = credential.attach(&mut carried, call.server.target.as_ref()?);
    Some(Line { egress: gateway.egress.clone(), target, carried, is_old: is_old(call) })
}

/// Whether this replica holds something at a server for the session that a request belongs to.
pub fn holds(gateway: &Gateway, ask: &Ask, holder: Holder) -> bool {
    gateway.bridge.sessions.holds(holder, sessions::of_agent(ask, Era::Legacy))
}

/// Ends what this replica holds at a server for a session that its agent ends, as far as that is soon done.
async fn end(gateway: &Gateway, ask: &Ask, admitted: &Admitted, permit: &Permit<'_>, credential: Credential) {
    let (call, account) = (permit.call(), credential.account().map(|used| used.id));
    if let Some(followed) = Followed::of(gateway, ask, admitted, call) {
        followed.end().await;
    }
    let Some(line) = line(gateway, call, credential) else { return };
    let ends = async {
        let (holder, agents) = (admitted.holder(&call.server), sessions::of_agent(ask, call.era));
        for session in gateway.bridge.sessions.take(holder, agents, account).await {
            session.end(&line).await;
        }
    };
    if tokio::time::timeout(ENDS_WITHIN, ends).await.is_err() {
        tracing::debug!("a session at a server was not ended in time");
    }
}

fn is_old(call: &Call<'_>) -> bool {
    call.server.server.transport == servers::Transport::Sse
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
pub async fn heard_by_any(gateway: &Gateway, admitted: &Admitted, response: &Response<'_>) -> bool {
    let desk = &gateway.bridge.desk;
    admitted.servers().iter().any(|facts| heard(desk, admitted.holder(facts), response))
        || heard_elsewhere(gateway, admitted, None, response).await
}

/// Calls off a request that went through the merged endpoint.
pub async fn call_off_any(gateway: &Gateway, ask: &Ask, admitted: &Admitted, id: &str) {
    let (id, desk) = (ask.names(id), &gateway.bridge.desk);
    let is_here = admitted.servers().iter().any(|facts| desk.call_off(admitted.holder(facts), &id));
    if !is_here {
        call_off_elsewhere(gateway, ask, admitted, &id).await;
    }
}

/// The same for a request that another replica may be carrying out.
async fn call_off_elsewhere(gateway: &Gateway, ask: &Ask, admitted: &Admitted, id: &str) {
    if sessions::of_agent(ask, Era::Legacy).is_some() {
        let call = digest::sha256(id.as_bytes());
        Between::of(gateway, admitted).call_off(admitted.grant.id, call).await;
    }
}

/// An agent answers a question; whether anybody asked it here.
fn heard(desk: &Desk, holder: Holder, response: &Response<'_>) -> bool {
    asked_as(response).is_some_and(|id| desk.answer(holder, id, word_of(response)))
}

/// The same for a question that another replica asked.
async fn heard_elsewhere(
    gateway: &Gateway,
    admitted: &Admitted,
    server: Option<ServerId>,
    response: &Response<'_>,
) -> bool {
    let Some(id) = asked_as(response).map(CallQuestionId::from_uuid) else { return false };
    let (between, word) = (Between::of(gateway, admitted), word_of(response));
    let heard: ActionResult<bool> = async {
        let open = between.find_open(id, admitted.grant.id, server).await?;
        // What is to be made again with the answers is not answered alone.
        if open.is_none_or(|open| open.call.is_some()) {
            return Ok(false);
        }
        between.answer(id, &word).await
    }
    .await;
    heard.unwrap_or_else(|error| {
        tracing::warn!(%error, "an answer does not reach the replica that asked");
        false
    })
}

/// Under which id a question was asked.
fn asked_as(response: &Response<'_>) -> Option<Uuid> {
    response.id.and_then(|id| id.raw().string()?.parse().ok())
}

fn word_of(response: &Response<'_>) -> Word {
    match response.outcome {
        Outcome::Result(result) => Word::Result(result.text().to_owned()),
        Outcome::Error(error) => Word::Error(error.text().to_owned()),
    }
}
