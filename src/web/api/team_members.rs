//! `teams/{team}/members` of the JSON API.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::UserId,
        permission::{Permission, Role, TeamRole},
    },
    domain::tenancy::TeamMember,
    flow::actions::team_members,
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Listed, Params, Versioned},
        listing::{PageQuery, search},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

const ALL: &str = "/orgs/{org}/teams/{team}/members";
const ONE: &str = "/orgs/{org}/teams/{team}/members/{user}";
const TAG: &str = "Teams";

/// The operations.
pub fn routes() -> Routes {
    let (read_it, write) = (Permission::TeamsRead, Permission::TeamsWrite);
    Routes::default()
        .api(
            Operation::get(ALL, "listTeamMembers")
                .about(TAG, "List who is in a team, by name")
                .needs(read_it)
                .query::<PlaceQuery>()
                .gives::<Listed<PlaceView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "addTeamMember", Effect::Records(&["team.member_added"]))
                .about(TAG, "Put a member of the organization into a team")
                .needs(write)
                .takes::<PlaceBody>()
                .gives::<PlaceView>(StatusCode::CREATED),
            add,
        )
        .api(
            Operation::get(ONE, "getTeamMember")
                .about(TAG, "Read one person's place in a team")
                .needs(read_it)
                .gives::<PlaceView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(ONE, "changeTeamMember", Effect::Records(&["team.member_changed"]))
                .about(TAG, "Give somebody another role in a team")
                .needs(write)
                .takes::<PlaceChangeBody>()
                .gives::<PlaceView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::delete(ONE, "removeTeamMember", Effect::Records(&["team.member_removed"]))
                .about(TAG, "Take somebody out of a team; they stay in the organization")
                .needs(write)
                .gives_nothing(),
            remove,
        )
}

/// A person's place in a team.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TeamMember")]
struct PlaceView {
    user: UserId,
    name: String,
    email: String,
    /// In the team.
    role: TeamRole,
    /// In the organization.
    org_role: Role,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<TeamMember> for PlaceView {
    fn from(member: TeamMember) -> Self {
        Self {
            user: member.user,
            name: member.name,
            email: member.email,
            role: member.role,
            org_role: member.org_role,
            created_at: member.created_at,
            updated_at: member.updated_at,
            version: member.version,
        }
    }
}

impl Versioned for PlaceView {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(Deserialize, JsonSchema)]
struct PlaceQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only people whose name or address contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

/// Who is to be in a team.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTeamMember")]
struct PlaceBody {
    /// The id or e-mail address of a member of the organization.
    #[serde(default)]
    #[schemars(length(min = 1, max = 254), required)]
    person: String,
    #[serde(default = "plain")]
    role: TeamRole,
}

const fn plain() -> TeamRole {
    TeamRole::Member
}

/// Another role in a team.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TeamMemberChange")]
struct PlaceChangeBody {
    role: Option<TeamRole>,
}

async fn list(
    cx: KeyAsk,
    Path((_, team)): Path<(String, String)>,
    Params(query): Params<PlaceQuery>,
) -> ApiResult {
    let found = team_members::overview(&cx, &team, search(query.q)?.as_deref(), &query.page.parse()?).await?;
    Ok(json::listed::<TeamMember, PlaceView>(found.members))
}

async fn add(cx: KeyAsk, Path((_, team)): Path<(String, String)>, Body(body): Body<PlaceBody>) -> ApiResult {
    let step = team_members::add(&cx, &team, &body.person, body.role).await?;
    Ok(json::one(StatusCode::CREATED, &PlaceView::from(step.member)))
}

async fn read(cx: KeyAsk, Path((_, team, user)): Path<(String, String, String)>) -> ApiResult {
    let member = team_members::find(&cx, &team, &user).await?;
    Ok(json::one(StatusCode::OK, &PlaceView::from(member)))
}

async fn change(
    cx: KeyAsk,
    Path((_, team, user)): Path<(String, String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<PlaceChangeBody>,
) -> ApiResult {
    let step = team_members::change_role(&cx, &team, &user, body.role, seen).await?;
    Ok(json::one(StatusCode::OK, &PlaceView::from(step.member)))
}

async fn remove(
    cx: KeyAsk,
    Path((_, team, user)): Path<(String, String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    team_members::remove(&cx, &team, &user, seen).await?;
    Ok(json::nothing())
}
