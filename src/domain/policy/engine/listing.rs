//! Whether a list shows a tool: what no call of it could pass is not offered.

use crate::domain::policy::{
    document::{Action, Mode, Unreviewed},
    engine::{facts::Tool, judge::Layer},
};

/// Whether a list shows a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// It does: some call of it may pass, or somebody may agree to it.
    Shown,
    /// It does not.
    Hidden,
}

/// Whether a list shows a tool. Without any document nothing is shown.
pub fn listing(tool: &Tool<'_>, layers: &[Layer<'_>]) -> Listing {
    let is_barred = |layer: &Layer<'_>| {
        let (program, document) = (layer.program, layer.program.document());
        if document.mode == Mode::Observe {
            return false;
        }
        let action = program.rules_of(tool).map_or(document.default, |(_, rules)| rules.action);
        program.hidden_at(tool).is_some()
            || !tool.is_reviewed && document.unreviewed == Unreviewed::Deny
            || action == Action::Deny
    };
    if layers.is_empty() || layers.iter().any(is_barred) { Listing::Hidden } else { Listing::Shown }
}
