//! To a server of the old era: within a session that this replica holds.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    flow::proxy::bridge::{
        agent::{Question, Word},
        dress,
        job::{self, Cut, Job},
        sessions::{Key, Session, Sessions},
        talk::{Messages, Silent},
    },
    protocol::mcp::{
        message::{self, Id, Message, Outcome, Response},
        method::Method,
        splice::Edits,
        strict::Limits,
        version::Era,
    },
};

/// How often a stream that broke off is taken up.
const TAKEN_UP: usize = 50;
/// How long to wait before that, where the server does not say, and at the most, in milliseconds.
const PAUSE: (u64, u64) = (1000, 30_000);

/// Carries a request out, to its end.
pub(super) async fn carry(mut job: Job, sessions: Arc<Sessions>, now: OffsetDateTime) {
    let came = run(&mut job, &sessions, now).await;
    job.settle(came).await;
}

async fn run(job: &mut Job, sessions: &Sessions, now: OffsetDateTime) -> Result<(), Cut> {
    let body = job.body.clone();
    let Some(request) = job::request(&body) else { return Err(Cut::Gone) };
    let key = Key::of(job.agent.holder, job.account.map(|used| used.id), &job.sender, job.agents);
    let version = job.server.server.declared.protocol_version.clone();
    let mut is_first = true;
    loop {
        let opened = sessions.get(key, &job.line, &job.sender, version.as_deref(), now);
        let session = job.wait(opened).await?;
        let id = session.fresh_id();
        let dressed = dress::request_to_legacy(&body, &request, &id.to_string(), &id.to_string());
        let dressed = dressed.map_err(|_| Cut::Gone)?;
        let messages = match job.wait(session.ask(&job.line, id, dressed)).await {
            Ok(Some(messages)) => messages,
            Ok(None) => {
                sessions.forget(key, &session, now).await;
                if !std::mem::take(&mut is_first) {
                    return Err(forgotten().into());
                }
                continue;
            }
            // The server may be at it already.
            Err(Cut::Gone) => {
                call_off(job, &session, id).await;
                return Err(Cut::Gone);
            }
            Err(cut) => return Err(cut),
        };
        match hear(job, &session, id, messages, request.method()).await {
            Ok(Heard::Again) => {}
            Ok(Heard::Out) => return Ok(()),
            Err(cut) => {
                if matches!(cut, Cut::Gone) {
                    call_off(job, &session, id).await;
                }
                return Err(cut);
            }
        }
    }
}

/// How an exchange ended.
enum Heard {
    /// With an answer, which the agent has.
    Out,
    /// The server wants to be asked the same once more.
    Again,
}

/// Hears the server out.
async fn hear(
    job: &mut Job,
    session: &Session,
    id: u64,
    mut messages: Messages,
    method: Method<'_>,
) -> Result<Heard, Cut> {
    let mut taken_up = 0;
    loop {
        let Some(text) = job.wait(messages.next()).await? else {
            messages = take_up(job, session, messages, &mut taken_up).await?;
            continue;
        };
        match message::parse(&text, &Limits::of(text.len())) {
            Ok(Message::Response(response)) if is_ours(response.id, id) => {
                return end(job, &text, &response, method).await;
            }
            Ok(Message::Notification(told)) => {
                let is_wanted = match told.method() {
                    Method::LogMessage => job.agent.wants_log,
                    Method::Cancelled => false,
                    _ => true,
                };
                let of_progress = told.params.progress_token().ok().flatten();
                let passed = match (told.method(), of_progress, &job.agent.progress) {
                    (Method::Progress, Some(token), Some(agents)) if is_ours(Some(token), id) => {
                        let mut edits = Edits::of(&text);
                        edits.replace(token.raw(), agents.as_bytes());
                        edits.apply().ok()
                    }
                    (Method::Progress, ..) => None,
                    _ => Some(text.to_vec()),
                };
                if let Some(passed) = passed.filter(|_| is_wanted) {
                    job.agent.tell(passed).await?;
                }
            }
            Ok(Message::Request(asked)) => {
                let answered = answer(job, &text, asked.id, asked.method()).await?;
                job.wait(session.tell(&job.line, answered)).await?;
            }
            Ok(Message::Response(_)) => {}
            Err(_) => {
                let sentence = "the server sent something that is no message".to_owned();
                return Err(Silent::of("upstream_answer_invalid", sentence).into());
            }
        }
    }
}

