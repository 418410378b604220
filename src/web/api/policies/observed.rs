//! `policies/{policy}/observed` of the JSON API: what parts that are only observed would have done in the last week.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{EventId, GrantId, PolicyId},
        permission::Permission,
    },
    flow::actions::policies::{self, Observed, ObservedCall, ObservedInput, ObservedRule, ReplayEnded},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Params},
        listing::PageQuery,
        openapi::Operation,
        routes::Routes,
    },
};

/// The operations.
pub(super) fn routes() -> Routes {
    Routes::default().api(
        Operation::get("/orgs/{org}/policies/{policy}/observed", "listObservedCalls")
            .about(
                "Policies",
                "Tell what parts that are only observed would have done to the calls of the last week",
            )
            .needs(Permission::PoliciesRead)
            .query::<ObservedQuery>()
            .gives::<ObservedView>(StatusCode::OK),
        observed,
    )
}

#[derive(Deserialize, JsonSchema)]
struct ObservedQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only calls to which this part would have done something, as a JSON pointer into its document.
    #[serde(default)]
    rule: Option<String>,
    /// Only calls to which a part of this version would have.
    #[serde(default)]
    version: Option<i32>,
}

/// What a part would have done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ObservedRule")]
struct RuleView {
    /// The part, as a JSON pointer into its document.
    rule: String,
    /// The version whose document that is.
    version: i32,
    /// How many calls it would have denied or hidden.
    denied: u32,
    /// About how many a human would have been asked.
    asked: u32,
}

impl From<ObservedRule> for RuleView {
    fn from(one: ObservedRule) -> Self {
        Self { rule: one.rule, version: one.version, denied: one.denied, asked: one.asked }
    }
}

/// A call that was made, and what would have been done to it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ObservedCall")]
struct CallView {
    event: EventId,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    grant: Option<GrantId>,
    /// The agent's name at that moment.
    agent: String,
    /// How the software calls itself.
    client: String,
    /// The server's slug; empty where it is gone.
    server: String,
    tool: String,
    /// `ask`, `deny` or `hide`.
    effect: String,
    /// The part, as a JSON pointer into its document.
    rule: String,
    /// The version whose document that is.
    version: i32,
}

impl From<ObservedCall> for CallView {
    fn from(call: ObservedCall) -> Self {
        Self {
            event: call.event,
            at: call.at,
            grant: call.grant,
            agent: call.agent,
            client: call.client,
            server: call.server,
            tool: call.tool,
            effect: call.effect.into_owned(),
            rule: call.rule,
            version: call.version,
        }
    }
}

/// What parts that are only observed would have done to the calls of the last week.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Observed")]
struct ObservedView {
    policy: PolicyId,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    to: OffsetDateTime,
    /// How many calls were looked at, the newest first.
    calls: u32,
    /// Why it ended before the week did: `time` after 3 seconds, `calls` after 50,000; null where all were looked at.
    ended: Option<&'static str>,
    /// When the oldest call was made that was looked at, where it ended before.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    reaches: Option<OffsetDateTime>,
    /// The parts, those of the newest version first.
    rules: Vec<RuleView>,
    /// The calls, the newest first; empty without `audit:read`.
    items: Vec<CallView>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl From<Observed> for ObservedView {
    fn from(found: Observed) -> Self {
        let (items, next_cursor) = found.items.map_or((Vec::new(), None), |page| (page.items, page.next));
        Self {
            policy: found.policy.id,
            from: found.from,
            to: found.to,
            calls: found.calls,
            ended: found.ended.map(ReplayEnded::as_str),
            reaches: found.reaches,
            rules: found.rules.into_iter().map(RuleView::from).collect(),
            items: items.into_iter().map(CallView::from).collect(),
            next_cursor,
        }
    }
}

async fn observed(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    Params(query): Params<ObservedQuery>,
) -> ApiResult {
    let input = ObservedInput { rule: query.rule.as_deref(), version: query.version };
    let found = policies::observed(&cx, &policy, input, &query.page.parse()?).await?;
    Ok(json::plain(StatusCode::OK, &ObservedView::from(found)))
}
