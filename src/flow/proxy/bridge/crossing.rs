//! One call on its way across: begun anew, or taken up where it waits for an answer.

use std::{collections::HashMap, sync::Arc};

use http::{HeaderMap, HeaderName, StatusCode};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    base::{crypto::digest, ids::CallQuestionId},
    flow::proxy::{
        admit::Admitted,
        ask::{Answer, Ask},
        bridge::{
            Way,
            agent::{Agent, Mouth, Word},
            between::Between,
            courier::{Awaited, NO_LONGER},
            desk::{NotResumed, Resumed},
            dress::{self, Sender},
            is_old,
            job::{self, Cut, Job},
            listen::{self, Wanted},
            sessions,
            talk::Line,
            to_legacy, to_modern,
        },
        credential::Credential,
        demand,
        edit::Editor,
        gateway::Gateway,
        judge::Permit,
        pieces::{self, Piece},
        record::{Ending, OpenCall},
        reply,
        route::Call,
    },
    protocol::mcp::{
        canonical::canonical,
        error::{self, Code},
        message::Request,
        method::Method,
        raw::Raw,
        version::Era,
    },
};

/// Makes the call at the server in the dress of its era, and answers with what comes back.
pub(super) async fn carry(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    open: Option<OpenCall>,
    credential: Credential,
    way: Way,
) -> Answer {
    let call = permit.call();
    let (Some(request), Some(target)) = (call.request(), call.server.target.as_ref()) else {
        return reply::no_stream();
    };
    let body = call.opened.body.clone().unwrap_or_else(|| ask.body.clone());
    let (outlet, mut pieces) = pieces::channel();
    let editor = Editor::of(gateway, admitted, permit, open.as_ref());
    let mouth = Mouth {
        id: request.id.raw().text().to_owned(),
        pieces: outlet,
        round: open.as_ref().and_then(OpenCall::round),
        open,
        link: gateway.explanation(ask.origin.request),
        received: 0,
        there: None,
    };
    let holder = admitted.holder(&call.server);
    let digest = digest_of(request);
    let awaited = Awaited {
        between: Between::of(gateway, admitted),
        holder,
        server: Arc::clone(&call.server.server.name),
        is_tool_call: request.method() == Method::ToolsCall,
    };
    let mouth = match taken_up(gateway, awaited, digest, &body, request, mouth).await {
        Ok(Some(mouth)) => mouth,
        Ok(None) => return pieces::answer(pieces).await,
        Err(refused) => return *refused,
    };
    let mut carried = HeaderMap::new();
    for name in ["traceparent", "tracestate"] {
        if let Some(value) = ask.headers.get(name) {
            carried.insert(HeaderName::from_static(name), value.clone());
        }
    }
    let account = credential.account();
    let target = credential.attach(&mut carried, target);
    let sender = sender(call, request);
    let agent = Agent {
        era: call.era,
        mouth,
        capabilities: serde_json::from_str(&sender.capabilities).unwrap_or_default(),
        wants_log: call.era == Era::Legacy
            || request.params.meta("io.modelcontextprotocol/logLevel").is_some(),
        progress: request.params.progress_token().ok().flatten().map(|token| token.raw().text().to_owned()),
        digest,
        is_tool_call: request.method() == Method::ToolsCall,
        server: Arc::clone(&call.server.server.name),
        editor,
        desk: Arc::clone(&gateway.bridge.desk),
        between: Between::of(gateway, admitted),
        handles: gateway.handles.clone(),
        holder,
        off: CancellationToken::new(),
    };
    let line = Line { egress: gateway.egress.clone(), target, carried, is_old: is_old(call) };
    let job = Job {
        body,
        line,
        server: Arc::clone(&call.server),
        account,
        tokens: gateway.tokens.clone(),
        scope: admitted.snapshot.scope,
        sender,
        agents: sessions::of_agent(ask, call.era),
        agent,
    };
    set_going(gateway, job, ask.names(&request.id.key()), way);
    match (pieces.recv().await, account) {
        (Some(Piece::Challenged(mut challenged)), Some(used)) => {
            let told = demand::told(gateway, admitted, permit, used, &challenged.headers).await;
            let Some(refusal) = told else {
                return pieces::begun_with(Some(Piece::Challenged(challenged)), pieces);
            };
            challenged.close(&demand::ending(&refusal));
            reply::refusal(gateway, ask, &call.refused(admitted, refusal))
        }
        (first, _) => pieces::begun_with(first, pieces),
    }
}

