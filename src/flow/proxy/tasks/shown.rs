//! A task in the words of its agent's era.

use std::fmt::Write as _;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    base::unprinted::Unprinted,
    domain::approvals::{Approval, CallTask, WrittenNeed},
    flow::proxy::{
        approve::{QUESTION, Waiting, clock},
        ask::Answer,
        reply,
        tasks::kept::{Again, Begun},
    },
    protocol::mcp::{
        message::{self, Message, Outcome, Response},
        raw::{Kind, Raw},
        splice::{Change, Edits},
        strict::Limits,
        version::Era,
    },
};

/// How often an agent is to ask, in milliseconds.
const EVERY: u64 = 5000;
const RELATED: &str = "io.modelcontextprotocol/related-task";
/// What a host may tell its model at once (2025-11-25, "Creating Tasks").
const AT_ONCE: &str = "io.modelcontextprotocol/model-immediate-response";

/// The answer to a call that is to wait as a task.
pub fn begun(id: &str, waiting: &Waiting, begun: &Begun, era: Era, decision: &Value) -> Answer {
    let Begun { handle, created_at, updated_at } = begun;
    let moments = Moments { created: *created_at, updated: *updated_at, until: waiting.expires_at };
    let words = waits_for(&waiting.subject, &waiting.approvers, waiting.expires_at, &waiting.page);
    let mut task = moments.task(handle, era, "working", &words);
    let result = match era {
        Era::Modern => {
            task["resultType"] = json!("task");
            task["_meta"] = json!({ "portreeve/decision": decision });
            task
        }
        Era::Legacy => {
            json!({ "task": task, "_meta": { "portreeve/decision": decision, AT_ONCE: words } })
        }
    };
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    reply::json_answer(StatusCode::OK, body.into_bytes())
}

fn waits_for(subject: &str, approvers: &str, until: OffsetDateTime, page: &str) -> String {
    format!("{subject} waits for {approvers}, until {}: {page}", clock(until))
}

/// When a task began, when it changed, and until when it may be asked about.
#[derive(Clone, Copy, Debug)]
struct Moments {
    created: OffsetDateTime,
    updated: OffsetDateTime,
    until: OffsetDateTime,
}

impl Moments {
    fn task(self, handle: &str, era: Era, status: &str, words: &str) -> Value {
        let at = |at: OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
        let lasts = u64::try_from((self.until - self.created).whole_milliseconds()).unwrap_or_default();
        let (lasts_key, every_key) = match era {
            Era::Modern => ("ttlMs", "pollIntervalMs"),
            Era::Legacy => ("ttl", "pollInterval"),
        };
        json!({
            "taskId": handle,
            "status": status,
            "statusMessage": words,
            "createdAt": at(self.created),
            "lastUpdatedAt": at(self.updated),
            lasts_key: lasts,
            every_key: EVERY,
        })
    }
}

/// A task as its agent sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    handle: &'a str,
    era: Era,
    moments: Moments,
}

impl<'a> Shown<'a> {
    pub(super) fn of(task: &CallTask, handle: &'a str, era: Era) -> Self {
        let moments = Moments { created: task.created_at, updated: task.updated_at, until: task.expires_at };
        Self { handle, era, moments }
    }

