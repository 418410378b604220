//! `servers/{server}/suggested-policy` of the JSON API: what is suggested for a server, tool by tool, and its adoption.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    base::{
        permission::Permission,
        risk::{Class, Handling},
    },
    domain::servers::{ClassBy, Severity, ToolState},
    flow::actions::policies::{self, Adoption, Suggested, SuggestedTool},
    web::{
        api::policies::views::{PolicyView, raw},
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, IfMatch, Versioned},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

const ONE: &str = "/orgs/{org}/servers/{server}/suggested-policy";
/// What adopting records where nothing stands there; a draft of what stands there is no event.
const ADOPTED: Effect = Effect::Records(&["policy.created", "policy.published", "layers.changed"]);

/// The operations.
pub(super) fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get(ONE, "getSuggestedPolicy")
                .about("Policies", "Read the policy that is suggested for a server, with the reason for each tool")
                .needs(Permission::PoliciesRead)
                .gives::<SuggestedView>(StatusCode::OK),
            show,
        )
        .api(
            Operation::post("/orgs/{org}/servers/{server}/suggested-policy/adopt", "adoptSuggestedPolicy", ADOPTED)
                .about(
                    "Policies",
                    "Make the suggested policy the server's baseline, or a draft where another policy is that already",
                )
                .needs(Permission::PoliciesWrite)
                .versioned()
                .gives::<AdoptionView>(StatusCode::OK),
            adopt,
        )
}

/// The well-known server that a server is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SuggestedFor")]
struct KnownView {
    slug: &'static str,
    name: &'static str,
    /// The day on which what is known of its tools was checked; null where nothing is.
    tools_checked_on: Option<&'static str>,
}

/// The policy that stands for all grants of a server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerBaseline")]
struct BaselineView {
    policy: String,
    version: i32,
    /// Whether it says exactly what is suggested.
    same: bool,
}

/// A tool, and what is suggested for it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SuggestedTool")]
struct ToolView {
    tool: String,
    state: ToolState,
    class: Class,
    severity: Severity,
    /// Why it has that class.
    class_reason: String,
    class_by: ClassBy,
    /// What is done with its calls.
    handling: Handling,
    /// Why it is something else than its class says; null where its class decides.
    reason: Option<String>,
    /// What the baseline decides about it, before its exceptions: `allow`, `ask`, `deny` or `hide`; null where there is
    /// no baseline.
    today: Option<&'static str>,
}

impl From<SuggestedTool> for ToolView {
    fn from(tool: SuggestedTool) -> Self {
        Self {
            tool: tool.name.to_string(),
            state: tool.state,
            class: tool.class,
            severity: tool.severity,
            class_reason: tool.class_reason,
            class_by: tool.class_by,
            handling: tool.handling,
            reason: tool.care,
            today: tool.today.map(|today| today.as_str()),
        }
    }
}

/// What is suggested for a server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SuggestedPolicy")]
struct SuggestedView {
    /// The server's slug.
    server: String,
    /// Null for a server that is none of the well-known ones.
    known: Option<KnownView>,
    /// A document of the policy language, version 1.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    document: Option<Box<RawValue>>,
    /// Null where no policy stands for all grants of the server.
    baseline: Option<BaselineView>,
    /// By name.
    tools: Vec<ToolView>,
    /// Another for another document.
    version: i64,
}

impl From<Suggested> for SuggestedView {
    fn from(found: Suggested) -> Self {
        let (version, same) = (found.version(), found.is_in_force());
        let known = found.known.map(|known| KnownView {
            slug: &known.slug,
            name: &known.name,
            tools_checked_on: known.tools_checked_on.as_deref(),
        });
        let baseline = found.baseline.map(|baseline| BaselineView {
            version: baseline.policy.live.unwrap_or_default(),
            policy: baseline.policy.slug,
            same,
        });
        Self {
            server: found.server.slug.to_string(),
            known,
            document: raw(found.document),
            baseline,
            tools: found.tools.into_iter().map(ToolView::from).collect(),
            version,
        }
    }
}

impl Versioned for SuggestedView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// What came of adopting.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Adoption")]
struct AdoptionView {
    /// `in_force`: a new policy is the baseline from the next call on. `already_in_force`: the baseline says this, and
    /// nothing was changed. `draft`: it is what is being written of the baseline. `draft_beside`: it is a draft of a policy
    /// of its own, because the baseline is being written or holds elsewhere too.
    outcome: &'static str,
    policy: PolicyView,
}

impl From<Adoption> for AdoptionView {
    fn from(adoption: Adoption) -> Self {
        Self { outcome: adoption.outcome.as_str(), policy: adoption.sheet.into() }
    }
}

async fn show(cx: KeyAsk, Path((_, server)): Path<(String, String)>) -> ApiResult {
    Ok(json::one(StatusCode::OK, &SuggestedView::from(policies::suggested(&cx, &server).await?)))
}

async fn adopt(cx: KeyAsk, Path((_, server)): Path<(String, String)>, IfMatch(seen): IfMatch) -> ApiResult {
    let adoption = policies::adopt(&cx, &server, seen).await?;
    Ok(json::plain(StatusCode::OK, &AdoptionView::from(adoption)))
}
