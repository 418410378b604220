//! A call whose agent came back at another replica: the one that makes the call leaves what it comes to, piece by piece, and
//! the one at which the agent waits passes it on.
//!
//! Invariant: a call is on record at the replica that admitted its request, and is closed there.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    base::{crypto::digest::Digest, ids::CallQuestionId},
    domain::questions::Stand,
    flow::{
        fault::ActionError,
        proxy::{
            bridge::{
                agent::{Mouth, Word},
                between::{Between, Ended, Passed, Said, looks, waits},
                desk::{NotResumed, Resumed},
            },
            handles::Holder,
            pieces::{self, Piece},
            record::Ending,
            reply::{self, Failed},
            state::Round,
        },
    },
    protocol::mcp::{error::Code, version::Era},
};

/// How long the replica that asked may take to come for an answer.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// How long the database may be away while a call is waited for.
const BLIND: Duration = Duration::from_secs(60);

/// How a call ended at the server's side, told to whoever has it on record elsewhere.
pub(super) type Closing = Arc<Mutex<Option<(Ending, Option<u16>)>>>;

/// A request that takes a call up again, on its way to the replica that makes the call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Back {
    /// The id of the request, as it was written.
    id: String,
    /// Where a person reads of it.
    link: String,
    /// For what a state in the answer stands.
    round: Option<Round>,
    /// What the agent said, by the keys of the questions.
    words: HashMap<String, Word>,
}

/// What a request that came to another replica takes up again here.
pub(super) fn resumed(between: &Between, id: CallQuestionId, back: Back) -> Resumed {
    let (outlet, inlet) = pieces::channel();
    let closing = Closing::default();
    let courier = Courier { between: between.clone(), id, closing: Arc::clone(&closing) };
    between.tasks.spawn(courier.carry(inlet));
    let Back { id, link, round, words } = back;
    let mouth = Mouth { id, pieces: outlet, open: None, round, link, received: 0, there: Some(closing) };
    Resumed { words, mouth }
}

/// Leaves what a call comes to for another replica.
struct Courier {
    between: Between,
    id: CallQuestionId,
    closing: Closing,
}

impl Courier {
    /// Leaves all of it. Where nobody waits any longer, the call is told so by the end of its way.
    async fn carry(self, mut inlet: mpsc::Receiver<Piece>) {
        let (mut beats, mut number) = (looks(), 0);
        loop {
            let piece = tokio::select! {
                piece = inlet.recv() => piece,
                _ = beats.tick() => match self.between.beat(self.id).await {
                    true => continue,
                    false => return,
                },
            };
            let passed = piece.map_or(Passed::Lost, |piece| self.passed(piece));
            let is_waited_for = self.between.leave(self.id, number, &passed).await;
            if !is_waited_for || matches!(passed, Passed::Ended(_) | Passed::Lost) {
                return;
            }
            number += 1;
        }
    }

    fn passed(&self, piece: Piece) -> Passed {
        match piece {
            Piece::Told(message) => Passed::Told(said(&message)),
            Piece::Events(_) | Piece::Quiet => Passed::Quiet,
            Piece::Ended(status, message) => {
                let closed = self.closing.lock().unwrap_or_else(PoisonError::into_inner).take();
                let (ending, upstream) = closed.unwrap_or((Ending::Answered, None));
                Passed::Ended(ended(status, &message, ending, upstream))
            }
            Piece::Challenged(challenged) => {
                let upstream = Some(challenged.status.as_u16());
                let (status, message) = &challenged.answer;
                Passed::Ended(ended(*status, message, challenged.ending.clone(), upstream))
            }
        }
    }
}

fn ended(status: StatusCode, message: &[u8], ending: Ending, upstream: Option<u16>) -> Ended {
    let failed = match ending {
        Ending::Failed(code, sentence) => Some((code.into_owned(), sentence)),
        Ending::Answered | Ending::Abandoned => None,
    };
    Ended { status: status.as_u16(), message: said(message), failed, upstream }
}

fn said(message: &[u8]) -> Said {
    String::from_utf8_lossy(message).into_owned().into()
}

/// Where an agent waits for a call that another replica makes.
pub(super) struct Awaited {
    pub(super) between: Between,
    pub(super) holder: Holder,
    /// The server's name.
    pub(super) server: Arc<str>,
    /// Whether a model reads the answer.
    pub(super) is_tool_call: bool,
}

impl Awaited {
    /// Hands what an agent said to the replica at which its call waits; the request comes back where there is none.
    pub(super) async fn take_up(
        self,
        id: CallQuestionId,
        digest: &Digest,
        resumed: Resumed,
    ) -> Result<(), Box<(NotResumed, Resumed)>> {
        let Resumed { words, mouth } = resumed;
        let back = Back { id: mouth.id.clone(), link: mouth.link.clone(), round: mouth.round, words };
        match self.hand_over(id, digest, &back).await {
            Ok(()) => {
                self.between.tasks.clone().spawn(self.pass_on(id, mouth));
                Ok(())
            }
            Err(not) => Err(Box::new((not, Resumed { words: back.words, mouth }))),
        }
    }

    async fn hand_over(&self, id: CallQuestionId, digest: &Digest, back: &Back) -> Result<(), NotResumed> {
        let away = |error: ActionError| {
            tracing::warn!(%error, "it cannot be told where a call waits");
            NotResumed::Unknown
        };
        let open = self.between.find_open(id, self.holder.grant, self.holder.server).await.map_err(away)?;
        let open = open.filter(|open| open.call.as_deref() == Some(digest.as_slice()));
        let open = open.ok_or(NotResumed::Unknown)?;
        if let Some(key) = open.wanted.into_iter().find(|key| !back.words.contains_key(key)) {
            return Err(NotResumed::Lacks(key));
        }
        match self.between.answer(id, back).await {
            // Where it is not known whether it was left, it may be taken: the agent must not make the call again.
            Ok(true) | Err(ActionError::Unsettled(_)) => Ok(()),
            Ok(false) => Err(NotResumed::Unknown),
            Err(error) => Err(away(error)),
        }
    }

