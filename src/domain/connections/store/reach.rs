//! SQL of whom accounts serve and whom they do not, and of how many there are.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::{
    base::ids::{ConnectionId, ProviderId, UserId},
    io::db::{DbResult, OrgTx, Tx},
};

/// Whether a shared connection's account is one person's: a member's address is its address, or a member connected it for
/// themselves as well.
///
/// # Errors
/// When the database refuses.
pub async fn is_somebodys(tx: &mut OrgTx, id: ConnectionId) -> DbResult<bool> {
    let is = sqlx::query_scalar!(
        r#"select exists (select from connections c where c.org_id = $1 and c.id = $2 and (
            exists (select from connections p where p.org_id = c.org_id and p.provider_id = c.provider_id
                and p.account_id = c.account_id and p.account_id <> '' and p.user_id is not null and p.state <> 'revoked')
            or exists (select from memberships m join users u on u.id = m.user_id
                where m.org_id = c.org_id and c.account_email <> '' and lower(u.email) = lower(c.account_email)))) as "is!""#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is)
}

/// How many connections a person has.
///
/// # Errors
/// When the database refuses.
pub async fn count_of(tx: &mut OrgTx, user: UserId) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from connections where org_id = $1 and user_id = $2 and state <> 'revoked'"#,
        tx.org().uuid(),
        user.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// How many connections each of these people has; those without any are left out.
///
/// # Errors
/// When the database refuses.
pub async fn count_of_users(tx: &mut OrgTx, users: &[UserId]) -> DbResult<Vec<(UserId, i64)>> {
    let users: Vec<_> = users.iter().map(|user| user.uuid()).collect();
    let counts = sqlx::query!(
        r#"select user_id as "user!: UserId", count(*) as "count!" from connections
        where org_id = $1 and user_id = any($2) and state <> 'revoked' group by user_id"#,
        tx.org().uuid(),
        &users
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(counts.into_iter().map(|row| (row.user, row.count)).collect())
}

/// How many accounts are connected at a provider.
///
/// # Errors
/// When the database refuses.
pub async fn count_at(tx: &mut OrgTx, provider: ProviderId) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from connections
        where org_id = $1 and provider_id = $2 and state <> 'revoked'"#,
        tx.org().uuid(),
        provider.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

/// When an account was connected at a provider last, were it one that was ended since. One that waits to be connected again
/// because its provider moved was connected elsewhere.
///
/// # Errors
/// When the database refuses.
pub async fn last_connected(tx: &mut OrgTx, provider: ProviderId) -> DbResult<Option<OffsetDateTime>> {
    let last = sqlx::query_scalar!(
        "select max(created_at) from connections
        where org_id = $1 and provider_id = $2 and state_reason <> 'provider_moved'",
        tx.org().uuid(),
        provider.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(last)
}

/// The members whose agents no account at a provider serves: not their own, not one of a team of theirs, not everybody's.
///
/// # Errors
/// When the database refuses.
pub async fn lacking(tx: &mut OrgTx, provider: ProviderId, first: i64) -> DbResult<(i64, Vec<String>)> {
    let rows = sqlx::query!(
        r#"select u.name, count(*) over () as "count!" from memberships m join users u on u.id = m.user_id
        where m.org_id = $1 and not exists (select from connections c
            where c.org_id = m.org_id and c.provider_id = $2 and c.state in ('active', 'error_backoff')
                and (c.user_id = m.user_id or c.user_id is null and c.team_id is null
                    or c.team_id in (select t.team_id from team_members t where t.org_id = $1 and t.user_id = m.user_id)))
        order by lower(u.name), u.id limit $3"#,
        tx.org().uuid(),
        provider.uuid(),
        first
    )
    .fetch_all(tx.conn())
    .await?;
    Ok((rows.first().map_or(0, |row| row.count), rows.into_iter().map(|row| row.name).collect()))
}

/// Whether an account is connected through a client, by whomever and at whichever provider this client is registered as; without
/// an id, whether any is.
///
/// # Errors
/// When the database refuses.
pub async fn is_connected(tx: &mut OrgTx, client: &str, account: &str) -> DbResult<bool> {
    let is = sqlx::query_scalar!(
        r#"select exists (select from connections c join providers p on p.org_id = c.org_id and p.id = c.provider_id
            where c.org_id = $1 and p.client_id = $2 and c.state <> 'revoked' and (c.account_id = $3 or $3 = '')) as "is!""#,
        tx.org().uuid(),
        client,
        account
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is)
}

/// Whether a connection's account is connected another time through the same client, by whomever.
///
/// # Errors
/// When the database refuses.
pub async fn is_elsewhere(tx: &mut OrgTx, id: ConnectionId) -> DbResult<bool> {
    let is = sqlx::query_scalar!(
        r#"select exists (select from connections c join providers p on p.org_id = c.org_id and p.id = c.provider_id
            join providers q on q.org_id = c.org_id and q.client_id = p.client_id
            join connections o on o.org_id = c.org_id and o.provider_id = q.id and o.account_id = c.account_id
                and o.id <> c.id and o.state <> 'revoked'
            where c.org_id = $1 and c.id = $2 and c.account_id <> '' and p.client_id <> '') as "is!""#,
        tx.org().uuid(),
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(is)
}

/// How the accounts at a provider fare.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fares {
    /// As [`last_connected`].
    pub last_connected: Option<OffsetDateTime>,
    /// As [`standing`].
    pub standing: (i64, i64, i64),
}

/// [`last_connected`] and [`standing`] of all providers at which there is or was an account.
///
/// # Errors
/// When the database refuses.
pub async fn fares(tx: &mut OrgTx) -> DbResult<HashMap<ProviderId, Fares>> {
    let rows = sqlx::query!(
        r#"select provider_id as "provider: ProviderId",
            max(created_at) filter (where state_reason <> 'provider_moved') as "last_connected?",
            count(*) filter (where state <> 'revoked') as "all!",
            count(*) filter (where state = 'needs_reauth') as "broken!",
            count(*) filter (where state = 'error_backoff') as "resting!"
        from connections where org_id = $1 group by provider_id"#,
        tx.org().uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let fares = rows.into_iter().map(|row| {
        let standing = (row.all, row.broken, row.resting);
        (row.provider, Fares { last_connected: row.last_connected, standing })
    });
    Ok(fares.collect())
}

/// How many accounts are connected at a provider, how many of them have to be connected again, and how many rest after a
/// failure.
///
/// # Errors
/// When the database refuses.
pub async fn standing(tx: &mut OrgTx, provider: ProviderId) -> DbResult<(i64, i64, i64)> {
    let row = sqlx::query!(
        r#"select count(*) as "all!", count(*) filter (where state = 'needs_reauth') as "broken!",
            count(*) filter (where state = 'error_backoff') as "resting!"
        from connections where org_id = $1 and provider_id = $2 and state <> 'revoked'"#,
        tx.org().uuid(),
        provider.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.all, row.broken, row.resting))
}
