//! The append-only record: what was done, by whom, and proof that the account was not altered.
//!
//! Owns events, their hash chains (one per organization, one for the instance), signed checkpoints, the export format and
//! its offline verifier; and the arguments of calls that an organization keeps, beside the record and for a time. Lacks on
//! purpose: deciding what is worth recording, which is `flow`'s part, and opening the signing key, which is the vault's.
//!
//! Invariant: a change is kept only by [`commit`], [`commit_appended`] or [`commit_unrecorded`]; the last
//! one names its reason.
//! Invariant: an event is written in the transaction of the change it speaks of: both stand or neither.
//! Invariant: a record is never changed or removed; within a chain sequence numbers have no gap.
//! Invariant: no secret enters a record: secret fields are dropped by name and carried tokens by their
//! form.

mod call;
mod canon;
mod chain;
mod change;
mod checkpoint;
mod csv;
mod entry;
mod export;
mod line;
mod store;
mod verify;

pub use call::{ArgumentsPart, CallPart, ClientPart, PolicyPart, UpstreamPart};
pub use canon::{ActorPart, NotCanonical, OriginPart, Record, TargetPart};
pub use chain::{ChainHead, CheckpointBody, Hash, Hex, PublicKey, SignedCheckpoint, Signer};
pub use checkpoint::{Urgency, checkpoint, checkpoint_instance};
pub use csv::{csv_head, csv_row};
pub use entry::{Decision, Entry, EventKind, Who};
pub use export::{ExportWriter, Scope};
pub use line::key_line;
pub use store::{
    ARGUMENTS, SEALED_ARGUMENTS, SealedArguments, find_arguments, keep_arguments, shorten_arguments,
    sweep_arguments,
};
pub use store::{
    Appended, Attempt, AttemptedCall, Batch, CallEntry, CallKeeper, CallRow, CheckpointRow, EventDetail,
    EventFilter, EventRow, Except, Kept, Lack, Neighbors, NewSigningKey, Proof, Reach, SealedSigningKey,
    StoredEvent, Sum, Unrecorded, append, attempts, chains, commit, commit_appended, commit_unrecorded,
    due_chains, find, find_by_seq, find_signing_key, head, insert_signing_key, is_open, list,
    list_abandoned_calls, list_public_keys, moment_in_zone, neighbors, orgs_with_abandoned_calls, proof,
    reach, read_batch, record_calls, reseal_signing_key, retire_signing_key,
};
pub use store::{
    MOST_COUNTED, PastCall, PastEvent, Searched, SigningKeyRow, Traffic, calls_of, list_signing_keys,
    past_events, search, search_newer, traffic,
};
pub use verify::{
    Anchors, BadAnchors, ChainReport, Fault, LaterAnchors, Report, Tampering, Verifier, VerifyError, verify,
};
