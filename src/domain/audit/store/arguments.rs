//! The arguments of calls, where an organization keeps them: beside the record, so that they can be forgotten.

use time::OffsetDateTime;

use crate::{
    base::ids::{DataKeyId, EventId},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// The table, as its sealed values are bound to it.
pub const ARGUMENTS: &str = "call_arguments";
/// The column of the arguments.
pub const SEALED_ARGUMENTS: &str = "sealed_arguments";

/// The arguments of one call, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedArguments {
    /// By which key.
    pub key: DataKeyId,
    /// The arguments.
    pub bytes: Vec<u8>,
}

/// Keeps the arguments of the call with this intent, for as long as the organization wants by now; not in the moment in
/// which that is shortened, for which no call is to wait.
///
/// # Errors
/// When the database refuses.
pub async fn keep_arguments(
    tx: &mut OrgTx,
    intent: EventId,
    sealed: &SealedArguments,
    at: OffsetDateTime,
) -> DbResult<()> {
    // In a statement of its own, so that the days that the next one reads are those of whoever held it before.
    let is_free = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock_shared(
            hashtextextended('portreeve call arguments ' || $1::uuid::text, 0)) as "is_free!""#,
        tx.org().uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    if !is_free {
        return Ok(());
    }
    sqlx::query!(
        "insert into call_arguments (org_id, id, sealed_arguments, key_id, at, expires_at)
        select $1, $2, $3, $4, $5::timestamptz, $5::timestamptz + make_interval(days => o.argument_days)
        from orgs o where o.id = $1 and o.argument_days > 0",
        tx.org().uuid(),
        intent.uuid(),
        sealed.bytes,
        sealed.key.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The arguments of the call with this intent; none where none are kept, or no longer.
///
/// # Errors
/// When the database refuses.
pub async fn find_arguments(
    tx: &mut OrgTx,
    intent: EventId,
    now: OffsetDateTime,
) -> DbResult<Option<SealedArguments>> {
    let row = sqlx::query_as!(
        SealedArguments,
        r#"select key_id as "key: DataKeyId", sealed_arguments as bytes from call_arguments
        where org_id = $1 and id = $2 and expires_at > $3"#,
        tx.org().uuid(),
        intent.uuid(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row)
}

/// Has what is kept be kept for so many days and no longer. Whatever is being kept is waited for, and nothing else is kept
/// until the organization's days are committed, so that nothing escapes.
///
/// # Errors
/// When the database refuses.
pub async fn shorten_arguments(tx: &mut OrgTx, days: i32, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('portreeve call arguments ' || $1::uuid::text, 0))",
        tx.org().uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "delete from call_arguments
        where org_id = $1 and least(expires_at, at + make_interval(days => $2)) <= $3",
        tx.org().uuid(),
        days,
        now
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update call_arguments set expires_at = at + make_interval(days => $2)
        where org_id = $1 and expires_at > at + make_interval(days => $2)",
        tx.org().uuid(),
        days
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets what was kept for its days, in all organizations.
///
/// # Errors
/// When the database refuses.
pub async fn sweep_arguments(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let swept = sqlx::query!("delete from call_arguments where org_id is not null and expires_at <= $1", now)
        .execute(tx.conn())
        .await?;
    Ok(swept.rows_affected())
}
