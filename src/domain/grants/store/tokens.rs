//! SQL of grant tokens.

use std::net::IpAddr;

use time::OffsetDateTime;

use crate::{
    base::{
        crypto::token::Token,
        ids::{GrantId, GrantTokenId, OrgId, UserId},
        page::{Page, PageRequest},
    },
    domain::grants::{
        ClientSeen, GrantToken, IssuedToken, NewToken,
        store::{bump_epoch, last_use},
        tokens::TOUCH_EVERY,
    },
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// The rules that a second token with the same id breaks.
pub const ID_IS_FREE: [&str; 2] = ["grant_tokens_pkey", "grant_tokens_by_id"];

/// Stores a new token and raises the epoch.
///
/// # Errors
/// [`ID_IS_FREE`] where the id is taken; or when the database refuses.
pub async fn insert(
    tx: &mut OrgTx,
    new: &NewToken,
    issued: &IssuedToken,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<GrantToken> {
    let hash = issued.token.hash();
    let token = GrantToken {
        id: issued.id,
        grant: new.grant,
        label: new.label.clone(),
        tail: issued.tail(),
        created_by: by,
        created_by_name: None,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        revoked_by: None,
        last_use: None,
    };
    sqlx::query!(
        "insert into grant_tokens (org_id, id, grant_id, label, token_hash, tail, created_by, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        tx.org().uuid(),
        token.id.uuid(),
        token.grant.uuid(),
        token.label,
        hash.as_slice(),
        token.tail,
        by.map(UserId::uuid),
        now,
        token.expires_at
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    Ok(token)
}

/// Tokens of a grant, the newest first. The page's key is the id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut OrgTx,
    grant: GrantId,
    page: &PageRequest<GrantTokenId>,
) -> DbResult<Page<GrantToken>> {
    let tokens = rows(tx, grant, None, page).await?;
    Ok(Page::cut(tokens, page.limit, |token| token.id))
}

/// One token of a grant.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut OrgTx, grant: GrantId, id: GrantTokenId) -> DbResult<Option<GrantToken>> {
    let page = PageRequest { limit: 1, after: None };
    Ok(rows(tx, grant, Some(id), &page).await?.into_iter().next())
}

async fn rows(
    tx: &mut OrgTx,
    grant: GrantId,
    only: Option<GrantTokenId>,
    page: &PageRequest<GrantTokenId>,
) -> DbResult<Vec<GrantToken>> {
    let rows = sqlx::query!(
        r#"select k.id as "id: GrantTokenId", k.grant_id as "grant: GrantId", k.label, k.tail,
            k.created_by as "created_by: UserId", u.name as "created_by_name?", k.created_at, k.expires_at,
            k.revoked_at, k.revoked_by as "revoked_by: UserId", k.last_used_at,
            host(k.last_used_ip) as "last_used_ip?", k.last_client_name, k.last_client_version
        from grant_tokens k
        left join memberships m on m.org_id = k.org_id and m.user_id = k.created_by
        left join users u on u.id = m.user_id
        where k.org_id = $1 and k.grant_id = $2 and ($3::uuid is null or k.id = $3)
            and ($4::uuid is null or k.id < $4)
        order by k.id desc limit $5"#,
        tx.org().uuid(),
        grant.uuid(),
        only.map(GrantTokenId::uuid),
        page.after.map(GrantTokenId::uuid),
        page.fetch()
    )
    .fetch_all(tx.conn())
    .await?;
    let tokens = rows.into_iter().map(|r| {
        let ip = r.last_used_ip.as_deref();
        Ok(GrantToken {
            id: r.id,
            grant: r.grant,
            label: r.label,
            tail: r.tail,
            created_by: r.created_by,
            created_by_name: r.created_by_name,
            created_at: r.created_at,
            expires_at: r.expires_at,
            revoked_at: r.revoked_at,
            revoked_by: r.revoked_by,
            last_use: last_use(r.last_used_at, ip, r.last_client_name, r.last_client_version)?,
        })
    });
    tokens.collect()
}

/// Revokes a token and raises the epoch; returns both states, or `None` where the grant has no such token. One that is
/// revoked stays as it is, with its first time and person.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(
    tx: &mut OrgTx,
    grant: GrantId,
    id: GrantTokenId,
    by: Option<UserId>,
    now: OffsetDateTime,
) -> DbResult<Option<(GrantToken, GrantToken)>> {
    let Some(before) = lock(tx, grant, id).await? else {
        return Ok(None);
    };
    if before.revoked_at.is_some() {
        return Ok(Some((before.clone(), before)));
    }
    sqlx::query!(
        "update grant_tokens set revoked_at = $3, revoked_by = $4 where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        now,
        by.map(UserId::uuid)
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    let after = GrantToken { revoked_at: Some(now), revoked_by: by, ..before.clone() };
    Ok(Some((before, after)))
}

/// Lets a token end at a moment, where it does not end earlier anyway, and raises the epoch; returns both states, or
/// `None` where the grant has no such token.
///
/// # Errors
/// When the database refuses.
pub async fn end_by(
    tx: &mut OrgTx,
    grant: GrantId,
    id: GrantTokenId,
    at: OffsetDateTime,
) -> DbResult<Option<(GrantToken, GrantToken)>> {
    let Some(before) = lock(tx, grant, id).await? else {
        return Ok(None);
    };
    let ends = before.expires_at.min(at);
    sqlx::query!(
        "update grant_tokens set expires_at = $3 where org_id = $1 and id = $2",
        tx.org().uuid(),
        id.uuid(),
        ends
    )
    .execute(tx.conn())
    .await?;
    bump_epoch(tx).await?;
    let after = GrantToken { expires_at: ends, ..before.clone() };
    Ok(Some((before, after)))
}

async fn lock(tx: &mut OrgTx, grant: GrantId, id: GrantTokenId) -> DbResult<Option<GrantToken>> {
    sqlx::query!(
        "select id from grant_tokens where org_id = $1 and id = $2 for update",
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    find(tx, grant, id).await
}

/// Notes a call with a token, at most once a minute; returns whether it was noted. Who finds another call of the same
/// token at it leaves it to that one and does not wait. Use is no change: the epoch stays.
///
/// # Errors
/// When the database refuses.
pub async fn touch_token(
    tx: &mut OrgTx,
    id: GrantTokenId,
    ip: Option<IpAddr>,
    client: Option<&ClientSeen>,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update grant_tokens set last_used_at = $3, last_used_ip = $4::text::inet, last_client_name = $5,
            last_client_version = $6
        where org_id = $1 and id = (select id from grant_tokens
            where org_id = $1 and id = $2 and (last_used_at is null or last_used_at <= $7)
            for update skip locked)",
        tx.org().uuid(),
        id.uuid(),
        now,
        ip.map(|ip| ip.to_string()),
        client.map(|client| client.name.as_str()),
        client.and_then(|client| client.version.as_deref()),
        now - TOUCH_EVERY
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whose token was carried, in whatever state it is; `None` where it was never ours, or is gone with its grant.
///
/// # Errors
/// When the database refuses.
pub async fn find_by_token(tx: &mut SystemTx, token: &Token) -> DbResult<Option<(OrgId, GrantTokenId)>> {
    let id = token.row::<crate::base::ids::GrantToken>();
    let found = sqlx::query!(
        r#"select org_id as "org: OrgId", token_hash from grant_tokens where id = $1"#,
        id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.filter(|row| token.matches(&row.token_hash)).map(|row| (row.org, id)))
}
