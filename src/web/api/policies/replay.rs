//! `policies/{policy}/replay` of the JSON API: a draft or a document, tried on the calls of the last week.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{EventId, GrantId, PolicyId, UserId},
        permission::Permission,
        risk::Class,
    },
    flow::actions::policies::{
        self, Affected, Noticed, Replay, ReplayEnded, ReplayInput, ReplayOutcome, Replayed, Side,
    },
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, MaybeBody, Params},
        listing::PageQuery,
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub(super) fn routes() -> Routes {
    Routes::default().api(
        Operation::post(
            "/orgs/{org}/policies/{policy}/replay",
            "replayPolicy",
            Effect::Unrecorded("nothing is changed and no server is asked"),
        )
        .about("Policies", "Try a draft or a document on the calls of the last week")
        .needs(Permission::PoliciesRead)
        .query::<ReplayQuery>()
        .may_take::<ReplayBody>()
        .gives::<ReplayView>(StatusCode::OK),
        replay,
    )
}

/// What to try.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewReplay")]
struct ReplayBody {
    /// The document to try in the policy's place, for keys with `audit:read`; without it the draft.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    document: Option<Box<RawValue>>,
}

#[derive(Deserialize, JsonSchema)]
struct ReplayQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only calls that come to this; without it, those for which something would change.
    #[serde(default)]
    outcome: Option<OutcomeWord>,
}

/// What a call comes to.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum OutcomeWord {
    NewlyDenied,
    NewlyAsked,
    NewlyAllowed,
    Unchanged,
    Unknown,
    LeftOut,
}

impl From<OutcomeWord> for ReplayOutcome {
    fn from(word: OutcomeWord) -> Self {
        match word {
            OutcomeWord::NewlyDenied => Self::NewlyDenied,
            OutcomeWord::NewlyAsked => Self::NewlyAsked,
            OutcomeWord::NewlyAllowed => Self::NewlyAllowed,
            OutcomeWord::Unchanged => Self::Unchanged,
            OutcomeWord::Unknown => Self::Unknown,
            OutcomeWord::LeftOut => Self::LeftOut,
        }
    }
}

/// How many calls came to what.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayCounts")]
struct CountsView {
    newly_denied: u32,
    newly_asked: u32,
    newly_allowed: u32,
    unchanged: u32,
    /// What becomes of them depends on arguments that nobody knows any more.
    unknown: u32,
    /// They could not be made now, whatever policies say.
    left_out: u32,
    /// Newly allowed calls of tools that write, execute, destroy or pay.
    flagged: u32,
    /// Unchanged ones about which this policy has no say.
    outside: u32,
}

/// Calls that could not be made now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayLeftOut")]
struct LeftOutView {
    reason: &'static str,
    message: &'static str,
    calls: u32,
}

/// Limits of the document that was tried. They are not counted.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayLimits")]
struct LimitsView {
    /// How many it has.
    all: usize,
    /// How many of them are not in force now.
    new: usize,
}

/// An agent that would notice the change.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayAgent")]
struct AgentView {
    grant: GrantId,
    label: String,
    /// The person in whose name it acts; null for teams and service accounts.
    user: Option<UserId>,
    principal_name: String,
    newly_denied: u32,
    newly_asked: u32,
    newly_allowed: u32,
}

impl From<Noticed> for AgentView {
    fn from(one: Noticed) -> Self {
        Self {
            grant: one.grant,
            label: one.label,
            user: one.user,
            principal_name: one.principal,
            newly_denied: one.denied,
            newly_asked: one.asked,
            newly_allowed: one.allowed,
        }
    }
}

/// Whom the change is about.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayAffected")]
struct AffectedView {
    /// How many people.
    people: usize,
    /// How many agents.
    agents: usize,
    /// The agents, those with the most changed calls first, 100 at the most.
    named: Vec<AgentView>,
}

impl From<Affected> for AffectedView {
    fn from(affected: Affected) -> Self {
        let named = affected.named.into_iter().map(AgentView::from).collect();
        Self { people: affected.people, agents: affected.agents, named }
    }
}

/// What becomes of a call.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayDecision")]
struct SideView {
    /// `allow`, `require_approval`, `deny` or `hide`.
    verdict: &'static str,
    /// The layer whose document decides.
    layer: Option<&'static str>,
    /// The part of the document, as a JSON pointer.
    rule: String,
}

