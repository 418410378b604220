//! To a server of the modern era: every request stands for itself.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::{
    flow::proxy::bridge::{
        agent::{Question, Word},
        dress::{self, Again},
        job::{self, Cut, Job},
        talk::{Messages, Silent, VERSION},
    },
    protocol::mcp::{
        headers::{self, Mirror},
        message::{self, Message, Outcome, Request, Response},
        method::Method,
        raw::{Kind, Raw},
        splice::Edits,
        strict::Limits,
        version::Version,
    },
};

pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const MIRRORED: &str = "mcp-param-";
/// How often a server may ask something more before it answers.
const ROUNDS: usize = 16;
/// The id of every request to the server: each is alone on its connection.
const ID: &str = "1";

/// Carries a request out, to its end.
pub(super) async fn carry(mut job: Job) {
    let came = run(&mut job).await;
    job.settle(came).await;
}

async fn run(job: &mut Job) -> Result<(), Cut> {
    let body = job.body.clone();
    let Some(request) = job::request(&body) else { return Err(Cut::Gone) };
    let headers = headers_of(job, &request);
    let mut again = None;
    for _ in 0..ROUNDS {
        let dressed = dress::request_to_modern(&body, &request, ID, &job.sender, again.as_ref());
        let dressed = dressed.map_err(|_| Cut::Gone)?;
        let reply = job.wait(job.line.post(&headers, dressed)).await?;
        let messages = Messages::of(reply).map_err(Cut::Silent)?;
        match hear(job, messages, request.method()).await? {
            Some(wanted) => again = Some(wanted),
            None => return Ok(()),
        }
    }
    let sentence = "the server asks for more and more before it answers".to_owned();
    Err(Silent::of("upstream_answer_invalid", sentence).into())
}

/// Hears the server out; what it is to be told where it asked for something first.
async fn hear(job: &mut Job, mut messages: Messages, method: Method<'_>) -> Result<Option<Again>, Cut> {
    while let Some(text) = job.wait(messages.next()).await? {
        match message::parse(&text, &Limits::of(text.len())) {
            Ok(Message::Response(response)) => return end(job, &text, &response, method).await,
            Ok(Message::Notification(_)) => job.agent.tell(text.to_vec()).await?,
            // The modern era knows no requests of servers.
            Ok(Message::Request(_)) | Err(_) => break,
        }
    }
    let sentence = "the server ended its stream without an answer".to_owned();
    Err(Silent::of("upstream_hung_up", sentence).into())
}

async fn end(
    job: &mut Job,
    text: &[u8],
    response: &Response<'_>,
    method: Method<'_>,
) -> Result<Option<Again>, Cut> {
    let agents = job.agent.mouth.id.clone();
    let Some(id) = response.id else {
        // An error about something that could not be read: it is about this request, for there was no other.
        let message = with_id(text, &agents).ok_or(Cut::Gone)?;
        job.agent.end(message, true).await;
        return Ok(None);
    };
    let (message, is_error) = match response.outcome {
        Outcome::Result(_)
            if response.result("resultType").is_some_and(|kind| kind.says("input_required")) =>
        {
            return ask(job, response).await.map(Some);
        }
        Outcome::Result(result) => {
            (dress::result(text, id.raw(), result, job.agent.era, &agents, method), false)
        }
        Outcome::Error(_) => {
            let mut edits = Edits::of(text);
            edits.replace(id.raw(), agents.into_bytes());
            (edits.apply(), true)
        }
    };
    job.agent.end(message.map_err(|_| Cut::Gone)?, is_error).await;
    Ok(None)
}

fn with_id(text: &[u8], id: &str) -> Option<Vec<u8>> {
    let mut said: Value = serde_json::from_slice(text).ok()?;
    said["id"] = serde_json::from_str(id).ok()?;
    Some(said.to_string().into_bytes())
}

/// Asks the agent what the server wants to know.
async fn ask(job: &mut Job, response: &Response<'_>) -> Result<Again, Cut> {
    let wanted = response.result("inputRequests").filter(|raw| raw.kind() == Kind::Object);
    let questions: Vec<_> = wanted
        .iter()
        .flat_map(Raw::members)
        .map(|member| Question {
            key: member.key.string().unwrap_or_default().into_owned(),
            method: member.value.get("method").and_then(|raw| raw.string()).unwrap_or_default().into_owned(),
            params: member.value.get("params").map_or_else(|| "{}".to_owned(), |raw| raw.text().to_owned()),
        })
        .collect();
    if let Some(question) = questions.iter().find(|question| !job.agent.can_answer(question)) {
        let sentence = format!("the server asks by {}, which the client cannot answer", question.method);
        return Err(Silent::of("upstream_asks_too_much", sentence).into());
    }
    let mut words = if questions.is_empty() { HashMap::new() } else { job.agent.ask(&questions).await? };
    let mut responses = Vec::new();
    for Question { key, method, .. } in &questions {
        let said = match words.remove(key) {
            Some(Word::Result(result)) => result,
            _ if method == "elicitation/create" => r#"{"action":"cancel"}"#.to_owned(),
            _ => {
                let sentence = format!("the client did not answer {method}");
                return Err(Silent::of("upstream_asks_too_much", sentence).into());
            }
        };
        responses.push(format!("{}:{said}", json!(key)));
    }
    Ok(Again {
        responses: format!("{{{}}}", responses.join(",")),
        state: response.result("requestState").and_then(|raw| raw.string()).map(std::borrow::Cow::into_owned),
    })
}

/// What headers repeat of the body (streamable HTTP of 2026-07-28, "Request Headers").
fn headers_of(job: &Job, request: &Request<'_>) -> HeaderMap {
    let mut all = HeaderMap::with_capacity(4);
    all.insert(VERSION, HeaderValue::from_static(Version::LATEST.name()));
    let method = request.method();
    if let Ok(value) = HeaderValue::from_str(method.name()) {
        all.insert(METHOD, value);
    }
    let name = method.header_name_source().and_then(|source| request.params.get(source));
    if let Some(name) = name.and_then(|raw| raw.string())
        && let Ok(value) = HeaderValue::from_str(&headers::encode(&name))
    {
        all.insert(NAME, value);
    }
    if method == Method::ToolsCall
        && let Ok(Some(tool)) = request.params.name()
    {
        job.server.mirrors(&tool).iter().for_each(|mirror| repeat(&mut all, request, mirror));
    }
    all
}

fn repeat(all: &mut HeaderMap, request: &Request<'_>, mirror: &Mirror) {
    let value = request.params.get("arguments").and_then(|arguments| arguments.reach(&mirror.path));
    let text = value.and_then(|value| match value.kind() {
        Kind::String => value.string().map(std::borrow::Cow::into_owned),
        Kind::Bool | Kind::Number => Some(value.text().to_owned()),
        Kind::Null | Kind::Array | Kind::Object => None,
    });
    let name = HeaderName::try_from(format!("{MIRRORED}{}", mirror.header));
    if let (Some(text), Ok(name)) = (text, name)
        && let Ok(value) = HeaderValue::from_str(&headers::encode(&text))
    {
        all.insert(name, value);
    }
}
