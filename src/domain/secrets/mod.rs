//! Secrets: named values of an organization, of a team or of a person, which servers are sent.
//!
//! Owns the table `secrets`.
//!
//! Lacks on purpose: sealing and opening, which are the vault's and happen in `flow`; and which server is sent which,
//! which is the servers' room.
//!
//! Invariant: a value is sealed before it is stored and is never part of an answer; a new value leaves nothing of the old.
//! Invariant: what a person keeps for themselves is listed for them alone, and goes with their membership.

mod rules;
mod secret;
pub mod store;

pub use rules::{
    BadSecretValue, LONGEST_DAYS, MOST_OF_ONE, SecretForm, SecretTerms, UNUSED_AFTER, parse_value,
};
pub use secret::{
    Lacking, NotAScope, Scope, SealedSecret, SecretFilter, SecretOwner, Sight, StoredSecret, TeamOfSecret,
    Wanted,
};
