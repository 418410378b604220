//! Heads of chains and the checkpoints that seal them.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::ids::{OrgId, SigningKeyId},
    domain::audit::{
        chain::{ChainHead, CheckpointBody, Hash, Hex, SignedCheckpoint, genesis},
        checkpoint::{EVERY, EVERY_RECORDS},
        store::unreadable,
    },
    io::db::{DbResult, SystemTx, Tx},
};

/// A checkpoint, as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Its own number within the chain.
    pub number: i64,
    /// The last record it seals.
    pub seq: i64,
    /// When it was made.
    pub at: OffsetDateTime,
    /// Which key signed it.
    pub key: SigningKeyId,
}

/// A locked head: where the chain stands and how far it is sealed.
pub(in crate::domain::audit) struct Sealing {
    pub(in crate::domain::audit) chain: ChainHead,
    pub(in crate::domain::audit) checkpoint_seq: i64,
    pub(in crate::domain::audit) checkpoint_at: Option<OffsetDateTime>,
}

/// Locks the chain's head until the transaction ends; a chain begins here.
pub(in crate::domain::audit) async fn lock_head(conn: &mut PgConnection, org: OrgId) -> DbResult<Sealing> {
    if let Some(sealing) = find_head(conn, org).await? {
        return Ok(sealing);
    }
    sqlx::query!(
        "insert into audit_heads (org_id, seq, hash) values ($1, 0, $2) on conflict do nothing",
        org.uuid(),
        &genesis(org).0
    )
    .execute(&mut *conn)
    .await?;
    find_head(conn, org).await?.ok_or_else(|| unreadable("a head just written"))
}

async fn find_head(conn: &mut PgConnection, org: OrgId) -> DbResult<Option<Sealing>> {
    let row = sqlx::query!(
        "select seq, hash, checkpoint_seq, checkpoint_at from audit_heads where org_id = $1 for update",
        org.uuid()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Sealing {
            chain: ChainHead { head: hash_of(&row.hash)?, org, seq: row.seq },
            checkpoint_seq: row.checkpoint_seq,
            checkpoint_at: row.checkpoint_at,
        })
    })
    .transpose()
}

/// Every chain except the instance's, in order.
pub(in crate::domain::audit) async fn all_heads(tx: &mut SystemTx) -> DbResult<Vec<ChainHead>> {
    let rows = sqlx::query!(
        "select org_id, seq, hash from audit_heads where org_id <> $1 and seq > 0 order by org_id",
        Uuid::nil()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ChainHead { head: hash_of(&row.hash)?, org: OrgId::from_uuid(row.org_id), seq: row.seq })
        })
        .collect()
}

/// Every organization that has a chain, in order; also those since deleted.
///
/// # Errors
/// When the database is away.
pub async fn chains(tx: &mut SystemTx) -> DbResult<Vec<OrgId>> {
    Ok(all_heads(tx).await?.into_iter().map(|head| head.org).collect())
}

/// The organizations whose chain a checkpoint is due for.
///
/// # Errors
/// When the database is away.
pub async fn due_chains(tx: &mut SystemTx, now: OffsetDateTime) -> DbResult<Vec<OrgId>> {
    Ok(sqlx::query_scalar!(
        r#"select org_id as "org: OrgId" from audit_heads
        where org_id <> $1 and seq > checkpoint_seq
            and (seq - checkpoint_seq >= $2 or checkpoint_at is null or checkpoint_at <= $3)
        order by org_id"#,
        Uuid::nil(),
        EVERY_RECORDS,
        now - EVERY
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Number and hash of the chain's newest checkpoint.
pub(in crate::domain::audit) async fn last_checkpoint(
    conn: &mut PgConnection,
    org: OrgId,
) -> DbResult<Option<(i64, Hash)>> {
    let row = sqlx::query!(
        "select number, body, signature from audit_checkpoints where org_id = $1
        order by number desc limit 1",
        org.uuid()
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((row.number, signed(row.body, &row.signature)?.hash()))).transpose()
}

/// When the newest checkpoint that lists all chains was made.
pub(in crate::domain::audit) async fn last_global_at(tx: &mut SystemTx) -> DbResult<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar!(
        "select at from audit_checkpoints where org_id = $1 and is_global order by number desc limit 1",
        Uuid::nil()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Writes a checkpoint and notes in the head how far the chain is sealed.
pub(in crate::domain::audit) async fn insert_checkpoint(
    conn: &mut PgConnection,
    body: &CheckpointBody,
    signed: &SignedCheckpoint,
) -> DbResult<()> {
    sqlx::query!(
        "with sealed as (update audit_heads set checkpoint_seq = $3, checkpoint_at = $4 where org_id = $1)
        insert into audit_checkpoints (org_id, number, seq, at, is_global, body, signature, signing_key_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        body.org.uuid(),
        body.number,
        body.seq,
        body.at,
        body.chains.is_some(),
        signed.body,
        &signed.signature.0,
        body.key.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A hash as the database holds it.
pub(super) fn hash_of(bytes: &[u8]) -> DbResult<Hash> {
    Hex::from_slice(bytes).ok_or_else(|| unreadable("a hash"))
}

/// A checkpoint as the database holds it.
pub(super) fn signed(body: Vec<u8>, signature: &[u8]) -> DbResult<SignedCheckpoint> {
    let signature = Hex::from_slice(signature).ok_or_else(|| unreadable("a signature"))?;
    Ok(SignedCheckpoint { body, signature })
}
