//! SQL of accounts whose tokens end and cannot be renewed without their owners.

use time::OffsetDateTime;

use crate::{
    base::ids::{ConnectionId, OrgId},
    domain::connections::{LONG_LIFE, TELL_AHEAD},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// Connections of every organization whose tokens have ended for good, and those whose owners are to be written to about an
/// end that is near.
///
/// # Errors
/// When the database refuses.
pub async fn due(tx: &mut SystemTx, now: OffsetDateTime, limit: i64) -> DbResult<Vec<(OrgId, ConnectionId)>> {
    let rows = sqlx::query!(
        r#"select org_id as "org: OrgId", id as "id: ConnectionId" from connections
        where state in ('active', 'error_backoff')
            and (not has_refresh and expires_at <= $1
                or not has_refresh and expires_at > $1 and expires_at <= $2
                    and expires_at - issued_at > make_interval(secs => $3) and ending_told_for is distinct from expires_at
                or has_refresh and refresh_expires_at > $1 and refresh_expires_at <= $2
                    and ending_told_for is distinct from refresh_expires_at)
        order by least(expires_at, refresh_expires_at) limit $4"#,
        now,
        now + TELL_AHEAD,
        LONG_LIFE.as_seconds_f64(),
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id)).collect())
}

/// Notes that the owner of a connection is written to about its end; not where they were.
///
/// # Errors
/// When the database refuses.
pub async fn tell(tx: &mut OrgTx, id: ConnectionId, ends: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set ending_told_for = $3
        where org_id = $1 and id = $2 and state in ('active', 'error_backoff') and ending_told_for is distinct from $3",
        tx.org().uuid(),
        id.uuid(),
        ends
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}
