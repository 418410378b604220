//! Limits: what calls count in which span, and what is used of it.
//!
//! Owns the tables `limit_counts`, `limit_values`, `limit_holds` and `call_rounds`. What a call counts is taken by the statement that puts
//! it on record, which is the audit room's; here it is written in the form that statement reads.
//!
//! Lacks on purpose: which limits a call falls under, which is the policies' part.
//!
//! Invariant: a digest names a counter: two counts with the same digest are the same count.
//! Invariant: no value of an argument is kept, only its digest.

mod claim;
pub mod store;
mod usage;

pub use claim::{Claim, Counted, NoSum, Owner, Span, Taking, sum, write};
pub use usage::{Usage, UsageFilter};
