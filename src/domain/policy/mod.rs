//! Policies: what agents may do, as documents that people write and programs that decide.
//!
//! [`document`] reads what people wrote and tells them everything that is wrong with it at once; [`engine`] compiles it
//! and decides about calls. [`cases`] hold both to their word. For people who do not read JSON, [`words`] says what a
//! document means, [`edit`] changes it one step at a time, [`merge`] brings two together, and [`lines`] finds a fault in
//! its text. [`suggest`] makes one from the classes of a server's tools. [`selector`] lends the conditions to what is chosen by
//! a call and decides nothing.
//!
//! Owns the tables `policies`, `policy_versions`, `policy_layers` and `policy_tests`. [`kept`] says what a policy is beside its document.
//!
//! Lacks on purpose: who may publish, and what limits and approvals have counted so far.
//!
//! Invariant: deciding is pure. The same documents, call, facts and moment give the same decision and the same trace.
//! Invariant: a version is never changed; a rollback is a new version with an old text.
//! Invariant: what cannot be read is a fault of the document, never a rule that is passed over.

pub mod cases;
pub mod document;
pub mod edit;
pub mod engine;
mod fold;
pub mod import;
pub mod kept;
pub mod lines;
pub mod literal;
pub mod merge;
pub mod number;
pub mod path;
pub mod pattern;
pub mod redact;
mod schema;
pub mod selector;
pub mod store;
pub mod suggest;
pub mod words;

pub use schema::SCHEMA;
