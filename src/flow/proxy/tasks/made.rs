//! The call of a task is made, once, and what it comes to is kept.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::{
    sync::oneshot,
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

use crate::{
    base::ids::CallTaskId,
    domain::{
        approvals::{
            SealedPart, TaskState,
            store::tasks::{self, Came, SEALED_OUTCOME, TABLE},
        },
        audit::{self, Unrecorded},
        vault::Cell,
    },
    flow::{
        fault::ActionResult,
        proxy::{
            self,
            ask::{Answer, AnswerBody, Ask},
            dispatch,
            gateway::Gateway,
            reply::{self, Failed},
            tasks::kept::KEPT,
        },
    },
    io::{
        db::{OrgScope, OrgTx},
        net::error::EgressError,
    },
    protocol::mcp::{
        message::{self, Message},
        method::Method,
        sse::Splitter,
        strict::Limits,
        version::Era,
    },
};

/// How large an answer may be that is kept.
const MOST: usize = 1024 * 1024;
/// How long whoever asks waits for a call that was just begun.
const BRIEF: Duration = Duration::from_secs(3);
/// How often the replica that makes a call says that it lives.
const BEAT: Duration = Duration::from_secs(10);
/// How often it is tried to keep what came of a call, and how long is waited between.
const TRIES: (usize, Duration) = (5, Duration::from_secs(2));
/// How long the end of a stream is waited for that has brought its answer.
const END: Duration = Duration::from_secs(2);
/// How long an answer may take of which only the beginning came.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often a server may ask for something before it makes a call.
const ROUNDS: i32 = 16;

/// A call that this replica has claimed.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) scope: OrgScope,
    pub(super) id: CallTaskId,
    pub(super) round: i32,
    /// The id of the request as it was written.
    pub(super) request: String,
    pub(super) era: Era,
    /// The server's name.
    pub(super) server: Arc<str>,
}

/// Makes a claimed call behind whoever asks; whether it came to an end within a moment.
pub(super) async fn make(gateway: &Arc<Gateway>, errand: Errand, ask: Ask) -> bool {
    let (ended, waits) = oneshot::channel();
    let replica = Arc::clone(gateway);
    gateway.tasks.spawn(async move {
        errand.run(&replica, &ask).await;
        // Whoever asked may have gone.
        let _ = ended.send(());
    });
    timeout(BRIEF, waits).await.is_ok_and(|ended| ended.is_ok())
}

