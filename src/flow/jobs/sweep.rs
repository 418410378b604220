//! Chores: what is finished or over leaves the database after a while.

use crate::{
    base::clock::Clock,
    domain::{
        approvals::store::{tasks, waiting},
        audit::{self, Unrecorded},
        automation::store as automation,
        connections::store::requests,
        identity::{attempts::Limits, store as identity},
        jobs::{rules, store},
        limits::store as counts,
        questions::store as questions,
        servers::store::checks,
        subscriptions::store as subscriptions,
    },
    flow::jobs::JobError,
    io::db::{Db, SystemTx},
};

/// The kind of job that sweeps finished jobs; once an hour is right.
pub const SWEEP_JOBS: &str = "sweep_jobs";
/// The kind of job that sweeps what has run out: sessions, links, ceremonies, counters, kept answers.
pub const SWEEP_EXPIRED: &str = "sweep_expired";

/// How many kept answers one run deletes at the most; the next run takes the rest.
const ANSWERS: i64 = 10_000;
/// How many looks at servers one run deletes at the most.
const CHECKS: i64 = 50_000;

/// Deletes jobs that finished a week ago.
///
/// # Errors
/// When the database is away.
pub async fn sweep_jobs(db: &Db, clock: &Clock) -> Result<(), JobError> {
    let mut tx = SystemTx::begin(db).await?;
    let swept = store::sweep(&mut tx, clock.now() - rules::FINISHED_TTL).await?;
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?;
    tracing::debug!(swept, "swept finished jobs");
    Ok(())
}

/// Deletes what has run out.
///
/// # Errors
/// When the database is away.
pub async fn sweep_expired(db: &Db, clock: &Clock, limits: &Limits) -> Result<(), JobError> {
    let now = clock.now();
    let mut tx = SystemTx::begin(db).await?;
    let sessions = identity::sessions::sweep(&mut tx, now).await?;
    let links = identity::mail_tokens::sweep(&mut tx, now).await?;
    let ceremonies = identity::ceremonies::sweep(&mut tx, now).await?;
    let counters = identity::attempts::sweep(&mut tx, limits.sign_in_to_account, now).await?;
    let answers = automation::idempotency::delete_expired(&mut tx, now, ANSWERS).await?;
    let counts = counts::sweep(&mut tx, now).await?;
    let called_off = waiting::sweep(&mut tx).await?;
    let tasks = tasks::sweep(&mut tx, now).await?;
    let questions = questions::sweep(&mut tx).await?;
    let subscriptions = subscriptions::sweep(&mut tx).await?;
    let arguments = audit::sweep_arguments(&mut tx, now).await?;
    let unfinished = requests::sweep(&mut tx, now).await?;
    let looks = checks::sweep(&mut tx, now, CHECKS).await?;
    audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?;
    tracing::debug!(
        looks,
        called_off,
        tasks,
        questions,
        subscriptions,
        arguments,
        unfinished,
        counts,
        sessions,
        links,
        ceremonies,
        counters,
        answers,
        "swept what has run out"
    );
    Ok(())
}
