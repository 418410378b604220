//! All SQL of the record: appending, reading, checkpoints, signing keys.

mod append;
mod arguments;
mod attempts;
mod batches;
mod calls;
mod checkpoints;
mod filter;
mod keys;
mod list;
mod past;
mod proof;
mod read;
mod search;
mod tools;
mod traffic;

pub use append::{Appended, Unrecorded, append, commit, commit_appended, commit_unrecorded};
pub use arguments::{
    ARGUMENTS, SEALED_ARGUMENTS, SealedArguments, find_arguments, keep_arguments, shorten_arguments,
    sweep_arguments,
};
pub use attempts::{Attempt, AttemptedCall, Reach, attempts, reach};
pub use batches::{Batch, StoredEvent, head, read_batch};
pub use calls::{
    CallEntry, CallKeeper, CallRow, Kept, Lack, Sum, is_open, list_abandoned_calls,
    orgs_with_abandoned_calls, record_calls,
};
pub use checkpoints::{CheckpointRow, chains, due_chains};
pub(super) use checkpoints::{
    Sealing, all_heads, insert_checkpoint, last_checkpoint, last_global_at, lock_head,
};
pub use filter::{EventFilter, Except};
pub use keys::{
    NewSigningKey, SealedSigningKey, SigningKeyRow, find_signing_key, insert_signing_key, list_public_keys,
    list_signing_keys, reseal_signing_key, retire_signing_key,
};
pub use list::list;
pub use past::{PastCall, PastEvent, past_events};
pub use proof::{Proof, proof};
pub use read::{EventDetail, EventRow, Neighbors, find, find_by_seq, moment_in_zone, neighbors};
pub use search::{Searched, search, search_newer};
pub use tools::{MOST_COUNTED, calls_of};
pub use traffic::{Traffic, traffic};

use crate::io::db::DbError;

/// A stored value that no version of ours has written.
fn unreadable(what: &'static str) -> DbError {
    DbError::Other(sqlx::Error::Decode(format!("{what} in the audit tables does not read").into()))
}
