//! Calls that wait for a human while their agent listens: as soon as somebody decides, the call is judged anew and made, or
//! the agent is told why not.
//!
//! An agent that sent a token of progress is told every few seconds that its call waits, and for whom; one that was led to
//! the page and comes back waits for a moment. Any other is told to call again.
//!
//! Invariant: a held call holds nothing but its stream: no limit, no place, no transaction. What it is made by is decided
//! when it is made.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    base::crypto::digest::{self, Digest},
    domain::{
        approvals::{
            ApprovalState,
            store::waiting::{self, HeldCall},
        },
        audit::{self, Unrecorded},
    },
    flow::{
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            approve::{Waiting, Way},
            ask::{self, Answer, AnswerBody, Ask},
            dispatch,
            gateway::Gateway,
            pieces::{self, Piece},
        },
    },
    io::db::{OrgScope, OrgTx, Tx},
    protocol::mcp::{
        message::{self, Message},
        strict::Limits,
    },
};

/// How long an agent that was led to the page waits when it comes back.
const MOMENT: Duration = Duration::from_secs(20);
/// How long an agent that hears of progress waits.
const WHILE: Duration = Duration::from_secs(5 * 60);
/// How often is looked whether somebody decided.
const LOOK: Duration = Duration::from_secs(1);
/// How long before it is held a call may have been called off: as long as judging it may have taken.
const BEFORE: Duration = Duration::from_secs(5);
/// How often an agent hears that its call still waits.
const TELL: u64 = 10;
/// How many calls a replica holds at once; others are told to call again.
pub const MOST: usize = 500;

/// A call that is held.
#[derive(Debug)]
pub struct Held {
    wait: Wait,
    /// What is answered where nobody decides.
    otherwise: Answer,
    room: OwnedSemaphorePermit,
}

/// For what it waits.
#[derive(Debug)]
struct Wait {
    scope: OrgScope,
    waiting: Waiting,
    call: Digest,
}

/// What became of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// Somebody decided.
    Decided,
    /// Nobody did, or nobody will; or the agent called it off.
    Nothing,
}

impl Held {
    /// Holds a call that waits, where its agent listens and there is room; otherwise the answer that it is given.
    pub fn of(
        gateway: &Gateway,
        ask: &Ask,
        scope: OrgScope,
        waiting: Waiting,
        otherwise: Answer,
    ) -> Result<Self, Box<Answer>> {
        if !matches!(waiting.way, Way::Moment | Way::Progress { .. }) {
            return Err(Box::new(otherwise));
        }
        match (id_of(ask), Arc::clone(&gateway.held).try_acquire_owned()) {
            (Some(id), Ok(room)) => {
                let call = called(ask, &id);
                Ok(Self { wait: Wait { scope, waiting, call }, otherwise, room })
            }
            _ => Err(Box::new(otherwise)),
        }
    }

    /// Waits, and answers with what the call came to.
    pub async fn answer(self, gateway: &Arc<Gateway>, ask: Ask) -> Answer {
        let Self { wait, otherwise, room } = self;
        let Way::Progress { token } = wait.waiting.way.clone() else {
            return match wait.decided(gateway, MOMENT, None).await {
                Came::Decided => Box::pin(super::go_on(gateway, &ask)).await,
                Came::Nothing => otherwise,
            };
        };
        let gateway = Arc::clone(gateway);
        let (outlet, inlet) = pieces::channel();
        let tasks = gateway.tasks.clone();
        tasks.spawn(async move {
            let _room = room;
            let came = wait.decided(&gateway, WHILE, Some((&token, &outlet))).await;
            let answer = match came {
                Came::Decided => Box::pin(super::go_on(&gateway, &ask)).await,
                Came::Nothing => otherwise,
            };
            pass_on(answer, &outlet).await;
        });
        pieces::stream(None, inlet)
    }
}

