//! All SQL of the history of health.

use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    base::{
        ids::ServerId,
        page::{Page, PageRequest},
    },
    domain::servers::{Check, Checked, DayHealth, HISTORY_TTL, texts::clipped},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// Keeps one look at a server's health.
///
/// # Errors
/// When the database refuses.
pub async fn record(tx: &mut OrgTx, server: ServerId, check: &Check) -> DbResult<()> {
    let (step, cause) = match &check.outcome {
        Checked::Well => (None, None),
        Checked::Failed { step, cause } => (Some(clipped(step, 40)), Some(clipped(cause, 1000))),
    };
    sqlx::query!(
        "insert into server_checks (org_id, server_id, at, ok, latency_ms, step, cause)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (org_id, server_id, at) do nothing",
        tx.org().uuid(),
        server.uuid(),
        check.at,
        step.is_none(),
        check.latency_ms,
        step,
        cause
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The looks at a server, newest first. The page's key is the moment.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    server: ServerId,
    page: &PageRequest<OffsetDateTime>,
) -> DbResult<Page<Check>> {
    let rows = sqlx::query!(
        "select at, ok, latency_ms, step, cause from server_checks
        where org_id = $1 and server_id = $2 and ($3::timestamptz is null or at < $3)
        order by at desc limit $4",
        tx.org().uuid(),
        server.uuid(),
        page.after,
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|r| Check {
        at: r.at,
        latency_ms: r.latency_ms,
        outcome: match r.step {
            Some(step) if !r.ok => Checked::Failed { step, cause: r.cause.unwrap_or_default() },
            _ => Checked::Well,
        },
    });
    Ok(Page::cut(items.collect(), page.limit, |check| check.at))
}

/// The last two weeks of these servers by day, in UTC; days without a look are left out.
///
/// # Errors
/// When the database refuses.
pub async fn by_day(
    tx: &mut OrgTx,
    servers: &[ServerId],
    now: OffsetDateTime,
) -> DbResult<Vec<(ServerId, DayHealth)>> {
    let servers: Vec<Uuid> = servers.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"select server_id as "server: ServerId", (at at time zone 'utc')::date as "day!: Date",
            count(*) filter (where ok) as "well!", count(*) filter (where not ok) as "failed!",
            percentile_disc(0.5) within group (order by latency_ms) filter (where ok) as latency_ms,
            (array_agg(cause order by at desc) filter (where not ok))[1] as cause
        from server_checks where org_id = $1 and server_id = any($2) and at > $3
        group by server_id, 2 order by server_id, 2"#,
        tx.org().uuid(),
        &servers,
        now - HISTORY_TTL
    )
    .fetch_all(tx.conn())
    .await?;
    let day = rows.into_iter().map(|r| {
        let health = DayHealth {
            day: r.day,
            well: r.well,
            failed: r.failed,
            latency_ms: r.latency_ms,
            cause: r.cause,
        };
        (r.server, health)
    });
    Ok(day.collect())
}

/// Deletes looks that are too old to be shown; at most so many at once.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut SystemTx, now: OffsetDateTime, most: i64) -> DbResult<u64> {
    let done = sqlx::query!(
        "delete from server_checks where (org_id, server_id, at) in
            (select org_id, server_id, at from server_checks where at < $1 order by at limit $2)",
        now - HISTORY_TTL,
        most
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
