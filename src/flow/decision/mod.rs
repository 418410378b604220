//! What calls are decided by: an organization's servers, grants and policies as of one epoch, and the facts of a caller.
//!
//! The proxy decides real calls by it, the console simulated ones; so both come to the same.
//!
//! Lacks on purpose: what an agent is answered, and the record; those are the proxy's.
//!
//! Invariant: a snapshot never changes. A newer epoch is another snapshot.

mod absence;
mod accounts;
mod caller;
mod claims;
mod denial;
pub mod names;
mod programs;
mod ruling;
mod secrets;
mod snapshot;

pub use absence::Absence;
pub use accounts::{Accounts, ChosenFor, Holding};
pub use caller::{ByArguments, Caller, Clause, Decision};
pub use claims::Claimed;
pub use denial::{Denial, Help, stopped};
pub use programs::{InForce, Programs};
pub use ruling::{Asked, Ruling, Stopped, as_policies_see, asked_or_stopped};
pub use secrets::{OwnSecrets, Secrets, scope_of};
pub use snapshot::{OrgSnapshot, Say, ServerFacts};
