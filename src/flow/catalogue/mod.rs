//! Reading what a server offers: a client of the protocol that is good for this one job, in both eras.
//!
//! Owns the way from an address to a [`Reading`]: the steps as far as they went, and the catalogue where they went all
//! the way. The proxy speaks to servers by itself; nothing here carries anybody's call.
//!
//! Invariant: every byte leaves through the guarded way out, and no transaction is open meanwhile.
//! Invariant: what a server answers is bounded in time, bytes and number before it is looked at.
//! Invariant: a failed reading changes nothing but the word that it failed; the last good catalogue stays.
//! Invariant: nothing that a server wrote stands in a cause or a fix.

mod carried;
mod due;
mod era;
mod events;
mod lent;
mod lists;
mod old;
mod reading;
mod refresh;
mod steps;
mod talk;

pub use carried::{Carried, Typed, cell};
pub use due::{
    DueServer, REFRESH_SERVER, REFRESH_SERVERS, enqueue, refresh_due, refresh_one, refresh_soon, span_of,
};
pub use reading::{Reading, Spoken, read};
pub use refresh::{Refresh, refresh, refresh_first};
pub use steps::{Onlooker, StepName, StepReport, StepState};
