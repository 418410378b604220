//! What an agent is answered where no upstream answers: challenges, refusals, failures.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    flow::proxy::{
        approve::{QUESTION, Way},
        ask::{Answer, AnswerBody, Ask},
        gateway::Gateway,
        refusal::{Form, Refusal, Refused},
        tasks,
    },
    protocol::mcp::{
        error::{self, Code},
        message::{self, BadMessage, Id, Message},
        raw::Raw,
        strict::{self, Limits},
        version::{Era, Version},
    },
};

/// How long an agent is told to wait while the database is away, in seconds.
const RETRY_AFTER: u32 = 5;

/// How deep a decision may be that holds the arguments of a call.
const DEEPEST: u32 = 72;

/// The answer to a refused request.
pub fn refusal(gateway: &Gateway, ask: &Ask, refused: &Refused) -> Answer {
    let refusal = &refused.refusal;
    let sentence = refusal.sentence();
    let era = if refused.is_modern { Era::Modern } else { Era::Legacy };
    let body = |code: Code, message: &str| {
        with_id(refused.id.as_deref(), |id| error::error(era, id, code, message, None))
    };
    match refusal.form() {
        Form::Unauthorized => {
            // Without an id, which only a token that is known somewhere would have brought back.
            let body = error::error(Era::Legacy, None, Code::InvalidRequest, &sentence, None);
            let mut answer = json_answer(StatusCode::UNAUTHORIZED, body);
            answer.headers.insert(header::WWW_AUTHENTICATE, challenge(refusal));
            answer
        }
        Form::Forbidden => json_answer(StatusCode::FORBIDDEN, body(Code::InvalidRequest, &sentence)),
        Form::NotFound => json_answer(StatusCode::NOT_FOUND, body(not_found_code(refused), &sentence)),
        Form::BadRequest if *refusal == Refusal::TasksUndeclared => undeclared(refused, &sentence),
        Form::BadRequest if let Refusal::VersionUnserved { version } = refusal => {
            version_unserved(refused, &sentence, version)
        }
        Form::BadRequest => json_answer(StatusCode::BAD_REQUEST, body(bad_request_code(refusal), &sentence)),
        Form::Absent => absent(refused, &sentence, body),
        Form::Denied => denied(gateway, ask, refused, era),
        Form::TooMany => too_many(refusal, body(Code::InvalidRequest, &sentence)),
        Form::Unavailable => unavailable(body(Code::InternalError, &sentence)),
    }
}

/// The answer where what calls are judged by changes faster than it can be read.
pub fn busy(ask: &Ask) -> Answer {
    let message = "What calls are judged by keeps changing. Try again.";
    let id = read_id(&ask.body);
    unavailable(error::error(Era::Legacy, id, Code::InternalError, message, None))
}

/// The answer where an allowed call was not answered by its server.
pub fn failure(gateway: &Gateway, ask: &Ask, call: &Failed<'_>) -> Answer {
    let (status, body) = failed(&gateway.explanation(ask.origin.request), call);
    json_answer(status, body)
}

/// The same as status and message, with the address where a person reads of it.
pub fn failed(link: &str, call: &Failed<'_>) -> (StatusCode, Vec<u8>) {
    let text = format!("[PORTREEVE FAILED] {}: {}. {link}", call.server, call.sentence);
    if call.is_tool_call {
        let request = link.rsplit_once('/').map_or("", |(_, request)| request);
        let decision = json!({ "code": call.code, "request_id": request, "url": link }).to_string();
        let raw = strict::check(decision.as_bytes(), &Limits::of(4096)).ok();
        let body = with_id(call.id, |id| match id {
            Some(id) => error::tool_refusal(call.era, id, &text, raw),
            None => error::error(call.era, None, Code::InternalError, &text, None),
        });
        return (StatusCode::OK, body);
    }
    let body = with_id(call.id, |id| error::error(call.era, id, Code::InternalError, &text, None));
    (StatusCode::BAD_GATEWAY, body)
}

/// A call that its server did not answer.
#[derive(Debug)]
pub struct Failed<'a> {
    /// The id of the request as it was written.
    pub id: Option<&'a str>,
    /// Whether a model reads the answer.
    pub is_tool_call: bool,
    /// The era that the agent speaks.
    pub era: Era,
    /// The server's name.
    pub server: &'a str,
    /// The stable code.
    pub code: &'static str,
    /// Why.
    pub sentence: &'a str,
}

/// A whole answer of JSON.
pub fn json_answer(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Answer { status, headers, body: AnswerBody::Whole(Bytes::from(body)) }
}

/// What an agent told was taken.
pub fn accepted() -> Answer {
    Answer { status: StatusCode::ACCEPTED, headers: HeaderMap::new(), body: AnswerBody::Whole(Bytes::new()) }
}

/// A session is over.
pub fn ended() -> Answer {
    Answer {
        status: StatusCode::NO_CONTENT,
        headers: HeaderMap::new(),
        body: AnswerBody::Whole(Bytes::new()),
    }
}

