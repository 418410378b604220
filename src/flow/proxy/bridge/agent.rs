//! The agent's side of a bridged call: what it is told, what it is asked, and how the call ends for it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    base::{crypto::digest::Digest, ids::CallQuestionId},
    flow::proxy::{
        bridge::{
            between::Between,
            courier::{self, Closing},
            desk::{Desk, Resumed},
            job::Cut,
            talk::Silent,
        },
        edit::Editor,
        handles::{Handles, Holder},
        pieces::{Challenged, Piece},
        record::{Ending, OpenCall},
        reply::{self, Failed},
        state::{Round, State},
    },
    protocol::mcp::version::Era,
};

/// How long a question may wait for its answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// What somebody said to a question; it may be anything, so it is never printed.
#[derive(Serialize, Deserialize)]
pub(super) enum Word {
    /// The answer, as JSON.
    Result(String),
    /// That there is none: an error, as JSON.
    Error(String),
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A question of a server.
#[derive(Debug)]
pub(super) struct Question {
    /// The server's name for it.
    pub(super) key: String,
    /// The method.
    pub(super) method: String,
    /// The parameters, as JSON.
    pub(super) params: String,
}

/// Where an agent hears: a call that is taken up again has another than before.
#[derive(Debug)]
pub(super) struct Mouth {
    /// The id of the request, as it was written.
    pub(super) id: String,
    /// The way there.
    pub(super) pieces: mpsc::Sender<Piece>,
    /// The record of the call, where it was admitted here.
    pub(super) open: Option<OpenCall>,
    /// For what a state in the answer stands.
    pub(super) round: Option<Round>,
    /// Where a person reads of it.
    pub(super) link: String,
    /// How many bytes it was told.
    pub(super) received: usize,
    /// Where its end is told to the replica that has the call on record, where that is another.
    pub(super) there: Option<Closing>,
}

impl Mouth {
    /// Ends the record of the call.
    pub(super) fn close(&mut self, ending: &Ending, status: Option<u16>) {
        if let Some(open) = self.open.take() {
            open.close(ending, status, self.received);
        }
        if let Some(there) = &self.there {
            *there.lock().unwrap_or_else(PoisonError::into_inner) = Some((ending.clone(), status));
        }
    }
}

/// The agent of a bridged call.
pub(super) struct Agent {
    /// The era that it speaks.
    pub(super) era: Era,
    /// Where it hears.
    pub(super) mouth: Mouth,
    /// What it can do, as it said.
    pub(super) capabilities: Value,
    /// Whether it wants to be told what the server does.
    pub(super) wants_log: bool,
    /// Its own token of progress, as it was written.
    pub(super) progress: Option<String>,
    /// Of the call, for the same one to be known again.
    pub(super) digest: Digest,
    /// Whether a model reads the answer.
    pub(super) is_tool_call: bool,
    /// The server's name.
    pub(super) server: Arc<str>,
    pub(super) editor: Editor,
    pub(super) desk: Arc<Desk>,
    pub(super) between: Between,
    pub(super) handles: Handles,
    pub(super) holder: Holder,
    /// Fires when it calls the request off.
    pub(super) off: CancellationToken,
}

/// The agent is gone, or has called the request off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Agent {
    /// Passes on what a server tells.
    pub(super) async fn tell(&mut self, message: Vec<u8>) -> Result<(), Gone> {
        self.mouth.received += message.len();
        let edited = self.editor.edit(&message).ok().flatten();
        self.mouth.pieces.send(Piece::Told(edited.unwrap_or(message))).await.map_err(|_| Gone)
    }

    /// Ends the call with a message in the agent's own words.
    pub(super) async fn end(&mut self, message: Vec<u8>, is_error: bool) {
        self.mouth.received += message.len();
        let Ok(edited) = self.editor.edit(&message) else {
            return self.fail("upstream_answer_invalid", "the server's list cannot be read", None).await;
        };
        let message = edited.unwrap_or(message);
        // The modern era answers a method that is not there as HTTP does a page.
        let is_absent = is_error
            && self.era == Era::Modern
            && memchr::memmem::find(&message, b"\"code\":-32601").is_some();
        let status = if is_absent { StatusCode::NOT_FOUND } else { StatusCode::OK };
        self.mouth.close(&Ending::Answered, Some(200));
        let _ = self.mouth.pieces.send(Piece::Ended(status, message)).await;
    }

    /// Ends the call without an answer of the server.
    pub(super) async fn fail(&mut self, code: &'static str, sentence: &str, status: Option<u16>) {
        self.mouth.close(&Ending::Failed(code.into(), sentence.to_owned()), status);
        let (status, body) = self.failed(code, sentence);
        let _ = self.mouth.pieces.send(Piece::Ended(status, body)).await;
    }

