//! The export: one JSON object a line, every byte that a hash covers left as it was.
//!
//! `header` (format, scope, time, keys), then for each chain a `chain` line, its `event` lines in order and
//! each `checkpoint` behind the record it reaches to, and at the end the `footer`: a signed statement of
//! header and chain ends, so that neither the file's end nor its time can be altered by who holds only the
//! file. In an export of the installation the instance's chain comes first, because its checkpoints list
//! the others.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        crypto::digest,
        ids::{OrgId, SigningKeyId},
    },
    domain::audit::{
        canon::micros,
        chain::{self, ChainHead, Hash, Hex, PublicKey, Signer},
        line::{body_line, body_of, event_line},
        store::Batch,
    },
};

/// The name in the header.
pub(super) const FORMAT: &str = "portreeve-audit-export/1";

/// What an export covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One organization's chain.
    Organization(OrgId),
    /// The instance's chain and those of all organizations.
    Installation,
}

/// The header's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) scope: Scope,
    #[serde(with = "micros")]
    pub(super) exported_at: OffsetDateTime,
    pub(super) keys: Vec<PublicKey>,
}

/// The body of the line where a chain begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChainStart {
    pub(super) org: OrgId,
}

/// Where a chain ends, as the exporter saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChainEnd {
    /// The chain's head in the database when the export began.
    pub(super) end: ChainHead,
    /// How many checkpoints were written.
    pub(super) checkpoints: i64,
}

/// The footer's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    pub(super) header: Hash,
    pub(super) chains: Vec<ChainEnd>,
    pub(super) key: SigningKeyId,
}

/// Writes an export; buffers nothing itself.
#[derive(Debug)]
pub struct ExportWriter<W> {
    out: W,
    header: Hash,
    chains: Vec<ChainEnd>,
}

impl<W: Write> ExportWriter<W> {
    /// Writes the header. Take the time first, then read the keys, then the heads.
    ///
    /// # Errors
    /// When the sink refuses.
    pub fn begin(
        mut out: W,
        scope: Scope,
        exported_at: OffsetDateTime,
        keys: Vec<PublicKey>,
    ) -> io::Result<Self> {
        let body = body_of(&Header { format: FORMAT.to_owned(), scope, exported_at, keys });
        out.write_all(&body_line("header", &body, None))?;
        Ok(Self { out, header: Hex(digest::sha256(&body)), chains: Vec::new() })
    }

    /// Begins a chain that the export follows up to this head.
    ///
    /// # Errors
    /// When the sink refuses.
    pub fn chain(&mut self, head: ChainHead) -> io::Result<()> {
        self.chains.push(ChainEnd { end: head, checkpoints: 0 });
        self.out.write_all(&body_line("chain", &body_of(&ChainStart { org: head.org }), None))
    }

    /// Writes the next stretch of the chain begun last.
    ///
    /// # Errors
    /// When the sink refuses.
    pub fn batch(&mut self, batch: &Batch) -> io::Result<()> {
        let mut checkpoints = batch.checkpoints.iter().peekable();
        for event in &batch.events {
            while let Some((_, checkpoint)) = checkpoints.next_if(|(seq, _)| *seq < event.seq) {
                self.out.write_all(&checkpoint.line())?;
            }
            self.out.write_all(&event_line(event))?;
        }
        for (_, checkpoint) in checkpoints {
            self.out.write_all(&checkpoint.line())?;
        }
        if let Some(chain) = self.chains.last_mut() {
            chain.checkpoints += batch.checkpoints.len() as i64;
        }
        Ok(())
    }

    /// Writes the signed statement and gives the sink back.
    ///
    /// # Errors
    /// When the sink refuses.
    pub fn finish(mut self, signer: Signer<'_>) -> io::Result<W> {
        let body = body_of(&Statement { header: self.header, chains: self.chains, key: signer.id });
        let signature = chain::sign_statement(&body, signer.key);
        self.out.write_all(&body_line("footer", &body, Some(&signature)))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl ExportWriter<Vec<u8>> {
    /// Takes what was written so far, to be sent before the next batch is read.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}
