//! `gate` of the JSON API: the organization's emergency stop.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{ids::UserId, permission::Permission},
    domain::gate::{Gate, GateState},
    flow::actions::gate,
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body, IfMatch, Versioned},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/orgs/{org}/gate", "getGate")
                .about("Gate", "Read whether agents may call anything")
                .needs(Permission::GateRead)
                .gives::<GateView>(StatusCode::OK),
            read,
        )
        .api(
            Operation::put("/orgs/{org}/gate", "setGate", Effect::Records(&["gate.closed", "gate.opened"]))
                .about("Gate", "Close or open the gate; closing needs a reason")
                .needs(Permission::GateWrite)
                .takes::<GateBody>()
                .gives::<GateView>(StatusCode::OK),
            set,
        )
}

/// The gate.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Gate")]
struct GateView {
    /// Whether calls pass.
    open: bool,
    /// Why it was closed or opened; empty where nobody said.
    reason: String,
    /// Null where it was never moved.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    changed_at: Option<OffsetDateTime>,
    /// The person who moved it; null where a service account did, or nobody.
    changed_by: Option<UserId>,
    version: i64,
}

impl From<Gate> for GateView {
    fn from(gate: Gate) -> Self {
        Self {
            open: gate.is_open(),
            reason: gate.reason,
            changed_at: gate.changed_at,
            changed_by: gate.changed_by,
            version: gate.version,
        }
    }
}

impl Versioned for GateView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// How the gate shall stand.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GateChange")]
struct GateBody {
    /// Whether calls pass.
    open: bool,
    /// Why; everybody whose agents stop reads it. Needed to close.
    #[serde(default)]
    #[schemars(length(max = 500))]
    reason: String,
}

async fn read(cx: KeyAsk) -> ApiResult {
    Ok(json::one(StatusCode::OK, &GateView::from(gate::read(&cx).await?)))
}

async fn set(cx: KeyAsk, IfMatch(seen): IfMatch, Body(body): Body<GateBody>) -> ApiResult {
    let gate = gate::set(&cx, GateState::of(body.open), &body.reason, seen).await?;
    Ok(json::one(StatusCode::OK, &GateView::from(gate)))
}
