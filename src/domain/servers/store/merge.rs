//! What a reading makes of the tools that are kept: pure, between two statements.

use std::collections::HashMap;

use crate::{
    base::risk::Class,
    domain::servers::{CatalogueChange, ClassBy, Fingerprint, SeenTool, ToolName, ToolState},
};

/// What is kept of a tool, as far as a reading can change it.
pub(super) struct Kept {
    pub(super) name: ToolName,
    pub(super) state: ToolState,
    pub(super) fingerprint: Fingerprint,
    pub(super) accepted: Option<Fingerprint>,
    pub(super) refused: Option<Fingerprint>,
    pub(super) class: Class,
    pub(super) class_by: ClassBy,
}

/// A tool of the reading with the state it gets.
pub(super) struct Row<'a> {
    pub(super) tool: &'a SeenTool,
    pub(super) state: ToolState,
    /// Whether anything but the moment has to be written.
    pub(super) differs: bool,
}

/// The outcome for all tools.
pub(super) struct Merged<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) change: CatalogueChange,
}

/// Holds what was read against what is kept.
pub(super) fn merge(kept: Vec<Kept>, seen: &[SeenTool]) -> Merged<'_> {
    let mut kept: HashMap<ToolName, Kept> = kept.into_iter().map(|k| (k.name.clone(), k)).collect();
    let mut change = CatalogueChange::default();
    let mut rows = Vec::with_capacity(seen.len());
    for tool in seen {
        let was = kept.remove(&tool.name);
        let state = match &was {
            Some(was) => ToolState::of(tool.fingerprint, was.accepted, was.refused),
            None => ToolState::New,
        };
        let is_same =
            was.as_ref().is_some_and(|was| was.state == state && was.fingerprint == tool.fingerprint);
        let is_same_class = was
            .as_ref()
            .is_some_and(|was| was.class_by == ClassBy::Admin || was.class == tool.classified.class);
        let was_state = was.as_ref().map(|was| was.state);
        if was_state != Some(state) {
            match state {
                ToolState::New => change.new.push(tool.name.clone()),
                ToolState::Changed => change.changed.push(tool.name.clone()),
                ToolState::Reviewed => change.restored.push(tool.name.clone()),
                ToolState::Refused | ToolState::Gone => {}
            }
        }
        change.is_decisive |= !(is_same && is_same_class);
        rows.push(Row { tool, state, differs: !(is_same && is_same_class) });
    }
    change.gone = kept.into_values().filter(|was| was.state != ToolState::Gone).map(|was| was.name).collect();
    change.gone.sort();
    change.is_decisive |= !change.gone.is_empty();
    Merged { rows, change }
}