/// A server may close a stream and have it taken up later (2025-11-25, "Sending Messages to the Server").
async fn take_up(job: &Job, session: &Session, broken: Messages, times: &mut usize) -> Result<Messages, Cut> {
    let hung_up = || {
        let sentence = "the server ended its stream without an answer".to_owned();
        Silent::of("upstream_hung_up", sentence)
    };
    let Some(last) = broken.last.filter(|_| *times < TAKEN_UP) else { return Err(hung_up().into()) };
    *times += 1;
    let pause = broken.retry.unwrap_or(PAUSE.0).min(PAUSE.1);
    let rested = async {
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        Ok::<_, Silent>(())
    };
    job.wait(rested).await?;
    let reply = job.wait(job.line.listen(&session.headers(), Some(&last))).await?;
    if !reply.status.is_success() {
        return Err(hung_up().into());
    }
    let mut messages = Messages::of(reply).map_err(Cut::Silent)?;
    messages.last = Some(last);
    messages.retry = broken.retry;
    Ok(messages)
}

/// What a question of the server is answered: by the agent, where it can.
async fn answer(job: &mut Job, text: &[u8], id: Id<'_>, method: Method<'_>) -> Result<Vec<u8>, Cut> {
    let id = id.raw().text();
    if method == Method::Ping {
        return Ok(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into_bytes());
    }
    let params = match message::parse(text, &Limits::of(text.len())) {
        Ok(Message::Request(asked)) => asked.params.raw().map(|params| params.text().to_owned()),
        _ => None,
    };
    let question = Question {
        key: "1".to_owned(),
        method: method.name().to_owned(),
        params: params.unwrap_or_else(|| "{}".to_owned()),
    };
    let refused = r#"{"code":-32601,"message":"The client does not answer this."}"#;
    let word = match job.agent.can_answer(&question) {
        true => match job.agent.ask(&[question]).await {
            Ok(mut words) => words.remove("1"),
            // There is no room to ask; the server may go on without an answer.
            Err(Cut::Silent(_)) => None,
            Err(Cut::Gone) => return Err(Cut::Gone),
        },
        false => None,
    };
    let outcome = match word {
        Some(Word::Result(result)) => format!(r#""result":{result}"#),
        Some(Word::Error(error)) => format!(r#""error":{error}"#),
        None => format!(r#""error":{refused}"#),
    };
    Ok(format!(r#"{{"jsonrpc":"2.0","id":{id},{outcome}}}"#).into_bytes())
}

async fn end(job: &mut Job, text: &[u8], response: &Response<'_>, method: Method<'_>) -> Result<Heard, Cut> {
    let Some(id) = response.id else { return Err(Cut::Gone) };
    let agents = job.agent.mouth.id.clone();
    let (message, is_error) = match response.outcome {
        Outcome::Result(result) => {
            (dress::result(text, id.raw(), result, job.agent.era, &agents, method), false)
        }
        Outcome::Error(_) if job.agent.era == Era::Modern && is_visit(response) => {
            return visit(job, response).await;
        }
        Outcome::Error(_) => {
            let mut edits = Edits::of(text);
            edits.replace(id.raw(), agents.into_bytes());
            (edits.apply(), true)
        }
    };
    job.agent.end(message.map_err(|_| Cut::Gone)?, is_error).await;
    Ok(Heard::Out)
}

/// Whether the server wants a person to visit an address first, by the error of the old era that says so.
fn is_visit(response: &Response<'_>) -> bool {
    response.error_code() == Some(-32042)
}

/// The modern era has no such error: it asks, and the call is made again.
async fn visit(job: &mut Job, response: &Response<'_>) -> Result<Heard, Cut> {
    let data = response.error_data().and_then(|data| serde_json::from_str::<Value>(data.text()).ok());
    let visits = data.and_then(|data| data["elicitations"].as_array().cloned()).unwrap_or_default();
    let questions: Vec<_> = visits
        .into_iter()
        .enumerate()
        .map(|(at, mut visit)| {
            if let Some(visit) = visit.as_object_mut() {
                visit.remove("elicitationId");
                visit.insert("mode".to_owned(), json!("url"));
            }
            Question {
                key: (at + 1).to_string(),
                method: "elicitation/create".to_owned(),
                params: visit.to_string(),
            }
        })
        .collect();
    if questions.is_empty() || !questions.iter().all(|question| job.agent.can_answer(question)) {
        let sentence =
            "the server wants a person to visit an address, which this client cannot offer".to_owned();
        return Err(Silent::of("upstream_asks_for_visit", sentence).into());
    }
    job.agent.ask(&questions).await?;
    Ok(Heard::Again)
}

/// Tells the server that nobody waits any longer.
async fn call_off(job: &Job, session: &Session, id: u64) {
    let told = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": { "requestId": id, "reason": "The agent called it off." },
    });
    if let Err(Silent { code, .. }) = session.tell(&job.line, told.to_string().into_bytes()).await {
        tracing::debug!(code, "a server was not told that a call is off");
    }
}

fn forgotten() -> Silent {
    let sentence = "the server forgets the session that it has just opened".to_owned();
    Silent::of("upstream_answer_invalid", sentence)
}

fn is_ours(id: Option<Id<'_>>, ours: u64) -> bool {
    id.is_some_and(|id| id.raw().text() == ours.to_string())
}
