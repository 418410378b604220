//! SQL of suspending, resuming and revoking grants.

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        ids::{GrantId, UserId},
        update::{Change, Update},
    },
    domain::grants::{
        Grant, Stop, rules,
        store::{
            bump_epoch,
            grants::{columns, lock, settle},
        },
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// Lets a grant rest and raises the epoch. One that rests already stays as it is, unless the person themselves
/// suspended it and now somebody else does.
///
/// # Errors
/// When the database refuses.
pub async fn suspend(
    tx: &mut OrgTx,
    id: GrantId,
    stop: &Stop,
    expected: Option<i64>,
) -> DbResult<Update<Change<Grant>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    let rests = before.suspension.as_ref().is_some_and(|earlier| !rules::takes_over(&before, earlier, stop));
    if rests || before.revocation.is_some() {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update grants set suspended_at = $3, suspended_by = $4, suspended_reason = $5, updated_at = $3,
            version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        stop.at,
        stop.by.map(UserId::uuid),
        stop.reason
    )
    .execute(tx.conn())
    .await?;
    settle(tx, before).await
}

/// Puts a grant in force again and raises the epoch. One that does not rest stays as it is.
///
/// # Errors
/// When the database refuses.
pub async fn resume(
    tx: &mut OrgTx,
    id: GrantId,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<Grant>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    if before.suspension.is_none() || before.revocation.is_some() {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update grants set suspended_at = null, suspended_by = null, suspended_reason = null, updated_at = $3,
            version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    settle(tx, before).await
}

/// Ends a grant for good and raises the epoch. One that is revoked stays as it is, with its first time and person.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(
    tx: &mut OrgTx,
    id: GrantId,
    stop: &Stop,
    expected: Option<i64>,
) -> DbResult<Update<Change<Grant>>> {
    let before = match lock(tx, id, expected).await? {
        Ok(before) => *before,
        Err(answer) => return Ok(*answer),
    };
    if before.revocation.is_some() {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update grants set revoked_at = $3, revoked_by = $4, revoked_reason = $5, updated_at = $3,
            version = version + 1
        where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        stop.at,
        stop.by.map(UserId::uuid),
        stop.reason
    )
    .execute(tx.conn())
    .await?;
    settle(tx, before).await
}

/// Revokes every grant of a principal that is not revoked yet, and raises the epoch where there is any; returns their
/// ids and labels.
///
/// # Errors
/// When the database refuses.
pub async fn revoke_all_of(
    tx: &mut OrgTx,
    principal: Principal,
    stop: &Stop,
) -> DbResult<Vec<(GrantId, String)>> {
    let (user, team, account) = columns(Some(principal));
    let revoked = sqlx::query!(
        r#"update grants set revoked_at = $5, revoked_by = $6, revoked_reason = $7, updated_at = $5,
            version = version + 1
        where org_id = $1 and (user_id = $2 or team_id = $3 or service_account_id = $4) and revoked_at is null
        returning id as "id: GrantId", label"#,
        tx.org().uuid(),
        user,
        team,
        account,
        stop.at,
        stop.by.map(UserId::uuid),
        stop.reason
    )
    .fetch_all(tx.conn())
    .await?;
    if !revoked.is_empty() {
        bump_epoch(tx).await?;
    }
    Ok(revoked.into_iter().map(|row| (row.id, row.label)).collect())
}
