//! Offline verification of an export, in one pass.
//!
//! Memory grows with the number of chains, anchors and listed heads, not with that of records.
//! Invariant: whatever the bytes, the answer is a report or the first fault, never a panic.

mod anchors;
mod fault;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, Read},
};

use time::OffsetDateTime;

pub use crate::domain::audit::verify::{
    anchors::{Anchors, BadAnchors, LaterAnchors},
    fault::{Fault, Tampering},
};
use crate::{
    base::{
        crypto::digest,
        ids::{OrgId, SigningKeyId},
    },
    domain::audit::{
        chain::{ChainHead, Hash, Hex, PublicKey, SignedCheckpoint, statement_holds},
        export::{ChainEnd, ChainStart, FORMAT, Header, Scope, Statement},
        line::{Line, read},
        verify::{
            anchors::Pins,
            walk::{Walk, Wrong},
        },
    },
};

/// No line of an export is longer: a global checkpoint of half a million chains.
const MAX_LINE: u64 = 64 << 20;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The export was altered.
    #[error("the export was altered: {0}")]
    Altered(#[source] Fault),
    /// The export cannot be read.
    #[error("the export cannot be read")]
    Io(#[source] std::io::Error),
}

/// What was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the export covers.
    pub scope: Scope,
    /// When it was made, as its signer states.
    pub exported_at: OffsetDateTime,
    /// Each chain.
    pub chains: Vec<ChainReport>,
    /// How many anchors were too young to be applied.
    pub anchors_passed_over: u64,
    /// Keys that the anchors do not know: for these the export vouches only itself.
    pub unvouched_keys: Vec<SigningKeyId>,
}

/// What was proven of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Whose chain; nil is the instance's.
    pub org: OrgId,
    /// How many records it has, without a gap from the first.
    pub records: i64,
    /// Up to which record a signed checkpoint reaches.
    pub sealed_to: i64,
    /// Up to which record an anchor reaches.
    pub anchored_to: i64,
    /// How many checkpoints it has.
    pub checkpoints: i64,
}

/// Verifies a whole export.
///
/// # Errors
/// The first fault, or when the export cannot be read.
pub fn verify(mut from: impl BufRead, anchors: Anchors, later: LaterAnchors) -> Result<Report, VerifyError> {
    let mut verifier = Verifier::new(anchors, later);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(VerifyError::Io)?;
        if length == 0 {
            return verifier.finish().map_err(VerifyError::Altered);
        }
        verifier.line(&line).map_err(VerifyError::Altered)?;
    }
}

/// Takes an export line by line.
#[derive(Debug)]
pub struct Verifier {
    anchors: Anchors,
    later: LaterAnchors,
    line: u64,
    header: Option<(Header, Hash)>,
    keys: HashMap<SigningKeyId, Hex<32>>,
    pins: HashMap<OrgId, Pins>,
    passed_over: u64,
    walk: Option<Walk>,
    seen: HashSet<OrgId>,
    ends: Vec<ChainEnd>,
    chains: Vec<ChainReport>,
    is_complete: bool,
}

impl Verifier {
    /// A verifier before the first line.
    pub fn new(anchors: Anchors, later: LaterAnchors) -> Self {
        Self {
            anchors,
            later,
            line: 0,
            header: None,
            keys: HashMap::new(),
            pins: HashMap::new(),
            passed_over: 0,
            walk: None,
            seen: HashSet::new(),
            ends: Vec::new(),
            chains: Vec::new(),
            is_complete: false,
        }
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// The first fault; the verifier is of no use afterwards.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        self.line += 1;
        let parsed = Line::parse(line);
        let org = self.walk.as_ref().map(|walk| walk.org);
        let taken = match (parsed, &mut self.walk) {
            _ if self.is_complete => Err(Wrong::at(Tampering::NotTheFormat, None)),
            (Ok(Line::Event { record, prev, hash }), Some(walk)) => walk.event(record, prev, hash),
            (Ok(Line::Checkpoint(signed)), Some(_)) => self.checkpoint(&signed),
            (Ok(Line::Chain { body }), _) if self.header.is_some() => self.chain(body),
            (Ok(Line::Header { body }), None) if self.header.is_none() => self.begin(body),
            (Ok(Line::Footer { body, signature }), _) if self.header.is_some() => {
                self.footer(body, &signature)
            }
            (Err(_), _) if line.last() != Some(&b'\n') => {
                Err(Wrong::at(Tampering::FileCutOff, self.expected()))
            }
            _ => Err(Wrong::at(Tampering::NotTheFormat, self.expected())),
        };
        taken.map_err(|wrong| self.fault(org, wrong))
    }

    /// What the export proves, after its last line.
    ///
    /// # Errors
    /// When the statement at its end is missing.
    pub fn finish(self) -> Result<Report, Fault> {
        let org = self.walk.as_ref().map(|walk| walk.org);
        let (true, Some((header, _))) = (self.is_complete, &self.header) else {
            return Err(self.fault(org, Wrong::at(Tampering::FileCutOff, self.expected())));
        };
        let unvouched = header.keys.iter().map(|key| key.id).filter(|id| !self.anchors.keys.contains_key(id));
        Ok(Report {
            scope: header.scope,
            exported_at: header.exported_at,
            unvouched_keys: unvouched.collect(),
            chains: self.chains,
            anchors_passed_over: self.passed_over,
        })
    }

    fn fault(&self, org: Option<OrgId>, wrong: Wrong) -> Fault {
        let Wrong { tampering, records, event, org: other } = wrong;
        Fault { tampering, line: self.line, org: other.or(org), records, event }
    }

    /// The record that should have come.
    fn expected(&self) -> Option<(i64, i64)> {
        self.walk.as_ref().map(|walk| (walk.seq + 1, walk.seq + 1))
    }

