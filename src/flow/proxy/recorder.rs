//! Puts calls on record: many at once, so that one commit of the database serves all that wait for it.
//!
//! Each organization has a lane. The first call into an empty lane is written at once; what comes while that is under
//! way waits and is written together. Nobody waits for an outcome, so it rests for a moment and is written with the call
//! that comes next: else that call would wait behind it, and each call would cost two commits. An idle lane costs nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};
use tokio_util::task::TaskTracker;

use crate::{
    base::ids::{EventId, OrgId, ReplicaId},
    domain::{
        audit::{self, CallEntry, CallKeeper, CallRow, ChainHead, Kept, Lack, Sum},
        limits::{self, Taking},
    },
    io::db::{Db, DbError, DbResult, OrgScope, OrgTx, Tx},
};

/// Records of one statement at the most: enough to share a commit, few enough that none waits long.
const BATCH: usize = 128;
/// How many batches go over a connection before it is given back: giving it back and taking one costs a round trip.
const BATCHES: usize = 8;
/// Outcomes that wait for a database that is away; beyond this many the oldest are given up, and recovery closes them.
const MAX_LATE: usize = 10_000;
/// How many organizations' ends of the chain are kept in mind; beyond, all are forgotten and asked for anew.
const MAX_ENDS: usize = 10_000;
/// How long outcomes rest for a call to come that they are written with.
const REST: Duration = Duration::from_millis(3);
/// How long a lane rests before it tries again to write outcomes.
const RETRY: Duration = Duration::from_secs(1);
/// When is looked whether a doubtful record stands: a statement may go on for a while whose connection broke.
const DOUBTS: [Duration; 3] = [RETRY, Duration::from_secs(10), Duration::from_secs(60)];

/// Whether a record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It does.
    Kept,
    /// It does not, for it lacks room in a limit, or an approval.
    Lacks(Lack),
    /// It was judged at another epoch than this, which is the organization's; none where it is gone.
    Stale(Option<i64>),
    /// The connection broke while it was being kept, so nobody knows; whatever waits for it must not be done.
    Doubtful,
}

/// Why a batch is not on record.
struct Unkept {
    error: DbError,
    /// Whether it may be all the same.
    is_doubtful: bool,
}

/// The database is away, full or busy: nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call could not be put on record")]
pub struct Away;

/// Where it comes what became of a record that was handed in; nothing comes where the process ends first.
pub type Answered = oneshot::Receiver<Result<Stand, Away>>;

type Answer = oneshot::Sender<Result<Stand, Away>>;

struct Waiting {
    row: CallRow,
    /// What it counts in limits.
    taking: Option<Taking>,
    /// Who waits; nobody for an outcome.
    answer: Option<Answer>,
}

#[derive(Default)]
struct Lane {
    waiting: Vec<Waiting>,
    is_writing: bool,
    /// Where outcomes rest: what ends their rest.
    resting: Option<Arc<Notify>>,
}

impl Lane {
    /// Whether it is to be written now: somebody waits, or there is enough for a statement, or nothing to wait for.
    fn is_pressing(&self) -> bool {
        self.waiting.is_empty()
            || self.waiting.len() >= BATCH
            || self.waiting.iter().any(|waiting| waiting.answer.is_some())
    }
}

#[derive(Default)]
struct Lanes {
    by_org: HashMap<OrgId, Lane>,
    /// Where chains ended when this replica last wrote to them. Others write to them too, so it is no more than a guess.
    ends: HashMap<OrgId, ChainHead>,
}

/// Puts calls on record.
pub struct Recorder {
    db: Db,
    replica: ReplicaId,
    tasks: TaskTracker,
    lanes: Mutex<Lanes>,
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

    /// Puts a record into the organization's chain, with what it counts, and waits until it is there for good.
    ///
    /// # Errors
    /// [`Away`]; then it does not stand.
    pub async fn record(
        self: &Arc<Self>,
        scope: OrgScope,
        call: CallEntry,
        taking: Option<Taking>,
    ) -> Result<Stand, Away> {
        self.hand_in(scope, call, taking).await.unwrap_or(Err(Away))
    }

    /// Hands a record in, with what it counts. It is written also where nobody waits for what becomes of it.
    pub fn hand_in(
        self: &Arc<Self>,
        scope: OrgScope,
        mut call: CallEntry,
        mut taking: Option<Taking>,
    ) -> Answered {
        let (answer, answered) = oneshot::channel();
        call.limits = taking.as_mut().map(|taking| std::mem::take(&mut taking.text));
        self.enter(scope, Waiting { row: call.written(scope.org()), taking, answer: Some(answer) });
        answered
    }

    /// Waits in the stead of somebody who is gone, and hands over what became of the record.
    pub fn see_to(&self, answered: Answered, then: impl FnOnce(&Stand) + Send + 'static) {
        self.tasks.spawn(async move {
            if let Ok(Ok(stand)) = answered.await {
                then(&stand);
            }
        });
    }

    /// Puts an outcome into the organization's chain, soon; while the database is away it is tried again.
    pub fn record_soon(self: &Arc<Self>, scope: OrgScope, call: CallEntry) {
        self.enter(scope, Waiting { row: call.written(scope.org()), taking: None, answer: None });
    }

    /// Finds out whether a doubtful intent stands, and says so where it does.
    pub fn ask_after(&self, scope: OrgScope, intent: EventId, then: impl FnOnce(&Stand) + Send + 'static) {
        let db = self.db.clone();
        self.tasks.spawn(async move {
            for pause in DOUBTS {
                if stands(&db, scope, intent, pause).await {
                    return then(&Stand::Kept);
                }
            }
        });
    }