    /// The same where the server says what it wants beyond what it was sent: whoever waits for the answer looks at that.
    pub(super) async fn challenged(
        &mut self,
        (code, sentence): (&'static str, String),
        status: StatusCode,
        headers: HeaderMap,
    ) {
        let answer = self.failed(code, &sentence);
        let ending = Ending::Failed(code.into(), sentence);
        let open = self.mouth.open.take();
        let challenged = Box::new(Challenged { headers, open, ending, status, answer });
        if let Err(unheard) = self.mouth.pieces.send(Piece::Challenged(challenged)).await
            && let Piece::Challenged(challenged) = unheard.0
        {
            challenged.failed();
        }
    }

    fn failed(&self, code: &'static str, sentence: &str) -> (StatusCode, Vec<u8>) {
        let failed = Failed {
            id: Some(&self.mouth.id),
            is_tool_call: self.is_tool_call,
            era: self.era,
            server: &self.server,
            code,
            sentence,
        };
        reply::failed(&self.mouth.link, &failed)
    }

    /// Ends the record of a call whose agent is gone.
    pub(super) fn abandon(&mut self) {
        self.mouth.close(&Ending::Abandoned, None);
    }

    /// Whether it said that it can answer this.
    pub(super) fn can_answer(&self, question: &Question) -> bool {
        let has = |path: &str| self.capabilities.pointer(path).is_some();
        match question.method.as_str() {
            "roots/list" => has("/roots"),
            "sampling/createMessage" => has("/sampling"),
            "elicitation/create" => {
                let params: Value = serde_json::from_str(&question.params).unwrap_or_default();
                if params["mode"] == "url" {
                    has("/elicitation/url")
                } else {
                    // Without a word about the kind, forms are meant.
                    has("/elicitation/form") || has("/elicitation") && !has("/elicitation/url")
                }
            }
            _ => false,
        }
    }

    /// Asks what a server asks, in the way of the agent's era, and waits for the answers.
    pub(super) async fn ask(&mut self, questions: &[Question]) -> Result<HashMap<String, Word>, Cut> {
        match self.era {
            Era::Legacy => self.ask_on_stream(questions).await,
            Era::Modern => self.ask_by_result(questions).await,
        }
    }

    async fn ask_on_stream(&mut self, questions: &[Question]) -> Result<HashMap<String, Word>, Cut> {
        let mut asked = Vec::with_capacity(questions.len());
        let words = self.ask_each(questions, &mut asked).await;
        self.between.forget(&asked).await;
        words
    }

    /// Asks one question after the other, and waits for all answers, wherever they come; what was asked is told also where
    /// nobody answers.
    async fn ask_each(
        &mut self,
        questions: &[Question],
        asked: &mut Vec<CallQuestionId>,
    ) -> Result<HashMap<String, Word>, Cut> {
        let mut waiting = Vec::new();
        for question in questions {
            let (id, word) = self.desk.ask(self.holder).ok_or_else(full)?;
            let noted = CallQuestionId::from_uuid(id);
            self.between.note(self.holder, noted, None, &[]).await;
            asked.push(noted);
            let Question { method, params, .. } = question;
            let message =
                format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":{},"params":{params}}}"#, json!(method));
            self.tell(message.into_bytes()).await?;
            waiting.push((question.key.clone(), noted, word));
        }
        let mut words = HashMap::new();
        let all = async {
            for (key, noted, here) in waiting {
                let word = tokio::select! {
                    word = here => word.map_err(|_| Gone)?,
                    word = self.between.said(noted) => word,
                };
                words.insert(key, word);
            }
            Ok::<_, Gone>(())
        };
        tokio::select! {
            answered = tokio::time::timeout(PATIENCE, all) => answered.map_err(|_| Gone)??,
            () = self.mouth.pieces.closed() => return Err(Cut::Gone),
            () = self.off.cancelled() => return Err(Cut::Gone),
        }
        Ok(words)
    }

    /// The request ends with the questions, and another one like it takes the call up again.
    async fn ask_by_result(&mut self, questions: &[Question]) -> Result<HashMap<String, Word>, Cut> {
        let keys: Vec<_> = questions.iter().map(|question| question.key.clone()).collect();
        let (id, here) = self.desk.park(self.holder, self.digest, keys.clone()).ok_or_else(full)?;
        let noted = CallQuestionId::from_uuid(id);
        self.between.note(self.holder, noted, Some(&self.digest), &keys).await;
        let resumed = match self.tell_questions(id.to_string(), questions).await {
            Ok(()) => {
                let resumed = async {
                    tokio::select! {
                        resumed = here => resumed.map_err(|_| Gone),
                        back = self.between.said(noted) => Ok(courier::resumed(&self.between, noted, back)),
                    }
                };
                tokio::time::timeout(PATIENCE, resumed).await.unwrap_or(Err(Gone))
            }
            Err(gone) => Err(gone),
        };
        // What goes on for another replica is still needed there.
        if !resumed.as_ref().is_ok_and(|resumed| resumed.mouth.there.is_some()) {
            self.between.forget(&[noted]).await;
        }
        let Resumed { words, mouth } = resumed?;
        self.mouth = mouth;
        Ok(words)
    }

    /// Ends the request with the questions.
    async fn tell_questions(&mut self, text: String, questions: &[Question]) -> Result<(), Gone> {
        let state = State::Server { text, round: self.mouth.round };
        let asked = questions.iter().map(|Question { key, method, params }| {
            format!(r#"{}:{{"method":{},"params":{params}}}"#, json!(key), json!(method))
        });
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"input_required","inputRequests":{{{}}},"requestState":{}}}}}"#,
            self.mouth.id,
            asked.collect::<Vec<_>>().join(","),
            json!(state.seal(&self.handles, self.holder)),
        );
        self.mouth.received += message.len();
        self.mouth.close(&Ending::Answered, Some(200));
        let ended = Piece::Ended(StatusCode::OK, message.into_bytes());
        self.mouth.pieces.send(ended).await.map_err(|_| Gone)
    }
}

/// There is no room for one more question.
fn full() -> Silent {
    let sentence = "too many questions wait for their answers here; try again later".to_owned();
    Silent::of("bridge_full", sentence)
}