/// Nobody asked what an agent answers.
pub fn unasked() -> Answer {
    let message = "Nobody waits for this answer here. Make the call again.";
    let body = error::error(Era::Legacy, None, Code::InvalidRequest, message, None);
    json_answer(StatusCode::BAD_REQUEST, body)
}

/// There is no stream to open here.
pub fn no_stream() -> Answer {
    let message = "This endpoint has no stream of its own; send messages with POST.";
    let mut answer = json_answer(
        StatusCode::METHOD_NOT_ALLOWED,
        error::error(Era::Modern, None, Code::InvalidRequest, message, None),
    );
    answer.headers.insert(header::ALLOW, HeaderValue::from_static("POST, DELETE"));
    answer
}

fn too_many(refusal: &Refusal, body: Vec<u8>) -> Answer {
    let mut answer = json_answer(StatusCode::TOO_MANY_REQUESTS, body);
    if let Refusal::TooManyUnknown { retry_after } = refusal {
        answer.headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
    }
    answer
}

fn unavailable(body: Vec<u8>) -> Answer {
    let mut answer = json_answer(StatusCode::SERVICE_UNAVAILABLE, body);
    answer.headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    answer
}

/// Without a token there is no error to name (RFC 6750, section 3.1).
fn challenge(refusal: &Refusal) -> HeaderValue {
    HeaderValue::from_static(match refusal {
        Refusal::NoToken => "Bearer realm=\"portreeve\"",
        Refusal::TokenExpired | Refusal::GrantExpired => {
            "Bearer realm=\"portreeve\", error=\"invalid_token\", error_description=\"expired\""
        }
        Refusal::TokenRevoked | Refusal::GrantRevoked { .. } => {
            "Bearer realm=\"portreeve\", error=\"invalid_token\", error_description=\"revoked\""
        }
        _ => "Bearer realm=\"portreeve\", error=\"invalid_token\"",
    })
}

const fn bad_request_code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::HeaderMismatch(_) => Code::HeaderMismatch,
        Refusal::BadParams { .. } => Code::InvalidParams,
        Refusal::Malformed { fault: BadMessage::Text(fault), .. } if fault.reason.is_parse_error() => {
            Code::ParseError
        }
        _ => Code::InvalidRequest,
    }
}

/// The modern era has no sessions: what is unknown there stands in the parameters.
const fn not_found_code(refused: &Refused) -> Code {
    match refused.refusal {
        Refusal::HandleUnknown if refused.is_modern => Code::InvalidParams,
        _ => Code::InvalidRequest,
    }
}

/// Names the capability that is missing, as the protocol asks for.
fn undeclared(refused: &Refused, sentence: &str) -> Answer {
    const REQUIRED: &[u8] =
        br#"{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#;
    let data = strict::check(REQUIRED, &Limits::of(4096)).ok();
    let body = with_id(refused.id.as_deref(), |id| {
        error::error(Era::Modern, id, Code::MissingCapability, sentence, data)
    });
    json_answer(StatusCode::BAD_REQUEST, body)
}

/// Names the revisions that are spoken, as the protocol asks for.
fn version_unserved(refused: &Refused, sentence: &str, asked: &str) -> Answer {
    let supported: Vec<_> = Version::ALL.into_iter().rev().map(Version::name).collect();
    let data = json!({ "supported": supported, "requested": asked }).to_string();
    let data = strict::check(data.as_bytes(), &Limits::of(4096)).ok();
    // The older revisions have no code of their own for it.
    let (era, code) = match refused.is_modern {
        true => (Era::Modern, Code::UnsupportedVersion),
        false => (Era::Legacy, Code::InvalidRequest),
    };
    let body = with_id(refused.id.as_deref(), |id| error::error(era, id, code, sentence, data));
    json_answer(StatusCode::BAD_REQUEST, body)
}

/// As a server answers that has no such tool or method.
fn absent(refused: &Refused, sentence: &str, body: impl Fn(Code, &str) -> Vec<u8>) -> Answer {
    let kind = match &refused.refusal {
        Refusal::MethodUnserved { .. } => "method",
        Refusal::Unlisted { kind, .. } => kind,
        Refusal::Hidden(denial) => denial.kind,
        _ => "tool",
    };
    match (kind, refused.is_modern) {
        ("method", true) => json_answer(StatusCode::NOT_FOUND, body(Code::MethodNotFound, sentence)),
        ("method", false) => json_answer(StatusCode::OK, body(Code::MethodNotFound, sentence)),
        ("resource", false) => json_answer(StatusCode::OK, body(Code::ResourceNotFound, sentence)),
        _ => json_answer(StatusCode::OK, body(Code::InvalidParams, sentence)),
    }
}

