//! One MCP call from bearer to reply.
//!
//! Each step takes the value of the step before and returns the next, so that types hold the order: no [`judge::Permit`],
//! no credential; no [`record::Pass`], no upstream.
//!
//! Lacks on purpose: HTTP routing and rendering, which are `web/mcp.rs`; and what documents mean, which is the policy
//! engine's part.
//!
//! Invariant: nothing reaches an upstream unless it was admitted, judged and put on record at the organization's present
//! epoch.
//! Invariant: what is forwarded is the message that was judged, edited only where a handle of ours stands for theirs.
//! Invariant: no credential, cookie or unknown header of the caller is forwarded, and none of an upstream comes back.

pub mod ask;
pub mod accounts;
pub mod admit;
pub mod again;
pub mod approve;
pub mod arguments;
pub mod bridge;
pub mod credential;
pub mod demand;
pub mod dispatch;
pub mod edit;
pub mod gateway;
pub mod handles;
pub mod hold;
pub mod judge;
pub mod lists;
pub mod looked;
pub mod merged;
pub mod pieces;
mod plight;
pub mod reached;
pub mod record;
pub mod recorder;
pub mod refusal;
pub mod relay;
pub mod reply;
pub mod route;
pub mod seen;
pub mod snapshots;
pub mod state;
pub mod strangers;
pub mod tasks;
pub mod tether;
pub mod told;
pub mod throttle;
pub mod unconnected;
pub mod used;
pub mod watch;
pub mod without;

use std::sync::Arc;

use crate::{
    flow::proxy::{
        admit::Admitted,
        approve::Waiting,
        ask::{Answer, Ask, Endpoint, Verb},
        gateway::Gateway,
        hold::Held,
        record::{Admission, Recorded},
        refusal::{Refusal, Refused},
        route::Call,
        tasks::Poll,
        tether::Tether,
    },
    io::db::OrgScope,
    protocol::mcp::{
        message::{self, Message},
        strict::Limits,
    },
};

/// How often a call is judged anew because what it was judged by changed meanwhile.
const ROUNDS: usize = 3;

/// Serves one request of an agent.
pub async fn serve(gateway: &Arc<Gateway>, ask: Ask) -> Answer {
    match decide(gateway, &ask).await {
        Served::Answer(answer) => *answer,
        Served::Polled(poll) => Box::pin(tasks::answer(gateway, *poll)).await,
        Served::Waits(scope, waiting, answer) => match Held::of(gateway, &ask, scope, *waiting, *answer) {
            Ok(held) => Box::pin(held.answer(gateway, ask)).await,
            Err(answer) => *answer,
        },
    }
}

/// Serves a request that waited and waits no longer, whatever it comes to now.
async fn go_on(gateway: &Gateway, ask: &Ask) -> Answer {
    match decide(gateway, ask).await {
        Served::Answer(answer) | Served::Waits(_, _, answer) => *answer,
        // No request that is made for an agent asks about a task of ours.
        Served::Polled(_) => reply::busy(ask),
    }
}

/// What a request came to.
enum Served {
    /// The answer.
    Answer(Box<Answer>),
    /// It waits for a human; with what is answered where nobody listens.
    Waits(OrgScope, Box<Waiting>, Box<Answer>),
    /// It asks about a task of ours.
    Polled(Box<Poll>),
}

async fn decide(gateway: &Gateway, ask: &Ask) -> Served {
    let mut newest = None;
    for _ in 0..ROUNDS {
        let (outcome, waits) = match attempt(gateway, ask, newest).await {
            Ok(outcome) => (outcome, None),
            Err(refused) => {
                let waits = refused.waits();
                (record::refuse(gateway, ask, *refused).await, waits)
            }
        };
        match (outcome, waits) {
            (Recorded::Answer(answer), Some((scope, waiting))) => {
                return Served::Waits(scope, waiting, answer);
            }
            (Recorded::Answer(answer), None) => return Served::Answer(answer),
            // Somebody changed what calls are judged by; whoever changed it may have been answered already.
            (Recorded::Stale(epoch), _) => newest = epoch,
            (Recorded::Polled(poll), _) => return Served::Polled(poll),
        }
    }
    Served::Answer(Box::new(reply::busy(ask)))
}