impl From<Side> for SideView {
    fn from(side: Side) -> Self {
        Self { verdict: side.verdict, layer: side.layer.map(|layer| layer.as_str()), rule: side.rule }
    }
}

/// A call of the last week.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReplayedCall")]
struct CallView {
    event: EventId,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    grant: Option<GrantId>,
    /// The grant's name.
    agent: String,
    /// Whom it acts for.
    person: String,
    /// How the software calls itself.
    client: String,
    /// The server's slug; empty where it is gone.
    server: String,
    tool: String,
    class: Option<Class>,
    outcome: &'static str,
    /// Under what is in force; null where nothing changes.
    before: Option<SideView>,
    /// Under what was tried; null where nothing changes.
    after: Option<SideView>,
    /// Why it could not be made now.
    left_out: Option<&'static str>,
    /// Whether it is newly allowed and writes, executes, destroys or pays.
    flagged: bool,
}

impl From<Replayed> for CallView {
    fn from(call: Replayed) -> Self {
        Self {
            event: call.event,
            at: call.at,
            grant: call.grant,
            agent: call.agent,
            person: call.person,
            client: call.client,
            server: call.server,
            tool: call.tool,
            class: call.class,
            outcome: call.outcome.as_str(),
            before: call.before.map(SideView::from),
            after: call.after.map(SideView::from),
            left_out: call.left_out.map(|why| why.code()),
            flagged: call.is_flagged,
        }
    }
}

/// What would have become of the calls of the last week.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Replay")]
struct ReplayView {
    policy: PolicyId,
    /// `draft`, or `document` where one was sent.
    tried: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    to: OffsetDateTime,
    /// How many calls were tried, the newest first.
    calls: u32,
    /// Why it ended before the week did: `time` after 3 seconds, `calls` after 50,000; null where all calls were tried.
    ended: Option<&'static str>,
    /// When the oldest call was made that was tried, where it ended before.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    reaches: Option<OffsetDateTime>,
    /// Whether the policy is in force anywhere; where it is not, it has no say about any call.
    in_force: bool,
    counts: CountsView,
    left_out: Vec<LeftOutView>,
    limits: LimitsView,
    /// Null without `audit:read`.
    affected: Option<AffectedView>,
    /// The calls, the newest first; empty without `audit:read`.
    items: Vec<CallView>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl From<Replay> for ReplayView {
    fn from(replay: Replay) -> Self {
        let counts = &replay.counts;
        let left_out = counts.left_out.iter();
        let (items, next_cursor) = replay.items.map_or((Vec::new(), None), |page| (page.items, page.next));
        Self {
            policy: replay.policy.id,
            tried: if replay.is_draft { "draft" } else { "document" },
            from: replay.from,
            to: replay.to,
            calls: replay.calls,
            ended: replay.ended.map(ReplayEnded::as_str),
            reaches: replay.reaches,
            in_force: !replay.policy.places.is_none(),
            left_out: left_out
                .map(|(reason, (calls, message))| LeftOutView { reason, message, calls: *calls })
                .collect(),
            counts: CountsView {
                newly_denied: counts.of(ReplayOutcome::NewlyDenied),
                newly_asked: counts.of(ReplayOutcome::NewlyAsked),
                newly_allowed: counts.of(ReplayOutcome::NewlyAllowed),
                unchanged: counts.of(ReplayOutcome::Unchanged),
                unknown: counts.of(ReplayOutcome::Unknown),
                left_out: counts.of(ReplayOutcome::LeftOut),
                flagged: counts.flagged,
                outside: counts.outside,
            },
            limits: LimitsView { all: replay.limits.all, new: replay.limits.new },
            affected: replay.affected.map(AffectedView::from),
            items: items.into_iter().map(CallView::from).collect(),
            next_cursor,
        }
    }
}

async fn replay(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    Params(query): Params<ReplayQuery>,
    MaybeBody(body): MaybeBody<ReplayBody>,
) -> ApiResult {
    let input = ReplayInput {
        document: body.document.as_ref().map(|document| document.get()),
        outcome: query.outcome.map(ReplayOutcome::from),
    };
    let found = policies::replay(&cx, &policy, input, &query.page.parse()?).await?;
    Ok(json::plain(StatusCode::OK, &ReplayView::from(found)))
}
