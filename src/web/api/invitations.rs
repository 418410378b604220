//! `invitations` of the JSON API. A link is never in an answer: it goes by letter to the invited address.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        actor::KeyOwner,
        ids::{InvitationId, TeamId, UserId},
        permission::{Permission, Role},
    },
    domain::tenancy::{Invitation, InvitationFilter, InvitationState},
    flow::actions::invitations::{self, InviteInput, InviteOutcome, InviteResult},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Listed, Params, Versioned},
        listing::{PageQuery, search},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub fn routes() -> Routes {
    let (all, one) = ("/orgs/{org}/invitations", "/orgs/{org}/invitations/{invitation}");
    Routes::default()
        .api(
            Operation::get(all, "listInvitations")
                .about("Invitations", "List invitations, newest first")
                .needs(Permission::MembersRead)
                .query::<InvitationQuery>()
                .gives::<Listed<InvitationView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(all, "invite", Effect::Records(&["invitation.created"]))
                .about("Invitations", "Invite people by e-mail")
                .needs(Permission::MembersWrite)
                .takes::<InviteBody>()
                .gives::<Invitees>(StatusCode::CREATED),
            invite,
        )
        .api(
            Operation::get(one, "getInvitation")
                .about("Invitations", "Read an invitation")
                .needs(Permission::MembersRead)
                .gives::<InvitationView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::delete(one, "revokeInvitation", Effect::Records(&["invitation.revoked"]))
                .about("Invitations", "Withdraw an invitation; its link stops working")
                .needs(Permission::MembersWrite)
                .gives_nothing(),
            revoke,
        )
        .api(
            Operation::post(
                "/orgs/{org}/invitations/{invitation}/resend",
                "resendInvitation",
                Effect::Records(&["invitation.resent"]),
            )
            .about("Invitations", "Send an invitation again with a new link; the earlier link stops working")
            .needs(Permission::MembersWrite)
            .versioned()
            .gives::<InvitationView>(StatusCode::OK),
            resend,
        )
}

/// What has become of an invitation.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum StateView {
    Open,
    Expired,
    Accepted,
    Revoked,
}

impl From<InvitationState> for StateView {
    fn from(state: InvitationState) -> Self {
        match state {
            InvitationState::Open => Self::Open,
            InvitationState::Expired => Self::Expired,
            InvitationState::Accepted => Self::Accepted,
            InvitationState::Revoked => Self::Revoked,
        }
    }
}

impl From<StateView> for InvitationState {
    fn from(state: StateView) -> Self {
        match state {
            StateView::Open => Self::Open,
            StateView::Expired => Self::Expired,
            StateView::Accepted => Self::Accepted,
            StateView::Revoked => Self::Revoked,
        }
    }
}

/// An invitation.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
struct InvitationView {
    id: InvitationId,
    email: String,
    role: Role,
    team_id: Option<TeamId>,
    state: StateView,
    /// The person or service account that sent it last.
    invited_by: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    sent_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    accepted_at: Option<OffsetDateTime>,
    accepted_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    revoked_at: Option<OffsetDateTime>,
    version: i64,
}

impl InvitationView {
    fn of(invitation: Invitation, now: OffsetDateTime) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email.to_string(),
            role: invitation.role,
            team_id: invitation.team,
            state: invitation.state(now).into(),
            invited_by: match invitation.inviter() {
                KeyOwner::User(user) => user.to_string(),
                KeyOwner::ServiceAccount(account) => account.to_string(),
            },
            created_at: invitation.created_at,
            sent_at: invitation.sent_at,
            expires_at: invitation.expires_at,
            accepted_at: invitation.accepted_at,
            accepted_by: invitation.accepted_by,
            revoked_at: invitation.revoked_at,
            version: invitation.version,
        }
    }
}

impl Versioned for InvitationView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// What became of each address.
#[derive(Serialize, JsonSchema)]
struct Invitees {
    results: Vec<InviteeView>,
}

/// What became of one address.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitee")]
struct InviteeView {
    email: String,
    outcome: OutcomeView,
    /// The invitation that was made, or the open one that there was.
    invitation_id: Option<InvitationId>,
    /// The member who has the address.
    member_id: Option<UserId>,
}

/// What became of an address.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum OutcomeView {
    Invited,
    AlreadyInvited,
    AlreadyMember,
}

impl From<InviteResult> for InviteeView {
    fn from(result: InviteResult) -> Self {
        let (outcome, invitation_id, member_id) = match result.outcome {
            InviteOutcome::Sent(invitation) => (OutcomeView::Invited, Some(invitation.id), None),
            InviteOutcome::AlreadyInvited(id) => (OutcomeView::AlreadyInvited, Some(id), None),
            InviteOutcome::AlreadyMember(user) => (OutcomeView::AlreadyMember, None, Some(user)),
        };
        Self { email: result.email.to_string(), outcome, invitation_id, member_id }
    }
}

#[derive(Deserialize, JsonSchema)]
struct InvitationQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only invitations whose address contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
    /// Only invitations in this state.
    #[serde(default)]
    state: Option<StateView>,
}

/// People to invite.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewInvitations")]
struct InviteBody {
    /// The addresses; an address that is given twice is invited once.
    #[schemars(length(min = 1, max = 50), inner(length(min = 6, max = 254)))]
    emails: Vec<String>,
    role: Role,
    /// The team they join, by id or slug; needs the scope `teams:write` too.
    #[serde(default)]
    #[schemars(length(max = 100))]
    team: String,
}

async fn list(cx: KeyAsk, Params(query): Params<InvitationQuery>) -> ApiResult {
    let filter = InvitationFilter { q: search(query.q)?, state: query.state.map(InvitationState::from) };
    let page = invitations::list(&cx, &filter, &query.page.parse()?).await?;
    let now = cx.now();
    let page = Listed::from(page.map(|invitation| InvitationView::of(invitation, now)));
    Ok(json::plain(StatusCode::OK, &page))
}

async fn invite(cx: KeyAsk, Body(body): Body<InviteBody>) -> ApiResult {
    let input = InviteInput { emails: body.emails, role: body.role.as_str().to_owned(), team: body.team };
    let results = invitations::invite(&cx, &input).await?;
    let results = results.into_iter().map(InviteeView::from).collect();
    Ok(json::plain(StatusCode::CREATED, &Invitees { results }))
}

async fn read(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let invitation = invitations::find(&cx, &id).await?;
    Ok(json::one(StatusCode::OK, &InvitationView::of(invitation, cx.now())))
}

async fn revoke(cx: KeyAsk, Path((_, id)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    invitations::revoke(&cx, &id, seen).await?;
    Ok(json::nothing())
}

async fn resend(cx: KeyAsk, Path((_, id)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    let invitation = invitations::resend(&cx, &id, seen).await?;
    Ok(json::one(StatusCode::OK, &InvitationView::of(invitation, cx.now())))
}
