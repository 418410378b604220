//! `members` of the JSON API.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::UserId,
        permission::{Permission, Role},
    },
    domain::tenancy::MemberFilter,
    flow::{
        actions::{
            members::{self, MemberEntry},
            offboarding::{self, Departure},
            suspension,
        },
        leaver::Ending,
    },
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
    let one = "/orgs/{org}/members/{member}";
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/members", "listMembers")
                .about("Members", "List members by name")
                .needs(Permission::MembersRead)
                .query::<MemberQuery>()
                .gives::<Listed<MemberView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::get(one, "getMember")
                .about("Members", "Read a member")
                .needs(Permission::MembersRead)
                .gives::<MemberView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(one, "changeMember", Effect::Records(&["member.role_changed"]))
                .about("Members", "Change a member; the role of owners only by a key that may write owners")
                .needs(Permission::MembersWrite)
                .takes::<MemberChangeBody>()
                .gives::<MemberView>(StatusCode::OK),
            change,
        )
        .api(
            Operation::delete(one, "offboardMember", Effect::Records(&["member.offboarded"]))
                .about("Members", "Off-board a member: everything of theirs here ends at once")
                .needs(Permission::MembersWrite)
                .gives::<DepartureView>(StatusCode::OK),
            offboard,
        )
        .api(
            Operation::post(
                "/orgs/{org}/members/{member}/suspend",
                "suspendMember",
                Effect::Records(&["member.suspended"]),
            )
            .about(
                "Members",
                "Keep a member out: they, their keys and their agents are refused until they are resumed",
            )
            .needs(Permission::MembersWrite)
            .takes::<SuspendBody>()
            .gives::<MemberView>(StatusCode::OK),
            suspend,
        )
        .api(
            Operation::post(
                "/orgs/{org}/members/{member}/resume",
                "resumeMember",
                Effect::Records(&["member.resumed"]),
            )
            .about("Members", "Let a member in again who is suspended")
            .needs(Permission::MembersWrite)
            .gives::<MemberView>(StatusCode::OK),
            resume,
        )
        .api(
            Operation::get("/orgs/{org}/members/{member}/offboard", "previewOffboarding")
                .about("Members", "Tell what would end if a member were off-boarded")
                .needs(Permission::MembersWrite)
                .gives::<DepartureView>(StatusCode::OK),
            preview,
        )
}

/// A person in the organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct MemberView {
    id: UserId,
    name: String,
    email: String,
    role: Role,
    teams: Vec<PlaceView>,
    /// Whether they have a passkey or an authenticator app.
    has_second_factor: bool,
    /// Since when an admin keeps them out; null where nobody does.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    suspended_at: Option<OffsetDateTime>,
    /// Why; empty where no reason was given.
    suspended_reason: String,
    /// When they were last seen in this organization, to about five minutes.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_seen_at: Option<OffsetDateTime>,
    /// When they joined.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

/// A team that a member is in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PlaceInTeam")]
struct PlaceView {
    slug: String,
    name: String,
}

impl From<MemberEntry> for MemberView {
    fn from(entry: MemberEntry) -> Self {
        let place = |place: crate::domain::tenancy::PlaceInTeam| PlaceView {
            slug: place.slug.to_string(),
            name: place.name,
        };
        Self {
            id: entry.member.user,
            name: entry.member.name,
            email: entry.member.email,
            role: entry.member.role,
            teams: entry.teams.into_iter().map(place).collect(),
            has_second_factor: entry.has_second_factor,
            suspended_at: entry.suspension.as_ref().map(|one| one.at),
            suspended_reason: entry.suspension.map(|one| one.reason).unwrap_or_default(),
            last_seen_at: entry.member.last_seen_at,
            created_at: entry.member.created_at,
            updated_at: entry.member.updated_at,
            version: entry.member.version,
        }
    }
}

impl Versioned for MemberView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// What ends, or has ended, with a membership.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Departure")]
struct DepartureView {
    id: UserId,
    name: String,
    email: String,
    endings: Vec<EndingView>,
    /// The version of the membership that was seen.
    version: i64,
}

/// One kind of thing that ends.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ending")]
struct EndingView {
    /// Its name, such as `sessions` or `api_keys`; later versions may add more.
    kind: &'static str,
    count: i64,
    /// In words, such as "stop working at once".
    what_happens: &'static str,
}

impl From<Ending> for EndingView {
    fn from(ending: Ending) -> Self {
        Self { kind: ending.key, count: ending.count, what_happens: ending.what_happens }
    }
}

impl From<Departure> for DepartureView {
    fn from(departure: Departure) -> Self {
        Self {
            id: departure.member.user,
            name: departure.member.name,
            email: departure.member.email,
            endings: departure.endings.into_iter().map(EndingView::from).collect(),
            version: departure.member.version,
        }
    }
}

impl Versioned for DepartureView {
    fn version(&self) -> i64 {
        self.version
    }
}

#[derive(Deserialize, JsonSchema)]
struct MemberQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only members whose name or address contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
    /// Only members with this role.
    #[serde(default)]
    role: Option<Role>,
}

/// Changes to a member.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MemberChange")]
struct MemberChangeBody {
    role: Option<Role>,
}

/// Why somebody is kept out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MemberSuspension")]
struct SuspendBody {
    /// They read it.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: String,
}

async fn list(cx: KeyAsk, Params(query): Params<MemberQuery>) -> ApiResult {
    let filter = MemberFilter { q: search(query.q)?, role: query.role, team: None };
    let page = members::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<MemberEntry, MemberView>(page))
}

async fn read(cx: KeyAsk, Path((_, member)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &MemberView::from(members::find(&cx, &member).await?)))
}

async fn change(
    cx: KeyAsk,
    Path((_, member)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<MemberChangeBody>,
) -> ApiResult {
    let changed = members::change_role(&cx, &member, body.role.map(Role::as_str), seen).await?;
    Ok(json::one(StatusCode::OK, &MemberView::from(changed.entry)))
}

async fn suspend(
    cx: KeyAsk,
    Path((_, member)): Path<(String, String)>,
    Body(body): Body<SuspendBody>,
) -> ApiResult {
    Ok(json::one(StatusCode::OK, &MemberView::from(suspension::suspend(&cx, &member, &body.reason).await?)))
}

async fn resume(cx: KeyAsk, Path((_, member)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &MemberView::from(suspension::resume(&cx, &member).await?)))
}

async fn preview(cx: KeyAsk, Path((_, member)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &DepartureView::from(offboarding::preview(&cx, &member).await?)))
}

async fn offboard(
    cx: KeyAsk,
    Path((_, member)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> ApiResult {
    let departure = offboarding::offboard(&cx, &member, seen).await?;
    Ok(json::plain(StatusCode::OK, &DepartureView::from(departure)))
}
