//! When a chain is sealed, and the sealing.

use time::{Duration, OffsetDateTime};

use crate::{
    base::ids::OrgId,
    domain::audit::{
        canon::to_micros,
        chain::{CheckpointBody, SignedCheckpoint, Signer},
        store::{self, Sealing},
    },
    io::db::{DbResult, OrgTx, SystemTx, Tx},
};

/// A chain is sealed after so many new records,
pub(super) const EVERY_RECORDS: i64 = 1000;
/// or when new ones stand and the last checkpoint is so old.
pub(super) const EVERY: Duration = Duration::seconds(60);
/// The list of all chains grows with the installation, so it is signed less often.
pub(super) const GLOBAL_EVERY: Duration = Duration::hours(1);

/// Whether a checkpoint waits until it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Only after 1000 new records or 60 seconds; what the job asks for.
    WhenDue,
    /// As soon as anything new stands; what an export or a shutdown asks for.
    Now,
}

/// Seals an organization's chain. The caller commits, and keeps the checkpoint outside the database too.
///
/// # Errors
/// When the database refuses or is away.
pub async fn checkpoint(
    tx: &mut OrgTx,
    now: OffsetDateTime,
    signer: Signer<'_>,
    urgency: Urgency,
) -> DbResult<Option<SignedCheckpoint>> {
    let org = tx.org();
    let sealing = store::lock_head(tx.conn(), org).await?;
    if !is_due(&sealing, now, urgency) {
        return Ok(None);
    }
    let last = store::last_checkpoint(tx.conn(), org).await?;
    let body = CheckpointBody::of(sealing.chain, to_micros(now), last, signer.id);
    let signed = body.sign(signer.key);
    store::insert_checkpoint(tx.conn(), &body, &signed).await?;
    Ok(Some(signed))
}

/// Seals the instance's chain; once an hour, or when asked for now, the checkpoint is global: it lists
/// every chain.
///
/// # Errors
/// When the database refuses or is away.
pub async fn checkpoint_instance(
    tx: &mut SystemTx,
    now: OffsetDateTime,
    signer: Signer<'_>,
    urgency: Urgency,
) -> DbResult<Option<SignedCheckpoint>> {
    let org = OrgId::from_uuid(tx.chain());
    let sealing = store::lock_head(tx.conn(), org).await?;
    let is_global =
        urgency == Urgency::Now || store::last_global_at(tx).await?.is_none_or(|at| now - at >= GLOBAL_EVERY);
    if !is_global && !is_due(&sealing, now, urgency) {
        return Ok(None);
    }
    let last = store::last_checkpoint(tx.conn(), org).await?;
    let mut body = CheckpointBody::of(sealing.chain, to_micros(now), last, signer.id);
    if is_global {
        body.chains = Some(store::all_heads(tx).await?);
    }
    let signed = body.sign(signer.key);
    store::insert_checkpoint(tx.conn(), &body, &signed).await?;
    Ok(Some(signed))
}

fn is_due(sealing: &Sealing, now: OffsetDateTime, urgency: Urgency) -> bool {
    let new = sealing.chain.seq - sealing.checkpoint_seq;
    new > 0
        && (urgency == Urgency::Now
            || new >= EVERY_RECORDS
            || sealing.checkpoint_at.is_none_or(|at| now - at >= EVERY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::chain::ChainHead;

    fn sealing(seq: i64, checkpoint_seq: i64, age: Option<Duration>) -> Sealing {
        let chain = ChainHead { seq, ..ChainHead::empty(OrgId::fresh()) };
        let checkpoint_at = age.map(|age| OffsetDateTime::UNIX_EPOCH - age);
        Sealing { chain, checkpoint_seq, checkpoint_at }
    }

    #[test]
    fn a_chain_is_due_by_count_or_age_but_never_without_news() {
        let due = |s: Sealing| is_due(&s, OffsetDateTime::UNIX_EPOCH, Urgency::WhenDue);
        assert!(due(sealing(1, 0, None)));
        assert!(due(sealing(1001, 1, Some(Duration::ZERO))));
        assert!(!due(sealing(1000, 1, Some(Duration::seconds(59)))));
        assert!(due(sealing(2, 1, Some(Duration::seconds(60)))));
        assert!(!due(sealing(1, 1, Some(Duration::days(1)))));
        assert!(is_due(&sealing(2, 1, Some(Duration::ZERO)), OffsetDateTime::UNIX_EPOCH, Urgency::Now));
        assert!(!is_due(&sealing(1, 1, None), OffsetDateTime::UNIX_EPOCH, Urgency::Now));
    }
}