    fn enter(self: &Arc<Self>, scope: OrgScope, waiting: Waiting) {
        let begins = {
            let mut lanes = self.lock();
            let lane = lanes.by_org.entry(scope.org()).or_default();
            lane.waiting.push(waiting);
            if lane.resting.is_some() && lane.is_pressing() {
                lane.resting.take().iter().for_each(|resting| resting.notify_one());
            }
            !std::mem::replace(&mut lane.is_writing, true)
        };
        if begins {
            let recorder = Arc::clone(self);
            self.tasks.spawn(async move { recorder.write(scope).await });
        }
    }

    /// Writes until the lane is empty.
    async fn write(&self, scope: OrgScope) {
        let mut held: Option<(CallKeeper, usize)> = None;
        loop {
            if let Some(resting) = self.resting(scope.org()) {
                held = None;
                let _ = tokio::time::timeout(REST, resting.notified()).await;
            }
            let Some((batch, end)) = self.next(scope.org()) else { break };
            let sum = match limits::sum(batch.iter().filter_map(|waiting| waiting.taking.as_ref())) {
                Ok(sum) => Sum::Known(sum),
                Err(limits::NoSum) => Sum::Unknown,
            };
            let (mut rows, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.row, waiting.answer)).unzip();
            match self.keep(scope, &mut held, &mut rows, end, sum).await {
                Ok(kept) => {
                    self.keep_end(scope.org(), kept.head);
                    for ((answer, stands), lack) in answers.into_iter().zip(kept.stands).zip(kept.lacks) {
                        let stand = match lack {
                            Some(lack) => Stand::Lacks(lack),
                            None if stands => Stand::Kept,
                            None => Stand::Stale(kept.epoch),
                        };
                        let _ = answer.map(|answer| answer.send(Ok(stand)));
                    }
                }
                Err(Unkept { error, is_doubtful }) => {
                    tracing::warn!(%error, calls = answers.len(), "calls could not be put on record");
                    let outcomes = rows.into_iter().zip(&answers).filter(|(_, answer)| answer.is_none());
                    let late = outcomes.map(|(row, _)| row).collect();
                    for answer in answers.into_iter().flatten() {
                        let _ = answer.send(if is_doubtful { Ok(Stand::Doubtful) } else { Err(Away) });
                    }
                    self.put_back(scope.org(), late);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// What ends the rest of the lane; none where it does not rest, for somebody waits for what is in it.
    fn resting(&self, org: OrgId) -> Option<Arc<Notify>> {
        let mut lanes = self.lock();
        let lane = lanes.by_org.get_mut(&org).filter(|lane| !lane.is_pressing())?;
        Some(Arc::clone(lane.resting.insert(Arc::default())))
    }

    /// Puts a batch into the chain, over the connection that the batch before came over, where there is one.
    async fn keep(
        &self,
        scope: OrgScope,
        held: &mut Option<(CallKeeper, usize)>,
        rows: &mut [CallRow],
        end: Option<ChainHead>,
        sum: Sum,
    ) -> Result<Kept, Unkept> {
        let (mut keeper, written) = match held.take() {
            Some(held) => held,
            None => {
                let begun = CallKeeper::begin(&self.db, scope).await;
                (begun.map_err(|error| Unkept { error, is_doubtful: false })?, 0)
            }
        };
        let kept = keeper.keep(self.replica, rows, end, sum).await.map_err(|error| {
            let is_doubtful = matches!(error, DbError::Away(_));
            Unkept { error, is_doubtful }
        })?;
        // Others wait for a connection too.
        if written + 1 < BATCHES {
            *held = Some((keeper, written + 1));
        }
        Ok(kept)
    }

    /// What is to be written next, and where the chain ends as far as is known; where nothing is, the lane is closed.
    fn next(&self, org: OrgId) -> Option<(Vec<Waiting>, Option<ChainHead>)> {
        let mut lanes = self.lock();
        let end = lanes.ends.get(&org).copied();
        let lane = lanes.by_org.get_mut(&org)?;
        if lane.waiting.is_empty() {
            lanes.by_org.remove(&org);
            return None;
        }
        let rest = lane.waiting.split_off(lane.waiting.len().min(BATCH));
        Some((std::mem::replace(&mut lane.waiting, rest), end))
    }

    fn keep_end(&self, org: OrgId, end: ChainHead) {
        let mut lanes = self.lock();
        if lanes.ends.len() >= MAX_ENDS && !lanes.ends.contains_key(&org) {
            lanes.ends.clear();
        }
        lanes.ends.insert(org, end);
    }

    fn put_back(&self, org: OrgId, late: Vec<CallRow>) {
        let mut lanes = self.lock();
        if let Some(lane) = lanes.by_org.get_mut(&org) {
            let again = |row: CallRow| Waiting { row: row.once_more(), taking: None, answer: None };
            let mut waiting: Vec<_> = late.into_iter().map(again).collect();
            waiting.append(&mut lane.waiting);
            let surplus = waiting.len().saturating_sub(MAX_LATE);
            lane.waiting = waiting.split_off(surplus);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an intent stands without an outcome, after a while and as soon as the database can say so.
async fn stands(db: &Db, scope: OrgScope, intent: EventId, pause: Duration) -> bool {
    loop {
        tokio::time::sleep(pause).await;
        let found: DbResult<bool> = async {
            let mut tx = OrgTx::begin(db, scope).await?;
            let is_open = audit::is_open(&mut tx, intent).await?;
            tx.done().await?;
            Ok(is_open)
        }
        .await;
        match found {
            Ok(is_open) => return is_open,
            Err(error) => tracing::debug!(%error, "it cannot be seen whether a call is on record"),
        }
    }
}
