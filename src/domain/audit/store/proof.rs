//! What can be shown of one event's integrity.

use crate::{
    base::ids::{EventId, OrgId, SigningKeyId},
    domain::audit::{
        chain::{Hash, Hex, genesis, link},
        store::{
            CheckpointRow,
            checkpoints::{hash_of, signed},
            read::{EventRow, find},
        },
    },
    io::db::{DbResult, Tx},
};

/// What can be shown of an event's integrity without reading the whole chain.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Its hash.
    pub hash: Hash,
    /// The hash it follows.
    pub prev_hash: Hash,
    /// Whether the hash results from the stored record.
    pub recomputes: bool,
    /// Whether the event before it has the hash it follows.
    pub follows: bool,
    /// Whether the columns by which it is found are those of the record.
    pub columns_agree: bool,
    /// The first checkpoint that covers it; a new event has none for a minute.
    pub checkpoint: Option<CheckpointRow>,
    /// Whether that checkpoint's signature holds and, at the sealed record itself, names this hash.
    pub checkpoint_holds: bool,
}

/// What can be shown of an event's integrity.
///
/// # Errors
/// When the database is away.
pub async fn proof(tx: &mut impl Tx, id: EventId) -> DbResult<Option<Proof>> {
    let Some(detail) = find(tx, id).await? else {
        return Ok(None);
    };
    let org = OrgId::from_uuid(tx.chain());
    let seq = detail.row.seq;
    let row = sqlx::query!(
        r#"select e.record, e.prev_hash, e.hash, p.hash as "before?"
        from events e left join events p on p.org_id = $1 and p.seq = e.seq - 1
        where e.org_id = $1 and e.seq = $2"#,
        org.uuid(),
        seq
    )
    .fetch_one(tx.conn())
    .await?;
    let (hash, prev_hash) = (hash_of(&row.hash)?, hash_of(&row.prev_hash)?);
    let before = match row.before {
        Some(before) => Some(hash_of(&before)?),
        None => (seq == 1).then(|| genesis(org)),
    };
    let (checkpoint, checkpoint_holds) = covering(tx, org, seq, hash).await?;
    Ok(Some(Proof {
        hash,
        prev_hash,
        recomputes: link(org, seq, prev_hash, &row.record) == hash,
        follows: before == Some(prev_hash),
        columns_agree: detail
            .record
            .is_some_and(|record| EventRow::rebuilt(&record) == detail.row && record.org == org),
        checkpoint,
        checkpoint_holds,
    }))
}

/// The first checkpoint that reaches a record, and whether it holds.
async fn covering(
    tx: &mut impl Tx,
    org: OrgId,
    seq: i64,
    hash: Hash,
) -> DbResult<(Option<CheckpointRow>, bool)> {
    let row = sqlx::query!(
        r#"select c.number, c.seq, c.at, c.signing_key_id as "key: SigningKeyId", c.body, c.signature,
            k.public_key as "public_key?"
        from audit_checkpoints c left join signing_keys k on k.id = c.signing_key_id
        where c.org_id = $1 and c.seq >= $2 order by c.seq, c.number limit 1"#,
        org.uuid(),
        seq
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok((None, false)) };
    let checkpoint = signed(row.body, &row.signature)?;
    let public = row.public_key.as_deref().and_then(Hex::from_slice);
    let holds = public.is_some_and(|public| checkpoint.is_signed_by(&public))
        && checkpoint.read().is_ok_and(|body| {
            body.org == org && body.seq == row.seq && (row.seq != seq || body.head == hash)
        });
    Ok((Some(CheckpointRow { number: row.number, seq: row.seq, at: row.at, key: row.key }), holds))
}
