//! `approvals` of the JSON API: calls that wait for a human.

mod similar;

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{ApprovalId, GrantId, RequestId, ServerId, UserId},
        permission::Permission,
        secret::Secret,
    },
    domain::approvals::{Approval, ApprovalFilter, ApprovalState, Vote, WrittenNeed},
    flow::{
        actions::approvals::{self, ApprovalSheet, DecisionInput, Terms},
        fault::ActionError,
    },
    web::{
        api::approvals::similar::SimilarView,
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, Listed, Params, Versioned},
            listing::PageQuery,
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/approvals";
const ONE: &str = "/orgs/{org}/approvals/{approval}";
const TAG: &str = "Approvals";

/// The operations.
pub fn routes() -> Routes {
    let decide = Permission::ApprovalsDecide;
    let records: &'static [&'static str] = &["approval.approved", "approval.denied", "approval.voted"];
    Routes::default()
        .api(
            Operation::get(ALL, "listApprovals")
                .about(TAG, "List calls that wait, or waited, for a human, the newest first")
                .needs(decide)
                .query::<ApprovalQuery>()
                .gives::<Listed<ApprovalView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::get(ONE, "getApproval")
                .about(TAG, "Read one with its arguments, what was said, and calls of the same tool before")
                .needs(decide)
                .gives::<ApprovalSheetView>(StatusCode::OK),
            show,
        )
        .api(
            Operation::post(
                "/orgs/{org}/approvals/{approval}/decide",
                "decideApproval",
                Effect::Records(records),
            )
            .about(TAG, "Approve one call, all with these arguments for a while, either with other arguments than were asked, or deny")
            .needs(decide)
            .takes::<DecisionBody>()
            .gives::<ApprovalSheetView>(StatusCode::OK),
            decide_one,
        )
        .api(
            Operation::post(
                "/orgs/{org}/approvals/{approval}/withdraw",
                "withdrawApproval",
                Effect::Records(&["approval.withdrawn"]),
            )
            .about(TAG, "Take back what waits: in your own name, or, for who may revoke the grant, in that of a team or a service account")
            .needs(decide)
            .gives::<ApprovalSheetView>(StatusCode::OK),
            withdraw,
        )
        .api(
            Operation::post(
                "/orgs/{org}/approvals/{approval}/revoke",
                "revokeApproval",
                Effect::Records(&["approval.revoked"]),
            )
            .about(TAG, "Take back what was agreed to and is not used up; the agent has to ask anew from its next call on")
            .needs(decide)
            .gives::<ApprovalSheetView>(StatusCode::OK),
            revoke,
        )
        .api(
            Operation::post(
                "/orgs/{org}/approvals/{approval}/nudge",
                "nudgeApproval",
                Effect::Records(&["approval.nudged"]),
            )
            .about(TAG, "Remind those who may decide what an agent asked in your name")
            .needs(decide)
            .gives::<ApprovalSheetView>(StatusCode::OK),
            nudge,
        )
}

/// Where an approval stands.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ApprovalState")]
enum State {
    /// Nobody decided yet.
    Pending,
    /// It may be used.
    Approved,
    /// It may not.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Whoever asked no longer wants it; with `revoked_at`, what was agreed to was taken back.
    Withdrawn,
}

impl From<ApprovalState> for State {
    fn from(state: ApprovalState) -> Self {
        match state {
            ApprovalState::Pending => Self::Pending,
            ApprovalState::Approved => Self::Approved,
            ApprovalState::Denied => Self::Denied,
            ApprovalState::Expired => Self::Expired,
            ApprovalState::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<State> for ApprovalState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Approved => Self::Approved,
            State::Denied => Self::Denied,
            State::Expired => Self::Expired,
            State::Withdrawn => Self::Withdrawn,
        }
    }
}

/// Somebody who has to agree.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApprovalNeed")]
struct NeedView {
    layer: String,
    /// The slug of the policy.
    policy: String,
    policy_version: i32,
    /// The part of its document, as a JSON pointer.
    rule: String,
    name: Option<String>,
    /// `role:`, `team:` or `user:` with which.
    approvers: String,
    /// How many have to.
    quorum: u32,
}

impl From<WrittenNeed> for NeedView {
    fn from(need: WrittenNeed) -> Self {
        Self {
            layer: need.layer,
            policy: need.policy,
            policy_version: need.version,
            rule: need.rule,
            name: need.name,
            approvers: need.approvers,
            quorum: need.quorum,
        }
    }
}

/// A call that waits, or waited, for a human.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Approval")]
struct ApprovalView {
    id: ApprovalId,
    state: State,
    grant: GrantId,
    grant_label: String,
    /// The person in whose name the agent acts; null for a team or a service account.
    user: Option<UserId>,
    requester_name: String,
    client: Option<String>,
    server: ServerId,
    server_slug: String,
    tool: String,
    class: String,
    needs: Vec<NeedView>,
    request_id: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    /// Until when it may be decided.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    decided_at: Option<OffsetDateTime>,
    decided_by_name: Option<String>,
    reason: String,
    /// When it was taken back after somebody had agreed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    revoked_at: Option<OffsetDateTime>,
    revoked_by_name: Option<String>,
    /// Whether it is for one call only.
    single: bool,
    /// Until when it may be used.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    valid_until: Option<OffsetDateTime>,
    uses: i32,
    /// Whether it is for other arguments than were asked.
    narrowed: bool,
    version: i64,
}

impl From<Approval> for ApprovalView {
    fn from(approval: Approval) -> Self {
        Self::at(approval.state.into(), approval)
    }
}

