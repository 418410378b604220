//! What an operator may see and do: counts and configuration, never what organizations keep.
//!
//! Invariant: every function takes an `OperatorCx`, which exists only for an operator who proved themselves lately;
//! [`health::figures`], which the metrics read too, tells counts only.

pub mod health;
pub mod jobs;
pub mod keys;
pub mod orgs;
pub mod outbox;
pub mod record;
pub mod settings;