    /// Passes on what the call comes to.
    async fn pass_on(self, id: CallQuestionId, mut mouth: Mouth) {
        let (mut looks, mut waits, mut number) = (looks(), waits(), 0);
        let (began, mut seen_at) = (Instant::now(), Instant::now());
        let lost = 'waits: loop {
            tokio::select! {
                _ = looks.tick() => {}
                _ = waits.tick() => {
                    self.between.wait(id).await;
                    continue;
                }
                () = mouth.pieces.closed() => {
                    mouth.close(&Ending::Abandoned, None);
                    return self.between.forget(&[id]).await;
                }
            }
            match self.between.pieces(id, number).await {
                Ok((pieces, stand)) => {
                    seen_at = Instant::now();
                    let is_news = !pieces.is_empty();
                    for piece in pieces {
                        number += 1;
                        match self.pass(id, &mut mouth, piece).await {
                            Way::On => {}
                            Way::Over => return self.between.forget(&[id]).await,
                            Way::Lost => break 'waits Lost::OnTheWay,
                        }
                    }
                    if is_news {
                        looks.reset_immediately();
                    }
                    match stand {
                        None if number == 0 => break Lost::NeverTaken,
                        Some(Stand::Left) if began.elapsed() > TAKEN_WITHIN => {
                            if self.is_given_up(id).await {
                                break Lost::NeverTaken;
                            }
                        }
                        None => break Lost::OnTheWay,
                        Some(Stand::Silent) if !is_news => break Lost::OnTheWay,
                        Some(Stand::Left | Stand::Taken | Stand::Silent) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "it cannot be seen what a call comes to at another replica");
                    if seen_at.elapsed() > BLIND {
                        break Lost::OnTheWay;
                    }
                }
            }
        };
        self.between.forget(&[id]).await;
        let (status, message) = match lost {
            Lost::NeverTaken => {
                mouth.close(&Ending::Answered, None);
                (StatusCode::BAD_REQUEST, anew(&mouth.id))
            }
            Lost::OnTheWay => self.failed(&mut mouth),
        };
        let _ = mouth.pieces.send(Piece::Ended(status, message)).await;
    }

    /// Whether nobody goes on with the call, and nobody will: it may be taken in this very moment.
    async fn is_given_up(&self, id: CallQuestionId) -> bool {
        self.between.give_up(id).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be seen whether a replica goes on with a call");
            false
        })
    }

    /// Tells the agent a piece.
    async fn pass(&self, id: CallQuestionId, mouth: &mut Mouth, piece: Passed) -> Way {
        let told = match piece {
            Passed::Quiet => Piece::Quiet,
            Passed::Told(message) => {
                mouth.received += message.len();
                Piece::Told(message.0.into_bytes())
            }
            Passed::Ended(ended) => {
                end(mouth, ended).await;
                return Way::Over;
            }
            Passed::Lost => return Way::Lost,
        };
        if self.tell(id, mouth, told).await {
            return Way::On;
        }
        mouth.close(&Ending::Abandoned, None);
        Way::Over
    }

    /// Waits for the agent as long as it takes, and says meanwhile that it is there; whether it is.
    async fn tell(&self, id: CallQuestionId, mouth: &Mouth, told: Piece) -> bool {
        let mut sent = pin!(mouth.pieces.send(told));
        let mut waits = waits();
        loop {
            tokio::select! {
                biased;
                sent = &mut sent => return sent.is_ok(),
                _ = waits.tick() => self.between.wait(id).await,
            }
        }
    }

    fn failed(&self, mouth: &mut Mouth) -> (StatusCode, Vec<u8>) {
        let code = "bridge_lost";
        let sentence = "the replica that made the call is gone, and what became of the call is not known";
        mouth.close(&Ending::Failed(code.into(), sentence.to_owned()), None);
        let failed = Failed {
            id: Some(&mouth.id),
            is_tool_call: self.is_tool_call,
            era: Era::Modern,
            server: &self.server,
            code,
            sentence,
        };
        reply::failed(&mouth.link, &failed)
    }
}

/// How a call was lost on its way between replicas.
enum Lost {
    /// Nobody went on with it.
    NeverTaken,
    /// Somebody did, and is gone.
    OnTheWay,
}

/// How it goes on behind a piece.
enum Way {
    /// There is more.
    On,
    /// That was the end, or the agent is gone.
    Over,
    /// Nothing will come any more.
    Lost,
}

async fn end(mouth: &mut Mouth, ended: Ended) {
    let message = ended.message.0.into_bytes();
    mouth.received += message.len();
    let ending = match ended.failed {
        Some((code, sentence)) => Ending::Failed(code.into(), sentence),
        None => Ending::Answered,
    };
    mouth.close(&ending, ended.upstream);
    let status = StatusCode::from_u16(ended.status).unwrap_or(StatusCode::OK);
    let _ = mouth.pieces.send(Piece::Ended(status, message)).await;
}

/// What is answered where a call does not wait any longer.
pub(super) const NO_LONGER: &str =
    "This call no longer waits for an answer. Make it again without requestState.";

fn anew(id: &str) -> Vec<u8> {
    let code = Code::InvalidParams.number();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{}}}}}"#, json!(NO_LONGER))
        .into_bytes()
}
