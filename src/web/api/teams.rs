//! `teams` of the JSON API.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{ids::TeamId, permission::Permission},
    domain::tenancy::{Team, TeamFilter},
    flow::actions::teams::{self, TeamInput},
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
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/teams", "listTeams")
                .about("Teams", "List teams by name")
                .needs(Permission::TeamsRead)
                .query::<TeamQuery>()
                .gives::<Listed<TeamView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post("/orgs/{org}/teams", "createTeam", Effect::Records(&["team.created"]))
                .about("Teams", "Create a team")
                .needs(Permission::TeamsWrite)
                .takes::<TeamBody>()
                .gives::<TeamView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get("/orgs/{org}/teams/{team}", "getTeam")
                .about("Teams", "Read a team")
                .needs(Permission::TeamsRead)
                .gives::<TeamView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch("/orgs/{org}/teams/{team}", "changeTeam", Effect::Records(&["team.changed"]))
                .about("Teams", "Change a team; fields left out stay")
                .needs(Permission::TeamsWrite)
                .takes::<TeamChangeBody>()
                .gives::<TeamView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::delete(
                "/orgs/{org}/teams/{team}",
                "deleteTeam",
                Effect::Records(&["team.deleted", "grant.revoked"]),
            )
            .about("Teams", "Delete a team; its members stay in the organization")
            .needs(Permission::TeamsWrite)
            .gives_nothing(),
            remove,
        )
}

/// A team.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Team")]
struct TeamView {
    id: TeamId,
    slug: String,
    name: String,
    description: String,
    /// How many people are in it.
    members: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

impl From<Team> for TeamView {
    fn from(team: Team) -> Self {
        Self {
            id: team.id,
            slug: team.slug.to_string(),
            name: team.name,
            description: team.description,
            members: team.members,
            created_at: team.created_at,
            updated_at: team.updated_at,
            version: team.version,
        }
    }
}

impl Versioned for TeamView {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(Deserialize, JsonSchema)]
struct TeamQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only teams whose name or slug contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

/// A new team.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewTeam")]
struct TeamBody {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Made from the name when left out.
    #[serde(default)]
    #[schemars(length(max = 40))]
    slug: String,
    #[serde(default)]
    #[schemars(length(max = 500))]
    description: String,
}

/// Changes to a team.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TeamChange")]
struct TeamChangeBody {
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    #[schemars(length(min = 2, max = 40))]
    slug: Option<String>,
    #[schemars(length(max = 500))]
    description: Option<String>,
}

async fn list(cx: KeyAsk, Params(query): Params<TeamQuery>) -> ApiResult {
    let filter = TeamFilter { q: search(query.q)?, of: None };
    let page = teams::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<Team, TeamView>(page))
}

async fn create(cx: KeyAsk, Body(body): Body<TeamBody>) -> ApiResult {
    let input = TeamInput { name: body.name, slug: body.slug, description: body.description };
    let team = teams::create(&cx, &input).await?;
    Ok(json::one(StatusCode::CREATED, &TeamView::from(team)))
}

async fn read(cx: KeyAsk, Path((_, team)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &TeamView::from(teams::find(&cx, &team).await?)))
}

async fn change(
    cx: KeyAsk,
    Path((_, team)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<TeamChangeBody>,
) -> ApiResult {
    let change = teams::TeamChange { name: body.name, slug: body.slug, description: body.description };
    let team = teams::update(&cx, &team, change, seen).await?;
    Ok(json::one(StatusCode::OK, &TeamView::from(team)))
}

async fn remove(cx: KeyAsk, Path((_, team)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    teams::delete(&cx, &team, seen).await?;
    Ok(json::nothing())
}
