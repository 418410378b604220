//! Runs the queue: which handler does which kind of job, when jobs come round, and the workers of this replica.
//!
//! Owns the registry, the timetable and the runner. Lacks on purpose the handlers, but for the queue's own sweep:
//! they stand with what they work on, and the app registers them.
//!
//! Invariant: a handler runs outside any transaction of the queue and may run twice; it must bear that.
//! Invariant: a panicking handler fails its job and nothing else; what it panicked with is not recorded.
//! Invariant: the record of a failure holds the words of the error, never the payload.

mod abandoned_calls;
mod account_letters;
mod mirror;
mod org_deletion;
mod registry;
pub mod rewrap;
mod runner;
mod sweep;
pub mod table;
mod tell_org;
mod timetable;
mod worker;

use std::{
    error::Error,
    sync::{Arc, atomic::AtomicU64},
};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{base::ids::JobId, io::db::DbError};

pub use account_letters::{AccountLetter, AskedFor, SEND_ACCOUNT_LETTER, place, verification};
pub use mirror::{AuthAction, AuthEvent, MIRROR_AUTH_EVENT};
pub use org_deletion::{DELETE_ORGS, delete_orgs, erase_org};
pub use registry::Registry;
pub use runner::{Runner, RunnerParts};
pub use sweep::{SWEEP_EXPIRED, SWEEP_JOBS, sweep_expired, sweep_jobs};

/// One run of a job, as its handler sees it.
#[derive(Clone, Debug)]
pub struct JobRun {
    /// The job.
    pub id: JobId,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// Falls when the replica is asked to stop: a handler with much to do ends early and leaves the rest.
    pub stop: CancellationToken,
    payload: Value,
}

impl JobRun {
    /// What the job was enqueued with.
    ///
    /// # Errors
    /// When the payload has another shape; then no further attempt helps.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        // The parser's own words may quote the payload.
        T::deserialize(&self.payload).map_err(|_| JobError::give_up("the payload has an unexpected shape"))
    }
}

/// Why a handler did not do its job; the operator sees the words, the log the chain of causes.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Another attempt may do it.
    #[error(transparent)]
    Again(Box<dyn Error + Send + Sync>),
    /// No attempt will do it.
    #[error(transparent)]
    GiveUp(Box<dyn Error + Send + Sync>),
}

impl JobError {
    /// Another attempt may do it.
    pub fn again(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Again(why.into())
    }

    /// No attempt will do it.
    pub fn give_up(why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::GiveUp(why.into())
    }
}

impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        Self::again(error)
    }
}

/// Tells this replica's workers that a job was enqueued; call it after the commit.
///
/// Other replicas find the job within a second by looking.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Wakes the workers.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// What this replica's workers did since it started.
#[derive(Debug, Default)]
pub struct JobGauges {
    /// Jobs that are running now.
    pub running: AtomicU64,
    /// Jobs done.
    pub finished: AtomicU64,
    /// Attempts that failed and will be repeated.
    pub retried: AtomicU64,
    /// Jobs kept for the operator.
    pub failed: AtomicU64,
    /// Attempts that ended in a panic; counted as retried or failed too.
    pub panicked: AtomicU64,
    /// Jobs that another replica took over because we did not renew in time.
    pub lost: AtomicU64,
    /// Times that the queue could not be read or written.
    pub queue_errors: AtomicU64,
}