impl Errand {
    async fn run(self, gateway: &Gateway, ask: &Ask) {
        let made = async {
            let answer = Box::pin(proxy::go_on(gateway, ask)).await;
            let status = answer.status;
            let whole = timeout(LONGEST, whole(answer)).await.unwrap_or_else(|_| Err(too_slow()));
            match whole.and_then(|text| self.settled(&text, status)) {
                Ok(came) => came,
                Err((code, sentence)) => {
                    (self.failed(&gateway.explanation(ask.origin.request), code, &sentence), TaskState::Over)
                }
            }
        };
        let (text, state) = tokio::select! {
            came = made => came,
            never = self.beats(gateway) => match never {},
        };
        for _ in 0..TRIES.0 {
            match self.keep(gateway, &text, state).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "what came of a call that waited cannot be kept"),
            }
            sleep(TRIES.1).await;
        }
    }

    /// Keeps what came of the call.
    pub(super) async fn keep(&self, gateway: &Gateway, text: &[u8], state: TaskState) -> ActionResult<()> {
        let now = gateway.clock.now();
        let mut tx = OrgTx::begin(&gateway.db, self.scope).await?;
        let sealed = gateway.vault.seal(&mut tx, Cell::new(TABLE, SEALED_OUTCOME, self.id), text).await?;
        let outcome = &SealedPart { key: sealed.key, bytes: sealed.bytes };
        let came = Came { round: self.round, outcome, state, expires_at: now + self.kept_for(text) };
        tasks::end(&mut tx, self.id, &came, now).await?;
        audit::commit_unrecorded(tx, Unrecorded::Task).await?;
        Ok(())
    }

    /// A task of the server's own may run for long.
    fn kept_for(&self, text: &[u8]) -> time::Duration {
        if super::shown::task_of(text, self.era).is_some() { time::Duration::DAY } else { KEPT }
    }

    async fn beats(&self, gateway: &Gateway) -> Infallible {
        let mut beats = interval_at(Instant::now() + BEAT, BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            if let Err(error) = self.beat(gateway).await {
                tracing::warn!(%error, "a call that is being made cannot say so");
            }
        }
    }

    async fn beat(&self, gateway: &Gateway) -> ActionResult<()> {
        let mut tx = OrgTx::begin(&gateway.db, self.scope).await?;
        tasks::beat(&mut tx, self.id, self.round, gateway.clock.now() + KEPT).await?;
        audit::commit_unrecorded(tx, Unrecorded::Task).await?;
        Ok(())
    }

    /// The answer to the call, where it is one, and where it leaves the task.
    fn settled(&self, text: &[u8], status: StatusCode) -> Result<(Vec<u8>, TaskState), Fault> {
        let Ok(Message::Response(response)) = message::parse(text, &Limits::of(text.len())) else {
            let sentence = format!("the server answered with HTTP {} and no message", status.as_u16());
            return Err(("upstream_answer_invalid", sentence));
        };
        let asks = response.result("resultType").is_some_and(|kind| kind.says("input_required"));
        match asks && self.era == Era::Modern {
            false => Ok((text.to_vec(), TaskState::Over)),
            true if self.round < ROUNDS => Ok((text.to_vec(), TaskState::Asking)),
            true => {
                let sentence = "the server asks for more and more before it answers".to_owned();
                Err(("upstream_asks_too_much", sentence))
            }
        }
    }

    /// What a model reads of a call that did not come to an answer.
    pub(super) fn failed(&self, link: &str, code: &'static str, sentence: &str) -> Vec<u8> {
        let failed = Failed {
            id: Some(&self.request),
            is_tool_call: true,
            era: self.era,
            server: &self.server,
            code,
            sentence,
        };
        reply::failed(link, &failed).1
    }
}

type Fault = (&'static str, String);

/// All of an answer; of a stream, the answer at its end.
async fn whole(answer: Answer) -> Result<Bytes, Fault> {
    let mut stream = dispatch::is_event_stream(&answer.headers).then(|| Splitter::new(MOST));
    let mut kept = Vec::new();
    let mut body = match answer.body {
        AnswerBody::Whole(body) => http_body_util::Full::new(body)
            .map_err(|never: Infallible| -> EgressError { match never {} })
            .boxed_unsync(),
        AnswerBody::Stream(body) => body,
    };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| proxy::refusal::failure(&error))?;
        let Ok(mut bytes) = frame.into_data() else { continue };
        let Some(events) = &mut stream else {
            kept.extend_from_slice(&bytes);
            if kept.len() > MOST {
                return Err(too_large());
            }
            continue;
        };
        while let Some(event) = events.next(&mut bytes).map_err(|_| too_large())? {
            let Some(data) = event.data().filter(|data| !data.is_empty()) else { continue };
            match message::parse(&data, &Limits::of(data.len())) {
                Ok(Message::Response(_)) => {
                    let answer = Bytes::copy_from_slice(&data);
                    // Whoever hangs up before the end has gone away, as the record sees it.
                    let _ = timeout(END, async { while body.frame().await.is_some() {} }).await;
                    return Ok(answer);
                }
                // Who would answer has gone.
                Ok(Message::Request(asked)) if asked.method() != Method::Ping => {
                    let sentence =
                        format!("the server asks by {}, and nobody listens", asked.method().name());
                    return Err(("upstream_asks_too_much", sentence));
                }
                _ => {}
            }
        }
    }
    match stream {
        None => Ok(kept.into()),
        Some(_) => Err(("upstream_hung_up", "the server ended its stream without an answer".to_owned())),
    }
}

fn too_slow() -> Fault {
    let sentence = "the server began its answer, and did not end it within an hour".to_owned();
    ("upstream_slow", sentence)
}

fn too_large() -> Fault {
    let sentence = "the call was made, but its answer is larger than is kept for a task (1 MiB)".to_owned();
    ("upstream_answer_too_large", sentence)
}
