//! What the overview counts of scripts, and keys by name.

use crate::base::ids::ApiKeyId;

/// Counts of service accounts and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AutomationCount {
    /// Service accounts.
    pub accounts: i64,
    /// Keys that are neither revoked nor expired.
    pub live_keys: i64,
    /// Those of them that expire soon.
    pub expiring_keys: i64,
    /// All keys ever made.
    pub keys: i64,
}

/// A key by name only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// The key.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// The end of its text, by which its holder knows it.
    pub tail: String,
}
