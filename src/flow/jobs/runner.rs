//! The workers of one replica: find due jobs, run them side by side, stop in good order.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    base::{clock::Clock, crypto::random, ids::ReplicaId},
    domain::{
        audit::{self, Unrecorded},
        jobs::{ClaimedJob, Reclaimed, store},
    },
    flow::jobs::{JobGauges, Registry, Waker, timetable, worker},
    io::db::{Db, DbResult, SystemTx, Tx},
};

/// How many jobs one look at the queue takes at the most.
const BATCH: usize = 5;
/// How long the workers rest when nothing is due.
const REST: Duration = Duration::from_secs(1);
/// How long they rest when the queue cannot be read.
const REST_AFTER_ERROR: Duration = Duration::from_secs(5);
/// How often the timetable is consulted and lost jobs are looked for.
const ROUND: Duration = Duration::from_secs(5);

/// What a runner is made of.
#[derive(Clone, Debug)]
pub struct RunnerParts {
    /// The queue's database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// This process.
    pub replica: ReplicaId,
    /// How many jobs run side by side.
    pub workers: usize,
    /// Wakes the workers after an enqueue in this process.
    pub waker: Waker,
    /// Counts what runs in the background, so that the app can wait for it.
    pub tracker: TaskTracker,
    /// Falls when the replica is asked to stop.
    pub stop: CancellationToken,
}

/// Runs the queue; clones are one runner.
pub struct Runner<C>(Arc<Inner<C>>);

pub(super) struct Inner<C> {
    pub(super) parts: RunnerParts,
    pub(super) registry: Registry<C>,
    pub(super) kinds: Vec<String>,
    pub(super) cx: C,
    pub(super) gauges: Arc<JobGauges>,
}

impl<C> Clone for Runner<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for Runner<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("registry", &self.0.registry).finish_non_exhaustive()
    }
}

impl<C: Clone + Send + Sync + 'static> Runner<C> {
    /// Puts a runner together; `cx` is handed to every handler.
    pub fn new(parts: RunnerParts, registry: Registry<C>, cx: C) -> Self {
        let kinds = registry.kinds().map(str::to_owned).collect();
        Self(Arc::new(Inner { parts, registry, kinds, cx, gauges: Arc::default() }))
    }

    /// What the workers did so far.
    pub fn gauges(&self) -> Arc<JobGauges> {
        Arc::clone(&self.0.gauges)
    }

    /// Starts the workers and the timetable in the background.
    ///
    /// After `stop` falls no job is begun; the tracker is empty as soon as the running ones are done. A job that the
    /// process does not wait for runs again elsewhere when its lease ends.
    pub fn start(&self) {
        let tracker = &self.0.parts.tracker;
        tracker.spawn(work(Arc::clone(&self.0)));
        tracker.spawn(keep_time(Arc::clone(&self.0)));
    }

    /// Runs everything that is due now, one job after another, what that enqueues included; returns how many ran.
    ///
    /// For tests and for the command line, where nothing else runs the queue.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn run_due(&self) -> DbResult<u64> {
        let inner = &self.0;
        round(inner, &mut HashMap::new()).await?;
        let mut count = 0;
        loop {
            let claimed = claim(inner, 1).await?;
            if claimed.is_empty() {
                return Ok(count);
            }
            for job in claimed {
                worker::run(inner, job).await;
                count += 1;
            }
        }
    }
}

