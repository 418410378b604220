//! Access: what people ask for that their agents may not do yet, and what was decided about it.
//!
//! Owns the table `access_requests`. What comes of an approval is a grant and its policy, which are other rooms'.
//!
//! Lacks on purpose: whether a tool is there. Who asks need not know, and must not learn it by asking.
//!
//! Invariant: what is given is never more than what was asked for.
//! Invariant: what was decided is final; what nobody decided in time was not agreed to.

mod request;
mod rules;
pub mod store;

pub use request::{AccessFilter, AccessRequest, AccessState, Asked, NewAccess, NotAnAccessState};
pub use rules::{
    AccessForm, AccessRefusal, Given, LONGEST_HOURS, MOST_PENDING, PENDING_FOR, may_decide, narrow,
};