    fn begin(&mut self, body: &[u8]) -> Result<(), Wrong> {
        let header: Header = read(body).map_err(|_| Wrong::at(Tampering::NotTheFormat, None))?;
        if header.format != FORMAT {
            return Err(Wrong::at(Tampering::NotTheFormat, None));
        }
        for PublicKey { id, public } in &header.keys {
            let other = self.keys.insert(*id, *public).or_else(|| self.anchors.keys.get(id).copied());
            if other.is_some_and(|other| other != *public) {
                return Err(Wrong::at(Tampering::KeyReplaced(*id), None));
            }
        }
        (self.pins, self.passed_over) = self.anchors.pins(header.exported_at, self.later);
        self.header = Some((header, Hex(digest::sha256(body))));
        Ok(())
    }

    fn chain(&mut self, body: &[u8]) -> Result<(), Wrong> {
        let ChainStart { org } = read(body).map_err(|_| Wrong::at(Tampering::NotTheFormat, None))?;
        self.end_chain()?;
        let is_first = self.seen.is_empty();
        let fits = match self.scope() {
            Some(Scope::Organization(only)) => is_first && org == only,
            // The instance's chain comes first, because its checkpoints list the others.
            Some(Scope::Installation) => is_first == org.uuid().is_nil(),
            None => false,
        };
        if !fits || !self.seen.insert(org) {
            return Err(Wrong::at(Tampering::ChainInserted, None));
        }
        let pins = self.pins.remove(&org).unwrap_or_default();
        self.walk = Some(Walk::start(org, pins));
        Ok(())
    }

    fn scope(&self) -> Option<Scope> {
        self.header.as_ref().map(|(header, _)| header.scope)
    }

    fn checkpoint(&mut self, signed: &SignedCheckpoint) -> Result<(), Wrong> {
        let Some(walk) = &mut self.walk else {
            return Err(Wrong::at(Tampering::NotTheFormat, None));
        };
        let body = walk.checkpoint(signed, &self.keys)?;
        for ChainHead { org, seq, head } in body.chains.into_iter().flatten() {
            let other = self.pins.entry(org).or_default().heads.insert(seq, head);
            if other.is_some_and(|other| other != head) {
                return Err(Wrong::at(Tampering::Recomputed, Some((1, seq))).of(org));
            }
        }
        Ok(())
    }

    fn end_chain(&mut self) -> Result<(), Wrong> {
        let Some(walk) = &self.walk else { return Ok(()) };
        walk.end()?;
        let end = ChainHead { head: walk.hash, org: walk.org, seq: walk.seq };
        self.ends.push(ChainEnd { end, checkpoints: walk.checkpoints });
        self.chains.push(ChainReport {
            org: walk.org,
            records: walk.seq,
            sealed_to: walk.sealed,
            anchored_to: walk.anchored,
            checkpoints: walk.checkpoints,
        });
        self.walk = None;
        Ok(())
    }

    fn footer(&mut self, body: &[u8], signature: &Hex<64>) -> Result<(), Wrong> {
        let missing = |tampering| Wrong::at(tampering, None);
        self.end_chain()?;
        let statement: Statement = read(body).map_err(|_| missing(Tampering::NotTheFormat))?;
        let key =
            self.keys.get(&statement.key).ok_or_else(|| missing(Tampering::KeyUnknown(statement.key)))?;
        let is_of_header = self.header.as_ref().is_some_and(|(_, hash)| *hash == statement.header);
        if !statement_holds(body, signature, key) || !is_of_header {
            return Err(missing(Tampering::SignatureWrong));
        }
        for (stated, met) in statement.chains.iter().zip(&self.ends) {
            compare_ends(stated, met)?;
        }
        if let Some(lost) = statement.chains.get(self.ends.len()) {
            return Err(Wrong::at(Tampering::ChainMissing, Some((1, lost.end.seq.max(1)))).of(lost.end.org));
        }
        if let Some(added) = self.ends.get(statement.chains.len()) {
            return Err(missing(Tampering::ChainInserted).of(added.end.org));
        }
        self.all_chains_were_there()?;
        self.is_complete = true;
        Ok(())
    }

    fn all_chains_were_there(&self) -> Result<(), Wrong> {
        let last = |org: &OrgId| {
            self.pins.get(org).and_then(|pins| pins.heads.last_key_value()).map_or(0, |(seq, _)| *seq)
        };
        let expected: Vec<OrgId> = match self.scope() {
            Some(Scope::Organization(org)) => vec![org],
            _ => std::iter::once(OrgId::from_uuid(uuid::Uuid::nil()))
                .chain(self.pins.keys().copied())
                .collect(),
        };
        match expected.iter().filter(|org| !self.seen.contains(org)).min() {
            Some(org) => Err(Wrong::at(Tampering::ChainMissing, Some((1, last(org).max(1)))).of(*org)),
            None => Ok(()),
        }
    }
}

/// Compares a chain's end with what the exporter stated.
fn compare_ends(stated: &ChainEnd, met: &ChainEnd) -> Result<(), Wrong> {
    let (to, seq) = (stated.end.seq, met.end.seq);
    let (tampering, records) = if stated.end.org != met.end.org {
        (Tampering::ChainMissing, None)
    } else if to > seq {
        (Tampering::TailMissing, Some((seq + 1, to)))
    } else if to < seq {
        (Tampering::RecordInserted, Some((to + 1, seq)))
    } else if stated.end.head != met.end.head {
        (Tampering::Recomputed, Some((1, seq)))
    } else if stated.checkpoints != met.checkpoints {
        (Tampering::CheckpointMissing, None)
    } else {
        return Ok(());
    };
    Err(Wrong::at(tampering, records).of(stated.end.org))
}
