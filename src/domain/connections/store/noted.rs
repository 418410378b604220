//! SQL of what is noted of an account beside its tokens: what its provider and servers said.

use time::OffsetDateTime;

use crate::{
    base::ids::{ConnectionId, ProviderId},
    domain::connections::Trouble,
    io::db::{DbResult, OrgTx, Tx},
};

/// Notes what a provider did not grant of what was asked for.
///
/// # Errors
/// When the database refuses.
pub async fn withhold(tx: &mut OrgTx, id: ConnectionId, scopes: &[String]) -> DbResult<()> {
    sqlx::query!(
        "update connections set withheld_scopes = $3 where org_id = $1 and id = $2 and withheld_scopes <> $3",
        tx.org().uuid(),
        id.uuid(),
        scopes
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes what a server says that it needs beyond what was granted, so that its owner may be asked for that.
///
/// # Errors
/// When the database refuses.
pub async fn want(tx: &mut OrgTx, id: ConnectionId, scopes: &[String]) -> DbResult<()> {
    sqlx::query!(
        "update connections set wanted_scopes = $3 where org_id = $1 and id = $2 and state <> 'revoked'
            and not wanted_scopes @> $3",
        tx.org().uuid(),
        id.uuid(),
        scopes
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a connection was certain to work.
///
/// # Errors
/// When the database refuses.
pub async fn note_ok(tx: &mut OrgTx, id: ConnectionId, now: OffsetDateTime) -> DbResult<()> {
    sqlx::query!(
        "update connections set last_ok_at = $3 where org_id = $1 and id = $2 and state in ('active', 'error_backoff')",
        tx.org().uuid(),
        id.uuid(),
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether some account at a provider failed with this code since a moment.
///
/// # Errors
/// When the database refuses.
pub async fn was_refused_since(
    tx: &mut OrgTx,
    provider: ProviderId,
    code: &str,
    since: OffsetDateTime,
) -> DbResult<bool> {
    let was = sqlx::query_scalar!(
        r#"select exists (select from connections
            where org_id = $1 and provider_id = $2 and last_error = $3 and last_error_at > $4) as "was!""#,
        tx.org().uuid(),
        provider.uuid(),
        code,
        since
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(was)
}

/// What last went wrong with accounts at a provider, each account's latest, the newest first: which account, its title, when,
/// the code, and the provider's own words.
///
/// # Errors
/// When the database refuses.
pub async fn troubles(tx: &mut OrgTx, provider: ProviderId, first: i64) -> DbResult<Vec<Trouble>> {
    let rows = sqlx::query_as!(
        Trouble,
        r#"select id as "connection: ConnectionId",
            coalesce(nullif(name, ''), nullif(account_name, ''), nullif(account_email, ''), account_id) as "title!",
            last_error_at as "at!", last_error as code, last_error_words as words
        from connections where org_id = $1 and provider_id = $2 and state <> 'revoked' and last_error_at is not null
        order by last_error_at desc, id limit $3"#,
        tx.org().uuid(),
        provider.uuid(),
        first
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Notes that admins hear of a provider's silence; not where they did since a moment.
///
/// # Errors
/// When the database refuses.
pub async fn tell_of_silence(
    tx: &mut OrgTx,
    provider: ProviderId,
    now: OffsetDateTime,
    since: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update providers set silence_told_at = $3
        where org_id = $1 and id = $2 and (silence_told_at is null or silence_told_at <= $4)",
        tx.org().uuid(),
        provider.uuid(),
        now,
        since
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}
