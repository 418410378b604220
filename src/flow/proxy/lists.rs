//! Lists as an agent may see them: a tool that it may not call is not there.

use crate::{
    domain::servers::{Fingerprint, ToolState},
    flow::proxy::edit::{Unreadable, Visible},
    protocol::mcp::{
        list::{Item, Listing},
        method::ListKind,
        raw::Raw,
        version::Era,
    },
};

/// The answer with what this agent may see; none where nothing is to be left out.
///
/// # Errors
/// Where it cannot be told what the answer shows: then it must not be passed on.
pub fn filter(
    body: &[u8],
    result: Raw<'_>,
    kind: ListKind,
    era: Era,
    visible: &Visible,
) -> Result<Option<Vec<u8>>, Unreadable> {
    // Whoever may reach the server may read what it has to read.
    if kind != ListKind::Tools {
        return Ok(None);
    }
    let listing = Listing::read(kind, result).map_err(|_| Unreadable)?;
    let filtered = listing.filter(body, era, |item| is_visible(visible, item)).map_err(|_| Unreadable)?;
    Ok(Some(filtered))
}

/// Whether a tool is one that was reviewed as the server shows it, and within the ceiling. A server of both eras may add
/// what only one of them knows, and has no meaning for a model.
fn is_visible(visible: &Visible, item: &Item<'_>) -> bool {
    let Some(tool) = visible.server.tool(&item.name) else { return false };
    let text = item.raw.text();
    let is_as_reviewed = || {
        tool.accepted_definition.as_deref() == Some(text)
            || tool.accepted_fingerprint.is_some() && Fingerprint::of(text).ok() == tool.accepted_fingerprint
            || tool.accepted_definition.as_deref().is_some_and(|accepted| is_alike(accepted, text))
    };
    tool.state == ToolState::Reviewed
        && tool.is_enabled
        && tool.class.is_within(visible.ceiling)
        && is_as_reviewed()
}

/// Whether two definitions differ in nothing but what one era says of itself.
fn is_alike(accepted: &str, shown: &str) -> bool {
    let substance = |text| Fingerprint::of_substance(text).ok();
    substance(accepted).is_some_and(|accepted| substance(shown) == Some(accepted))
}
