//! Statements that change keys.

use time::OffsetDateTime;

use crate::{
    base::{
        actor::KeyOwner,
        ids::{ApiKeyId, ServiceAccountId, UserId},
        update::{Change, Update, is_current},
    },
    domain::automation::{
        ApiKey, KeyName,
        store::keys::{Row, columns, find},
    },
    io::db::{DbResult, OrgTx, Tx},
};

/// Revokes a key. One that is revoked stays as it is, with its first time and person.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(
    tx: &mut OrgTx,
    id: ApiKeyId,
    by: Option<UserId>,
    expected: Option<i64>,
    now: OffsetDateTime,
) -> DbResult<Update<Change<ApiKey>>> {
    let org = tx.org().uuid();
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    if before.revoked_at.is_some() {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update api_keys set revoked_at = $3, revoked_by = $4, version = version + 1
        where org_id = $1 and id = $2",
        org,
        id.uuid(),
        now,
        by.map(UserId::uuid)
    )
    .execute(tx.conn())
    .await?;
    let after =
        ApiKey { revoked_at: Some(now), revoked_by: by, version: before.version + 1, ..before.clone() };
    Ok(Update::Done(Change { before, after }))
}

/// Lets a key end at a moment, where it does not end earlier anyway.
///
/// # Errors
/// When the database refuses.
pub async fn end_by(
    tx: &mut OrgTx,
    id: ApiKeyId,
    at: OffsetDateTime,
    expected: Option<i64>,
) -> DbResult<Update<Change<ApiKey>>> {
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    let ends = before.expires_at.map_or(at, |earlier| earlier.min(at));
    sqlx::query!(
        "update api_keys set expires_at = $3, version = version + 1 where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        ends
    )
    .execute(tx.conn())
    .await?;
    let after = ApiKey { expires_at: Some(ends), version: before.version + 1, ..before.clone() };
    Ok(Update::Done(Change { before, after }))
}

/// Gives a key another name.
///
/// # Errors
/// When the database refuses.
pub async fn rename(
    tx: &mut OrgTx,
    id: ApiKeyId,
    name: &KeyName,
    expected: Option<i64>,
) -> DbResult<Update<Change<ApiKey>>> {
    let Some(before) = lock(tx, id).await? else {
        return Ok(Update::NotFound);
    };
    if !is_current(expected, before.version) {
        return Ok(Update::Conflict);
    }
    if before.name == name.as_str() {
        return Ok(Update::Done(Change::none(before)));
    }
    sqlx::query!(
        "update api_keys set name = $3, version = version + 1 where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        name.as_str()
    )
    .execute(tx.conn())
    .await?;
    let after = ApiKey { name: name.as_str().to_owned(), version: before.version + 1, ..before.clone() };
    Ok(Update::Done(Change { before, after }))
}

async fn lock(tx: &mut OrgTx, id: ApiKeyId) -> DbResult<Option<ApiKey>> {
    sqlx::query!(
        "select id from api_keys where org_id = $1 and id = $2 for update",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    find(tx, id).await
}

/// Revokes every key of an owner that is not revoked yet, for off-boarding; returns them as they are now.
///
/// # Errors
/// When the database refuses.
pub async fn revoke_all_of(
    tx: &mut OrgTx,
    owner: KeyOwner,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<Vec<ApiKey>> {
    let (user, account) = columns(owner);
    let rows = sqlx::query_as!(
        Row,
        r#"update api_keys set revoked_at = $4, revoked_by = $5, version = version + 1
        where org_id = $1 and (user_id = $2 or service_account_id = $3) and revoked_at is null
        returning id as "id: ApiKeyId", name, user_id as "user_id: UserId",
            service_account_id as "service_account_id: ServiceAccountId", scopes, tail,
            created_by as "created_by: UserId", created_at, expires_at, last_used_at,
            host(last_used_ip) as "last_used_ip?", revoked_at, revoked_by as "revoked_by: UserId", version"#,
        tx.org().uuid(),
        user,
        account,
        now,
        by.map(UserId::uuid)
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Row::read).collect()
}
