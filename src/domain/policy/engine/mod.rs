//! Decides about calls: compiled documents, the facts of a call and a moment in; a verdict with its reasons out.
//!
//! Pure and total: any arguments get a verdict, in a number of steps that is bounded whatever they and the documents are, and the
//! same input gets the same verdict. What limits and approvals have counted so far is not known here: a verdict says what they are about.
//!
//! Invariant: all layers must allow; the strictest answer of any layer is the answer.
//! Invariant: a grant with no policy in any layer may do nothing.
//! Invariant: a call is denied whose arguments are too large for the rules to be judged ([`Part::Beyond`]).
//! Invariant: the trace alone, without documents and arguments, gives the verdict again ([`Trace::outcome`]).

mod budget;
mod compared;
mod compile;
mod condition;
mod facts;
mod guard;
mod judge;
mod listing;
mod named;
mod regard;
mod subject;
mod trace;
mod unseen;
mod verdict;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use compared::{Compared, compare};
pub use compile::Program;
pub use condition::hold;
pub use facts::{Facts, Tool};
pub use judge::{Call, Layer, LayerName, NotALayer, decide};
pub use listing::{Listing, foresee, listing};
pub use trace::{Effect, LayerTrace, List, Part, Reason, Trace};
pub use unseen::decide_unseen;
pub use verdict::{Blocked, Need, Open, Outcome, Reservation, Slots, Verdict};
