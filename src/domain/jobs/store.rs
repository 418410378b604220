//! All SQL of the job queue.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::{
        ids::{JobId, ReplicaId},
        page::{Page, PageRequest},
    },
    domain::jobs::{ClaimedJob, JobCount, JobFilter, JobRow, JobState, NewJob, Reclaimed, Turn, rules},
    io::db::{DbResult, SystemTx, Tx},
};

/// Enqueues a job with the change that asks for it: both are kept or neither.
///
/// Returns nothing where an unfinished job of the kind already carries the dedup key.
///
/// # Errors
/// When the database is away or the payload does not serialize.
pub async fn enqueue<P: Serialize>(
    tx: &mut impl Tx,
    now: OffsetDateTime,
    job: NewJob<'_, P>,
) -> DbResult<Option<JobId>> {
    let id = JobId::fresh();
    let payload = serde_json::to_value(&job.payload).map_err(|e| sqlx::Error::Encode(e.into()))?;
    // No conflict target and no RETURNING: either would need the right to read, which the application lacks here.
    let inserted = sqlx::query!(
        "insert into jobs (id, kind, payload, dedup_key, run_at, max_attempts, created_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        id as JobId,
        job.kind,
        payload,
        job.dedup_key,
        job.run_at,
        rules::MAX_ATTEMPTS,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok((inserted == 1).then_some(id))
}

/// Enqueues one turn of a job that comes round by the clock, unless a replica already did or the turn before is
/// unfinished.
///
/// # Errors
/// When the database is away.
pub async fn enqueue_turn(tx: &mut SystemTx, now: OffsetDateTime, turn: Turn) -> DbResult<bool> {
    let inserted = sqlx::query!(
        "insert into jobs (id, kind, dedup_key, run_at, max_attempts, created_at)
         values ($1, $2, 'turn', $3, $4, $3) on conflict do nothing",
        turn.id as JobId,
        turn.kind,
        now,
        rules::MAX_TURN_ATTEMPTS,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(inserted == 1)
}

/// Takes due jobs of the given kinds for a replica, those that waited longest first.
///
/// Replicas that claim at once get different jobs.
///
/// # Errors
/// When the database is away.
pub async fn claim(
    tx: &mut SystemTx,
    now: OffsetDateTime,
    replica: ReplicaId,
    kinds: &[String],
    limit: i64,
) -> DbResult<Vec<ClaimedJob>> {
    let rows = sqlx::query!(
        r#"with due as (
            select id from jobs
            where finished_at is null and failed_at is null and locked_until is null
              and run_at <= $1 and kind = any($4)
            order by run_at
            limit $5
            for update skip locked)
        update jobs set locked_by = $2, locked_until = $3, attempts = attempts + 1
        from due where jobs.id = due.id
        returning jobs.id as "id: JobId", kind, payload, attempts, max_attempts"#,
        now,
        replica as ReplicaId,
        now + rules::LEASE_TTL,
        kinds,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let claimed = rows.into_iter().map(|r| ClaimedJob {
        id: r.id,
        kind: r.kind,
        payload: r.payload,
        attempt: r.attempts,
        max_attempts: r.max_attempts,
        replica,
    });
    Ok(claimed.collect())
}

/// Extends a lease; false where the job is no longer ours.
///
/// # Errors
/// When the database is away.
pub async fn renew(tx: &mut SystemTx, now: OffsetDateTime, job: &ClaimedJob) -> DbResult<bool> {
    let renewed = sqlx::query!(
        "update jobs set locked_until = $4
         where id = $1 and locked_by = $2 and attempts = $3 and finished_at is null and failed_at is null",
        job.id as JobId,
        job.replica as ReplicaId,
        job.attempt,
        now + rules::LEASE_TTL,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(renewed == 1)
}

/// Marks a job as done; false where it is no longer ours.
///
/// # Errors
/// When the database is away.
pub async fn finish(tx: &mut SystemTx, now: OffsetDateTime, job: &ClaimedJob) -> DbResult<bool> {
    let finished = sqlx::query!(
        "update jobs set finished_at = $4, locked_by = null, locked_until = null, last_error = null
         where id = $1 and locked_by = $2 and attempts = $3 and finished_at is null and failed_at is null",
        job.id as JobId,
        job.replica as ReplicaId,
        job.attempt,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(finished == 1)
}

/// Records a failed attempt: the job runs again at `again_at`, or is kept for the operator where that is nothing.
///
/// False where the job is no longer ours.
///
/// # Errors
/// When the database is away.
pub async fn fail(
    tx: &mut SystemTx,
    now: OffsetDateTime,
    job: &ClaimedJob,
    error: &str,
    again_at: Option<OffsetDateTime>,
) -> DbResult<bool> {
    let failed = sqlx::query!(
        "update jobs set locked_by = null, locked_until = null, last_error = $4,
            run_at = coalesce($5, run_at), failed_at = case when $5::timestamptz is null then $6::timestamptz end
         where id = $1 and locked_by = $2 and attempts = $3 and finished_at is null and failed_at is null",
        job.id as JobId,
        job.replica as ReplicaId,
        job.attempt,
        rules::shorten(error),
        again_at,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(failed == 1)
}

/// Takes jobs away from replicas that stopped renewing.
///
/// # Errors
/// When the database is away.
pub async fn reclaim(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<Reclaimed> {
    let row = sqlx::query!(
        r#"with lost as (
            update jobs set locked_by = null, locked_until = null, run_at = $1,
                last_error = 'The replica that ran this job stopped before the job was done.',
                failed_at = case when attempts >= max_attempts then $1 end
            where finished_at is null and failed_at is null and locked_until < $1
            returning failed_at)
        select count(*) filter (where failed_at is null) as "again!",
            count(*) filter (where failed_at is not null) as "given_up!" from lost"#,
        now,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Reclaimed { again: row.again.unsigned_abs(), given_up: row.given_up.unsigned_abs() })
}

/// Lets a failed job run again from its first attempt; false where it has not failed, or where another job
/// already waits under the same dedup key.
///
/// # Errors
/// When the database is away.
pub async fn retry(tx: &mut SystemTx, now: OffsetDateTime, id: JobId) -> DbResult<bool> {
    let retried = sqlx::query!(
        "update jobs set failed_at = null, attempts = 0, run_at = $2
         where id = $1 and failed_at is not null and (dedup_key is null or not exists (
            select from jobs o where o.kind = jobs.kind and o.dedup_key = jobs.dedup_key
                and o.finished_at is null and o.failed_at is null))",
        id as JobId,
        now,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(retried == 1)
}

/// Lists jobs for the operator, newest first.
///
/// # Errors
/// When the database is away.
pub async fn list(
    tx: &mut SystemTx,
    filter: &JobFilter,
    page: &PageRequest<JobId>,
) -> DbResult<Page<JobRow>> {
    let rows = sqlx::query!(
        r#"select id as "id: JobId", kind, run_at, attempts, max_attempts, locked_by as "locked_by: ReplicaId",
            locked_until, last_error, created_at, finished_at, failed_at
        from jobs
        where ($1::text is null or kind = $1)
          and ($2::text is null or $2 = case when finished_at is not null then 'finished'
                when failed_at is not null then 'failed'
                when locked_until is not null then 'running' else 'waiting' end)
          and ($3::uuid is null or id < $3)
        order by id desc limit $4"#,
        filter.kind,
        filter.state.map(JobState::as_str),
        page.after as Option<JobId>,
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let rows = rows.into_iter().map(|r| JobRow {
        id: r.id,
        kind: r.kind,
        state: state(r.finished_at.is_some(), r.failed_at.is_some(), r.locked_until.is_some()),
        run_at: r.run_at,
        attempts: r.attempts,
        max_attempts: r.max_attempts,
        locked_by: r.locked_by,
        locked_until: r.locked_until,
        last_error: r.last_error,
        created_at: r.created_at,
        finished_at: r.finished_at,
        failed_at: r.failed_at,
    });
    Ok(Page::cut(rows.collect(), page.limit, |row| row.id))
}

/// Counts jobs by kind and state.
///
/// # Errors
/// When the database is away.
pub async fn count(tx: &mut SystemTx) -> DbResult<Vec<JobCount>> {
    let rows = sqlx::query!(
        r#"select kind, finished_at is not null as "finished!", failed_at is not null as "failed!",
            locked_until is not null as "locked!", count(*) as "count!", min(run_at) as "oldest_run_at!"
        from jobs group by 1, 2, 3, 4 order by 1, 2, 3, 4"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let counts = rows.into_iter().map(|r| JobCount {
        kind: r.kind,
        state: state(r.finished, r.failed, r.locked),
        count: r.count,
        oldest_run_at: r.oldest_run_at,
    });
    Ok(counts.collect())
}

/// Deletes jobs that finished before the given moment, at most a few thousand at a time.
///
/// Failed jobs stay until the operator retries them, except turns: later turns have made up for those.
///
/// # Errors
/// When the database is away.
pub async fn sweep(tx: &mut SystemTx, before: OffsetDateTime) -> DbResult<u64> {
    let swept = sqlx::query!(
        "delete from jobs where id in (
            select id from jobs where finished_at < $1 or (failed_at < $1 and dedup_key = 'turn') limit 5000)",
        before,
    )
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(swept)
}

const fn state(finished: bool, failed: bool, locked: bool) -> JobState {
    match (finished, failed, locked) {
        (true, _, _) => JobState::Finished,
        (_, true, _) => JobState::Failed,
        (_, _, true) => JobState::Running,
        _ => JobState::Waiting,
    }
}
