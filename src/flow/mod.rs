//! Floor 3, what happens: the only place where rooms meet.
//!
//! Begins transactions, checks authority, writes the audit. Lacks on purpose: HTML pages and HTTP requests.

pub mod actions;
pub mod approvers;
pub mod catalogue;
pub mod cx;
pub mod decision;
pub mod enter;
pub mod fault;
pub mod jobs;
pub mod leaver;
pub mod letters;
pub mod proxy;
pub mod sealing;
pub mod tokens;
