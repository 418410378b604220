//! What an agent or a person may do on a server, tool by tool, after all layers.
//!
//! Decided by the code that decides calls, of which nothing is known yet: what depends on arguments, on the network, on the
//! client or on the time is told as an exception.

use std::sync::Arc;

use crate::{
    base::{
        page::{Page, PageRequest},
        permission::Permission,
        risk::Class,
    },
    domain::{policy::engine::LayerName, servers::DecisionTool},
    flow::{
        actions::policies::simulate::{Decided, Prospect, SimulatedCall},
        cx::OrgCx,
        decision::InForce,
        fault::{ActionError, ActionResult},
    },
};

/// For whom, where, and which tools.
#[derive(Clone, Debug, Default)]
pub struct EffectiveInput {
    /// The grant, by id.
    pub grant: Option<String>,
    /// The person, by id or address, where no grant is named.
    pub user: Option<String>,
    /// The server, by slug or id.
    pub server: String,
    /// Only tools of which this becomes: `allow`, `require_approval`, `deny` or `hide`.
    pub decision: Option<&'static str>,
    /// Only tools of this class.
    pub class: Option<Class>,
}

/// What becomes of a tool's calls.
#[derive(Clone, Debug)]
pub struct EffectiveTool {
    /// Its name.
    pub name: String,
    /// What it does at worst.
    pub class: Class,
    /// What holds for all its calls, and what may hold besides.
    pub decided: Decided,
}

/// What an agent or a person may do on a server.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The server's short name.
    pub server: String,
    /// Its name.
    pub server_name: String,
    /// Whether agents may reach it at all.
    pub is_enabled: bool,
    /// The grant's name; empty where a person is named.
    pub label: String,
    /// Whose name it is in.
    pub principal: String,
    /// The policies that have a say, the highest layer first.
    pub policies: Vec<(LayerName, Arc<InForce>)>,
    /// The tools, by name.
    pub tools: Page<EffectiveTool>,
}

/// What an agent or a person may do on a server.
///
/// # Errors
/// Every field that names nothing: `grant`, `user`, `server`.
pub async fn effective(
    cx: &OrgCx,
    input: &EffectiveInput,
    page: &PageRequest<String>,
) -> ActionResult<Effective> {
    cx.require(Permission::PoliciesRead)?;
    let named = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let (grant, user) = (named(&input.grant), named(&input.user));
    match (&grant, &user) {
        (None, None) => return Err(ActionError::field("grant", "name a grant or a person")),
        (Some(_), Some(_)) => {
            return Err(ActionError::field("user", "name a grant or a person, not both"));
        }
        _ => {}
    }
    if input.server.trim().is_empty() {
        return Err(ActionError::field("server", "name a server"));
    }
    let is_of_a_grant = grant.is_some();
    let call = SimulatedCall { grant, user, server: Some(input.server.clone()), ..SimulatedCall::default() };
    let prospect = Prospect::of(cx, &call).await.map_err(without_call)?;
    let server = &prospect.server.server;
    let after = page.after.as_deref();
    let mut tools = Vec::new();
    // Tools stand in the order of their names.
    for tool in &server.tools {
        if after.is_some_and(|after| tool.name.as_str() <= after) || !is_wanted(tool, input) {
            continue;
        }
        let decided = prospect.of_tool(cx, tool.name.as_str());
        if input.decision.is_none_or(|wanted| wanted == decided.verdict) {
            tools.push(EffectiveTool { name: tool.name.as_str().to_owned(), class: tool.class, decided });
        }
        // One more than the page holds tells that more follows.
        if tools.len() > usize::from(page.limit) {
            break;
        }
    }
    let agent = prospect.grant();
    Ok(Effective {
        server: server.slug.as_str().to_owned(),
        server_name: server.name.to_string(),
        is_enabled: server.is_enabled,
        label: if is_of_a_grant { agent.label.clone() } else { String::new() },
        principal: agent.principal_name.clone(),
        policies: prospect.policies(),
        tools: Page::cut(tools, page.limit, |tool| tool.name.clone()),
    })
}

fn is_wanted(tool: &DecisionTool, input: &EffectiveInput) -> bool {
    input.class.is_none_or(|class| class == tool.class)
}

/// The same failure where the fields of a call stand alone, and not within `call`.
pub fn without_call(error: ActionError) -> ActionError {
    let ActionError::Fields(faults) = error else { return error };
    let mut bare = crate::base::faults::Faults::default();
    for fault in &faults {
        bare.add(fault.field.strip_prefix("call.").unwrap_or(fault.field), fault.message.clone());
    }
    ActionError::Fields(bare)
}
