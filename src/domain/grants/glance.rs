//! What the overview counts of grants.

/// Counts of grants and their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrantCount {
    /// All grants ever made.
    pub made: i64,
    /// Those that are neither revoked, expired nor suspended.
    pub active: i64,
    /// Tokens of such grants that expire soon.
    pub expiring_tokens: i64,
    /// Tokens that an agent has called with.
    pub used_tokens: i64,
}