impl ApprovalView {
    fn at(state: State, approval: Approval) -> Self {
        Self {
            id: approval.id,
            state,
            grant: approval.grant,
            grant_label: approval.grant_label,
            user: approval.user,
            requester_name: approval.requester_name,
            client: approval.client_name,
            server: approval.server,
            server_slug: approval.server_slug,
            tool: approval.tool,
            class: approval.class,
            needs: approval.needs.into_iter().map(NeedView::from).collect(),
            request_id: approval.request,
            created_at: approval.asked_at,
            expires_at: approval.expires_at,
            decided_at: approval.decided_at,
            decided_by_name: approval.decided_by_name,
            reason: approval.reason,
            revoked_at: approval.revoked_at,
            revoked_by_name: approval.revoked_by_name,
            single: approval.is_single,
            valid_until: approval.valid_until,
            uses: approval.uses,
            narrowed: approval.asked.is_some(),
            version: approval.version,
        }
    }
}

/// What somebody said.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApprovalVote")]
struct VoteView {
    user: UserId,
    name: Option<String>,
    approved: bool,
    /// For how many minutes they agreed; null for one call. Several agree to the least that one of them does.
    minutes: Option<u32>,
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
}

impl From<Vote> for VoteView {
    fn from(vote: Vote) -> Self {
        let Vote { user, name, is_approved, minutes, reason, at } = vote;
        Self { user, name, approved: is_approved, minutes, reason, at }
    }
}

/// An approval with the arguments of its call and what was said.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApprovalSheet")]
struct ApprovalSheetView {
    #[serde(flatten)]
    approval: ApprovalView,
    /// The arguments as they were asked; `[redacted]` stands where a policy keeps a value from being stored.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    arguments: Option<Box<RawValue>>,
    /// Whether something of them is masked so.
    masked: bool,
    /// The arguments that it is for, where others were agreed to than were asked.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    approved_arguments: Option<Box<RawValue>>,
    votes: Vec<VoteView>,
    /// Whether the caller may decide it now.
    decidable: bool,
    /// Whether the caller may take back now what was agreed to.
    revocable: bool,
    /// Whom the rules name and of whom too few are here to agree at present, in words.
    unmet: Vec<String>,
    /// Whether the caller may agree to other arguments now.
    narrowable: bool,
    /// Calls of the same tool before; where one approval is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    similar: Option<SimilarView>,
}

impl From<ApprovalSheet> for ApprovalSheetView {
    fn from(sheet: ApprovalSheet) -> Self {
        let raw = |arguments: &Secret<String>| RawValue::from_string(arguments.expose().clone()).ok();
        Self {
            approval: ApprovalView::at(sheet.state.into(), sheet.approval),
            arguments: raw(&sheet.arguments),
            masked: sheet.is_masked,
            approved_arguments: sheet.instead.as_ref().and_then(raw),
            votes: sheet.votes.into_iter().map(VoteView::from).collect(),
            decidable: sheet.refusal.is_none(),
            revocable: sheet.irrevocable.is_none(),
            unmet: sheet.unmet,
            narrowable: sheet.refusal.is_none() && sheet.bound.is_none(),
            similar: sheet.similar.map(SimilarView::from),
        }
    }
}

impl Versioned for ApprovalSheetView {
    fn version(&self) -> i64 {
        self.approval.version
    }
}

#[derive(Deserialize, JsonSchema)]
struct ApprovalQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only those that stand so.
    #[serde(default)]
    state: Option<State>,
    /// Only those of this grant, by id.
    #[serde(default)]
    #[schemars(length(max = 100))]
    grant: Option<String>,
}

/// What somebody decides.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApprovalDecision")]
struct DecisionBody {
    /// `approve_once`, `approve_for` or `deny`.
    decision: String,
    /// For how many minutes; with `approve_for`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1440))]
    minutes: Option<u32>,
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: String,
    /// The arguments that are approved in place of those that were asked, with `approve_once` or `approve_for`. The agent is
    /// told them and calls again with them; nothing that it sends is changed.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    arguments: Option<Box<RawValue>>,
}

async fn list(cx: KeyAsk, Params(query): Params<ApprovalQuery>) -> ApiResult {
    let grant = query.grant.as_deref().map(str::parse).transpose();
    let grant = grant.map_err(|_| ActionError::field("grant", "name the id of a grant"))?;
    let filter = ApprovalFilter { state: query.state.map(ApprovalState::from), user: None, grant };
    let page = approvals::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<Approval, ApprovalView>(page))
}

async fn show(cx: KeyAsk, Path((_, approval)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &ApprovalSheetView::from(approvals::find(&cx, &approval).await?)))
}

async fn decide_one(
    cx: KeyAsk,
    Path((_, approval)): Path<(String, String)>,
    Body(body): Body<DecisionBody>,
) -> ApiResult {
    let input = DecisionInput {
        decision: body.decision,
        minutes: body.minutes,
        reason: body.reason,
        terms: match body.arguments {
            Some(arguments) => Terms::Instead(arguments.get().to_owned().into()),
            None => Terms::AsAsked,
        },
    };
    let sheet = approvals::decide(&cx, &approval, &input).await?;
    Ok(json::one(StatusCode::OK, &ApprovalSheetView::from(sheet)))
}

async fn withdraw(cx: KeyAsk, Path((_, approval)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &ApprovalSheetView::from(approvals::withdraw(&cx, &approval).await?)))
}

async fn revoke(cx: KeyAsk, Path((_, approval)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &ApprovalSheetView::from(approvals::revoke(&cx, &approval).await?)))
}

async fn nudge(cx: KeyAsk, Path((_, approval)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &ApprovalSheetView::from(approvals::nudge(&cx, &approval).await?)))
}
