//! Keeping a member out for a while.

use time::OffsetDateTime;

/// That a member is kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Since when.
    pub at: OffsetDateTime,
    /// Who did it, while they are a member.
    pub by: Option<String>,
    /// Why; empty where no reason was given.
    pub reason: String,
}
