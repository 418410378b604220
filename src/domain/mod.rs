//! Floor 2: one room per noun, with its types, its rules and its store.
//!
//! Invariant: rooms on this floor never import each other; they meet in `flow`.

pub mod access;
pub mod approvals;
pub mod audit;
pub mod automation;
pub mod connections;
pub mod gate;
pub mod grants;
pub mod identity;
pub mod instance;
pub mod jobs;
pub mod limits;
pub mod outbox;
pub mod policy;
pub mod questions;
pub mod secrets;
pub mod servers;
pub mod subscriptions;
pub mod tenancy;
pub mod vault;
