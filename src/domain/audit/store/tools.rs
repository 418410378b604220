//! How often tools are called.

use time::OffsetDateTime;

use crate::{
    base::ids::ServerId,
    io::db::{DbResult, OrgTx, Tx},
};

/// How many calls of one tool are counted; whether there were more is not known.
pub const MOST_COUNTED: i64 = 1_000;

/// How often agents called or tried to call each of these tools of a server since a moment, [`MOST_COUNTED`] at the most.
///
/// Each count reads the index of what an event was done to, up to a bound that stands in the statement: so what is read
/// does not grow with what went on.
///
/// # Errors
/// When the database is away.
pub async fn calls_of(
    tx: &mut OrgTx,
    server: ServerId,
    tools: &[String],
    from: OffsetDateTime,
) -> DbResult<Vec<(String, i64)>> {
    let org = tx.chain();
    let rows = sqlx::query!(
        r#"with m as materialized (
            select coalesce((select b.seq from events b
                where b.org_id = $1 and b.at < $4::timestamptz - interval '1 day'
                order by b.at desc, b.seq desc limit 1), 0) as seq)
        select t.name as "name!",
            (select count(*) from (select from events c
                where c.org_id = $1 and c.target_id = $2::text || '/' || t.name
                    and c.seq > (select m.seq from m) and c.at >= $4
                    and c.action in ('call.allowed', 'call.refused')
                order by c.seq desc limit 1000) c) as "calls!"
        from unnest($3::text[]) as t (name)"#,
        org,
        server.to_string(),
        tools,
        from
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.calls)).collect())
}
