//! `layers` of the JSON API: which policies stand above the grants.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::permission::Permission,
    flow::actions::policies::{self, LayerInput, NamedLayers},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Versioned},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub(super) fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/layers", "getLayers")
                .about("Policies", "Read which policies stand above the grants")
                .needs(Permission::PoliciesRead)
                .gives::<LayersView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::put("/orgs/{org}/layers", "setLayers", Effect::Records(&["layers.changed"]))
                .about("Policies", "Put policies above the grants, in place of all that stood there")
                .needs(Permission::PoliciesWrite)
                .takes::<LayersBody>()
                .gives::<LayersView>(StatusCode::OK),
            set,
        )
}

/// Which policies stand above the grants, by their slugs.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Layers")]
struct LayersView {
    /// The organization's guardrail.
    org: Option<String>,
    /// Those of teams, by the slug of the team.
    teams: BTreeMap<String, String>,
    /// The baselines of servers, by the slug of the server.
    servers: BTreeMap<String, String>,
    /// Another for other layers.
    version: i64,
}

impl From<NamedLayers> for LayersView {
    fn from(layers: NamedLayers) -> Self {
        Self { version: layers.version(), org: layers.org, teams: layers.teams, servers: layers.servers }
    }
}

impl Versioned for LayersView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// Which policies are to stand above the grants, each by slug or id; what is left out has none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewLayers")]
struct LayersBody {
    #[serde(default)]
    org: Option<String>,
    #[serde(default)]
    teams: BTreeMap<String, String>,
    #[serde(default)]
    servers: BTreeMap<String, String>,
}

async fn read(cx: KeyAsk) -> ApiResult {
    Ok(json::one(StatusCode::OK, &LayersView::from(policies::layers(&cx).await?)))
}

async fn set(cx: KeyAsk, IfMatch(seen): IfMatch, Body(body): Body<LayersBody>) -> ApiResult {
    let input = LayerInput { org: body.org, teams: body.teams, servers: body.servers };
    Ok(json::one(StatusCode::OK, &LayersView::from(policies::set_layers(&cx, &input, seen).await?)))
}
