//! What is used of limits, for people.

use time::OffsetDateTime;

use crate::base::{crypto::digest::Digest, ids::PolicyId};

/// What is used of one count in one span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The digest that names the count.
    pub key: Digest,
    /// The policy.
    pub policy: PolicyId,
    /// The counter.
    pub counter: String,
    /// Whose: `grant`, `user`, `team`, `client`, `server` or `org`.
    pub scope: String,
    /// Which one.
    pub scope_id: String,
    /// The span: a word of the calendar, or seconds.
    pub span: String,
    /// How much is used, as a decimal.
    pub used: String,
    /// How much is allowed, as the latest call had it.
    pub most: String,
    /// When all that is counted is over.
    pub ends_at: OffsetDateTime,
}

/// Which counts a list shows.
#[derive(Clone, Debug, Default)]
pub struct UsageFilter {
    /// Only those of this policy.
    pub policy: Option<PolicyId>,
    /// Only those of this grant, person, team, client or server.
    pub scope_id: Option<String>,
}
