//! What is decided about: one call, or all calls of a tool that somebody may make.

use crate::{
    domain::policy::engine::facts::{Facts, Tool},
    protocol::mcp::raw::Raw,
};

/// What is decided about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) tool: Tool<'a>,
    pub(super) arguments: Arguments<'a>,
    pub(super) facts: Facts<'a>,
}

/// The arguments, as far as they are known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arguments<'a> {
    /// Those of a call, where it has any.
    Sent(Option<Raw<'a>>),
    /// Any there may be; what depends on them stops nothing.
    Unknown,
    /// Any there may be; what depends on them stops the call.
    Worst,
    /// Any there may be, and just as open is from where, when and with which software the call comes.
    Anything,
}

impl<'a> Arguments<'a> {
    /// Those that were sent.
    pub(super) const fn sent(self) -> Option<Raw<'a>> {
        match self {
            Self::Sent(arguments) => arguments,
            Self::Unknown | Self::Worst | Self::Anything => None,
        }
    }

    /// Whether something that stops a call where it is `stopping` does so.
    pub(super) fn stop(self, truth: Truth, stopping: Truth) -> bool {
        truth == stopping || truth == Truth::Unknown && matches!(self, Self::Worst)
    }
}

/// Whether something holds, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// It does not.
    No,
    /// That depends on what is not known, such as the arguments.
    Unknown,
    /// It does.
    Yes,
}
