//! Prompts, resources and health of a server.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::permission::Permission,
    domain::servers::{CatalogueItem, Check, Checked, ItemKind},
    flow::actions::servers,
    web::{
        api::servers::{TAG, views::raw},
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Listed, Params},
            listing::PageQuery,
            openapi::Operation,
            routes::Routes,
        },
    },
};

pub(super) fn routes() -> Routes {
    let get = |path, id| Operation::get(path, id).needs(Permission::ServersRead).query::<PageQuery>();
    Routes::default()
        .api(
            get("/orgs/{org}/servers/{server}/prompts", "listServerPrompts")
                .about(TAG, "List the prompts of a server by name")
                .gives::<Listed<ItemView>>(StatusCode::OK),
            prompts,
        )
        .api(
            get("/orgs/{org}/servers/{server}/resources", "listServerResources")
                .about(TAG, "List the resources of a server by address")
                .gives::<Listed<ItemView>>(StatusCode::OK),
            resources,
        )
        .api(
            get("/orgs/{org}/servers/{server}/resource-templates", "listServerResourceTemplates")
                .about(TAG, "List the resource templates of a server")
                .gives::<Listed<ItemView>>(StatusCode::OK),
            templates,
        )
        .api(
            get("/orgs/{org}/servers/{server}/health", "listServerChecks")
                .about(TAG, "List the health checks of the last 14 days, newest first")
                .gives::<Listed<CheckView>>(StatusCode::OK),
            health,
        )
}

/// A prompt, resource or template.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CatalogueItem")]
struct ItemView {
    /// A prompt's name, a resource's address.
    key: String,
    /// The exact wire object as last seen.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    definition: Option<Box<RawValue>>,
    /// SHA-256 of its canonical form, in hexadecimal digits.
    fingerprint: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    seen_at: OffsetDateTime,
}

impl From<CatalogueItem> for ItemView {
    fn from(item: CatalogueItem) -> Self {
        Self {
            definition: raw(&item.definition),
            fingerprint: item.fingerprint.to_string(),
            key: item.key,
            seen_at: item.seen_at,
        }
    }
}

/// One look at a server's health.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerCheck")]
struct CheckView {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: OffsetDateTime,
    ok: bool,
    latency_ms: i32,
    /// The step at which it ended.
    step: Option<String>,
    /// Why.
    cause: Option<String>,
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        let (step, cause) = match check.outcome {
            Checked::Well => (None, None),
            Checked::Failed { step, cause } => (Some(step), Some(cause)),
        };
        Self { at: check.at, ok: step.is_none(), latency_ms: check.latency_ms, step, cause }
    }
}

async fn prompts(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Params(query): Params<PageQuery>,
) -> ApiResult {
    items(&cx, &server, ItemKind::Prompt, &query).await
}

async fn resources(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Params(query): Params<PageQuery>,
) -> ApiResult {
    items(&cx, &server, ItemKind::Resource, &query).await
}

async fn templates(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Params(query): Params<PageQuery>,
) -> ApiResult {
    items(&cx, &server, ItemKind::Template, &query).await
}

async fn items(cx: &KeyAsk, server: &str, kind: ItemKind, query: &PageQuery) -> ApiResult {
    let page = servers::items(cx, server, kind, &query.parse()?).await?;
    Ok(json::listed::<CatalogueItem, ItemView>(page))
}

async fn health(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    Params(query): Params<PageQuery>,
) -> ApiResult {
    let page = servers::health(&cx, &server, &query.parse()?).await?;
    Ok(json::listed::<Check, CheckView>(page))
}
