//! One chain, record by record.

use std::collections::HashMap;

use crate::{
    base::ids::{EventId, OrgId, SigningKeyId},
    domain::audit::{
        canon::Record,
        chain::{ChainHead, CheckpointBody, Hash, Hex, SignedCheckpoint, link},
        verify::{Tampering, anchors::Pins},
    },
};

/// A fault, before it knows its line.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) tampering: Tampering,
    pub(super) records: Option<(i64, i64)>,
    pub(super) event: Option<EventId>,
    /// Whose chain, where it is not the one walked through.
    pub(super) org: Option<OrgId>,
}

impl Wrong {
    pub(super) const fn at(tampering: Tampering, records: Option<(i64, i64)>) -> Self {
        Self { tampering, records, event: None, org: None }
    }

    pub(super) const fn of(self, org: OrgId) -> Self {
        Self { org: Some(org), ..self }
    }
}

/// Where in a chain the verifier stands.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) org: OrgId,
    pub(super) seq: i64,
    pub(super) hash: Hash,
    /// Up to where a checkpoint of this file confirms the records.
    pub(super) sealed: i64,
    /// Up to where anchors reach; when the chain has ended, they were all met.
    pub(super) anchored: i64,
    /// How many checkpoints were met.
    pub(super) checkpoints: i64,
    /// Up to where checkpoint or anchor confirms the records.
    trusted: i64,
    last_checkpoint: Hash,
    pins: Pins,
}

impl Walk {
    pub(super) fn start(org: OrgId, mut pins: Pins) -> Self {
        let start = ChainHead::empty(org);
        pins.heads.remove(&0);
        Self {
            org,
            seq: 0,
            hash: start.head,
            sealed: 0,
            anchored: pins.anchored,
            checkpoints: 0,
            trusted: 0,
            last_checkpoint: Hex([0; 32]),
            pins,
        }
    }

    /// The records since the last confirmed one, up to the present one.
    const fn doubtful(&self) -> Option<(i64, i64)> {
        if self.trusted < self.seq { Some((self.trusted + 1, self.seq)) } else { None }
    }

    /// The next record.
    pub(super) fn event(&mut self, bytes: &[u8], prev: Hash, hash: Hash) -> Result<(), Wrong> {
        let seq = self.seq + 1;
        if prev != self.hash || link(self.org, seq, prev, bytes) != hash {
            return Err(self.diagnose(bytes, prev, hash));
        }
        let here = Some((seq, seq));
        let record = Record::from_bytes(bytes).map_err(|_| Wrong::at(Tampering::RecordMalformed, here))?;
        if record.org != self.org || record.seq != seq {
            return Err(self.diagnose(bytes, prev, hash));
        }
        (self.seq, self.hash) = (seq, hash);
        match self.pins.heads.remove(&seq) {
            Some(head) if head != hash => Err(Wrong::at(Tampering::Recomputed, self.doubtful())),
            Some(_) => {
                self.trusted = seq;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Why the next record does not fit.
    fn diagnose(&self, bytes: &[u8], prev: Hash, hash: Hash) -> Wrong {
        let seq = self.seq + 1;
        let here = Some((seq, seq));
        let Ok(record) = Record::from_bytes(bytes) else {
            return Wrong::at(Tampering::RecordEdited, here);
        };
        let (tampering, records) = if record.org != self.org {
            (Tampering::Transplanted, here)
        } else if record.seq > seq {
            (Tampering::RecordsMissing, Some((seq, record.seq - 1)))
        } else if record.seq < seq {
            (Tampering::RecordInserted, Some((record.seq, record.seq)))
        } else if prev == self.hash {
            (Tampering::RecordEdited, here)
        } else if link(self.org, seq, prev, bytes) == hash && self.trusted < self.seq {
            // Whole in itself, but behind another predecessor: one of those was replaced and hashed anew.
            (Tampering::Recomputed, self.doubtful())
        } else {
            (Tampering::LinkBroken, here)
        };
        Wrong { event: Some(record.id), ..Wrong::at(tampering, records) }
    }

    /// The next checkpoint; returns what it says.
    pub(super) fn checkpoint(
        &mut self,
        signed: &SignedCheckpoint,
        keys: &HashMap<SigningKeyId, Hex<32>>,
    ) -> Result<CheckpointBody, Wrong> {
        let wrong = |tampering| Wrong::at(tampering, self.doubtful());
        let body = signed.read().map_err(|_| wrong(Tampering::CheckpointReplaced))?;
        if body.org != self.org {
            return Err(wrong(Tampering::Transplanted));
        }
        let key = keys.get(&body.key).ok_or_else(|| wrong(Tampering::KeyUnknown(body.key)))?;
        if !signed.is_signed_by(key) {
            return Err(wrong(Tampering::SignatureWrong));
        }
        if body.number > self.checkpoints + 1 {
            return Err(wrong(Tampering::CheckpointMissing));
        }
        let hash = signed.hash();
        let pinned = self.pins.checkpoints.get(&body.number).is_none_or(|pin| *pin == hash);
        let lists_others = body.chains.is_some() && !self.org.uuid().is_nil();
        if body.number <= self.checkpoints || body.prev != self.last_checkpoint || !pinned || lists_others {
            return Err(wrong(Tampering::CheckpointReplaced));
        }
        if body.seq > self.seq {
            return Err(Wrong::at(Tampering::RecordsMissing, Some((self.trusted + 1, body.seq))));
        }
        if body.seq < self.seq {
            return Err(wrong(Tampering::CheckpointReplaced));
        }
        if body.head != self.hash || body.count != self.seq {
            return Err(wrong(Tampering::Recomputed));
        }
        self.pins.checkpoints.remove(&body.number);
        (self.checkpoints, self.last_checkpoint) = (body.number, hash);
        (self.sealed, self.trusted) = (self.seq, self.seq);
        Ok(body)
    }

    /// The end of the chain: nothing that an anchor names may be left over.
    pub(super) fn end(&self) -> Result<(), Wrong> {
        if let Some((last, _)) = self.pins.heads.last_key_value() {
            return Err(Wrong::at(Tampering::TailMissing, Some((self.trusted + 1, *last))));
        }
        if self.pins.checkpoints.is_empty() {
            Ok(())
        } else {
            Err(Wrong::at(Tampering::CheckpointMissing, self.doubtful()))
        }
    }
}
