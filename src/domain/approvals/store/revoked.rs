//! What was agreed to and is taken back before it is used up.

use time::OffsetDateTime;

use crate::{
    base::ids::{ApprovalId, UserId},
    domain::approvals::Exact,
    io::db::{DbResult, OrgTx, Tx},
};

/// Takes back what was agreed to; not where it is used up or over.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(
    tx: &mut OrgTx,
    id: ApprovalId,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update approvals set state = 'withdrawn', valid_until = null, revoked_at = $4, revoked_by = $3,
            version = version + 1
        where org_id = $1 and id = $2 and state = 'approved' and valid_until > $4 and (not is_single or uses = 0)",
        tx.org().uuid(),
        id.uuid(),
        by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How much of what somebody agreed to, alone or with others, is not used up.
///
/// # Errors
/// When the database refuses.
pub async fn count_given_by(tx: &mut OrgTx, user: UserId, now: OffsetDateTime) -> DbResult<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from approvals a
        where a.org_id = $1 and a.state = 'approved' and a.valid_until > $3 and (not a.is_single or a.uses = 0)
            and exists (select from approval_votes v where v.org_id = a.org_id and v.approval_id = a.id
                and v.user_id = $2 and v.is_approved)"#,
        tx.org().uuid(),
        user.uuid(),
        now
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Takes back all that somebody agreed to, alone or with others, and that is not used up; how much it was.
///
/// # Errors
/// When the database refuses.
pub async fn revoke_all_given_by(
    tx: &mut OrgTx,
    user: UserId,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<u64> {
    let done = sqlx::query!(
        "update approvals a set state = 'withdrawn', valid_until = null, revoked_at = $4, revoked_by = $3,
            version = a.version + 1
        where a.org_id = $1 and a.state = 'approved' and a.valid_until > $4 and (not a.is_single or a.uses = 0)
            and exists (select from approval_votes v where v.org_id = a.org_id and v.approval_id = a.id
                and v.user_id = $2 and v.is_approved)",
        tx.org().uuid(),
        user.uuid(),
        by.map(UserId::uuid),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Whether the last word about exactly this call, which nobody decides any more, was that what was agreed to is revoked.
///
/// # Errors
/// When the database refuses.
pub async fn was_revoked(tx: &mut OrgTx, exact: &Exact<'_>) -> DbResult<bool> {
    let last = sqlx::query_scalar!(
        r#"select a.revoked_at is not null as "is_revoked!" from approvals a
        where a.org_id = $1 and a.grant_id = $2 and a.server_id = $3 and a.tool = $4
            and (a.arguments_digest = $5 or a.asked_digest = $5) and a.fingerprint = $6 and a.policies_digest = $7
            and a.state <> 'pending'
        order by a.id desc limit 1"#,
        tx.org().uuid(),
        exact.grant.uuid(),
        exact.server.uuid(),
        exact.tool,
        exact.arguments.as_slice(),
        exact.fingerprint.as_slice(),
        exact.policies.as_slice()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(last == Some(true))
}
