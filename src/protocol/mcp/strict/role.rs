//! Objects that have a meaning, by where they stand, and the keys that are named in them.
//!
//! A reader that ignores case, as Go's standard library does, would take `Params` for `params`. So a key that only
//! case tells apart from a named one is refused where the name has a meaning.

use crate::protocol::mcp::strict::keys::{folds_to, print};

/// The part an object plays in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The message itself.
    Envelope,
    /// Its `params`.
    Params,
    /// Its `result`.
    Result,
    /// Its `error`.
    Failure,
    /// The `_meta` of params or result.
    Meta,
    /// The `arguments` of params: no two of its keys may differ only in case.
    Arguments,
    /// The `ref` of a completion.
    Ref,
    /// The `notifications` that a subscription asks for.
    Listen,
    /// Anything else.
    Other,
}

/// A key with a meaning.
#[derive(Clone, Copy)]
struct Named {
    text: &'static str,
    print: u32,
}

const fn named<const N: usize>(texts: [&'static str; N]) -> [Named; N] {
    let mut names = [Named { text: "", print: 0 }; N];
    let mut at = 0;
    while at < N {
        names[at] = Named { text: texts[at], print: print(texts[at].as_bytes()) };
        at += 1;
    }
    names
}

const ENVELOPE: &[Named] = &named(["jsonrpc", "id", "method", "params", "result", "error"]);
const PARAMS: &[Named] = &named([
    "name",
    "arguments",
    "uri",
    "_meta",
    "requestState",
    "inputResponses",
    "taskId",
    "cursor",
    "progressToken",
    "requestId",
    "ref",
    "task",
    "notifications",
    "protocolVersion",
    "clientInfo",
    "capabilities",
]);
const RESULT: &[Named] = &named([
    "_meta",
    "resultType",
    "requestState",
    "inputRequests",
    "tools",
    "prompts",
    "resources",
    "resourceTemplates",
    "skills",
    "nextCursor",
    "ttlMs",
    "cacheScope",
    "taskId",
    "task",
    "protocolVersion",
    "capabilities",
    "supportedVersions",
]);
const FAILURE: &[Named] = &named(["code", "message", "data"]);
const META: &[Named] = &named([
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/subscriptionId",
    "io.modelcontextprotocol/related-task",
    "progressToken",
    "portreeve/decision",
]);
const REF: &[Named] = &named(["type", "name", "uri"]);
const LISTEN: &[Named] = &named([
    "toolsListChanged",
    "promptsListChanged",
    "resourcesListChanged",
    "resourceSubscriptions",
    "taskIds",
]);

impl Role {
    /// The part that the object under this key plays.
    pub(super) fn under(self, key: &str) -> Self {
        match (self, key) {
            (Self::Envelope, "params") => Self::Params,
            (Self::Envelope, "result") => Self::Result,
            (Self::Envelope, "error") => Self::Failure,
            (Self::Params | Self::Result, "_meta") => Self::Meta,
            (Self::Params, "arguments") => Self::Arguments,
            (Self::Params, "ref") => Self::Ref,
            (Self::Params, "notifications") => Self::Listen,
            _ => Self::Other,
        }
    }

    /// Whether its members are kept after the scan.
    pub(super) const fn is_kept(self) -> bool {
        !matches!(self, Self::Other | Self::Arguments)
    }

    /// Whether only case tells the key apart from one that is named here; `print` is that of the key.
    pub(super) fn has_variant(self, key: &str, print: u32) -> bool {
        self.named().iter().any(|name| name.print == print && name.text != key && folds_to(key, name.text))
    }

    const fn named(self) -> &'static [Named] {
        match self {
            Self::Envelope => ENVELOPE,
            Self::Params => PARAMS,
            Self::Result => RESULT,
            Self::Failure => FAILURE,
            Self::Meta => META,
            Self::Ref => REF,
            Self::Listen => LISTEN,
            Self::Arguments | Self::Other => &[],
        }
    }
}