    /// As a result, with one more member where there is one.
    fn result(&self, status: &str, words: &str, more: Option<(&str, &str)>) -> String {
        let mut task = self.moments.task(self.handle, self.era, status, words);
        if self.era == Era::Modern {
            task["resultType"] = json!("complete");
        }
        let mut text = task.to_string();
        if let Some((key, value)) = more
            && text.pop() == Some('}')
        {
            let _ = write!(text, r#","{key}":{value}}}"#);
        }
        text
    }

    /// It waits for a human, to whose page the agent may lead its person.
    pub(super) fn waits(&self, approval: &Approval, page: &str, takes_links: bool) -> String {
        let approvers: Vec<_> = approval.needs.iter().map(WrittenNeed::in_words).collect();
        let approvers = approvers.join(" and ");
        let words = waits_for(&approval.tool, &approvers, approval.expires_at, page);
        let moments = Moments { until: approval.expires_at, ..self.moments };
        let shown = Self { moments, ..*self };
        if !takes_links {
            return shown.result("working", &words, None);
        }
        let params = json!({ "mode": "url", "message": words, "url": page });
        let asked = json!({ QUESTION: { "method": "elicitation/create", "params": params } });
        shown.result("input_required", &words, Some(("inputRequests", &asked.to_string())))
    }

    /// Its call is being made.
    pub(super) fn runs(&self) -> String {
        self.result("working", "The call is being made.", None)
    }

    /// Its server asks for something first.
    pub(super) fn asks(&self, questions: &Questions) -> String {
        let asked = Some(("inputRequests", questions.asked.0.as_str()));
        self.result("input_required", "The server asks for something before it makes the call.", asked)
    }

    /// It was called off.
    pub(super) fn canceled(&self) -> String {
        self.result("cancelled", "It was called off, and the call is not made.", None)
    }

    /// It came to this answer.
    pub(super) fn over(&self, text: &[u8]) -> String {
        let parsed = message::parse(text, &Limits::of(text.len()));
        let Ok(Message::Response(Response { outcome, .. })) = parsed else {
            return self.result("failed", "What came of the call cannot be read.", None);
        };
        let (raw, status, words) = match outcome {
            Outcome::Error(raw) => (raw, "failed", "The call ended with an error."),
            // The modern era keeps `failed` for errors of the protocol.
            Outcome::Result(raw) if self.era == Era::Legacy && is_error(raw) => {
                (raw, "failed", "The call was not made, or failed: see the result.")
            }
            Outcome::Result(raw) => (raw, "completed", "The result says what came of the call."),
        };
        let key = if matches!(outcome, Outcome::Error(_)) { "error" } else { "result" };
        // Before, the result is asked for by a method of its own.
        let more = (self.era == Era::Modern).then(|| (key, raw.text()));
        self.result(status, words, more)
    }
}

fn is_error(result: Raw<'_>) -> bool {
    result.get("isError").and_then(|raw| raw.boolean()).unwrap_or_default()
}

/// The answer to the call itself, under another id, and said to be of the task.
pub(super) fn outcome(text: &[u8], id: &str, handle: &str) -> Vec<u8> {
    let parsed = message::parse(text, &Limits::of(text.len()));
    let Ok(Message::Response(response)) = parsed else { return text.to_vec() };
    match response.outcome {
        Outcome::Error(error) => {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{}}}"#, error.text()).into_bytes()
        }
        Outcome::Result(result) => {
            let related = json!({ "taskId": handle }).to_string();
            let whole = json!({ RELATED: { "taskId": handle } }).to_string();
            let mut edits = Edits::of(text);
            match result.get("_meta").filter(|meta| meta.kind() == Kind::Object) {
                Some(meta) => edits.change(meta, &[Change::Set(RELATED, related.as_bytes())]),
                None => edits.change(result, &[Change::Set("_meta", whole.as_bytes())]),
            }
            if let Some(own) = response.id {
                edits.replace(own.raw(), id.as_bytes().to_vec());
            }
            edits.apply().unwrap_or_else(|_| text.to_vec())
        }
    }
}

/// The id of the task that a server made of a call, where it did, as it was sealed for the agent.
pub(super) fn task_of(text: &[u8], era: Era) -> Option<String> {
    let Ok(Message::Response(response)) = message::parse(text, &Limits::of(text.len())) else { return None };
    let id = match era {
        Era::Modern => {
            response.result("resultType").filter(|kind| kind.says("task"))?;
            response.result("taskId")?
        }
        Era::Legacy => response.result("task")?.get("taskId")?,
    };
    id.string().map(std::borrow::Cow::into_owned)
}

/// A text with another name in place of one, wherever that stands. A sealed id stands for nothing else.
pub(super) fn renamed(body: &Bytes, from: &str, to: &str) -> Bytes {
    let mut renamed = Vec::with_capacity(body.len());
    let mut rest = 0;
    for at in memchr::memmem::find_iter(body, from) {
        renamed.extend_from_slice(&body[rest..at]);
        renamed.extend_from_slice(to.as_bytes());
        rest = at + from.len();
    }
    renamed.extend_from_slice(&body[rest..]);
    renamed.into()
}

/// What a server asks for before it makes a call. Its keys may come again in another round, those of a task may not, so
/// they are led by the round.
#[derive(Debug)]
pub(super) struct Questions {
    /// By the keys of the task, as JSON.
    asked: Unprinted<String>,
    /// The keys of the task, and those of the server.
    keys: Vec<(String, String)>,
    /// What the server wants back, as JSON.
    state: Option<String>,
}

