//! `servers` of the JSON API.

mod credentials;
mod known;
mod look;
mod probe;
mod tools;
mod views;

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::permission::Permission,
    domain::servers::{ServerEntry, ServerFilter, Transport},
    flow::{
        actions::servers::{self, ServerChange, ServerInput},
        catalogue::{Onlooker, Refresh},
    },
    web::{
        api::servers::views::{ChangeView, ServerView, StepView},
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body, IfMatch, Listed, Params},
            listing::{PageQuery, search},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ALL: &str = "/orgs/{org}/servers";
const ONE: &str = "/orgs/{org}/servers/{server}";
const TAG: &str = "Servers";

/// The operations.
pub fn routes() -> Routes {
    own()
        .and(credentials::routes())
        .and(known::routes())
        .and(look::routes())
        .and(probe::routes())
        .and(tools::routes())
}

fn own() -> Routes {
    let write = Permission::ServersWrite;
    let act = |path, id, records| Operation::post(path, id, Effect::Records(records)).needs(write);
    Routes::default()
        .api(
            Operation::get(ALL, "listServers")
                .about(TAG, "List servers by slug")
                .needs(Permission::ServersRead)
                .query::<ServerQuery>()
                .gives::<Listed<ServerView>>(StatusCode::OK),
            list,
        )
        .api(
            act(ALL, "addServer", &["server.created"])
                .about(TAG, "Add a server; its catalogue is read at once, and its tools wait for review")
                .takes::<ServerBody>()
                .gives::<ServerView>(StatusCode::CREATED),
            create,
        )
        .api(
            Operation::get(ONE, "getServer")
                .about(TAG, "Read a server")
                .needs(Permission::ServersRead)
                .gives::<ServerView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::patch(ONE, "changeServer", Effect::Records(&["server.changed"]))
                .about(TAG, "Change a server")
                .needs(write)
                .takes::<ServerChangeBody>()
                .gives::<ServerView>(StatusCode::OK),
            change,
        )
        .api(
            act("/orgs/{org}/servers/{server}/disable", "disableServer", &["server.disabled"])
                .about(TAG, "Keep agents from a server until it is enabled again")
                .versioned()
                .gives::<ServerView>(StatusCode::OK),
            disable,
        )
        .api(
            act("/orgs/{org}/servers/{server}/enable", "enableServer", &["server.enabled"])
                .about(TAG, "Let agents reach a server again")
                .versioned()
                .gives::<ServerView>(StatusCode::OK),
            enable,
        )
        .api(
            act("/orgs/{org}/servers/{server}/refresh", "refreshServer", &["server.refreshed"])
                .about(TAG, "Read the catalogue of a server now; the steps say where it ended if it could not be read")
                .gives::<RefreshView>(StatusCode::OK),
            refresh,
        )
        .api(
            Operation::delete(ONE, "deleteServer", Effect::Records(&["server.deleted"]))
                .about(TAG, "Delete a server with its credentials, catalogue and history")
                .needs(write)
                .gives_nothing(),
            remove,
        )
}

#[derive(Deserialize, JsonSchema)]
struct ServerQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// Only servers whose name, slug or address contains this.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
    /// `enabled`, `disabled`, `failing` (the catalogue cannot be read) or `unreviewed` (tools wait for review).
    #[serde(default)]
    #[schemars(with = "Option<StateFilter>")]
    state: Option<StateFilter>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum StateFilter {
    Enabled,
    Disabled,
    Failing,
    Unreviewed,
}

impl ServerQuery {
    fn filter(search: Option<String>, state: Option<StateFilter>) -> ServerFilter {
        let mut filter = ServerFilter { search, ..ServerFilter::default() };
        match state {
            None => {}
            Some(StateFilter::Enabled) => filter.enabled = Some(true),
            Some(StateFilter::Disabled) => filter.enabled = Some(false),
            Some(StateFilter::Failing) => filter.failing = Some(true),
            Some(StateFilter::Unreviewed) => filter.unreviewed = true,
        }
        filter
    }
}

