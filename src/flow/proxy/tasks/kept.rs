//! What is kept of a call that waits, so that it can be made without its agent saying it again.

use http::{HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        ids::{ApprovalId, CallTaskId, RequestId},
        unprinted::Unprinted,
    },
    domain::{
        approvals::{
            Approval, NewCallTask, SealedPart, TaskOf,
            store::tasks::{self, SEALED_CALL, TABLE},
        },
        audit::{self, Unrecorded},
        vault::Cell,
    },
    flow::{
        fault::ActionResult,
        proxy::{
            admit::Admitted,
            ask::{Ask, Verb},
            bridge, dispatch,
            gateway::Gateway,
            judge::Permit,
            record,
            route::Call,
            tasks::{are_declared, era_name, seal},
        },
    },
    io::db::OrgTx,
    protocol::mcp::{
        message::{self, Message, Request},
        method::Method,
        raw::Kind,
        splice::{Change, Edits},
        strict::Limits,
        version::Era,
    },
};

/// How large a request may be that is kept; a larger one waits in another way.
const MOST: usize = 256 * 1024;
/// How long a task is kept after it came to an end, or could have.
pub(super) const KEPT: Duration = Duration::HOUR;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// A task that an agent is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its id, as the agent knows it.
    pub handle: String,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When that last changed.
    pub updated_at: OffsetDateTime,
}

/// Keeps a call that waits for an approval as a task, where its agent takes one and there is room.
///
/// # Errors
/// When the database or the vault refuses.
pub async fn begin(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    permit: &Permit<'_>,
    approval: &Approval,
) -> ActionResult<Option<Begun>> {
    let call = permit.call();
    let Some(request) = call.request().filter(|request| is_taken(call, request)) else { return Ok(None) };
    let Some(kept) = Kept::of(ask, request) else { return Ok(None) };
    // What was judged by policies that are no longer so may be what those of now keep from being stored.
    if !matches!(record::in_force(gateway, admitted).await, Ok(None)) {
        return Ok(None);
    }
    let now = gateway.clock.now();
    let mut tx = OrgTx::begin(&gateway.db, admitted.snapshot.scope).await?;
    let era = era_name(call.era);
    let mut found = tasks::find_waiting(&mut tx, approval.id, era).await?;
    if found.is_none() {
        let id = CallTaskId::fresh();
        let plain = serde_json::to_vec(&kept).unwrap_or_default();
        let sealed = gateway.vault.seal(&mut tx, Cell::new(TABLE, SEALED_CALL, id), &plain).await?;
        let new = NewCallTask {
            of: TaskOf { id, grant: admitted.grant.id, server: call.server.server.id },
            approval: approval.id,
            era,
            call: &SealedPart { key: sealed.key, bytes: sealed.bytes },
            expires_at: approval.expires_at + KEPT,
        };
        tasks::keep(&mut tx, &new, now).await?;
        found = tasks::find_waiting(&mut tx, approval.id, era).await?;
    }
    audit::commit_unrecorded(tx, Unrecorded::Task).await?;
    Ok(found.map(|task| Begun {
        handle: seal(&gateway.handles, admitted.holder(&call.server), task.id, call.era),
        created_at: task.created_at,
        updated_at: task.updated_at,
    }))
}

/// Whether an agent takes a task for an answer to this request.
fn is_taken(call: &Call<'_>, request: &Request<'_>) -> bool {
    // What goes on from a round before has an agent that waits for its own answer.
    if request.method() != Method::ToolsCall || call.opened.state.is_some() {
        return false;
    }
    match call.era {
        Era::Modern => are_declared(&request.params),
        Era::Legacy => {
            let wants = request.params.get("task").is_some_and(|task| task.kind() == Kind::Object);
            // Across eras nobody was promised tasks, and then the wish for one is to be passed over.
            wants && bridge::way(call).is_none() && promises_tasks(call)
        }
    }
}

/// Whether a server of the old era says that its tools may run as tasks.
fn promises_tasks(call: &Call<'_>) -> bool {
    let said = call.server.server.declared.capabilities.as_deref();
    let said: Option<serde_json::Value> = said.and_then(|said| serde_json::from_str(said).ok());
    said.is_some_and(|said| said.pointer("/tasks/requests/tools/call").is_some())
}

/// A call as it will be made: the request as it came, and the headers that belong to it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    headers: Unprinted<Vec<(String, String)>>,
    body: Unprinted<String>,
}

/// What a server asked for before it makes a call, and what it was answered.
#[derive(Debug)]
pub(super) struct Again {
    /// What it wants back, as JSON.
    pub(super) state: Option<String>,
    /// The answers, as JSON.
    pub(super) responses: Option<Unprinted<String>>,
}

impl Kept {
    /// The request but for the token of progress, of which nobody will hear.
    fn of(ask: &Ask, request: &Request<'_>) -> Option<Self> {
        let mut edits = Edits::of(&ask.body);
        let meta = request.params.get("_meta").filter(|meta| meta.kind() == Kind::Object);
        if let Some(meta) = meta.filter(|meta| meta.get("progressToken").is_some()) {
            edits.change(meta, &[Change::Remove("progressToken")]);
        }
        let body = if edits.is_empty() { ask.body.to_vec() } else { edits.apply().ok()? };
        if body.len() > MOST {
            return None;
        }
        let headers = ask.headers.iter().filter(|(name, _)| dispatch::goes_on(name));
        let headers = headers.map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        Some(Self {
            headers: headers.collect::<Option<Vec<_>>>()?.into(),
            body: String::from_utf8(body).ok()?.into(),
        })
    }

    /// The call, made in the name of whoever asks about it; none where what was kept cannot be read.
    pub(super) fn ask(self, asks: &Ask, approval: ApprovalId, again: Option<&Again>) -> Option<Ask> {
        let mut headers: http::HeaderMap = self
            .headers
            .0
            .into_iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
            })
            .collect();
        // The call is asked for by who asks about it now, within the session that they have now.
        for name in [header::AUTHORIZATION, SESSION] {
            for value in asks.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let body = match again {
            None => self.body.0.into_bytes(),
            Some(again) => with_answers(self.body.0.as_bytes(), again)?,
        };
        let mut origin = asks.origin.clone();
        origin.request = RequestId::fresh();
        let endpoint = asks.endpoint.clone();
        Some(Ask { verb: Verb::Post, endpoint, headers, body: body.into(), origin, waited: Some(approval) })
    }
}

fn with_answers(body: &[u8], again: &Again) -> Option<Vec<u8>> {
    let Ok(Message::Request(request)) = message::parse(body, &Limits::of(body.len())) else { return None };
    let mut changes = Vec::new();
    if let Some(state) = &again.state {
        changes.push(Change::Set("requestState", state.as_bytes()));
    }
    if let Some(responses) = &again.responses {
        changes.push(Change::Set("inputResponses", responses.as_bytes()));
    }
    let mut edits = Edits::of(body);
    edits.change(request.params.raw()?, &changes);
    edits.apply().ok()
}
