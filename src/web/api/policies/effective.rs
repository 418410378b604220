//! `policies/effective` of the JSON API: what an agent or a person may do on a server.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::{permission::Permission, risk::Class},
    flow::{
        actions::policies::{self, EffectiveInput, EffectiveTool, Exception},
        fault::ActionError,
    },
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Params},
        listing::PageQuery,
        openapi::Operation,
        routes::Routes,
    },
};

/// The operations.
pub(super) fn routes() -> Routes {
    Routes::default().api(
        Operation::get("/orgs/{org}/policies/effective", "getEffectivePolicy")
            .about("Policies", "Say what an agent or a person may do on a server, tool by tool")
            .needs(Permission::PoliciesRead)
            .query::<EffectiveQuery>()
            .gives::<EffectiveView>(StatusCode::OK),
        show,
    )
}

#[derive(Deserialize, JsonSchema)]
struct EffectiveQuery {
    #[serde(flatten)]
    page: PageQuery,
    /// The grant, by id.
    #[serde(default)]
    grant: Option<String>,
    /// The person, by id or address, where no grant is named.
    #[serde(default)]
    user: Option<String>,
    /// The server, by slug or id.
    #[serde(default)]
    server: String,
    /// Only tools of which this becomes: `allow`, `require_approval`, `deny` or `hide`.
    #[serde(default)]
    decision: Option<String>,
    /// Only tools of this class.
    #[serde(default)]
    class: Option<String>,
}

/// A rule that holds for some calls of a tool and not for others.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EffectiveException")]
struct ExceptionView {
    /// What becomes of the calls for which it holds: `require_approval` or `deny`.
    decision: &'static str,
    layer: &'static str,
    policy: String,
    version: i32,
    /// The rule, as a JSON pointer into the document.
    rule: String,
    name: Option<String>,
}

impl From<Exception> for ExceptionView {
    fn from(one: Exception) -> Self {
        Self {
            decision: one.verdict,
            layer: one.layer.as_str(),
            policy: one.policy.slug.clone(),
            version: one.policy.number,
            rule: one.rule,
            name: one.name,
        }
    }
}

/// What becomes of a tool's calls.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EffectiveTool")]
struct ToolView {
    tool: String,
    class: Class,
    /// What holds for all its calls: `allow`, `require_approval`, `deny` or `hide`.
    decision: &'static str,
    /// Whether some calls come to something stricter, by their arguments, network, client or time.
    depends: bool,
    /// The layer that decided; null where no policy did.
    layer: Option<&'static str>,
    policy: Option<String>,
    version: Option<i32>,
    /// The part that decided, as a JSON pointer; empty where no policy did.
    rule: String,
    message: String,
    exceptions: Vec<ExceptionView>,
}

impl From<EffectiveTool> for ToolView {
    fn from(tool: EffectiveTool) -> Self {
        let decided = tool.decided;
        Self {
            tool: tool.name,
            class: tool.class,
            decision: decided.verdict,
            depends: !decided.open.is_empty(),
            layer: decided.layer.map(|layer| layer.as_str()),
            policy: decided.policy.as_ref().map(|policy| policy.slug.clone()),
            version: decided.policy.as_ref().map(|policy| policy.number),
            rule: decided.rule,
            message: decided.message,
            exceptions: decided.open.into_iter().map(ExceptionView::from).collect(),
        }
    }
}

/// A policy that has a say.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EffectiveLayer")]
struct LayerView {
    layer: &'static str,
    policy: String,
    version: i32,
}

/// What an agent or a person may do on a server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EffectivePolicy")]
struct EffectiveView {
    /// The server's slug.
    server: String,
    /// Whether agents may reach the server at all.
    server_enabled: bool,
    /// The policies that have a say, the highest layer first.
    layers: Vec<LayerView>,
    items: Vec<ToolView>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

async fn show(cx: KeyAsk, Params(query): Params<EffectiveQuery>) -> ApiResult {
    let bad = |field, why: &str| ActionError::field(field, why);
    let decision = query.decision.as_deref().filter(|word| !word.is_empty());
    let decision = decision
        .map(|word| {
            policies::VERDICTS
                .into_iter()
                .find(|one| *one == word)
                .ok_or_else(|| bad("decision", "choose allow, require_approval, deny or hide"))
        })
        .transpose()?;
    let class = query.class.as_deref().filter(|word| !word.is_empty()).map(str::parse::<Class>);
    let class = class.transpose().map_err(|error| ActionError::field("class", error.to_string()))?;
    let request = query.page.parse()?;
    let input =
        EffectiveInput { grant: query.grant, user: query.user, server: query.server, decision, class };
    let found = policies::effective(&cx, &input, &request).await?;
    let layers = found.policies.iter().map(|(layer, policy)| LayerView {
        layer: layer.as_str(),
        policy: policy.slug.clone(),
        version: policy.number,
    });
    let view = EffectiveView {
        server: found.server,
        server_enabled: found.is_enabled,
        layers: layers.collect(),
        items: found.tools.items.into_iter().map(ToolView::from).collect(),
        next_cursor: found.tools.next,
    };
    Ok(json::plain(StatusCode::OK, &view))
}
