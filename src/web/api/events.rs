//! `events` of the JSON API: the audit log and its exports.

mod call;

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{EventId, RequestId, SigningKeyId, UserId},
        permission::Permission,
    },
    domain::audit::{Decision, EventKind, EventRow},
    flow::actions::{
        events::{self, EventInput, Seen},
        export::{self, Format},
    },
    web::api::events::call::CallView,
    web::kit::{
        ask::KeyAsk,
        download::download,
        json::{self, ApiResult, Listed, Params},
        listing::PageQuery,
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/events", "listEvents")
                .about("Audit log", "List events, newest first")
                .needs(Permission::AuditRead)
                .query::<EventQuery>()
                .gives::<Listed<EventView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::get("/orgs/{org}/events/export", "exportEvents")
                .about(
                    "Audit log",
                    "Download the whole record with proof, or events as a table; the export is recorded",
                )
                .needs(Permission::AuditExport)
                .records(Effect::Records(&["audit.exported"]))
                .query::<ExportQuery>()
                .gives::<String>(StatusCode::OK)
                .as_types(&["application/jsonl", "text/csv"]),
            save,
        )
        .api(
            Operation::get("/orgs/{org}/events/{event}", "getEvent")
                .about("Audit log", "Read an event with its proof")
                .needs(Permission::AuditRead)
                .gives::<EventDetailView>(StatusCode::OK),
            read,
        )
}

/// Which events, of the list and of an export as a table.
#[derive(Deserialize, JsonSchema)]
struct FilterQuery {
    /// Only events of this kind.
    #[schemars(extend("enum" = ["admin", "auth", "call"]))]
    kind: Option<String>,
    /// Only events that ended like this.
    #[schemars(extend("enum" = ["allowed", "done", "refused", "failed", "unknown"]))]
    decision: Option<String>,
    /// What a person did or what was done to them, by id; or a part of the name of the one who acted.
    #[schemars(length(max = 200))]
    person: Option<String>,
    /// How the action's name begins, such as `team.` or `team.created`.
    #[schemars(length(max = 80))]
    action: Option<String>,
    /// The id of the thing it was done to, or a part of its name.
    #[schemars(length(max = 200))]
    target: Option<String>,
    /// A server's id or short name: what concerned it, or anything of it.
    #[schemars(length(max = 100))]
    server: Option<String>,
    /// The name of a tool, prompt or resource that was called.
    #[schemars(length(max = 200))]
    tool: Option<String>,
    /// The id of the request.
    #[schemars(length(max = 100))]
    request: Option<String>,
    /// The address it came from, or a network such as `10.0.0.0/8`.
    #[schemars(length(max = 60))]
    ip: Option<String>,
    /// Not before: a moment (RFC 3339), a day, or a span back from now such as `24h`; UTC where no zone is given.
    #[schemars(length(max = 40))]
    from: Option<String>,
    /// Before: likewise; a day counts to its end.
    #[schemars(length(max = 40))]
    to: Option<String>,
    /// A part of the name of the one who acted or of the thing it was done to.
    #[schemars(length(max = 200))]
    q: Option<String>,
    /// None of this person's, as `person`.
    #[schemars(length(max = 200))]
    not_person: Option<String>,
    /// No action whose name begins so.
    #[schemars(length(max = 80))]
    not_action: Option<String>,
    /// Nothing done to this thing, as `target`.
    #[schemars(length(max = 200))]
    not_target: Option<String>,
    /// Nothing that ended like this.
    #[schemars(extend("enum" = ["allowed", "done", "refused", "failed", "unknown"]))]
    not_decision: Option<String>,
    /// Nothing from this address or network.
    #[schemars(length(max = 60))]
    not_ip: Option<String>,
}

impl From<FilterQuery> for EventInput {
    fn from(query: FilterQuery) -> Self {
        Self {
            kind: query.kind,
            person: query.person,
            action: query.action,
            target: query.target,
            server: query.server,
            tool: query.tool,
            decision: query.decision,
            request: query.request,
            from: query.from,
            to: query.to,
            q: query.q,
            ip: query.ip,
            not_person: query.not_person,
            not_action: query.not_action,
            not_target: query.not_target,
            not_decision: query.not_decision,
            not_ip: query.not_ip,
        }
    }
}

/// Which events a list shows.
#[derive(Deserialize, JsonSchema)]
struct EventQuery {
    #[serde(flatten)]
    filter: FilterQuery,
    #[serde(flatten)]
    page: PageQuery,
}

/// What to export.
#[derive(Deserialize, JsonSchema)]
struct ExportQuery {
    /// `jsonl` is the whole record with proof, for `portreeve audit verify`, and takes no filters; `csv` is a table.
    /// `jsonl` when left out.
    #[schemars(extend("enum" = ["jsonl", "csv"]))]
    format: Option<String>,
    #[serde(flatten)]
    filter: FilterQuery,
}

