//! What is answered about a server that cannot be asked, because a secret that it asks for is not there: who it is and
//! which tools it has, as far as that is known here. So its tools do not vanish, and calling one says what is missing.

use http::StatusCode;
use serde_json::json;

use crate::{
    domain::servers::DecisionTool,
    flow::{
        decision::as_policies_see,
        proxy::{
            admit::Admitted,
            ask::{Answer, Ask},
            bridge,
            gateway::Gateway,
            record::{Ending, OpenCall, Pass},
            refusal::{Refusal, Refused},
            reply,
            route::{Call, Payload},
        },
    },
    protocol::mcp::{
        error,
        message::{Message, Request},
        method::{ListKind, Method, Target},
        strict::{self, Limits},
        version::Era,
    },
};

/// Whether a call that lacks a secret is answered here all the same: it asks for nothing that needs the server.
pub fn answers(refused: &Refused, call: &Call<'_>) -> bool {
    let is_known = |request: &Request<'_>| {
        matches!(request.method(), Method::Initialize | Method::ServerDiscover | Method::Ping)
            || request.method().target() == Target::List(ListKind::Tools)
    };
    matches!(refused.refusal, Refusal::Unconnected(_))
        && match &call.payload {
            Payload::Message(Message::Request(request)) => is_known(request),
            Payload::Message(Message::Notification(_)) | Payload::Listen | Payload::End => true,
            Payload::Message(Message::Response(_)) => false,
        }
}

/// Answers it.
pub fn answer(gateway: &Gateway, ask: &Ask, admitted: &Admitted, pass: Pass<'_>) -> Answer {
    let (permit, open) = pass.into_parts();
    let call = permit.call();
    match &call.payload {
        Payload::Message(Message::Request(request)) => match request.method() {
            // A session of ours, as for a server that knows none of the kind; it reaches the server once nothing is missing.
            Method::Initialize => bridge::open(gateway, admitted, call, open),
            Method::ServerDiscover => {
                let may_wait = admitted.caller(call.client.as_ref(), admitted.ip()).may_wait(&call.server);
                bridge::own(request, bridge::discovered(call, may_wait), open)
            }
            Method::Ping => bridge::own(request, json!({}), open),
            _ => tools(ask, admitted, call, request, open),
        },
        Payload::Message(_) => reply::accepted(),
        Payload::Listen => reply::no_stream(),
        Payload::End => reply::ended(),
    }
}

/// The tools of the server that this agent may call, as they were reviewed, on one page.
fn tools(
    ask: &Ask,
    admitted: &Admitted,
    call: &Call<'_>,
    request: &Request<'_>,
    open: Option<OpenCall>,
) -> Answer {
    let caller = admitted.caller(call.client.as_ref(), ask.origin.ip);
    let facts = &call.server;
    let is_shown = |tool: &&DecisionTool| {
        facts.callable(tool.name.as_str(), caller.grant.ceiling).is_ok()
            && caller.lists(facts, &as_policies_see(tool))
    };
    let shown = facts.server.tools.iter().filter(is_shown);
    let list: Vec<&str> = shown.filter_map(|tool| tool.accepted_definition.as_deref()).collect();
    let cached = match call.era {
        Era::Modern => ",\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\"",
        Era::Legacy => "",
    };
    let result = format!("{{\"tools\":[{}]{cached}}}", list.join(","));
    let raw = strict::check(result.as_bytes(), &Limits::of(result.len()));
    let body = raw.map(|raw| error::result(request.id, raw)).unwrap_or_default();
    if let Some(open) = open {
        open.close(&Ending::Answered, None, body.len());
    }
    reply::json_answer(StatusCode::OK, body)
}
