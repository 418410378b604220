//! The gate: an organization's emergency stop.
//!
//! Owns the table `gates`, one row for each organization that ever touched its gate.
//!
//! Lacks on purpose: the stopping. Whoever forwards a call compares the organization's epoch, which every
//! change of the gate raises in the same transaction.
//!
//! Invariant: an organization without a row has an open gate; one with a row has what the row says.
//! Invariant: a closed gate has a reason that people can read.

mod rules;
mod store;

use time::OffsetDateTime;

use crate::base::ids::UserId;

pub use rules::GateChange;
pub use store::{find, set};

/// Whether an organization's agents may call anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Open or closed.
    pub state: GateState,
    /// Why it was closed or opened; empty where nobody said.
    pub reason: String,
    /// When it last changed; never, where it has always been open.
    pub changed_at: Option<OffsetDateTime>,
    /// Who changed it; nobody, where a service account did.
    pub changed_by: Option<UserId>,
    /// Their name, while they are a member.
    pub changed_by_name: Option<String>,
    /// Rises with every change; 0 before the first.
    pub version: i64,
}

/// The two states of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Calls are judged as policies say.
    Open,
    /// Every call is refused.
    Closed,
}

impl GateState {
    /// The state that the API's `open` names.
    pub const fn of(open: bool) -> Self {
        if open { Self::Open } else { Self::Closed }
    }

    /// The name in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl Gate {
    /// The gate of an organization that never touched it.
    pub const fn untouched() -> Self {
        Self {
            state: GateState::Open,
            reason: String::new(),
            changed_at: None,
            changed_by: None,
            changed_by_name: None,
            version: 0,
        }
    }

    /// Whether calls may pass.
    pub fn is_open(&self) -> bool {
        self.state == GateState::Open
    }
}
