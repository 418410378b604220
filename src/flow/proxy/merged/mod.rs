//! The merged endpoint `/mcp/{org}`: everything that a grant covers, behind one address.
//!
//! What is asked about one server is handed to that server's own way as a request within it, so that it is judged, put on
//! record and carried out as any other; only the names change on the way in and on the way out. What is asked about all of
//! them is answered from what calls are judged by, or server by server.
//!
//! Lacks on purpose: any judgment of a call, and any state between two requests; names, addresses, cursors and handles say
//! by themselves where they lead.

mod changes;
pub mod cursor;
mod heard;
pub mod names;
mod own;
mod pages;
pub mod places;
mod within;

use bytes::Bytes;
use futures_util::future::join_all;

use crate::{
    flow::proxy::{
        admit::Admitted,
        ask::{Answer, Ask, Verb},
        bridge,
        gateway::Gateway,
        hold,
        merged::{heard::Heard, within::Within},
        record::{self, Recorded},
        refusal::{Refusal, Refused},
        reply,
        route::Call,
    },
    protocol::mcp::{
        message::{Message, Request},
        method::{ListKind, Method, Target},
    },
};

/// Serves one message to the merged endpoint.
///
/// # Errors
/// Why it leads nowhere.
pub async fn post(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    message: Message<'_>,
) -> Result<Recorded, Box<Refused>> {
    let heard = Heard::of(gateway, admitted, ask, &message)?;
    match &message {
        Message::Request(request) => answer(gateway, ask, admitted, &heard, request)
            .await
            .map_err(|problem| problem.refused(admitted, &heard, &message)),
        // An agent's word is taken only while the grant is in force.
        Message::Notification(_) | Message::Response(_) => {
            let taken = record::in_force(gateway, admitted).await;
            let stale = taken.map_err(|refusal| heard.refused(admitted, &message, refusal))?;
            if let Some(stale) = stale {
                return Ok(stale);
            }
            Ok(Recorded::Answer(Box::new(told(gateway, ask, admitted, &message).await)))
        }
    }
}

/// What an agent tells, or answers to a question of a server.
async fn told(gateway: &Gateway, ask: &Ask, admitted: &Admitted, message: &Message<'_>) -> Answer {
    match message {
        Message::Notification(told) if told.method() == Method::Cancelled => {
            if let Ok(Some(id)) = told.params.request_id() {
                bridge::call_off_any(gateway, ask, admitted, &id.key()).await;
                hold::call_off(gateway, ask, admitted, &id.key()).await;
            }
            reply::accepted()
        }
        Message::Response(response) => match bridge::heard_by_any(gateway, admitted, response).await {
            true => reply::accepted(),
            false => reply::unasked(),
        },
        _ => reply::accepted(),
    }
}

/// Ends a session of the merged endpoint, or opens the stream on which it hears of changes.
///
/// # Errors
/// Where the session is unknown.
pub async fn stream(gateway: &Gateway, ask: &Ask, admitted: &Admitted) -> Result<Recorded, Box<Refused>> {
    let heard = Heard::of_session(gateway, admitted, ask)?;
    let stale = record::in_force(gateway, admitted).await.map_err(|refusal| admitted.refused(refusal))?;
    if let Some(stale) = stale {
        return Ok(stale);
    }
    let answer = match ask.verb {
        _ if heard.session.is_none() => reply::no_stream(),
        Verb::Delete => {
            end(gateway, ask, admitted, &heard).await;
            reply::ended()
        }
        _ => changes::of_session(gateway, ask, admitted, &heard),
    };
    Ok(Recorded::Answer(Box::new(answer)))
}

/// Ends what this replica holds at servers for a session, where the grant still reaches them.
async fn end(gateway: &Gateway, ask: &Ask, admitted: &Admitted, heard: &Heard) {
    let servers = admitted.servers();
    let held = servers.into_iter().filter(|facts| bridge::holds(gateway, ask, admitted.holder(facts)));
    let ends = held.map(|facts| async move {
        let mut within = within::request(ask, heard, facts, Bytes::new());
        within.verb = Verb::Delete;
        let call = Call::of_session(gateway, admitted, &within)?;
        Box::pin(super::pass(gateway, &within, admitted, call)).await
    });
    for refused in join_all(ends).await.into_iter().filter_map(Result::err) {
        tracing::debug!(code = refused.refusal.code(), "a session at a server was not ended");
    }
}

/// Why a request was not answered here: the merged endpoint found a reason, or the server's own way did, and said so in
/// full.
pub(super) enum Problem {
    /// A reason of this endpoint.
    Here(Refusal),
    /// A reason of the server's way.
    There(Box<Refused>),
}

impl Problem {
    fn refused(self, admitted: &Admitted, heard: &Heard, message: &Message<'_>) -> Box<Refused> {
        match self {
            Self::Here(refusal) => heard.refused(admitted, message, refusal),
            Self::There(refused) => refused,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Here(refusal)
    }
}

async fn answer(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    heard: &Heard,
    request: &Request<'_>,
) -> Result<Recorded, Problem> {
    let method = request.method();
    if !method.exists_in(heard.era) {
        return Err(unserved(request).into());
    }
    let own = own::Own { gateway, ask, admitted, heard, request };
    match (method, method.target()) {
        (Method::Initialize, _) => own.initialize().await,
        (Method::ServerDiscover, _) => own.discover().await,
        (Method::Ping, _) => own.pong().await,
        (Method::SubscriptionsListen, _) => own.listen().await,
        (_, Target::List(ListKind::Tools)) => own.tools().await,
        (_, Target::List(kind)) => pages::page(gateway, ask, admitted, heard, request, kind).await,
        (_, Target::Tool | Target::Prompt | Target::Resource | Target::Reference | Target::Task) => {
            let within = Within::of(gateway, ask, admitted, heard, request).await?;
            let carried = super::carry(gateway, &within.ask, admitted).await;
            carried.map_err(|refused| Problem::There(within.named_as_asked(refused)))
        }
        (_, Target::Tasks | Target::Changes | Target::Nothing | Target::Unknown) => {
            Err(unserved(request).into())
        }
    }
}

fn unserved(request: &Request<'_>) -> Refusal {
    Refusal::MethodUnserved { method: request.method().name().to_owned() }
}
