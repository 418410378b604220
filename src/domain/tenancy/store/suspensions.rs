//! SQL of members who are kept out for a while.

use time::OffsetDateTime;

use crate::{
    base::ids::UserId,
    domain::tenancy::{Suspension, store::orgs},
    io::db::{DbResult, OrgTx, Tx},
};

/// Those of these members who are kept out.
///
/// # Errors
/// When the database fails.
pub async fn list(tx: &mut OrgTx, users: &[UserId]) -> DbResult<Vec<(UserId, Suspension)>> {
    let users: Vec<_> = users.iter().map(|user| user.uuid()).collect();
    let rows = sqlx::query!(
        r#"select m.user_id as "user: UserId", m.suspended_at as "at!", m.suspended_reason as reason,
            (select u.name from memberships b join users u on u.id = b.user_id
                where b.org_id = m.org_id and b.user_id = m.suspended_by) as "by?"
        from memberships m where m.org_id = $1 and m.user_id = any ($2) and m.suspended_at is not null"#,
        tx.org().uuid(),
        &users
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |at, by, reason| Suspension { at, by, reason };
    Ok(rows.into_iter().map(|row| (row.user, of(row.at, row.by, row.reason))).collect())
}

/// Keeps a member out, and raises the epoch; `false` where they are no member, or kept out already.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    tx: &mut OrgTx,
    user: UserId,
    by: Option<UserId>,
    reason: &str,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update memberships set suspended_at = $3, suspended_by = $4, suspended_reason = $5, updated_at = $3,
            version = version + 1
        where org_id = $1 and user_id = $2 and suspended_at is null and role <> 'owner'",
        tx.org().uuid(),
        user.uuid(),
        now,
        by.map(UserId::uuid),
        reason
    )
    .execute(tx.conn())
    .await?;
    orgs::bump_epoch(tx).await?;
    Ok(done.rows_affected() > 0)
}

/// Lets a member in again, and raises the epoch; `false` where they were not kept out.
///
/// # Errors
/// When the database fails.
pub async fn end(tx: &mut OrgTx, user: UserId, now: OffsetDateTime) -> DbResult<bool> {
    let done = sqlx::query!(
        "update memberships set suspended_at = null, suspended_by = null, suspended_reason = '', updated_at = $3,
            version = version + 1
        where org_id = $1 and user_id = $2 and suspended_at is not null",
        tx.org().uuid(),
        user.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    orgs::bump_epoch(tx).await?;
    Ok(done.rows_affected() > 0)
}
