//! A chain read in stretches, for an export.

use time::OffsetDateTime;

use crate::{
    base::ids::OrgId,
    domain::audit::{
        chain::{ChainHead, Hash, SignedCheckpoint},
        store::checkpoints::{hash_of, signed},
    },
    io::db::{DbResult, Tx},
};

/// How many events one batch of an export holds.
const BATCH: i64 = 1000;

/// An event as an export carries it.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// Its place.
    pub seq: i64,
    /// The canonical bytes.
    pub record: Vec<u8>,
    /// The hash before.
    pub prev_hash: Hash,
    /// Its hash.
    pub hash: Hash,
}

/// A stretch of a chain, with the checkpoints that fall into it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// In order.
    pub events: Vec<StoredEvent>,
    /// The record each reaches to, and the checkpoint; in order.
    pub checkpoints: Vec<(i64, SignedCheckpoint)>,
    /// From where to read on; nothing at the end.
    pub next: Option<i64>,
}

/// Where the transaction's chain stands.
///
/// # Errors
/// When the database is away.
pub async fn head(tx: &mut impl Tx) -> DbResult<ChainHead> {
    let org = OrgId::from_uuid(tx.chain());
    let row = sqlx::query!("select seq, hash from audit_heads where org_id = $1", org.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.map_or(Ok(ChainHead::empty(org)), |row| {
        Ok(ChainHead { head: hash_of(&row.hash)?, org, seq: row.seq })
    })
}

/// The next stretch of the transaction's chain behind `after` (nothing: from the start), up to the head and
/// with the checkpoints up to a moment, both taken when the export began.
///
/// # Errors
/// When the database is away.
pub async fn read_batch(
    tx: &mut impl Tx,
    after: Option<i64>,
    upto: &ChainHead,
    made_until: OffsetDateTime,
) -> DbResult<Batch> {
    let org = tx.chain();
    // Checkpoints of an empty chain reach to record 0.
    let behind = after.unwrap_or(-1);
    let rows = sqlx::query!(
        "select seq, record, prev_hash, hash from events where org_id = $1 and seq > $2 and seq <= $3
        order by seq limit $4",
        org,
        behind,
        upto.seq,
        BATCH
    )
    .fetch_all(tx.conn())
    .await?;
    let next = rows.last().filter(|_| rows.len() as i64 == BATCH).map(|last| last.seq);
    let checkpoints = sqlx::query!(
        "select seq, body, signature from audit_checkpoints
        where org_id = $1 and seq > $2 and seq <= $3 and at <= $4 order by seq, number",
        org,
        behind,
        next.unwrap_or(upto.seq),
        made_until
    )
    .fetch_all(tx.conn())
    .await?;
    let events = rows.into_iter().map(|row| {
        Ok(StoredEvent {
            seq: row.seq,
            record: row.record,
            prev_hash: hash_of(&row.prev_hash)?,
            hash: hash_of(&row.hash)?,
        })
    });
    let checkpoints = checkpoints.into_iter().map(|row| Ok((row.seq, signed(row.body, &row.signature)?)));
    Ok(Batch {
        events: events.collect::<DbResult<_>>()?,
        checkpoints: checkpoints.collect::<DbResult<_>>()?,
        next,
    })
}