fn denied(gateway: &Gateway, ask: &Ask, refused: &Refused, era: Era) -> Answer {
    let link = gateway.explanation(ask.origin.request);
    let refusal = &refused.refusal;
    let text = format!("{} {link}", refusal.text());
    let mut decision = json!({
        "code": refusal.code(),
        "request_id": ask.origin.request,
        "url": link,
    });
    if let Some(part) = refusal.policy_part() {
        decision["rule"] = json!(part.rule);
        decision["policy"] = json!(refusal.policy());
        decision["version"] = json!(part.version);
    }
    if let Some(approval) = refusal.approval() {
        decision["approval"] = json!(approval);
    }
    if let Some(seconds) = refusal.retry_after() {
        decision["retry_after"] = json!(seconds);
    }
    if let Some(left) = refusal.left() {
        decision["left"] = serde_json::from_str(left).unwrap_or_else(|_| json!(left));
    }
    if let (Refusal::Approval(waiting), Some(id)) = (refusal, refused.id.as_deref())
        && let Way::Task(begun) = &waiting.way
    {
        return tasks::begun(id, waiting, begun, era, &decision);
    }
    if let Some(lead) = Lead::of(ask, refusal)
        && let Some(id) = refused.id.as_deref()
    {
        return led(id, &lead, &text, &decision);
    }
    let decision = with_arguments(decision.to_string(), refusal.arguments());
    let limits = Limits { depth: DEEPEST, ..Limits::of(decision.len()) };
    let raw: Option<Raw<'_>> = strict::check(decision.as_bytes(), &limits).ok();
    let body = with_id(refused.id.as_deref(), |id| match id {
        Some(id) if refused.is_tool_call => error::tool_refusal(era, id, &text, raw),
        id => error::error(era, id, Code::InvalidRequest, &text, raw),
    });
    // A notification and the opening of a stream have no id to answer with.
    let status = if refused.id.is_some() { StatusCode::OK } else { StatusCode::FORBIDDEN };
    json_answer(status, body)
}

/// Puts arguments into a decision as they are written: a reader of numbers might lose digits.
fn with_arguments(mut decision: String, arguments: Option<&str>) -> String {
    if let Some(arguments) = arguments
        && decision.pop() == Some('}')
    {
        decision.push_str(r#","arguments":"#);
        decision.push_str(arguments);
        decision.push('}');
    }
    decision
}

/// A page that the client is to lead its person to.
struct Lead<'a> {
    /// By what name it is asked to.
    question: &'static str,
    /// What the page is about, by its id.
    about: String,
    page: &'a str,
    message: String,
    /// With what the call is made again, where the client's era has such.
    state: Option<&'a str>,
}

impl<'a> Lead<'a> {
    fn of(ask: &Ask, refusal: &'a Refusal) -> Option<Self> {
        let message = refusal.sentence().into_owned();
        match refusal {
            Refusal::Approval(waiting) => {
                let Way::Link { state } = &waiting.way else { return None };
                let (about, state) = (waiting.id.to_string(), state.as_deref());
                Some(Self { question: QUESTION, about, page: &waiting.page, message, state })
            }
            Refusal::Unconnected(unconnected) => {
                let link = unconnected.link.as_ref()?;
                let (about, state) = (ask.origin.request.to_string(), link.state.as_deref());
                Some(Self { question: "connect", about, page: &link.page, message, state })
            }
            _ => None,
        }
    }
}

/// Has the client lead its person to a page, in the words of its era.
fn led(id: &str, lead: &Lead<'_>, text: &str, decision: &Value) -> Answer {
    let Lead { question, about, page, message, state } = lead;
    let body = match state {
        Some(state) => {
            let params = json!({ "mode": "url", "message": message, "url": page });
            json!({ "resultType": "input_required", "requestState": state,
                "inputRequests": { *question: { "method": "elicitation/create", "params": params } },
                "_meta": { "portreeve/decision": decision } })
        }
        None => {
            let elicitation =
                json!({ "mode": "url", "elicitationId": about, "url": page, "message": message });
            json!({ "code": Code::UrlElicitationRequired.number(), "message": text,
                "data": { "elicitations": [elicitation], "portreeve/decision": decision } })
        }
    };
    let member = if state.is_some() { "result" } else { "error" };
    json_answer(StatusCode::OK, format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":{body}}}"#).into_bytes())
}

fn with_id(id: Option<&str>, body: impl FnOnce(Option<Id<'_>>) -> Vec<u8>) -> Vec<u8> {
    let raw = id.and_then(|id| strict::check(id.as_bytes(), &Limits::of(4096)).ok());
    body(raw.and_then(Id::read))
}

fn read_id(body: &[u8]) -> Option<Id<'_>> {
    match message::parse(body, &Limits::of(body.len())) {
        Ok(Message::Request(request)) => Some(request.id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_in_a_decision_to_the_digit() {
        let decision = json!({ "code": "x" }).to_string();
        let arguments = r#"{"amount":1.0000000000000000001}"#;
        let whole = with_arguments(decision.clone(), Some(arguments));
        assert_eq!(whole, r#"{"code":"x","arguments":{"amount":1.0000000000000000001}}"#);
        assert_eq!(with_arguments(decision.clone(), None), decision);
    }
}
