//! Well-known servers, which can be added without looking for their addresses.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::{
        permission::Permission,
        risk::{Class, Handling},
    },
    domain::servers::{KnownAuth, KnownServer, KnownTool, Transport},
    flow::actions::servers,
    web::{
        api::servers::TAG,
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Listed, Params},
            listing::search,
            openapi::Operation,
            routes::Routes,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default().api(
        Operation::get("/orgs/{org}/known-servers", "listKnownServers")
            .about(
                TAG,
                "List well-known servers by name, with their addresses and what is known of their tools",
            )
            .needs(Permission::ServersRead)
            .query::<KnownQuery>()
            .gives::<Listed<KnownView>>(StatusCode::OK),
        list,
    )
}

#[derive(Deserialize, JsonSchema)]
struct KnownQuery {
    /// Only servers that all of these words are about.
    #[serde(default)]
    #[schemars(length(max = 100))]
    q: Option<String>,
}

/// A well-known server; adding it is the same as adding any other at its address.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KnownServer")]
struct KnownView {
    /// The short name it would get.
    slug: &'static str,
    name: &'static str,
    description: &'static str,
    url: &'static str,
    transport: Transport,
    /// How it wants to be told who calls.
    auth: KnownAuth,
    /// The same as a sentence.
    auth_meaning: &'static str,
    /// What is known of some of its tools beside what their names say.
    tools: Vec<KnownToolView>,
    /// What an account has to have been granted for some of its tools: the tools, by scope.
    scopes: &'static BTreeMap<String, Vec<String>>,
    /// The day on which all but the facts about tools was last checked.
    checked_on: &'static str,
    /// The day on which the facts about tools were; null where there are none.
    tools_checked_on: Option<&'static str>,
}

/// What is known of tools of a well-known server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KnownTool")]
struct KnownToolView {
    /// The tool's name, or a text with `*` for anything.
    name: &'static str,
    /// What such tools do at worst, where their names say something else.
    class: Option<Class>,
    /// What a careful policy does with them.
    handling: Handling,
    /// Why.
    reason: &'static str,
}

impl From<&'static KnownServer> for KnownView {
    fn from(known: &'static KnownServer) -> Self {
        Self {
            slug: &known.slug,
            name: &known.name,
            description: &known.description,
            url: &known.url,
            transport: known.transport,
            auth: known.auth,
            auth_meaning: known.auth.meaning(),
            tools: known.tools.iter().map(KnownToolView::from).collect(),
            scopes: &known.scopes,
            checked_on: known.checked_on,
            tools_checked_on: known.tools_checked_on.as_deref(),
        }
    }
}

impl From<&'static KnownTool> for KnownToolView {
    fn from(tool: &'static KnownTool) -> Self {
        Self { name: &tool.name, class: tool.class, handling: tool.wanted(), reason: &tool.reason }
    }
}

async fn list(cx: KeyAsk, Params(query): Params<KnownQuery>) -> ApiResult {
    let found = servers::known(&cx, search(query.q)?.as_deref())?;
    let items = found.into_iter().map(KnownView::from).collect();
    Ok(json::plain(StatusCode::OK, &Listed { items, next_cursor: None }))
}
