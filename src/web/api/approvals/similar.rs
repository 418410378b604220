//! Calls of the same tool before, as one approval shows them.

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::ids::{EventId, RequestId},
    flow::actions::approvals::{DAYS, Similar, SimilarCall, Tally},
};

/// Calls of the same tool in the last 30 days, as far as the caller may know of them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimilarCalls")]
pub(super) struct SimilarView {
    /// The counts in words.
    summary: String,
    days: i64,
    by_this_agent: TallyView,
    by_others: usize,
    /// Whether there may be more than were looked through.
    cut: bool,
    /// `all`, or `own` for who may not read the audit log.
    scope: &'static str,
    /// Ten at the most: those of the same agent first, then those of the same person, each the newest first.
    calls: Vec<SimilarCallView>,
}

impl From<Similar> for SimilarView {
    fn from(similar: Similar) -> Self {
        Self {
            summary: similar.sentence(),
            days: DAYS,
            by_this_agent: similar.by_agent.into(),
            by_others: similar.by_others,
            cut: similar.cut_at.is_some(),
            scope: if similar.is_of_everybody { "all" } else { "own" },
            calls: similar.calls.into_iter().map(SimilarCallView::from).collect(),
        }
    }
}

/// How many calls there were.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimilarCounts")]
struct TallyView {
    calls: usize,
    /// With the same arguments.
    same_arguments: usize,
    /// Which a policy or a human denied.
    denied: usize,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        Self { calls: tally.calls, same_arguments: tally.same, denied: tally.denied }
    }
}

/// A call of the same tool.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimilarCall")]
struct SimilarCallView {
    event: EventId,
    request: Option<RequestId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    /// The name of the person in whose name it was made; null for one who left, a team or a service account.
    person: Option<String>,
    agent: String,
    /// Whether it is the agent that asks.
    this_agent: bool,
    /// `made`, `failed`, `open` (no end is on record), `asked`, `limited` or `denied`.
    outcome: &'static str,
    /// Null where the record does not say.
    same_arguments: Option<bool>,
}

impl From<SimilarCall> for SimilarCallView {
    fn from(call: SimilarCall) -> Self {
        Self {
            event: call.event,
            request: call.request,
            at: call.at,
            person: call.person,
            agent: call.agent,
            this_agent: call.is_same_agent,
            outcome: call.outcome.as_str(),
            same_arguments: call.has_same_arguments,
        }
    }
}
