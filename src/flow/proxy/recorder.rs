//! Puts calls on record: many at once, so that one commit of the database serves all that wait for it.
//!
//! Each organization has a lane. The first call into an empty lane is written at once; what comes while that is under
//! way waits and is written together. No timer is needed, and an idle lane costs nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::{
    base::ids::{OrgId, ReplicaId},
    domain::audit::{self, CallEntry, Lack},
    io::db::{Db, OrgScope},
};

/// Records of one statement at the most: enough to share a commit, few enough that none waits long.
const BATCH: usize = 128;
/// Outcomes that wait for a database that is away; beyond this many the oldest are given up, and recovery closes them.
const MAX_LATE: usize = 10_000;
/// How long a lane rests before it tries again to write outcomes.
const RETRY: Duration = Duration::from_secs(1);

/// Whether a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It does.
    Kept,
    /// It does not, for it lacks room in a limit, or an approval.
    Lacks(Lack),
    /// It was judged at another epoch than this, which is the organization's; none where it is gone.
    Stale(Option<i64>),
}

/// The database is away, full or busy: nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call could not be put on record")]
pub struct Away;

type Answer = oneshot::Sender<Result<Stand, Away>>;

struct Waiting {
    call: CallEntry,
    /// Who waits; nobody for an outcome.
    answer: Option<Answer>,
}

#[derive(Default)]
struct Lane {
    waiting: Vec<Waiting>,
    is_writing: bool,
}

/// Puts calls on record.
pub struct Recorder {
    db: Db,
    replica: ReplicaId,
    tasks: TaskTracker,
    lanes: Mutex<HashMap<OrgId, Lane>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("replica", &self.replica).finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder for this process.
    pub fn new(db: Db, replica: ReplicaId, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { db, replica, tasks, lanes: Mutex::default() })
    }

    /// Puts a record into the organization's chain and waits until it is there for good.
    ///
    /// # Errors
    /// [`Away`]; then it does not stand.
    pub async fn record(self: &Arc<Self>, scope: OrgScope, call: CallEntry) -> Result<Stand, Away> {
        let (answer, answered) = oneshot::channel();
        self.enter(scope, Waiting { call, answer: Some(answer) });
        answered.await.unwrap_or(Err(Away))
    }

    /// Puts an outcome into the organization's chain, soon; while the database is away it is tried again.
    pub fn record_soon(self: &Arc<Self>, scope: OrgScope, call: CallEntry) {
        self.enter(scope, Waiting { call, answer: None });
    }

    fn enter(self: &Arc<Self>, scope: OrgScope, waiting: Waiting) {
        let begins = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            let lane = lanes.entry(scope.org()).or_default();
            lane.waiting.push(waiting);
            !std::mem::replace(&mut lane.is_writing, true)
        };
        if begins {
            let recorder = Arc::clone(self);
            self.tasks.spawn(async move { recorder.write(scope).await });
        }
    }

    /// Writes until the lane is empty.
    async fn write(&self, scope: OrgScope) {
        while let Some(batch) = self.next(scope.org()) {
            let (calls, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.call, waiting.answer)).unzip();
            let late: Vec<_> = calls
                .iter()
                .zip(&answers)
                .filter(|(_, answer)| answer.is_none())
                .map(|(call, _)| call.clone())
                .collect();
            match audit::record_calls(&self.db, scope, self.replica, calls).await {
                Ok(kept) => {
                    for ((answer, stands), lack) in answers.into_iter().zip(kept.stands).zip(kept.lacks) {
                        let stand = match lack {
                            Some(lack) => Stand::Lacks(lack),
                            None if stands => Stand::Kept,
                            None => Stand::Stale(kept.epoch),
                        };
                        let _ = answer.map(|answer| answer.send(Ok(stand)));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, calls = answers.len(), "calls could not be put on record");
                    for answer in answers.into_iter().flatten() {
                        let _ = answer.send(Err(Away));
                    }
                    self.put_back(scope.org(), late);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// What is to be written next; where nothing is, the lane is closed.
    fn next(&self, org: OrgId) -> Option<Vec<Waiting>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.get_mut(&org)?;
        if lane.waiting.is_empty() {
            lanes.remove(&org);
            return None;
        }
        let rest = lane.waiting.split_off(lane.waiting.len().min(BATCH));
        Some(std::mem::replace(&mut lane.waiting, rest))
    }

    fn put_back(&self, org: OrgId, late: Vec<CallEntry>) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get_mut(&org) {
            let mut waiting: Vec<_> = late
                .into_iter()
                .map(|call| Waiting { call: CallEntry { again: true, ..call }, answer: None })
                .collect();
            waiting.append(&mut lane.waiting);
            let surplus = waiting.len().saturating_sub(MAX_LATE);
            lane.waiting = waiting.split_off(surplus);
        }
    }
}
