//! SQL of fetching new tokens: one at a time, over all replicas.
//!
//! A lease ends by itself, by the database's clock, so a replica that dies holds nobody up for long. How often a refresh
//! token was sent is counted before it is sent: after a crash it is known that it may have been.

use sqlx::types::Json;
use time::OffsetDateTime;

use crate::{
    base::ids::{ConnectionId, OrgId, ReplicaId},
    domain::connections::{Aftermath, HeldAccount, MOST_PRESENTED, NewTokens, store::bump_epoch},
    io::db::{DbResult, OrgTx, SystemTx, Tx},
    protocol::oauth::failure::FailureKind,
};

/// Takes the lease on a connection's refresh token and counts that it is sent; not where somebody else holds it, where
/// another pair is there by now, or where it was sent too often without an answer and may not be repeated.
///
/// # Errors
/// When the database refuses.
pub async fn take(
    tx: &mut OrgTx,
    held: &HeldAccount,
    replica: ReplicaId,
    seconds: i32,
    is_repeatable: bool,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set lease_by = $4, lease_until = clock_timestamp() + make_interval(secs => $5),
            presented = presented + 1
        where org_id = $1 and id = $2 and token_version = $3 and has_refresh and sealed_tokens is not null
            and state in ('active', 'error_backoff') and ($7 or presented < $6)
            and (lease_until is null or lease_until <= clock_timestamp())",
        tx.org().uuid(),
        held.id.uuid(),
        held.token_version,
        replica.uuid(),
        f64::from(seconds),
        MOST_PRESENTED,
        is_repeatable
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Counts that the refresh token is sent once more by who holds the lease, for another while.
///
/// # Errors
/// When the database refuses.
pub async fn again(tx: &mut OrgTx, held: &HeldAccount, replica: ReplicaId, seconds: i32) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set lease_until = clock_timestamp() + make_interval(secs => $5), presented = presented + 1
        where org_id = $1 and id = $2 and token_version = $3 and lease_by = $4 and lease_until > clock_timestamp()
            and presented < $6",
        tx.org().uuid(),
        held.id.uuid(),
        held.token_version,
        replica.uuid(),
        f64::from(seconds),
        MOST_PRESENTED
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores the pair that came, in place of the one it was fetched with, and gives the lease back. Also where the account was
/// switched off meanwhile: it is switched on with tokens that the provider still knows.
///
/// # Errors
/// When the database refuses.
pub async fn store(
    tx: &mut OrgTx,
    held: &HeldAccount,
    new: &NewTokens,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let done = sqlx::query!(
        "update connections set sealed_tokens = $4, data_key_id = $5, has_refresh = $6, scopes = $7, expires_at = $8,
            refresh_expires_at = coalesce($9, refresh_expires_at), ending_told_for = $12, trouble = '', issued_at = $10, facts = $11,
            token_version = token_version + 1, lease_by = null, lease_until = null, presented = 0, failures = 0,
            retry_at = null, last_ok_at = $10,
            state_since = case when state = 'error_backoff' then $10 else state_since end,
            state = case when state = 'disabled' then state else 'active' end,
            state_reason = case when state = 'disabled' then state_reason else '' end
        where org_id = $1 and id = $2 and token_version = $3 and state in ('active', 'error_backoff', 'disabled')",
        tx.org().uuid(),
        held.id.uuid(),
        held.token_version,
        new.sealed.bytes,
        new.sealed.key.uuid(),
        new.has_refresh,
        &new.scopes,
        new.expires_at,
        new.refresh_expires_at,
        now,
        Json(&new.facts) as _,
        held.told_after(new.refresh_expires_at, now)
    )
    .execute(tx.conn())
    .await?;
    let is_stored = done.rows_affected() > 0;
    // Replicas may hold the one before without looking.
    if is_stored && held.is_far_from_its_end(now) {
        bump_epoch(tx).await?;
    }
    Ok(is_stored)
}

/// What is stored of a failure.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// What follows.
    pub aftermath: Aftermath,
    /// Whether it was found by somebody who holds no lease, so that it is nothing where somebody else holds one by now.
    pub is_unleased: bool,
    /// Whether the refresh token never left, so that it does not count as sent.
    pub is_unsent: bool,
    /// Of what kind it is.
    pub kind: FailureKind,
    /// What went wrong, as a code.
    pub code: &'a str,
    /// The provider's own words.
    pub words: &'a str,
}

/// Stores why no pair came, and gives the lease back; not where another pair is there by now.
///
/// # Errors
/// When the database refuses.
pub async fn fail(
    tx: &mut OrgTx,
    held: &HeldAccount,
    failed: Failed<'_>,
    now: OffsetDateTime,
) -> DbResult<bool> {
    let state = failed.aftermath.state();
    let done = sqlx::query!(
        "update connections set state_since = case when state = $4 then state_since else $8 end, state = $4,
            state_reason = $5, retry_at = $6, failures = failures + 1, last_error_at = $8, last_error = $5,
            last_error_words = $7, trouble = $14, lease_by = null, lease_until = null,
            presented = case when $9 then greatest(0, presented - 1) when $10 then 0 when $11 then least(presented, $12)
                else presented end,
            version = version + 1
        where org_id = $1 and id = $2 and token_version = $3 and state in ('active', 'error_backoff')
            and (not $13 or lease_until is null or lease_until <= clock_timestamp())",
        tx.org().uuid(),
        held.id.uuid(),
        held.token_version,
        state.as_str(),
        failed.code,
        failed.aftermath.retry_at(),
        failed.words,
        now,
        failed.is_unsent,
        // The provider answered, so nothing of what was sent is in doubt.
        failed.aftermath.is_answered(),
        // Once more after the pause.
        failed.aftermath.is_doubtful(),
        MOST_PRESENTED - 1,
        failed.is_unleased,
        failed.kind.as_str()
    )
    .execute(tx.conn())
    .await?;
    let is_stored = done.rows_affected() > 0;
    if is_stored && failed.aftermath == Aftermath::Reauth {
        bump_epoch(tx).await?;
    }
    Ok(is_stored)
}

/// Connections of every organization whose tokens end before a moment, or whose refresh tokens were not used for long.
///
/// # Errors
/// When the database refuses.
pub async fn due(
    tx: &mut SystemTx,
    before: OffsetDateTime,
    idle_since: OffsetDateTime,
    now: OffsetDateTime,
    limit: i64,
) -> DbResult<Vec<(OrgId, ConnectionId)>> {
    let rows = sqlx::query!(
        r#"select org_id as "org: OrgId", id as "id: ConnectionId" from connections
        where state in ('active', 'error_backoff') and has_refresh and (expires_at <= $1 or issued_at <= $2)
            and (retry_at is null or retry_at <= $3) and (lease_until is null or lease_until <= clock_timestamp())
        order by expires_at nulls last limit $4"#,
        before,
        idle_since,
        now,
        limit
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id)).collect())
}
