//! `access-requests` of the JSON API: what people ask for that their agents may not do yet.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{AccessRequestId, GrantId, RequestId, ServerId, UserId},
        permission::Permission,
        risk::Class,
    },
    domain::access::{AccessRequest, AccessState},
    flow::actions::access_requests::{self, AccessDecision, AccessInput},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, Listed, Params, Versioned},
        listing::PageQuery,
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

const ALL: &str = "/orgs/{org}/access-requests";
const ONE: &str = "/orgs/{org}/access-requests/{access}";
const TAG: &str = "Access requests";

/// The operations.
pub fn routes() -> Routes {
    let ask = Permission::AccessAsk;
    let decided: &'static [&'static str] =
        &["access.approved", "access.refused", "policy.created", "policy.published", "grant.created"];
    Routes::default()
        .api(
            Operation::get(ALL, "listAccessRequests")
                .about(TAG, "List requests for access, the newest first; without grants:read your own")
                .needs(ask)
                .query::<AccessQuery>()
                .gives::<Listed<AccessView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(ALL, "requestAccess", Effect::Records(&["access.requested"]))
                .about(TAG, "Ask for access in your own name; what waits already is answered as it is")
                .needs(ask)
                .takes::<AccessBody>()
                .gives::<AccessView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get(ONE, "getAccessRequest")
                .about(TAG, "Read a request")
                .needs(ask)
                .gives::<AccessView>(StatusCode::OK),
            show,
        )
        .api(
            Operation::post(
                "/orgs/{org}/access-requests/{access}/decide",
                "decideAccessRequest",
                Effect::Records(decided),
            )
            .about(TAG, "Give what was asked for or less of it, as a grant of its own, or refuse")
            .needs(Permission::GrantsWrite)
            .takes::<DecisionBody>()
            .gives::<AccessView>(StatusCode::OK),
            decide,
        )
        .api(
            Operation::post(
                "/orgs/{org}/access-requests/{access}/withdraw",
                "withdrawAccessRequest",
                Effect::Records(&["access.withdrawn"]),
            )
            .about(TAG, "Take back what you asked for")
            .needs(ask)
            .gives::<AccessView>(StatusCode::OK),
            withdraw,
        )
}

/// Where a request stands.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum State {
    Pending,
    Approved,
    Refused,
    Withdrawn,
    Expired,
}

impl From<State> for AccessState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Approved => Self::Approved,
            State::Refused => Self::Refused,
            State::Withdrawn => Self::Withdrawn,
            State::Expired => Self::Expired,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct AccessQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only those that stand so.
    #[serde(default)]
    state: Option<State>,
}

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewAccessRequest")]
struct AccessBody {
    /// The server, by slug or id.
    #[schemars(length(min = 1, max = 100))]
    server: String,
    /// The tools, each exactly as it is called.
    #[serde(default)]
    #[schemars(length(max = 50))]
    tools: Vec<String>,
    /// In place of tools: all of a class.
    #[serde(default)]
    class: Option<Class>,
    /// What it is for.
    #[schemars(length(min = 1, max = 500))]
    why: String,
    /// For how long.
    #[schemars(range(min = 1, max = 720))]
    hours: i32,
    /// The call that was denied, by the id of its request.
    #[serde(default)]
    request: Option<String>,
}

/// What is decided.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccessDecision")]
struct DecisionBody {
    /// `approve` or `refuse`.
    decision: String,
    /// The tools that are given, where they are fewer than those that were asked for.
    #[serde(default)]
    #[schemars(length(max = 50))]
    tools: Option<Vec<String>>,
    /// For how many hours, where they are fewer.
    #[serde(default)]
    #[schemars(range(min = 1, max = 720))]
    hours: Option<i32>,
    /// What the person who asked reads; needed to refuse.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: String,
}

/// A request for access.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AccessRequest")]
struct AccessView {
    id: AccessRequestId,
    /// `pending`, `approved`, `refused`, `withdrawn` or `expired`.
    state: &'static str,
    user: UserId,
    requester_name: String,
    server: ServerId,
    server_slug: String,
    tools: Vec<String>,
    /// In place of tools: all of this class.
    class: Option<Class>,
    why: String,
    hours: i32,
    request: Option<RequestId>,
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
    /// What was given, where tools were.
    given_tools: Vec<String>,
    given_hours: Option<i32>,
    /// The grant that came of it; its tokens are for the person to make.
    grant: Option<GrantId>,
    version: i64,
}

impl AccessView {
    fn of(request: AccessRequest, state: AccessState) -> Self {
        Self {
            id: request.id,
            state: state.as_str(),
            user: request.user,
            requester_name: request.requester_name,
            server: request.server,
            server_slug: request.server_slug,
            class: request.asked.class(),
            tools: request.asked.tools().to_vec(),
            why: request.why,
            hours: request.hours,
            request: request.request,
            created_at: request.asked_at,
            expires_at: request.expires_at,
            decided_at: request.decided_at,
            decided_by_name: request.decided_by_name,
            reason: request.reason,
            given_tools: request.given_tools,
            given_hours: request.given_hours,
            grant: request.grant,
            version: request.version,
        }
    }
}

impl Versioned for AccessView {
    fn version(&self) -> i64 {
        self.version
    }
}

async fn list(cx: KeyAsk, Params(query): Params<AccessQuery>) -> ApiResult {
    let page = access_requests::list(&cx, query.state.map(AccessState::from), &query.page.parse()?).await?;
    let now = cx.now();
    let page = page.map(|request| {
        let state = request.state_at(now);
        AccessView::of(request, state)
    });
    Ok(json::plain(StatusCode::OK, &Listed::from(page)))
}

async fn create(cx: KeyAsk, Body(body): Body<AccessBody>) -> ApiResult {
    let input = AccessInput {
        server: body.server,
        tools: body.tools,
        class: body.class.map_or("", Class::as_str).to_owned(),
        why: body.why,
        hours: body.hours,
        request: body.request,
    };
    let request = access_requests::ask(&cx, &input).await?;
    let state = request.state_at(cx.now());
    Ok(json::one(StatusCode::CREATED, &AccessView::of(request, state)))
}

async fn show(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let sheet = access_requests::find(&cx, &id).await?;
    Ok(json::one(StatusCode::OK, &AccessView::of(sheet.request, sheet.state)))
}

async fn decide(
    cx: KeyAsk,
    Path((_, id)): Path<(String, String)>,
    Body(body): Body<DecisionBody>,
) -> ApiResult {
    let DecisionBody { decision, tools, hours, reason } = body;
    let input = AccessDecision { decision, tools, hours, reason };
    let sheet = access_requests::decide(&cx, &id, &input).await?;
    Ok(json::one(StatusCode::OK, &AccessView::of(sheet.request, sheet.state)))
}

async fn withdraw(cx: KeyAsk, Path((_, id)): Path<(String, String)>) -> ApiResult {
    let request = access_requests::withdraw(&cx, &id).await?;
    let state = request.state;
    Ok(json::one(StatusCode::OK, &AccessView::of(request, state)))
}
