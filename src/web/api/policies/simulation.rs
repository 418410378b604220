//! `policies/{policy}/simulate` of the JSON API: what would become of a call, without making it.

use axum::{extract::Path, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::{
        permission::Permission,
        trace::{Fixer, Step, StepRow, StepState},
    },
    domain::limits::Counted,
    flow::{
        actions::policies::{self, Decided, SimulatedCall},
        decision::Clause,
    },
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Body},
        openapi::Operation,
        routes::{Effect, Routes},
    },
};

/// The operations.
pub(super) fn routes() -> Routes {
    Routes::default().api(
        Operation::post(
            "/orgs/{org}/policies/{policy}/simulate",
            "simulatePolicy",
            Effect::Unrecorded("nothing is changed and no server is asked"),
        )
        .about("Policies", "Say what would become of a call, without making it")
        .needs(Permission::PoliciesRead)
        .takes::<SimulationBody>()
        .gives::<SimulationView>(StatusCode::OK),
        simulate,
    )
}

/// A call that nobody makes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SimulatedCall")]
pub(super) struct CallBody {
    /// The person in whose name, by id or address; used where no grant is named.
    #[serde(default)]
    user: Option<String>,
    /// The grant, by id.
    #[serde(default)]
    grant: Option<String>,
    /// How the client calls itself.
    #[serde(default)]
    client: Option<String>,
    /// The server, by slug or id; without it the policy's own, or the only one that has the tool.
    #[serde(default)]
    server: Option<String>,
    tool: String,
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    arguments: Option<Box<RawValue>>,
    #[serde(default)]
    ip: Option<String>,
    /// When it is made; now, when left out.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    at: Option<OffsetDateTime>,
}

/// What to try.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSimulation")]
struct SimulationBody {
    /// The document to try in the policy's place; without it the draft, else what is in force.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    document: Option<Box<RawValue>>,
    call: CallBody,
}

/// A step of the decision.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimulatedStep")]
struct StepView {
    step: Step,
    label: &'static str,
    state: StepState,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixer: Option<Fixer>,
}

impl From<StepRow<'_>> for StepView {
    fn from(row: StepRow<'_>) -> Self {
        Self {
            step: row.step,
            label: row.step.label(),
            state: row.state,
            actual: row.finding.map(|finding| finding.actual.to_string()),
            expected: row.finding.map(|finding| finding.expected.to_string()),
            fixer: row.finding.map(|finding| finding.fixer),
        }
    }
}

/// A condition of the rule that decided.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimulatedCondition")]
struct ClauseView {
    /// What it asks for, in words.
    condition: String,
    holds: bool,
    /// The values it looked at, as JSON where they are arguments; none where there is nothing at its place. `[redacted]`
    /// stands for what a policy masks.
    found: Vec<String>,
}

/// What a limit would count.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimulatedCount")]
struct CountView {
    counter: String,
    /// The layer whose limit it is.
    layer: &'static str,
    /// Where it stands in the document, as a JSON pointer.
    rule: String,
    /// Whose count it is: `grant`, `user`, `team`, `client`, `server` or `org`.
    scope: &'static str,
    /// How much the call would count; null where calls under way are counted.
    amount: Option<String>,
    /// How much is allowed.
    max: String,
}

/// What would become of a call.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SimulatedDecision")]
struct DecisionView {
    /// `allow`, `require_approval`, `deny` or `hide`.
    verdict: &'static str,
    /// The part of the document that decided, as a JSON pointer; empty where no policy did.
    rule: String,
    /// The layer whose document it is.
    layer: Option<&'static str>,
    message: String,
    trace: Vec<StepView>,
    /// What each layer found, the highest first.
    layers: serde_json::Value,
    /// The conditions of the rule that decided, with what each found in the call.
    conditions: Vec<ClauseView>,
    /// What the call would count.
    counts: Vec<CountView>,
}

impl From<Decided> for DecisionView {
    fn from(decided: Decided) -> Self {
        let counts = decided.claims.iter().map(|one| CountView {
            counter: one.claim.counter.clone(),
            layer: one.layer.as_str(),
            rule: one.part.to_string(),
            scope: one.claim.owner.scope,
            amount: match &one.claim.counted {
                Counted::Amount { amount, .. } => Some(amount.clone()),
                Counted::Place => None,
            },
            max: one.claim.most.clone(),
        });
        Self {
            verdict: decided.verdict,
            layer: decided.layer.map(|layer| layer.as_str()),
            trace: decided.trace.rows().map(StepView::from).collect(),
            layers: serde_json::to_value(&decided.layers).unwrap_or_default(),
            counts: counts.collect(),
            conditions: decided.clauses.into_iter().map(ClauseView::from).collect(),
            rule: decided.rule,
            message: decided.message,
        }
    }
}

impl From<Clause> for ClauseView {
    fn from(clause: Clause) -> Self {
        Self { condition: clause.words, holds: clause.holds, found: clause.found }
    }
}

/// What would become of a call, and what becomes of it under what is in force.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Simulation")]
struct SimulationView {
    #[serde(flatten)]
    tried: DecisionView,
    /// Under what is in force, where that is something else; null otherwise.
    live: Option<DecisionView>,
}

impl From<CallBody> for SimulatedCall {
    fn from(body: CallBody) -> Self {
        Self {
            grant: body.grant,
            user: body.user,
            client: body.client,
            server: body.server,
            tool: body.tool,
            arguments: body.arguments.map(|arguments| arguments.get().to_owned().into()),
            ip: body.ip,
            at: body.at,
        }
    }
}

async fn simulate(
    cx: KeyAsk,
    Path((_, policy)): Path<(String, String)>,
    Body(body): Body<SimulationBody>,
) -> ApiResult {
    let call = body.call.into();
    let document = body.document.as_ref().map(|document| document.get());
    let found = policies::simulate(&cx, &policy, document, &call).await?;
    let view = SimulationView { tried: found.tried.into(), live: found.live.map(DecisionView::from) };
    Ok(json::plain(StatusCode::OK, &view))
}