impl Questions {
    pub(super) fn of(text: &[u8], round: i32) -> Self {
        let parsed = message::parse(text, &Limits::of(text.len()));
        let Ok(Message::Response(response)) = parsed else {
            return Self { asked: "{}".to_owned().into(), keys: Vec::new(), state: None };
        };
        let wanted = response.result("inputRequests").filter(|raw| raw.kind() == Kind::Object);
        let (mut asked, mut keys) = (Vec::new(), Vec::new());
        for member in wanted.iter().flat_map(Raw::members) {
            let own = member.key.string().unwrap_or_default().into_owned();
            let key = format!("{round}.{own}");
            asked.push(format!("{}:{}", json!(key), member.value.text()));
            keys.push((key, own));
        }
        let state = response.result("requestState").map(|raw| raw.text().to_owned());
        Self { asked: format!("{{{}}}", asked.join(",")).into(), keys, state }
    }

    /// Whether it asks for nothing but to be asked again.
    pub(super) const fn are_none(&self) -> bool {
        self.keys.is_empty()
    }

    /// The answers by the server's own keys, where none is missing.
    pub(super) fn answers(&self, said: &[(String, Unprinted<String>)]) -> Option<Unprinted<String>> {
        let answer = |(key, own): &(String, String)| {
            let (_, answer) = said.iter().find(|(one, _)| one == key)?;
            Some(format!("{}:{}", json!(own), **answer))
        };
        let answers = self.keys.iter().map(answer).collect::<Option<Vec<_>>>()?;
        Some(format!("{{{}}}", answers.join(",")).into())
    }

    /// With what the call is made again.
    pub(super) fn answered(&self, responses: Option<Unprinted<String>>) -> Again {
        Again { state: self.state.clone(), responses }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_asks_is_led_by_the_round_and_answered_as_a_whole() {
        let text = br#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"s","inputRequests":{"a":{"method":"x","n":1.0},"b":{}}}}"#;
        let questions = Questions::of(text, 2);
        assert_eq!(questions.asked.0, r#"{"2.a":{"method":"x","n":1.0},"2.b":{}}"#);
        let said = |key: &str| (key.to_owned(), Unprinted(r#"{"n":1e2}"#.to_owned()));
        assert_eq!(questions.answers(&[said("2.a")]), None);
        assert_eq!(questions.answers(&[said("a"), said("b"), said("1.a")]), None);
        let answers = questions.answers(&[said("2.b"), said("2.a"), said("3.a")]).expect("both are there");
        assert_eq!(answers.0, r#"{"a":{"n":1e2},"b":{"n":1e2}}"#);
        let again = questions.answered(Some(answers));
        assert_eq!(again.state.as_deref(), Some("\"s\""));
        assert!(Questions::of(br#"{"jsonrpc":"2.0","id":1,"result":{"requestState":"s"}}"#, 1).are_none());
    }

    #[test]
    fn a_result_is_handed_over_to_the_byte_and_said_to_be_of_its_task() {
        let shown = |result: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":"x","result":{result}}}"#);
            String::from_utf8(outcome(text.as_bytes(), "7", "T")).expect("UTF-8")
        };
        let related = r#""io.modelcontextprotocol/related-task":{"taskId":"T"}"#;
        assert_eq!(
            shown(r#"{"n":1.0}"#),
            format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"n":1.0,"_meta":{{{related}}}}}}}"#)
        );
        assert_eq!(
            shown(r#"{"_meta":{"a":1}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"_meta":{{"a":1,{related}}}}}}}"#)
        );
        let failed = br#"{"jsonrpc":"2.0","id":"x","error":{"code":-32603,"message":"m"}}"#;
        assert_eq!(
            outcome(failed, "7", "T"),
            String::from_utf8_lossy(failed).replace("\"x\"", "7").as_bytes()
        );
    }

    #[test]
    fn the_task_that_a_server_made_is_known_by_the_words_of_its_era() {
        let modern = br#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","taskId":"a"}}"#;
        let legacy = br#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"a"}}}"#;
        assert_eq!(task_of(modern, Era::Modern).as_deref(), Some("a"));
        assert_eq!(task_of(legacy, Era::Legacy).as_deref(), Some("a"));
        assert_eq!(task_of(modern, Era::Legacy).or(task_of(legacy, Era::Modern)), None);
        let body = Bytes::from_static(br#"{"taskId":"abc","x":"abc"}"#);
        assert_eq!(renamed(&body, "abc", "d"), r#"{"taskId":"d","x":"d"}"#);
    }
}
