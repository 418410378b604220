//! Tools of a server: list, look, review, set.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::{ids::UserId, permission::Permission, risk::Class},
    domain::servers::{ClassBy, Severity, Tool, ToolFilter, ToolState},
    flow::actions::servers::{self, ToolInput, ToolSheet},
    web::{
        api::servers::{
            TAG,
            views::{DriftView, raw},
        },
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, IfMatch, Listed, Params, Versioned},
            listing::{PageQuery, search},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/servers/{server}/tools";
const ONE: &str = "/orgs/{org}/servers/{server}/tools/{tool}";

pub(super) fn routes() -> Routes {
    let write = Permission::ServersWrite;
    Routes::default()
        .api(
            Operation::get(ALL, "listServerTools")
                .about(TAG, "List the tools of a server by name")
                .needs(Permission::ServersRead)
                .query::<ToolQuery>()
                .gives::<Listed<ToolView>>(StatusCode::OK),
            list,
        )
        .api(
            Operation::post(
                "/orgs/{org}/servers/{server}/tools/accept",
                "acceptServerTools",
                Effect::Records(&["server.tools_accepted"]),
            )
            .about(TAG, "Accept tools as they are now, so that they may be called")
            .needs(write)
            .takes::<ReviewBody>()
            .gives::<ReviewView>(StatusCode::OK),
            accept,
        )
        .api(
            Operation::post(
                "/orgs/{org}/servers/{server}/tools/refuse",
                "refuseServerTools",
                Effect::Records(&["server.tools_refused"]),
            )
            .about(TAG, "Refuse tools as they are now")
            .needs(write)
            .takes::<ReviewBody>()
            .gives::<ReviewView>(StatusCode::OK),
            refuse,
        )
        .api(
            Operation::get(ONE, "getServerTool")
                .about(TAG, "Read a tool with its definition and what changed since it was accepted")
                .needs(Permission::ServersRead)
                .gives::<WholeToolView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(ONE, "changeServerTool", Effect::Records(&["server.tool_changed"]))
                .about(TAG, "Set a tool's class, whether it is enabled, and the scopes it needs")
                .needs(write)
                .takes::<ToolChangeBody>()
                .gives::<WholeToolView>(StatusCode::OK),
            change,
        )
}

/// A tool.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerTool")]
struct ToolView {
    name: String,
    title: Option<String>,
    /// Only a `reviewed` and enabled tool may be called.
    state: ToolState,
    enabled: bool,
    /// What it does at worst.
    class: Class,
    severity: Severity,
    class_reason: String,
    class_by: ClassBy,
    required_scopes: Vec<String>,
    /// SHA-256 of the canonical form of the definition as last seen, in hexadecimal digits.
    fingerprint: String,
    /// The same of the definition that was accepted.
    accepted_fingerprint: Option<String>,
    /// What is unusual about the name.
    oddity: Option<&'static str>,
    /// When a caller was last shown another definition than the catalogue holds.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    variant_seen_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    first_seen_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    seen_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    reviewed_at: Option<OffsetDateTime>,
    reviewed_by: Option<UserId>,
    version: i64,
}

impl From<Tool> for ToolView {
    fn from(tool: Tool) -> Self {
        Self {
            oddity: tool.name.oddity(),
            name: tool.name.to_string(),
            title: tool.title,
            state: tool.state,
            enabled: tool.is_enabled,
            class: tool.class,
            severity: tool.severity,
            class_reason: tool.class_reason,
            class_by: tool.class_by,
            required_scopes: tool.required_scopes,
            fingerprint: tool.fingerprint.to_string(),
            accepted_fingerprint: tool.accepted_fingerprint.map(|digest| digest.to_string()),
            variant_seen_at: tool.variant.map(|(_, at)| at),
            first_seen_at: tool.first_seen_at,
            seen_at: tool.seen_at,
            reviewed_at: tool.reviewed_at,
            reviewed_by: tool.reviewed_by,
            version: tool.version,
        }
    }
}

/// A tool with its definition.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WholeServerTool")]
struct WholeToolView {
    #[serde(flatten)]
    tool: ToolView,
    /// The exact wire object as last seen.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    definition: Option<Box<RawValue>>,
    /// The wire object that was accepted.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    accepted_definition: Option<Box<RawValue>>,
    /// What differs between the two, gravest first.
    drift: Vec<DriftView>,
    /// Names of other tools that look like this one.
    lookalikes: Vec<LookalikeView>,
}

/// A tool whose name looks like another one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToolLookalike")]
struct LookalikeView {
    server: String,
    name: String,
}

impl From<ToolSheet> for WholeToolView {
    fn from(sheet: ToolSheet) -> Self {
        let alike = sheet.lookalikes.into_iter();
        Self {
            definition: raw(&sheet.tool.definition),
            accepted_definition: sheet.tool.accepted_definition.as_deref().and_then(raw),
            drift: sheet.drift.into_iter().map(DriftView::from).collect(),
            lookalikes: alike.map(|(server, name)| LookalikeView { server, name }).collect(),
            tool: sheet.tool.into(),
        }
    }
}

impl Versioned for WholeToolView {
    fn version(&self) -> i64 {
        self.tool.version
    }
}

#[derive(Deserialize, JsonSchema)]
struct ToolQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only tools whose name or title contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
    #[serde(default)]
    state: Option<ToolState>,
    #[serde(default)]
    class: Option<Class>,
}

/// Which tools a review is about.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ToolReviewRequest")]
struct ReviewBody {
    /// Names, or `["*"]` for all that are new or changed.
    tools: Vec<String>,
}

/// What a review came to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToolReview")]
struct ReviewView {
    /// How many tools it changed.
    changed: usize,
}

/// Changes to what people set about a tool.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerToolChange")]
struct ToolChangeBody {
    /// Another class; an empty text goes back to what rules and hints give.
    class: Option<String>,
    /// Why it has that class.
    #[schemars(length(max = 500))]
    reason: Option<String>,
    enabled: Option<bool>,
    required_scopes: Option<Vec<String>>,
}

async fn list(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Params(query): Params<ToolQuery>,
) -> ApiResult {
    let filter = ToolFilter { search: search(query.q)?, state: query.state, class: query.class };
    let page = servers::tools(&cx, &server, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<Tool, ToolView>(page))
}

async fn accept(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Body(body): Body<ReviewBody>,
) -> ApiResult {
    let changed = servers::accept(&cx, &server, &body.tools, None).await?;
    Ok(json::plain(StatusCode::OK, &ReviewView { changed }))
}

async fn refuse(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Body(body): Body<ReviewBody>,
) -> ApiResult {
    let changed = servers::refuse(&cx, &server, &body.tools, None).await?;
    Ok(json::plain(StatusCode::OK, &ReviewView { changed }))
}

async fn read(cx: KeyAsk, Path((_, server, tool)): Path<(String, String, String)>) -> ApiResult {
    let sheet = servers::tool(&cx, &server, &tool).await?;
    Ok(json::one(StatusCode::OK, &WholeToolView::from(sheet)))
}

async fn change(
    cx: KeyAsk,
    Path((_, server, tool)): Path<(String, String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<ToolChangeBody>,
) -> ApiResult {
    let input = ToolInput {
        class: body.class,
        reason: body.reason,
        enabled: body.enabled,
        required_scopes: body.required_scopes,
    };
    let sheet = servers::change_tool(&cx, &server, &tool, &input, seen).await?;
    Ok(json::one(StatusCode::OK, &WholeToolView::from(sheet)))
}