async fn work<C: Clone + Send + Sync + 'static>(inner: Arc<Inner<C>>) {
    let RunnerParts { workers, waker, tracker, stop, .. } = &inner.parts;
    let free = Arc::new(Semaphore::new((*workers).max(1)));
    while let Some(permits) = some_permits(&free, stop).await {
        let rest = match claim(&inner, permits.len()).await {
            Ok(claimed) if claimed.is_empty() => REST,
            Ok(claimed) => {
                for (job, permit) in claimed.into_iter().zip(permits) {
                    let inner = Arc::clone(&inner);
                    tracker.spawn(async move {
                        worker::run(&inner, job).await;
                        drop(permit);
                    });
                }
                continue;
            }
            Err(error) => {
                inner.gauges.queue_errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = worker::chain(&error), "the job queue cannot be read");
                REST_AFTER_ERROR
            }
        };
        drop(permits);
        tokio::select! {
            () = stop.cancelled() => {}
            () = waker.0.notified() => {}
            () = tokio::time::sleep(jittered(rest)) => {}
        }
    }
}

/// Waits for one free worker and takes as many more as are free, or nothing once the replica is to stop.
async fn some_permits(free: &Arc<Semaphore>, stop: &CancellationToken) -> Option<Vec<OwnedSemaphorePermit>> {
    let first = tokio::select! {
        biased;
        () = stop.cancelled() => return None,
        first = Arc::clone(free).acquire_owned() => first.ok()?,
    };
    let more = std::iter::from_fn(|| Arc::clone(free).try_acquire_owned().ok());
    Some(std::iter::once(first).chain(more).take(BATCH).collect())
}

async fn keep_time<C>(inner: Arc<Inner<C>>)
where
    C: Clone + Send + Sync + 'static,
{
    let mut seen = HashMap::new();
    loop {
        if let Err(error) = round(&inner, &mut seen).await {
            inner.gauges.queue_errors.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(error = worker::chain(&error), "the timetable of jobs cannot be kept");
        }
        tokio::select! {
            () = inner.parts.stop.cancelled() => return,
            () = tokio::time::sleep(jittered(ROUND)) => {}
        }
    }
}

/// Enqueues the turns that have begun and takes jobs away from replicas that vanished.
async fn round<C: 'static>(inner: &Inner<C>, seen: &mut HashMap<&'static str, i64>) -> DbResult<()> {
    let now = inner.parts.clock.now();
    let mut tx = SystemTx::begin(&inner.parts.db).await?;
    let begun = begin_turns(inner, &mut tx, now, seen).await?;
    let reclaimed = store::reclaim(&mut tx, now).await?;
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    if reclaimed != Reclaimed::default() {
        let Reclaimed { again, given_up } = reclaimed;
        tracing::warn!(again, given_up, "took jobs away from replicas that stopped reporting");
    }
    if !begun.is_empty() {
        inner.parts.waker.wake();
    }
    // Only now: had the commit failed, the turns would have to be tried again.
    seen.extend(begun);
    Ok(())
}

async fn begin_turns<C: 'static>(
    inner: &Inner<C>,
    tx: &mut SystemTx,
    now: OffsetDateTime,
    seen: &HashMap<&'static str, i64>,
) -> DbResult<Vec<(&'static str, i64)>> {
    let mut begun = Vec::new();
    for periodic in inner.registry.timetable() {
        let number = timetable::turn_number(*periodic, now);
        if seen.get(periodic.kind) != Some(&number) {
            store::enqueue_turn(tx, now, timetable::turn(*periodic, number)).await?;
            begun.push((periodic.kind, number));
        }
    }
    Ok(begun)
}

async fn claim<C>(inner: &Inner<C>, limit: usize) -> DbResult<Vec<ClaimedJob>> {
    let RunnerParts { db, clock, replica, .. } = &inner.parts;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut tx = SystemTx::begin(db).await?;
    let claimed = store::claim(&mut tx, clock.now(), *replica, &inner.kinds, limit).await?;
    if claimed.is_empty() {
        tx.done().await?;
    } else {
        audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    }
    Ok(claimed)
}

/// A tenth more or less, so that replicas do not look at the queue in step.
fn jittered(rest: Duration) -> Duration {
    let dice = u16::from_be_bytes(random::bytes());
    rest.mul_f64(0.9 + 0.2 * f64::from(dice) / f64::from(u16::MAX))
}