fn set_going(gateway: &Gateway, mut job: Job, id: String, way: Way) {
    let (desk, sessions) = (Arc::clone(&gateway.bridge.desk), Arc::clone(&gateway.bridge.sessions));
    let now = gateway.clock.now();
    let wanted = job::request(&job.body)
        .filter(|request| request.method() == Method::SubscriptionsListen)
        .and_then(|request| Wanted::of(&request).ok());
    let room = wanted.as_ref().map(|_| Arc::clone(&gateway.bridge.listeners).try_acquire_owned());
    let elsewhere = Arc::clone(&gateway.bridge.elsewhere);
    // Whoever has no session ends the request to call it off.
    let call = job.agents.map(|_| digest::sha256(id.as_bytes()));
    gateway.bridge.tasks.spawn(async move {
        let running = desk.run(job.agent.holder, id);
        job.agent.off = running.off.clone();
        let (grant, off) = (job.agent.holder.grant, running.off.clone());
        let _watched = call.map(|call| elsewhere.watch(&job.agent.between, grant, call, off));
        match (wanted, room) {
            (Some(wanted), Some(Ok(_room))) => return listen::to_legacy(job, wanted).await,
            (Some(_), _) => return job.settle(Err(Cut::Silent(listen::too_many()))).await,
            (None, _) => {}
        }
        match way {
            Way::ToLegacy => to_legacy::carry(job, sessions, now).await,
            Way::ToModern => to_modern::carry(job).await,
        }
    });
}

/// Takes up a call that waits, here or at another replica, for what this request brings; the mouth comes back where it
/// begins a new one.
async fn taken_up(
    gateway: &Gateway,
    awaited: Awaited,
    digest: digest::Digest,
    body: &[u8],
    request: &Request<'_>,
    mouth: Mouth,
) -> Result<Option<Mouth>, Box<Answer>> {
    // The state was opened in the body that is carried out, not in the one that came.
    let state = job::request(body)
        .and_then(|opened| opened.params.request_state().ok().flatten().map(std::borrow::Cow::into_owned));
    let Some(state) = state else { return Ok(Some(mouth)) };
    let responses = request.params.input_responses().ok().flatten();
    let words: HashMap<_, _> = responses
        .iter()
        .flat_map(Raw::members)
        .filter_map(|member| {
            Some((member.key.string()?.into_owned(), Word::Result(member.value.text().to_owned())))
        })
        .collect();
    let resumed = Resumed { words, mouth };
    let came = match state.parse::<Uuid>() {
        Ok(id) => match gateway.bridge.desk.resume(awaited.holder, digest, id, resumed) {
            Err(not) if matches!(not.0, NotResumed::Unknown) => {
                awaited.take_up(CallQuestionId::from_uuid(id), &digest, not.1).await
            }
            came => came,
        },
        Err(_) => Err(Box::new((NotResumed::Unknown, resumed))),
    };
    let Err(not) = came else { return Ok(None) };
    let (why, Resumed { mut mouth, .. }) = *not;
    mouth.close(&Ending::Answered, None);
    Err(Box::new(match why {
        NotResumed::Unknown => bad_params(request, NO_LONGER),
        NotResumed::Lacks(key) => bad_params(request, &format!("params.inputResponses lacks {key}")),
    }))
}

pub(super) fn bad_params(request: &Request<'_>, message: &str) -> Answer {
    let body = error::error(Era::Modern, Some(request.id), Code::InvalidParams, message, None);
    reply::json_answer(StatusCode::BAD_REQUEST, body)
}

/// A call is the same again where method, name and arguments are.
fn digest_of(request: &Request<'_>) -> digest::Digest {
    let mut said = request.method().name().as_bytes().to_vec();
    for key in ["name", "uri", "arguments"] {
        said.push(0);
        if let Some(raw) = request.params.get(key) {
            said.extend_from_slice(&canonical(raw));
        }
    }
    digest::sha256(&said)
}

fn sender(call: &Call<'_>, request: &Request<'_>) -> Sender {
    let bridged = call.session.as_ref().and_then(|session| session.bridged.as_ref());
    match (bridged, request.params.self_description()) {
        (Some(bridged), _) => Sender {
            capabilities: dress::client_capabilities(&bridged.capabilities).to_string(),
            client: bridged.client.clone(),
        },
        (None, Ok(said)) => Sender {
            capabilities: said.capabilities.text().to_owned(),
            client: said.client.map(|client| client.text().to_owned()),
        },
        (None, Err(_)) => Sender { capabilities: "{}".to_owned(), client: None },
    }
}
