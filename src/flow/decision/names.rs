//! What policies call the things that are no tools: prompts, resources, skills and methods of extensions fall under the same
//! documents, by names that no tool has: `prompt:NAME`, `resource:ADDRESS`, `skill:NAME` and `method:NAME`.

use std::borrow::Cow;

use crate::protocol::mcp::method::ListKind;

/// What a name of these begins with is no tool.
const RESERVED: [&str; 4] = ["prompt:", "resource:", "skill:", "method:"];

/// What is meant by a name that policies use, as an agent says it: its kind, and its own name.
pub(super) fn spoken(name: &str) -> (&'static str, &str) {
    let of = |kind: &'static str| Some((kind, name.strip_prefix(kind)?.strip_prefix(':')?));
    of("prompt")
        .or_else(|| of("resource"))
        .or_else(|| of("skill"))
        .or_else(|| of("method"))
        .unwrap_or(("tool", name))
}

/// Whether a server calls a tool by a name that policies use for something else.
pub fn is_reserved(tool: &str) -> bool {
    RESERVED.iter().any(|prefix| tool.starts_with(prefix))
}

/// What policies call something that a list of this kind shows.
pub fn name_in(kind: ListKind, name: &str) -> Cow<'_, str> {
    match kind {
        ListKind::Tools => name.into(),
        ListKind::Prompts => format!("prompt:{name}").into(),
        ListKind::Resources | ListKind::Templates => format!("resource:{name}").into(),
        ListKind::Skills => format!("skill:{name}").into(),
    }
}
