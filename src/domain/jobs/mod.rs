//! The queue of work that outlives the request and the process that asked for it.
//!
//! Owns the table `jobs`. Lacks on purpose what the jobs do: `flow/jobs` maps each kind to its handler.
//!
//! Invariant: a job runs on one replica at a time, for as long as that replica renews its lease. A replica that
//! dies loses its leases, so a job runs at least once and its handler must bear being run again.
//! Invariant: every claim raises `attempts`; what an earlier claim has to say is ignored from then on.
//! Invariant: at most one unfinished job of a kind carries the same dedup key.
//! Invariant: a payload holds ids and small facts, never a secret, and the operator's list never shows it.

pub mod rules;
pub mod store;

use serde_json::Value;
use time::OffsetDateTime;

use crate::base::ids::{JobId, ReplicaId};

/// Work to be done once.
#[derive(Clone, Debug)]
pub struct NewJob<'a, P> {
    /// Which handler does it.
    pub kind: &'a str,
    /// What the handler needs to know; serializes to a JSON object.
    pub payload: P,
    /// While a job of this kind with the same key is unfinished, enqueueing another does nothing.
    pub dedup_key: Option<String>,
    /// When it becomes due.
    pub run_at: OffsetDateTime,
}

/// One turn of a job that comes round by the clock.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Which handler does it.
    pub kind: &'static str,
    /// The same for every replica and never used for another turn, so that only one of them enqueues it.
    pub id: JobId,
}

/// A job that this replica holds.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    /// The job.
    pub id: JobId,
    /// Which handler does it.
    pub kind: String,
    /// What the handler needs to know.
    pub payload: Value,
    /// Which attempt this is, from 1; also the fence against earlier claims.
    pub attempt: i32,
    /// After how many attempts the job is kept for the operator.
    pub max_attempts: i32,
    /// Who holds it.
    pub replica: ReplicaId,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobState {
    /// Waits for its time, its turn or its next attempt.
    Waiting,
    /// A replica works on it.
    Running,
    /// Kept for the operator: every attempt failed.
    Failed,
    /// Done.
    Finished,
}

impl JobState {
    /// All states, in the order a job may pass them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Running, Self::Failed, Self::Finished];

    /// The name in queries and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Running => "Running",
            Self::Failed => "Failed",
            Self::Finished => "Finished",
        }
    }
}

/// The text names no state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose waiting, running, failed or finished")]
pub struct NotAJobState;

impl std::str::FromStr for JobState {
    type Err = NotAJobState;

    fn from_str(text: &str) -> Result<Self, NotAJobState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAJobState)
    }
}

/// A job as the operator sees it: without its payload.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// The job.
    pub id: JobId,
    /// Which handler does it.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// When it becomes due, or became due last.
    pub run_at: OffsetDateTime,
    /// How often it was begun.
    pub attempts: i32,
    /// After how many attempts it is kept for the operator.
    pub max_attempts: i32,
    /// Who works on it.
    pub locked_by: Option<ReplicaId>,
    /// Until when that replica has promised to report.
    pub locked_until: Option<OffsetDateTime>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: OffsetDateTime,
    /// When it was done.
    pub finished_at: Option<OffsetDateTime>,
    /// When its last attempt failed.
    pub failed_at: Option<OffsetDateTime>,
}

/// Which jobs a list shows; none means all.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
}

/// How many jobs of a kind are in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// Which handler does them.
    pub kind: String,
    /// Where they stand.
    pub state: JobState,
    /// How many there are.
    pub count: i64,
    /// The earliest time at which one of them was or becomes due: how far behind the queue is.
    pub oldest_run_at: OffsetDateTime,
}

/// What became of the jobs whose replica vanished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// These wait for another replica.
    pub again: u64,
    /// These were at their last attempt and are kept for the operator.
    pub given_up: u64,
}