/// A new server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewServer")]
struct ServerBody {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Made from the name when left out.
    #[serde(default)]
    #[schemars(length(max = 40))]
    slug: String,
    #[serde(default)]
    #[schemars(length(max = 500))]
    description: String,
    /// `http` (streamable HTTP, any revision) or `sse` (HTTP with SSE, of 2024).
    #[serde(default = "http")]
    transport: Transport,
    #[schemars(length(min = 1, max = 2000))]
    url: String,
    /// Whether agents may reach it.
    #[serde(default = "yes")]
    enabled: bool,
}

const fn http() -> Transport {
    Transport::Http
}

const fn yes() -> bool {
    true
}

/// Changes to a server.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerChange")]
struct ServerChangeBody {
    #[schemars(length(min = 1, max = 100))]
    name: Option<String>,
    #[schemars(length(min = 2, max = 40))]
    slug: Option<String>,
    #[schemars(length(max = 500))]
    description: Option<String>,
    transport: Option<Transport>,
    #[schemars(length(min = 1, max = 2000))]
    url: Option<String>,
    enabled: Option<bool>,
}

/// What came of reading a catalogue.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerRefresh")]
struct RefreshView {
    /// Whether the catalogue was read.
    ok: bool,
    server: ServerView,
    /// What changed; null where the catalogue could not be read.
    change: Option<ChangeView>,
    /// Entries that were left out, for want of a name of their own.
    left_out: usize,
    steps: Vec<StepView>,
}

impl From<Refresh> for RefreshView {
    fn from(refresh: Refresh) -> Self {
        Self {
            ok: refresh.change.is_some(),
            server: refresh.server.into(),
            change: refresh.change.map(ChangeView::from),
            left_out: refresh.left_out,
            steps: refresh.steps.into_iter().map(StepView::from).collect(),
        }
    }
}

async fn list(cx: KeyAsk, Params(query): Params<ServerQuery>) -> ApiResult {
    let filter = ServerQuery::filter(search(query.q)?, query.state);
    let page = servers::list(&cx, &filter, &query.page.parse()?).await?;
    Ok(json::listed::<ServerEntry, ServerView>(page))
}

async fn create(cx: KeyAsk, Body(body): Body<ServerBody>) -> ApiResult {
    let input = ServerInput {
        name: body.name,
        slug: body.slug,
        description: body.description,
        transport: body.transport.as_str().to_owned(),
        url: body.url,
        enabled: body.enabled,
    };
    let server = servers::register(&cx, &input).await?;
    Ok(json::one(StatusCode::CREATED, &ServerView::from(server)))
}

async fn read(cx: KeyAsk, Path((_, server)): Path<(String, String)>) -> ApiResult {
    let server = servers::find(&cx, &server).await?;
    Ok(json::one(StatusCode::OK, &ServerView::from(server)))
}

async fn change(
    cx: KeyAsk,
    Path((_, server)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
    Body(body): Body<ServerChangeBody>,
) -> ApiResult {
    let change = ServerChange {
        name: body.name,
        slug: body.slug,
        description: body.description,
        transport: body.transport.map(|transport| transport.as_str().to_owned()),
        url: body.url,
        enabled: body.enabled,
    };
    let server = servers::update(&cx, &server, change, seen).await?;
    Ok(json::one(StatusCode::OK, &ServerView::from(server)))
}

async fn disable(cx: KeyAsk, Path((_, server)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    let server = servers::disable(&cx, &server, seen).await?;
    Ok(json::one(StatusCode::OK, &ServerView::from(server)))
}

async fn enable(cx: KeyAsk, Path((_, server)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    let server = servers::enable(&cx, &server, seen).await?;
    Ok(json::one(StatusCode::OK, &ServerView::from(server)))
}

async fn refresh(cx: KeyAsk, Path((_, server)): Path<(String, String)>) -> ApiResult {
    let refresh = servers::refresh(&cx, &server, Onlooker::default()).await?;
    Ok(json::plain(StatusCode::OK, &RefreshView::from(refresh)))
}

async fn remove(cx: KeyAsk, Path((_, server)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    servers::delete(&cx, &server, seen).await?;
    Ok(json::nothing())
}
