//! Checkpoints kept outside the database, which an attacker of the database cannot roll back.

use std::{
    collections::{BTreeMap, HashMap},
    io::BufRead,
};

use time::{Duration, OffsetDateTime};

use crate::{
    base::ids::{OrgId, SigningKeyId},
    domain::audit::{
        chain::{Hash, Hex},
        line::Line,
    },
};

/// An anchor this much younger than the export may have been kept after the export had read its chain.
const GRACE: Duration = Duration::seconds(60);

/// Why an anchors file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadAnchors {
    /// A line is neither checkpoint nor key.
    #[error("line {0} of the anchors is neither a checkpoint nor a key")]
    Line(u64),
    /// A checkpoint was signed by a listed key, but not with this content.
    #[error("the signature in line {0} of the anchors does not hold")]
    Signature(u64),
    /// Two anchors contradict each other.
    #[error("line {0} of the anchors contradicts an earlier line")]
    Contradiction(u64),
    /// The file cannot be read.
    #[error("the anchors cannot be read")]
    Io(#[source] std::io::Error),
}

/// What the checkpoints kept outside say.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    pub(super) keys: HashMap<SigningKeyId, Hex<32>>,
    checkpoints: Vec<Anchor>,
}

#[derive(Clone, Debug)]
struct Anchor {
    at: OffsetDateTime,
    org: OrgId,
    number: i64,
    hash: Hash,
    /// The record heads it names: its own chain's and, in a global one, those of all chains.
    heads: Vec<(OrgId, i64, Hash)>,
}

/// What must be found in one chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Pins {
    /// Hashes of records.
    pub(super) heads: BTreeMap<i64, Hash>,
    /// Hashes of checkpoints.
    pub(super) checkpoints: BTreeMap<i64, Hash>,
    /// The last record that an anchor from outside names.
    pub(super) anchored: i64,
}

impl Anchors {
    /// No anchors: then only the export's own signatures speak.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads an anchors file: lines of checkpoints and keys, as `SignedCheckpoint::line` and `key_line`
    /// write them.
    ///
    /// A torn last line, as a crash leaves it, is passed over.
    ///
    /// # Errors
    /// See [`BadAnchors`].
    pub fn read(mut from: impl BufRead) -> Result<Self, BadAnchors> {
        let mut anchors = Self::default();
        let mut numbers: HashMap<(OrgId, i64), Hash> = HashMap::new();
        let mut line = Vec::new();
        for at in 1.. {
            line.clear();
            let length = from.read_until(b'\n', &mut line).map_err(BadAnchors::Io)?;
            let is_torn = line.last() != Some(&b'\n');
            if length == 0 || (is_torn && Line::parse(&line).is_err()) {
                break;
            }
            match Line::parse(&line).map_err(|_| BadAnchors::Line(at))? {
                Line::Key(key) => {
                    if anchors.keys.insert(key.id, key.public).is_some_and(|other| other != key.public) {
                        return Err(BadAnchors::Contradiction(at));
                    }
                }
                Line::Checkpoint(signed) => {
                    let body = signed.read().map_err(|_| BadAnchors::Line(at))?;
                    if anchors.keys.get(&body.key).is_some_and(|key| !signed.is_signed_by(key)) {
                        return Err(BadAnchors::Signature(at));
                    }
                    let hash = signed.hash();
                    match numbers.insert((body.org, body.number), hash) {
                        Some(other) if other != hash => return Err(BadAnchors::Contradiction(at)),
                        Some(_) => continue,
                        None => {}
                    }
                    let own = (body.org, body.seq, body.head);
                    let listed = body.chains.into_iter().flatten().map(|c| (c.org, c.seq, c.head));
                    let heads = std::iter::once(own).chain(listed).collect();
                    anchors.checkpoints.push(Anchor {
                        at: body.at,
                        org: body.org,
                        number: body.number,
                        hash,
                        heads,
                    });
                }
                _ => return Err(BadAnchors::Line(at)),
            }
        }
        Ok(anchors)
    }

    /// Only the anchors made up to a moment: for an installation restored from a backup of that moment.
    #[must_use]
    pub fn until(mut self, moment: OffsetDateTime) -> Self {
        self.checkpoints.retain(|anchor| anchor.at <= moment);
        self
    }

    /// What must be found in an export of a moment, and how many anchors are too young to say.
    pub(super) fn pins(
        &self,
        exported_at: OffsetDateTime,
        later: LaterAnchors,
    ) -> (HashMap<OrgId, Pins>, u64) {
        let mut pins: HashMap<OrgId, Pins> = HashMap::new();
        let mut passed_over = 0;
        for anchor in &self.checkpoints {
            if later == LaterAnchors::PassOver && anchor.at > exported_at - GRACE {
                passed_over += 1;
                continue;
            }
            pins.entry(anchor.org).or_default().checkpoints.insert(anchor.number, anchor.hash);
            for (org, seq, head) in &anchor.heads {
                let pins = pins.entry(*org).or_default();
                pins.heads.insert(*seq, *head);
                pins.anchored = pins.anchored.max(*seq);
            }
        }
        (pins, passed_over)
    }
}

/// What to do with anchors younger than the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaterAnchors {
    /// An honest export cannot hold what came after it; its signed time says when that was.
    PassOver,
    /// The export is claimed to be newer than all anchors, whatever time it states.
    Apply,
}
