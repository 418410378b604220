//! What the verifier found first.

use std::fmt;

use crate::base::ids::{EventId, OrgId, SigningKeyId};

/// In which way the account was altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// A line is none of this format, or stands where it must not.
    NotTheFormat,
    /// The file ends without its signed statement.
    FileCutOff,
    /// A record's bytes do not give its hash.
    RecordEdited,
    /// A record's hash fits its bytes, but the bytes are no record of its place in canonical form.
    RecordMalformed,
    /// Records are missing here: removed or moved elsewhere.
    RecordsMissing,
    /// A record stands here that does not belong between its neighbors: inserted, repeated or moved.
    RecordInserted,
    /// A record follows another hash than that of the record before it.
    LinkBroken,
    /// A record or checkpoint of another organization's chain stands in this one.
    Transplanted,
    /// The records agree among themselves, but not with a checkpoint made before: the chain was computed
    /// anew.
    Recomputed,
    /// A chain ends before a record that a checkpoint or the export's own statement names.
    TailMissing,
    /// A chain that a checkpoint names is not there.
    ChainMissing,
    /// A chain is there that the export's own statement does not name, or twice.
    ChainInserted,
    /// A checkpoint is missing between two others or at the end of a chain.
    CheckpointMissing,
    /// A checkpoint is not the one that followed, or not where it belongs.
    CheckpointReplaced,
    /// A signature does not hold.
    SignatureWrong,
    /// A checkpoint or statement was signed by a key that the export does not list.
    KeyUnknown(SigningKeyId),
    /// The export lists another public half for a key than the anchors do.
    KeyReplaced(SigningKeyId),
}

impl Tampering {
    /// A stable code for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotTheFormat => "not_the_format",
            Self::FileCutOff => "file_cut_off",
            Self::RecordEdited => "record_edited",
            Self::RecordMalformed => "record_malformed",
            Self::RecordsMissing => "records_missing",
            Self::RecordInserted => "record_inserted",
            Self::LinkBroken => "link_broken",
            Self::Transplanted => "transplanted",
            Self::Recomputed => "recomputed",
            Self::TailMissing => "tail_missing",
            Self::ChainMissing => "chain_missing",
            Self::ChainInserted => "chain_inserted",
            Self::CheckpointMissing => "checkpoint_missing",
            Self::CheckpointReplaced => "checkpoint_replaced",
            Self::SignatureWrong => "signature_wrong",
            Self::KeyUnknown(_) => "key_unknown",
            Self::KeyReplaced(_) => "key_replaced",
        }
    }
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTheFormat => f.write_str("this line is not part of an export, or not at this place"),
            Self::FileCutOff => f.write_str("the file ends before its signed statement"),
            Self::RecordEdited => f.write_str("the record does not give its hash: it was edited"),
            Self::RecordMalformed => f.write_str("the record is not in canonical form for this place"),
            Self::RecordsMissing => f.write_str("not all of them are here: removed, or moved elsewhere"),
            Self::RecordInserted => {
                f.write_str("a record stands here that does not follow: inserted or moved")
            }
            Self::LinkBroken => f.write_str("the record does not follow the one before it"),
            Self::Transplanted => f.write_str("this belongs to another organization's chain"),
            Self::Recomputed => f.write_str("these records are not those that a checkpoint sealed"),
            Self::TailMissing => {
                f.write_str("the chain ends before the last of them, to which a checkpoint reaches")
            }
            Self::ChainMissing => f.write_str("the whole chain is missing"),
            Self::ChainInserted => f.write_str("this chain is there twice, or was added to the export"),
            Self::CheckpointMissing => f.write_str("a checkpoint is missing: the seal was rolled back"),
            Self::CheckpointReplaced => f.write_str("the checkpoint is not the one that stood here"),
            Self::SignatureWrong => f.write_str("the signature does not hold"),
            Self::KeyUnknown(key) => write!(f, "signed by {key}, which the export does not list"),
            Self::KeyReplaced(key) => {
                write!(f, "the public half of {key} is not the one that the anchors hold")
            }
        }
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// In which way.
    pub tampering: Tampering,
    /// The line of the export, from 1; for what is missing, the line where that is noticed.
    pub line: u64,
    /// Whose chain; nil is the instance's.
    pub org: Option<OrgId>,
    /// The first and last record that cannot be trusted.
    pub records: Option<(i64, i64)>,
    /// The id of the event, where the record still tells it.
    pub event: Option<EventId>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        match self.org {
            Some(org) if org.uuid().is_nil() => f.write_str(", the instance's chain")?,
            Some(org) => write!(f, ", chain of {org}")?,
            None => {}
        }
        match self.records {
            Some((first, last)) if first == last => write!(f, ", record {first}")?,
            Some((first, last)) => write!(f, ", records {first} to {last}")?,
            None => {}
        }
        if let Some(event) = self.event {
            write!(f, " ({event})")?;
        }
        write!(f, ": {}", self.tampering)
    }
}
