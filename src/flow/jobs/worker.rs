//! One claimed job from its handler's first step to the word in the queue.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, interval_at},
};

use crate::{
    base::crypto::random,
    domain::{
        audit::{self, Unrecorded},
        jobs::{ClaimedJob, rules, store},
    },
    flow::jobs::{JobError, JobRun, runner::Inner},
    io::db::{DbResult, SystemTx},
};

/// How often a lease is renewed: four times within its length.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How a run ended.
enum End {
    Done,
    Failed(JobError),
    Panicked,
    /// The lease ended while we ran; another replica has the job.
    Lost,
    /// The process is going down; the job runs again when the lease ends.
    Cut,
}

/// Runs a job and reports to the queue.
pub(super) async fn run<C: Clone + Send + Sync + 'static>(inner: &Arc<Inner<C>>, job: ClaimedJob) {
    let running = Running::begin(&inner.gauges.running);
    let end = match begin(inner, &job) {
        Some(task) => attend(inner, &job, task).await,
        None => End::Failed(JobError::again("this replica has no handler for the job")),
    };
    drop(running);
    if let Err(error) = report(inner, &job, end).await {
        inner.gauges.queue_errors.fetch_add(1, Ordering::Relaxed);
        // Its lease will end and the job run again.
        tracing::warn!(job = %job.id, kind = job.kind, error = chain(&error), "the end of a job was not recorded");
    }
}

/// The handler runs in a task of its own, so that a panic ends there and heartbeats do not wait for it.
fn begin<C: Clone + Send + Sync + 'static>(
    inner: &Inner<C>,
    job: &ClaimedJob,
) -> Option<JoinHandle<Result<(), JobError>>> {
    let run = JobRun {
        id: job.id,
        attempt: job.attempt,
        stop: inner.parts.stop.clone(),
        payload: job.payload.clone(),
    };
    let future = inner.registry.run(&job.kind, inner.cx.clone(), run)?;
    Some(inner.parts.tracker.spawn(future))
}

async fn attend<C>(inner: &Inner<C>, job: &ClaimedJob, mut task: JoinHandle<Result<(), JobError>>) -> End {
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            ended = &mut task => return understand(ended),
            _ = heartbeat.tick() => match renew(inner, job).await {
                Ok(true) => {}
                Ok(false) => {
                    task.abort();
                    return End::Lost;
                }
                // The next heartbeat may get through before the lease ends.
                Err(error) => tracing::warn!(job = %job.id, error = chain(&error), "a lease was not renewed"),
            },
        }
    }
}

fn understand(ended: Result<Result<(), JobError>, JoinError>) -> End {
    match ended {
        Ok(Ok(())) => End::Done,
        Ok(Err(error)) => End::Failed(error),
        Err(error) if error.is_panic() => End::Panicked,
        Err(_) => End::Cut,
    }
}

async fn renew<C>(inner: &Inner<C>, job: &ClaimedJob) -> DbResult<bool> {
    let mut tx = SystemTx::begin(&inner.parts.db).await?;
    let held = store::renew(&mut tx, inner.parts.clock.now(), job).await?;
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    Ok(held)
}

async fn report<C>(inner: &Inner<C>, job: &ClaimedJob, end: End) -> DbResult<()> {
    match end {
        End::Done => finish(inner, job).await,
        End::Failed(error) => {
            let max = if matches!(error, JobError::Again(_)) { job.max_attempts } else { 0 };
            tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempt, error = chain(&error), "a job failed");
            fail(inner, job, &error.to_string(), max).await
        }
        End::Panicked => {
            count(&inner.gauges.panicked);
            tracing::error!(job = %job.id, kind = job.kind, attempt = job.attempt, "a job panicked");
            fail(inner, job, "The handler stopped at a defect (panic); the log says where.", job.max_attempts)
                .await
        }
        End::Lost => {
            count(&inner.gauges.lost);
            tracing::warn!(job = %job.id, kind = job.kind, "a job was taken over by another replica");
            Ok(())
        }
        End::Cut => Ok(()),
    }
}

async fn finish<C>(inner: &Inner<C>, job: &ClaimedJob) -> DbResult<()> {
    let mut tx = SystemTx::begin(&inner.parts.db).await?;
    let ours = store::finish(&mut tx, inner.parts.clock.now(), job).await?;
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    count(if ours { &inner.gauges.finished } else { &inner.gauges.lost });
    Ok(())
}

async fn fail<C>(inner: &Inner<C>, job: &ClaimedJob, error: &str, max_attempts: i32) -> DbResult<()> {
    let now = inner.parts.clock.now();
    let dice = u16::from_be_bytes(random::bytes());
    let again_at = rules::next_attempt(job.attempt, max_attempts, now, dice);
    let mut tx = SystemTx::begin(&inner.parts.db).await?;
    let ours = store::fail(&mut tx, now, job, error, again_at).await?;
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    count(match again_at {
        _ if !ours => &inner.gauges.lost,
        Some(_) => &inner.gauges.retried,
        None => &inner.gauges.failed,
    });
    Ok(())
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counts a running job for as long as it lives.
struct Running<'a>(&'a AtomicU64);

impl<'a> Running<'a> {
    fn begin(counter: &'a AtomicU64) -> Self {
        count(counter);
        Self(counter)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        line = format!("{line}: {next}");
        cause = next.source();
    }
    line
}