impl Wait {
    /// Waits until somebody decides, for so long at the most; tells of it meanwhile, where somebody listens.
    async fn decided(
        &self,
        gateway: &Gateway,
        longest: Duration,
        listener: Option<(&str, &mpsc::Sender<Piece>)>,
    ) -> Came {
        let began = Instant::now();
        let until = began + longest;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked = 0;
        while Instant::now() < until {
            let gone = async {
                match listener {
                    Some((_, outlet)) => outlet.closed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = looks.tick() => {}
                () = gone => return Came::Nothing,
                () = gateway.stop.cancelled() => return Came::Nothing,
            }
            match self.state(gateway, began).await {
                Ok(Some(ApprovalState::Pending)) => {}
                Ok(Some(ApprovalState::Approved | ApprovalState::Denied)) => return Came::Decided,
                Ok(_) => return Came::Nothing,
                // The database may be there again at the next look.
                Err(error) => tracing::warn!(%error, "a call that waits cannot be looked after"),
            }
            if let Some((token, outlet)) = listener
                && looked % TELL == 0
                && outlet.send(Piece::Told(self.progress(token, looked))).await.is_err()
            {
                return Came::Nothing;
            }
            looked += 1;
        }
        Came::Nothing
    }

    async fn state(&self, gateway: &Gateway, began: Instant) -> ActionResult<Option<ApprovalState>> {
        let held = HeldCall {
            approval: self.waiting.id,
            grant: self.waiting.grant,
            call: self.call,
            since: began.elapsed() + BEFORE,
        };
        let mut tx = OrgTx::begin(&gateway.db, self.scope).await?;
        let state = waiting::look(&mut tx, &held, gateway.clock.now()).await?;
        tx.done().await?;
        Ok(state)
    }

    fn progress(&self, token: &str, seconds: u64) -> Vec<u8> {
        let Waiting { subject, approvers, page, .. } = &self.waiting;
        let message = json!(format!("{subject} waits for {approvers}: {page}"));
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{seconds},"message":{message}}}}}"#
        )
        .into_bytes()
    }
}

/// Notes that an agent called a call off, for whichever replica holds it.
pub async fn call_off(gateway: &Gateway, ask: &Ask, admitted: &Admitted, id: &str) {
    let noted: ActionResult<()> = async {
        let mut tx = OrgTx::begin(&gateway.db, admitted.snapshot.scope).await?;
        waiting::call_off(&mut tx, admitted.grant.id, called(ask, id), gateway.clock.now()).await?;
        // What comes of the call is on record.
        audit::commit_unrecorded(tx, Unrecorded::CalledOff).await?;
        Ok(())
    }
    .await;
    if let Err(error) = noted {
        tracing::warn!(%error, "it cannot be noted that a call was called off");
    }
}

/// Which call of its grant an id names: ids are the agent's own, and each of its sessions has its own ones.
fn called(ask: &Ask, id: &str) -> Digest {
    digest::sha256(ask.names(id).as_bytes())
}

/// The id that the agent gave its request.
fn id_of(ask: &Ask) -> Option<String> {
    match message::parse(&ask.body, &Limits::of(ask::MAX_BODY)).ok()? {
        Message::Request(request) => Some(request.id.key().into_owned()),
        Message::Notification(_) | Message::Response(_) => None,
    }
}

/// Passes on, into a stream that has begun, what would have been an answer of its own.
pub(super) async fn pass_on(answer: Answer, outlet: &mpsc::Sender<Piece>) {
    let is_events = dispatch::is_event_stream(&answer.headers);
    match answer.body {
        AnswerBody::Whole(body) if is_events => {
            let _ = outlet.send(Piece::Events(body)).await;
        }
        AnswerBody::Whole(body) => {
            let _ = outlet.send(Piece::Ended(StatusCode::OK, body.into())).await;
        }
        AnswerBody::Stream(mut body) if is_events => {
            // A stream that breaks ends, as it would have without us.
            while let Some(Ok(frame)) = body.frame().await {
                let Ok(bytes) = frame.into_data() else { continue };
                if outlet.send(Piece::Events(bytes)).await.is_err() {
                    return;
                }
            }
        }
        AnswerBody::Stream(body) => {
            if let Ok(whole) = body.collect().await {
                let whole: Bytes = whole.to_bytes();
                let _ = outlet.send(Piece::Ended(StatusCode::OK, whole.into())).await;
            }
        }
    }
}
