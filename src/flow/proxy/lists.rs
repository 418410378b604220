//! Lists as an agent may see them: a tool that it may not call is not there.

use crate::{
    domain::servers::{DecisionTool, Fingerprint, ToolName, ToolState, is_alike},
    flow::proxy::edit::{Unreadable, Visible},
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
    // Whoever may reach the server may read what it has to read.
    if kind != ListKind::Tools {
        return Ok((None, Otherwise::new()));
    }
    let listing = Listing::read(kind, result).map_err(|_| Unreadable)?;
    let mut otherwise = Otherwise::new();
    let filtered = listing.filter(body, era, |item| is_visible(visible, item, &mut otherwise));
    Ok((Some(filtered.map_err(|_| Unreadable)?), otherwise))
}

/// Whether a tool is one that was reviewed as the server shows it, and within the ceiling.
fn is_visible(visible: &Visible, item: &Item<'_>, otherwise: &mut Otherwise) -> bool {
    let Some(tool) = visible.server.tool(&item.name) else { return false };
    if tool.state != ToolState::Reviewed || !tool.is_enabled {
        return false;
    }
    let text = item.raw.text();
    if is_as_reviewed(tool, text) {
        return tool.class.is_within(visible.ceiling);
    }
    if let Ok(shown) = Fingerprint::of(text) {
        otherwise.push((tool.name.clone(), shown));
    }
    false
}

/// A server of both eras may add what only one of them knows, and has no meaning for a model.
fn is_as_reviewed(tool: &DecisionTool, text: &str) -> bool {
    tool.accepted_definition.as_deref() == Some(text)
        || tool.accepted_fingerprint.is_some() && Fingerprint::of(text).ok() == tool.accepted_fingerprint
        || tool.accepted_definition.as_deref().is_some_and(|accepted| is_alike(accepted, text))
}