/// One round: admission, judgment, record, and the exchange with the upstream.
async fn attempt(gateway: &Gateway, ask: &Ask, newest: Option<i64>) -> Result<Recorded, Box<Refused>> {
    let admitted = admit::admit(gateway, ask, newest).await?;
    match ask.verb {
        Verb::Post => post(gateway, ask, admitted).await,
        Verb::Get | Verb::Delete => stream(gateway, ask, admitted).await,
    }
}

async fn post(gateway: &Gateway, ask: &Ask, admitted: Admitted) -> Result<Recorded, Box<Refused>> {
    if matches!(ask.endpoint, Endpoint::All { .. }) {
        let message = parse(ask, &admitted)?;
        return Box::pin(merged::post(gateway, ask, &admitted, message)).await;
    }
    carry(gateway, ask, &admitted).await
}

/// A message to one server: judgment, record, and the exchange.
async fn carry(gateway: &Gateway, ask: &Ask, admitted: &Admitted) -> Result<Recorded, Box<Refused>> {
    let call = Call::of(gateway, admitted, ask, parse(ask, admitted)?)?;
    if let Some(task) = call.opened.task {
        return Box::pin(tasks::polled(gateway, ask, admitted, call, task)).await;
    }
    pass(gateway, ask, admitted, call).await
}

/// The stream of a session, or its end.
async fn stream(gateway: &Gateway, ask: &Ask, admitted: Admitted) -> Result<Recorded, Box<Refused>> {
    if matches!(ask.endpoint, Endpoint::All { .. }) {
        return Box::pin(merged::stream(gateway, ask, &admitted)).await;
    }
    let call = Call::of_session(gateway, &admitted, ask)?;
    pass(gateway, ask, &admitted, call).await
}

fn parse<'a>(ask: &'a Ask, admitted: &Admitted) -> Result<Message<'a>, Box<Refused>> {
    message::parse(&ask.body, &Limits::of(ask::MAX_BODY)).map_err(|malformed| {
        let id = malformed.id.map(|id| id.raw().text().to_owned());
        admitted.refused(Refusal::Malformed { fault: malformed.fault, id })
    })
}

async fn pass(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    call: Call<'_>,
) -> Result<Recorded, Box<Refused>> {
    let tether = Tether::of(ask, admitted, &call);
    let mut permit = judge::judge(admitted, ask, call)?;
    // Each round has one limit less that could stop it, or an approval less that could be used.
    for _ in 0..permit.ruling().claims.len() + ROUNDS {
        permit = approve::agreed(gateway, ask, admitted, permit).await?;
        let credential = match credential::open(gateway, admitted, &permit).await {
            Ok(credential) => {
                credential::fits(admitted, &permit, &credential)?;
                permit = permit.carrying(credential.account());
                Some(credential)
            }
            Err(refused) if without::answers(&refused, permit.call()) => None,
            Err(refused) => return Err(refused),
        };
        match record::admit(gateway, ask, admitted, permit).await? {
            Admission::Pass(pass) => {
                let Some(credential) = credential else {
                    let answer = without::answer(gateway, ask, admitted, pass);
                    return Ok(Recorded::Answer(Box::new(answer)));
                };
                gateway.used.note(admitted, credential.secrets());
                let answer = dispatch::dispatch(gateway, ask, admitted, pass, credential).await;
                return Ok(Recorded::Answer(Box::new(gateway.tethers.hold(tether, answer))));
            }
            Admission::Stale(stale) => return Ok(stale),
            Admission::Lacking(lacking, lack) => permit = lacking.beyond(admitted, lack)?,
        }
    }
    tracing::warn!("the record and the approvals do not agree on what may be used");
    Err(permit.call().refused(admitted, Refusal::RecordAway))
}
