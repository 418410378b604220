//! Scripts: the service accounts they run as, the API keys they carry, and what makes a repeated request
//! safe.
//!
//! Owns the tables `service_accounts`, `api_keys` and `idempotency_keys`.
//!
//! Lacks on purpose: what agents carry; that is a grant. An API key never reaches a tool.
//!
//! Invariant: a key may what its scopes *and* its owner's role allow, both as they are now.
//! Invariant: of a key only the hash of its secret is stored; it is shown once.
//! Invariant: every new key expires within a year, and dies with its owner.
//! Invariant: a service account never owns an organization.
//! Invariant: a request with an idempotency key is carried out at most once a day.

mod accounts;
mod glance;
mod idempotency;
mod keys;
mod new_key;
mod scopes;
pub mod store;

pub use accounts::{
    NewServiceAccount, ServiceAccount, ServiceAccountEntry, ServiceAccountForm, ServiceAccountRef,
};
pub use glance::{AutomationCount, NamedKey};
pub use idempotency::{ANSWER_TTL, Answer, Claim};
pub use keys::{ApiKey, ApiKeyEntry, KeyFilter, KeyOwnerFacts, KeyState, PresentedKey};
pub use new_key::{ApiKeyForm, DEFAULT_KEY_TTL, Expiry, IssuedKey, KeyName, LONGEST_KEY_TTL, NewApiKey};
pub use scopes::{BadScopes, Scopes};
