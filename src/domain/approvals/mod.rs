//! Approvals: exact calls that wait for a human, and what was decided about them.
//!
//! Owns the tables `approvals`, `approval_votes`, `calls_off` and `call_tasks`. That one is used up stands in the statement that records
//! the call, which is the audit room's.
//!
//! Lacks on purpose: which calls need one, which is the policies' part; and sealing the arguments, which is the vault's.
//!
//! Invariant: an approval is for one call: of one grant, on one server, of one tool in one definition, with one set of
//! arguments, under one set of policies. Any change, and it is another call.
//! Invariant: where somebody agrees to other arguments than were asked, it is for those, and for those asked no longer.
//! Invariant: whoever asks never decides, unless the organization lets people decide about agents of their own.
//! Invariant: several agree to the least that one of them agrees to.
//! Invariant: what was decided is final, but for what was agreed to, which may be revoked until it is used up; what nobody
//! decided in time was not agreed to.

mod approval;
mod rules;
pub mod store;
mod task;

pub use approval::{
    Approval, ApprovalFilter, ApprovalState, Exact, Kept, NewApproval, NotAnApprovalState, Vote, WrittenNeed,
};
pub use rules::{
    ApprovalRefusal, Judge, LONGEST_FOR, NarrowRefusal, Outcome, RevokeRefusal, Verdict, may_decide,
    may_narrow, narrowest, outcome, unmet,
};
pub use task::{CallTask, NewCallTask, SealedPart, TaskOf, TaskState};
