//! SQL of requests for an account that are under way.

use time::OffsetDateTime;

use crate::{
    base::{
        crypto::digest::Digest,
        ids::{ConnectRequestId, ConnectionId, DataKeyId, OrgId, ProviderId, SessionId, TeamId, UserId},
    },
    domain::connections::{AccountOwner, ConnectRequest, SealedTokens},
    io::db::{DbResult, OrgTx, PersonTx, SystemTx, Tx},
};

/// The column of verifier and nonce.
pub const SEALED_PROOF: &str = "sealed_proof";
/// How many requests of one person are under way at once; beyond, the oldest are forgotten.
const MOST: i64 = 20;

/// Stores a request; what of the same person is over, or too much, is forgotten.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    tx: &mut OrgTx,
    new: &ConnectRequest,
    state: &Digest,
    now: OffsetDateTime,
) -> DbResult<()> {
    sqlx::query!(
        "delete from connect_requests where org_id = $1 and user_id = $2 and (expires_at <= $3 or id in (
            select r.id from connect_requests r where r.org_id = $1 and r.user_id = $2 order by r.id desc offset $4))",
        tx.org().uuid(),
        new.user.uuid(),
        now,
        MOST - 1
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into connect_requests (org_id, id, state_hash, user_id, session_id, provider_id, provider_version,
            owner_kind, team_id, connection_id, scopes, sealed_proof, data_key_id, return_to, created_at, expires_at, is_trial)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        tx.org().uuid(),
        new.id.uuid(),
        &state[..],
        new.user.uuid(),
        new.session.uuid(),
        new.provider.uuid(),
        new.provider_version,
        new.owner.kind(),
        new.owner.team().map(TeamId::uuid),
        new.connection.map(ConnectionId::uuid),
        &new.scopes,
        new.proof.bytes,
        new.proof.key.uuid(),
        new.return_to,
        now,
        new.expires_at,
        new.is_trial
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// In which organization a person asked, by the state that their browser brings back.
///
/// # Errors
/// When the database refuses.
pub async fn org_of(tx: &mut PersonTx, state: &Digest) -> DbResult<Option<OrgId>> {
    let found = sqlx::query_scalar!(
        r#"select org_id as "org: OrgId" from connect_requests where state_hash = $1"#,
        &state[..]
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found)
}

/// Takes a request out: it is finished once, whatever comes of it.
///
/// # Errors
/// When the database refuses.
pub async fn take(tx: &mut OrgTx, state: &Digest) -> DbResult<Option<ConnectRequest>> {
    let row = sqlx::query!(
        r#"delete from connect_requests where org_id = $1 and state_hash = $2
        returning id as "id: ConnectRequestId", user_id as "user: UserId", session_id as "session: SessionId",
            provider_id as "provider: ProviderId", provider_version, owner_kind, team_id as "team: TeamId",
            connection_id as "connection: ConnectionId", scopes, sealed_proof, data_key_id as "key: DataKeyId", return_to,
            is_trial, expires_at"#,
        tx.org().uuid(),
        &state[..]
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| ConnectRequest {
        id: row.id,
        user: row.user,
        session: row.session,
        provider: row.provider,
        provider_version: row.provider_version,
        owner: match (row.owner_kind.as_str(), row.team) {
            ("team", Some(team)) => AccountOwner::Team(team),
            ("org", _) => AccountOwner::Org,
            _ => AccountOwner::User(row.user),
        },
        connection: row.connection,
        scopes: row.scopes,
        proof: SealedTokens { key: row.key, bytes: row.sealed_proof },
        return_to: row.return_to,
        is_trial: row.is_trial,
        expires_at: row.expires_at,
    }))
}

/// Removes requests that nobody finished in time, and says how many.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<u64> {
    let done = sqlx::query!(
        "delete from connect_requests where (org_id, id) in (
            select org_id, id from connect_requests where expires_at <= $1)",
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}
