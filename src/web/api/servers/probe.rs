//! Looking at a server before it is added, and the servers that many people use.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::{permission::Permission, risk::Class},
    domain::servers::{SeenTool, Severity, Transport},
    flow::actions::servers::{self, CredentialInput, Probe, ProbeInput},
    web::{
        api::servers::{
            TAG,
            credentials::CredentialBody,
            views::{DeclaredView, StepView},
        },
        kit::{
            ask::KeyAsk,
            json::{self, ApiResult, Body},
            openapi::Operation,
            routes::{Effect, Routes},
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default().api(
        Operation::post("/orgs/{org}/servers/probe", "probeServer", Effect::Records(&["server.probed"]))
            .about(TAG, "Try an address before adding it; nothing is stored")
            .needs(Permission::ServersWrite)
            .takes::<ProbeBody>()
            .gives::<ProbeView>(StatusCode::OK),
        probe,
    )
}

/// What to try.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ServerProbeRequest")]
struct ProbeBody {
    #[schemars(length(min = 1, max = 2000))]
    url: String,
    /// Both are tried when left out.
    transport: Option<Transport>,
    #[serde(default)]
    credentials: Vec<CredentialBody>,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerProbe")]
struct ProbeView {
    /// Whether the catalogue could be read.
    ok: bool,
    url: String,
    /// The transport that was found.
    transport: Option<Transport>,
    /// What it says of itself; not to be trusted.
    declared: DeclaredView,
    steps: Vec<StepView>,
    tools: Vec<ProbedTool>,
}

/// A tool that was found.
#[derive(Serialize, JsonSchema)]
struct ProbedTool {
    name: String,
    title: Option<String>,
    class: Class,
    severity: Severity,
    class_reason: String,
}

impl From<SeenTool> for ProbedTool {
    fn from(tool: SeenTool) -> Self {
        Self {
            name: tool.name.to_string(),
            title: tool.title,
            class: tool.classified.class,
            severity: tool.classified.severity,
            class_reason: tool.classified.reason,
        }
    }
}

impl From<Probe> for ProbeView {
    fn from(probe: Probe) -> Self {
        Self {
            ok: probe.is_ok(),
            url: probe.url,
            transport: probe.transport,
            declared: probe.declared.into(),
            steps: probe.steps.into_iter().map(StepView::from).collect(),
            tools: probe.tools.into_iter().map(ProbedTool::from).collect(),
        }
    }
}

async fn probe(cx: KeyAsk, Body(body): Body<ProbeBody>) -> ApiResult {
    let input = ProbeInput {
        url: body.url,
        transport: body.transport.map(|transport| transport.as_str().to_owned()).unwrap_or_default(),
        credentials: body.credentials.into_iter().map(CredentialInput::from).collect(),
    };
    let probe = servers::probe(&cx, &input).await?;
    Ok(json::plain(StatusCode::OK, &ProbeView::from(probe)))
}
