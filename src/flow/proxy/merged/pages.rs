//! Lists of prompts, resources and skills: one server after the other, a page of it at a time.
//!
//! The cursor says, sealed, with which server and where in its list to go on. A server that does not answer is passed over:
//! the others' lists are worth more than an error.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use crate::{
    flow::{
        decision::ServerFacts,
        proxy::{
            self,
            admit::Admitted,
            ask::{Answer, AnswerBody, Ask, Endpoint},
            gateway::Gateway,
            merged::{
                Problem,
                cursor::{self, Cursor},
                heard::Heard,
                own::Own,
                within,
            },
            record::Recorded,
            refusal::Refusal,
        },
    },
    protocol::mcp::{
        message::{self, Message, Outcome, Request},
        method::ListKind,
        splice::{Change, Edits},
        sse::Splitter,
        strict::{self, Limits},
    },
};

/// How much of an answer is looked at to see whether it is one.
const MAX_PAGE: usize = 10 * 1024 * 1024;

/// Answers with the next page of a list.
pub(super) async fn page(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    heard: &Heard,
    request: &Request<'_>,
    kind: ListKind,
) -> Result<Recorded, Problem> {
    let servers: Vec<_> = admitted.servers().into_iter().filter(|facts| offers(facts, kind)).collect();
    let (mut at, mut own) = start(gateway, admitted, request, kind, &servers)?;
    while let Some(facts) = servers.get(at) {
        let body = body(ask, request, own.take().as_deref())?;
        let mut within = within::request(ask, heard, facts, body);
        if let Endpoint::Within { then, .. } = &mut within.endpoint {
            *then = servers.get(at + 1).map(|next| next.server.id);
        }
        match proxy::carry(gateway, &within, admitted).await {
            Ok(Recorded::Answer(answer)) => {
                if let Some(answer) = page_in(*answer).await {
                    return Ok(Recorded::Answer(Box::new(answer)));
                }
            }
            Ok(other @ (Recorded::Stale(_) | Recorded::Polled(_))) => return Ok(other),
            // The lists of the others are worth more than the word that something is missing for this one.
            Err(refused) if matches!(refused.refusal, Refusal::Unconnected(_)) => {}
            Err(refused) => return Err(Problem::There(refused)),
        }
        at += 1;
    }
    Own { gateway, ask, admitted, heard, request }.empty_page(kind).await
}

/// With which server to begin, and where in its list.
fn start(
    gateway: &Gateway,
    admitted: &Admitted,
    request: &Request<'_>,
    kind: ListKind,
    servers: &[&std::sync::Arc<ServerFacts>],
) -> Result<(usize, Option<String>), Refusal> {
    let Some(cursor) = Cursor::of(gateway, admitted, request, kind)? else { return Ok((0, None)) };
    let at = servers.iter().position(|facts| Some(facts.server.id) == cursor.server);
    Ok((at.ok_or_else(cursor::unknown)?, cursor.behind))
}

/// The request with the server's own cursor, or with none.
fn body(ask: &Ask, request: &Request<'_>, own: Option<&str>) -> Result<Bytes, Refusal> {
    let Some(params) = request.params.raw() else { return Ok(ask.body.clone()) };
    let text = own.map(|own| serde_json::Value::from(own).to_string());
    let mut edits = Edits::of(&ask.body);
    match &text {
        Some(text) => edits.change(params, &[Change::Set("cursor", text.as_bytes())]),
        None => edits.change(params, &[Change::Remove("cursor")]),
    }
    if edits.is_empty() {
        return Ok(ask.body.clone());
    }
    let edited =
        edits.apply().map_err(|_| Refusal::BadParams { what: "params.cursor cannot be read".to_owned() })?;
    Ok(Bytes::from(edited))
}

/// Whether a server said that it has lists of this kind.
fn offers(facts: &ServerFacts, kind: ListKind) -> bool {
    let Some(text) = facts.server.declared.capabilities.as_deref() else { return false };
    let Ok(said) = strict::check(text.as_bytes(), &Limits::of(text.len())) else { return false };
    match kind {
        ListKind::Tools => said.get("tools").is_some(),
        ListKind::Prompts => said.get("prompts").is_some(),
        ListKind::Resources | ListKind::Templates => said.get("resources").is_some(),
        ListKind::Skills => said.reach(&["extensions", "io.modelcontextprotocol/skills"]).is_some(),
    }
}

/// The answer, where it has a page in it; none where the server failed or refused.
async fn page_in(answer: Answer) -> Option<Answer> {
    if !answer.status.is_success() {
        return None;
    }
    let (body, is_stream) = match answer.body {
        AnswerBody::Whole(body) => (body, false),
        AnswerBody::Stream(stream) => (Limited::new(stream, MAX_PAGE).collect().await.ok()?.to_bytes(), true),
    };
    let has_page = if is_stream { any_event_is_page(&body) } else { is_page(&body) };
    has_page.then_some(Answer { body: AnswerBody::Whole(body), ..answer })
}

fn any_event_is_page(body: &Bytes) -> bool {
    let (mut splitter, mut rest) = (Splitter::new(MAX_PAGE), body.clone());
    while let Ok(Some(event)) = splitter.next(&mut rest) {
        if event.data().is_some_and(|data| is_page(&data)) {
            return true;
        }
    }
    false
}

fn is_page(body: &[u8]) -> bool {
    let message = message::parse(body, &Limits::of(body.len()));
    matches!(message, Ok(Message::Response(response)) if matches!(response.outcome, Outcome::Result(_)))
}
