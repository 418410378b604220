//! Lists as an agent may see them: a tool that it may not call is not there.

use crate::{
    base::risk::Class,
    domain::{
        policy::engine::Tool,
        servers::{DecisionTool, Fingerprint, ToolName, ToolState, is_alike},
    },
    flow::{
        decision::{as_policies_see, names},
        proxy::edit::{Unreadable, Visible},
    },
    protocol::mcp::{
        list::{Item, Listing},
        method::ListKind,
        raw::Raw,
        version::Era,
    },
};

/// Tools that a list showed in another way than they were reviewed.
pub type Otherwise = Vec<(ToolName, Fingerprint)>;

/// The answer with what this agent may see, none where nothing is to be left out; and what it showed otherwise.
///
/// # Errors
/// Where it cannot be told what the answer shows: then it must not be passed on.
pub fn filter(
    body: &[u8],
    result: Raw<'_>,
    kind: ListKind,
    era: Era,
    visible: &Visible,
) -> Result<(Option<Vec<u8>>, Otherwise), Unreadable> {
    let listing = Listing::read(kind, result).map_err(|_| Unreadable)?;
    let mut otherwise = Otherwise::new();
    let filtered = listing.filter(body, era, |item| match kind {
        ListKind::Tools => is_visible(visible, item, &mut otherwise),
        _ => is_readable(visible, kind, item),
    });
    Ok((Some(filtered.map_err(|_| Unreadable)?), otherwise))
}

/// Whether policies let a prompt, resource or skill be read.
fn is_readable(visible: &Visible, kind: ListKind, item: &Item<'_>) -> bool {
    let name = names::name_in(kind, &item.name);
    let tool = Tool { name: &name, class: Class::Read, is_reviewed: true };
    visible.caller().lists(&visible.server, &tool)
}

/// Whether a tool is one that was reviewed as the server shows it, within the ceiling, and not barred by a policy.
fn is_visible(visible: &Visible, item: &Item<'_>, otherwise: &mut Otherwise) -> bool {
    let Ok(tool) = visible.server.callable(&item.name, visible.admitted.grant.ceiling) else {
        return false;
    };
    let is_listed = || visible.caller().lists(&visible.server, &as_policies_see(tool));
    if tool.state != ToolState::Reviewed {
        return is_listed();
    }
    let text = item.raw.text();
    if is_as_reviewed(tool, text) {
        return is_listed();
    }
    if let Ok(shown) = Fingerprint::of(text) {
        otherwise.push((tool.name.clone(), shown));
    }
    false
}

/// A server of both eras may add what only one of them knows, and has no meaning for a model.
fn is_as_reviewed(tool: &DecisionTool, text: &str) -> bool {
    tool.accepted_definition.as_deref() == Some(text)
        || Fingerprint::of(text).is_ok_and(|shown| shown == tool.fingerprint)
        || tool.accepted_definition.as_deref().is_some_and(|accepted| is_alike(accepted, text))
}
