//! Grants: what an agent may do, in whose name, and the tokens it carries.
//!
//! Owns the tables `grants`, `grant_servers` and `grant_tokens`.
//!
//! Lacks on purpose: the judging of a call. The proxy loads [`DecisionGrant`]s into the organization's snapshot and
//! decides there, once an epoch.
//!
//! Invariant: a grant has one principal for life; with the membership, team or service account the grant goes too.
//! Invariant: of a token only the hash of its secret is stored; it is shown once.
//! Invariant: every token ends within a year, and never after its grant.
//! Invariant: revoking a grant or a token is final.
//! Invariant: every change that a call's decision depends on raises the organization's epoch in the same transaction;
//! the store does it, so no caller can forget.

mod bindings;
mod decision;
mod glance;
mod grant;
mod new_grant;
mod reach;
mod rules;
pub mod store;
mod tokens;

pub use bindings::{Bindings, MOST_CIDRS, MOST_CLIENTS};
pub use decision::{DecisionGrant, DecisionToken};
pub use glance::GrantCount;
pub use grant::{Grant, GrantEntry, GrantFilter, GrantState, NotAGrantState, ServersOf, Stop};
pub use new_grant::{GrantChange, GrantForm, NewGrant};
pub use reach::{NamedServer, ToolCount};
pub use rules::{BadLabel, Deed, GrantRefusal, Reason, Standing};
pub use tokens::{
    BadOverlap, ClientSeen, DEFAULT_TOKEN_TTL, GrantToken, IssuedToken, LONGEST_OVERLAP, LONGEST_TOKEN_TTL,
    LastUse, NewToken, Overlap, TokenExpiry, TokenForm, TokenState,
};
