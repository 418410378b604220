//! Limits on attempts, counted in one statement each.
//!
//! Call these in a short transaction of their own and commit it whatever becomes of the attempt: a refused
//! password that takes its count along when it rolls back would make guessing free.

use time::{Duration, OffsetDateTime};

use crate::{
    domain::identity::attempts::{Backoff, Budget, Key, TooSoon},
    io::db::{DbResult, SystemTx, Tx},
};

/// Takes one try out of a budget.
///
/// A row holds when all that was spent has come back; a try is allowed while that lies no further ahead than
/// the burst takes to come back (the generic cell rate algorithm of ITU-T I.371). A row that lies further ahead was
/// written before the clock was set back; it counts as a burst just spent, and must not shut anybody out for longer.
pub async fn spend(
    tx: &mut SystemTx,
    key: &Key,
    budget: Budget,
    now: OffsetDateTime,
) -> DbResult<Result<(), TooSoon>> {
    let answer = sqlx::query!(
        r#"with spent as (
                insert into attempts as old (key, due_at)
                    values ($1, $2::timestamptz + make_interval(secs => $3))
                on conflict (key) do update set due_at = case
                        when old.due_at > $2 + make_interval(secs => $4) then $2 + make_interval(secs => $4)
                        else greatest(old.due_at, $2) + make_interval(secs => $3) end
                    where old.due_at > $2 + make_interval(secs => $4)
                        or greatest(old.due_at, $2) + make_interval(secs => $3) <= $2 + make_interval(secs => $4)
                returning due_at
            )
            select due_at as "due_at!", true as "is_allowed!" from spent
            union all
            select due_at, false from attempts where key = $1 and not exists (select from spent)"#,
        key.bytes(),
        now,
        budget.every.as_seconds_f64(),
        budget.reach().as_seconds_f64()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match answer {
        Some(row) if row.is_allowed => Ok(()),
        Some(row) => Err(TooSoon { retry_after: row.due_at + budget.every - budget.reach() - now }),
        // Another transaction made the row while this one looked.
        None => Err(TooSoon { retry_after: budget.every }),
    })
}

/// Counts one try in a row, before its outcome is known; [`forget`] it when it succeeded.
///
/// A wait beyond the longest was written before the clock was set back, and is over.
pub async fn try_once(
    tx: &mut SystemTx,
    key: &Key,
    backoff: Backoff,
    now: OffsetDateTime,
) -> DbResult<Result<(), TooSoon>> {
    let waits: Vec<f64> = backoff.waits().into_iter().map(Duration::as_seconds_f64).collect();
    let answer = sqlx::query!(
        r#"with tried as (
                insert into attempts as old (key, due_at, tries)
                    values ($1, $2::timestamptz + make_interval(secs => ($3::float8[])[1]), 1)
                on conflict (key) do update set (tries, due_at) = (
                        select n, $2 + make_interval(secs => ($3::float8[])[least(n, cardinality($3))])
                        from (select case when old.due_at <= $4 then 1 else least(old.tries, 1000000) + 1 end)
                            as next (n)
                    )
                    where old.due_at <= $2 or old.due_at > $2 + make_interval(secs => $5)
                returning due_at
            )
            select due_at as "due_at!", true as "is_allowed!" from tried
            union all
            select due_at, false from attempts where key = $1 and not exists (select from tried)"#,
        key.bytes(),
        now,
        &waits,
        now - backoff.forget_after,
        backoff.longest.as_seconds_f64()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match answer {
        Some(row) if row.is_allowed => Ok(()),
        Some(row) => Err(TooSoon { retry_after: row.due_at - now }),
        None => Err(TooSoon { retry_after: backoff.first }),
    })
}

/// Forgets what was counted, after a success.
pub async fn forget(tx: &mut SystemTx, key: &Key) -> DbResult<()> {
    sqlx::query!("delete from attempts where key = $1", key.bytes()).execute(tx.conn()).await?;
    Ok(())
}

/// Deletes what no longer limits anything and says how many.
pub async fn sweep(tx: &mut SystemTx, backoff: Backoff, now: OffsetDateTime) -> DbResult<u64> {
    let done = sqlx::query!("delete from attempts where due_at <= $1", now - backoff.forget_after);
    Ok(done.execute(tx.conn()).await?.rows_affected())
}