/// Who did it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventActor")]
struct ActorView {
    /// `user`, `api_key`, `system` or `nobody`.
    kind: String,
    id: Option<String>,
    /// The name at that moment.
    name: String,
}

/// What it was done to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventTarget")]
struct TargetView {
    kind: String,
    id: Option<String>,
    /// The name at that moment.
    name: Option<String>,
}

/// An event.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct EventView {
    id: EventId,
    /// Its place in the organization's chain, from 1 without a gap.
    seq: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    #[schemars(with = "String", extend("enum" = ["admin", "auth", "call"]))]
    kind: EventKind,
    action: String,
    #[schemars(with = "String", extend("enum" = ["allowed", "done", "refused", "failed", "unknown"]))]
    decision: Decision,
    actor: ActorView,
    /// The person it is about.
    user: Option<UserId>,
    target: Option<TargetView>,
    request: Option<RequestId>,
    #[schemars(with = "Option<String>")]
    ip: Option<std::net::IpAddr>,
}

/// An event with all that was recorded.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventDetail")]
struct EventDetailView {
    #[serde(flatten)]
    event: EventView,
    /// What was there.
    before: Option<Value>,
    /// What is there now.
    after: Option<Value>,
    note: Option<String>,
    /// The caller's software, as it named itself.
    agent: Option<String>,
    /// What is recorded of a call, and each step of its decision; null for all other events.
    call: Option<CallView>,
    /// The arguments of the call, where the organization keeps them, without what a policy keeps from being stored; for
    /// those who may export the log.
    #[schemars(with = "Option<serde_json::Map<String, Value>>")]
    arguments: Option<Box<RawValue>>,
    proof: ProofView,
}

/// What can be shown of an event's integrity; an export proves the whole chain.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventProof")]
struct ProofView {
    hash: String,
    /// The hash of the event before.
    prev_hash: String,
    /// Whether the hash results from the record.
    recomputes: bool,
    /// Whether the event before has the hash that this one follows.
    follows: bool,
    /// Whether what lists and filters read is what was recorded.
    columns_agree: bool,
    /// The first signed checkpoint that covers it; a new event has none for a minute.
    checkpoint: Option<CheckpointView>,
}

/// A signed checkpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventCheckpoint")]
struct CheckpointView {
    number: i64,
    /// The last event it covers.
    seq: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    key: SigningKeyId,
    /// Whether its signature holds.
    holds: bool,
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        let target =
            row.target_kind.map(|kind| TargetView { kind, id: row.target_id, name: row.target_name });
        Self {
            id: row.id,
            seq: row.seq,
            at: row.at,
            kind: row.kind,
            action: row.action,
            decision: row.decision,
            actor: ActorView { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
            user: row.user,
            target,
            request: row.request,
            ip: row.ip,
        }
    }
}

impl From<Seen> for EventDetailView {
    fn from(seen: Seen) -> Self {
        let record = seen.detail.record;
        let (before, after, note, origin, call) = record.map_or((None, None, None, None, None), |record| {
            (record.before, record.after, record.note, record.origin, record.call)
        });
        let holds = seen.proof.checkpoint_holds;
        let checkpoint = seen.proof.checkpoint.map(|made| CheckpointView {
            number: made.number,
            seq: made.seq,
            at: made.at,
            key: made.key,
            holds,
        });
        Self {
            event: seen.detail.row.into(),
            before,
            after,
            note,
            agent: origin.and_then(|origin| origin.agent),
            call: call.map(|call| CallView::from(*call)),
            arguments: seen.arguments.and_then(|kept| RawValue::from_string(kept.0).ok()),
            proof: ProofView {
                hash: seen.proof.hash.to_string(),
                prev_hash: seen.proof.prev_hash.to_string(),
                recomputes: seen.proof.recomputes,
                follows: seen.proof.follows,
                columns_agree: seen.proof.columns_agree,
                checkpoint,
            },
        }
    }
}

async fn list(cx: KeyAsk, Params(query): Params<EventQuery>) -> ApiResult {
    let page = query.page.parse()?;
    Ok(json::listed::<EventRow, EventView>(events::list(&cx, &query.filter.into(), &page).await?))
}

async fn read(cx: KeyAsk, Path((_, event)): Path<(String, String)>) -> ApiResult {
    Ok(json::plain(StatusCode::OK, &EventDetailView::from(events::find(&cx, &event).await?)))
}

async fn save(cx: KeyAsk, Params(query): Params<ExportQuery>) -> ApiResult {
    let format = Format::parse(query.format.as_deref().unwrap_or("jsonl"))?;
    Ok(download(export::begin(&cx, format, &query.filter.into()).await?))
}
