//! How much goes on, for a glance.

use time::OffsetDateTime;

use crate::io::db::{DbResult, OrgTx, Tx};

/// How many calls of the last minute are told of; one more is counted, to know whether there were more.
const MOST: i64 = 1_000;

/// What went on lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Calls that were decided in the last minute.
    pub calls: i64,
    /// Whether there were more than were counted.
    pub is_more: bool,
    /// Whether there was any call in the last hour.
    pub has_calls: bool,
    /// How many events were recorded in each minute of that hour, the oldest first.
    pub minutes: Vec<i64>,
}

/// What went on in the hour before a moment.
///
/// Events are not counted but told by their places in the chain at the turn of each minute, and calls up to a bound: so
/// what is read does not grow with what went on. The bounds stand in the statement, where the planner sees them.
///
/// # Errors
/// When the database is away.
pub async fn traffic(tx: &mut OrgTx, now: OffsetDateTime) -> DbResult<Traffic> {
    let org = tx.chain();
    let row = sqlx::query!(
        r#"with m as materialized (
            select n, events_before($1, $2::timestamptz - n * interval '1 minute' + interval '1 microsecond') as seq
            from generate_series(0, 60) n)
        select array(select m.seq from m order by m.n desc) as "places!",
            (select count(*) from (select from events c
                where c.org_id = $1 and c.seq > (select m.seq from m where m.n = 1)
                    and c.action in ('call.allowed', 'call.refused')
                order by c.seq desc limit 1001) c) as "calls!",
            (select c.seq from events c
                where c.org_id = $1 and c.seq > (select m.seq from m where m.n = 60)
                    and c.action in ('call.allowed', 'call.refused')
                order by c.seq desc limit 1) is not null as "has_calls!""#,
        org,
        now
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Traffic {
        calls: row.calls.min(MOST),
        is_more: row.calls > MOST,
        has_calls: row.has_calls,
        // The clocks of replicas differ a little, so a place may lie before that of the minute before.
        minutes: row.places.windows(2).map(|pair| (pair[1] - pair[0]).max(0)).collect(),
    })
}
