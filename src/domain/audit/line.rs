//! One line of an export or of an anchors file: written and read here, so that both agree.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::domain::audit::{
    chain::{Hash, Hex, PublicKey, SignedCheckpoint},
    store::StoredEvent,
};

/// A line, its members in any order; `body` and `record` are kept byte by byte, as hashes cover them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(rename = "type")]
    shape: String,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
    #[serde(default)]
    hash: Option<Hash>,
    #[serde(default)]
    prev: Option<Hash>,
    #[serde(default)]
    signature: Option<Hex<64>>,
}

/// A line taken apart.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// What the file is.
    Header { body: &'a [u8] },
    /// Here a chain begins.
    Chain { body: &'a [u8] },
    /// One record.
    Event { record: &'a [u8], prev: Hash, hash: Hash },
    /// One checkpoint.
    Checkpoint(SignedCheckpoint),
    /// The public half of a signing key.
    Key(PublicKey),
    /// The signed statement of what the file holds.
    Footer { body: &'a [u8], signature: Hex<64> },
}

/// The line is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotALine;

impl<'a> Line<'a> {
    /// Reads a line.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, NotALine> {
        let m: Members<'a> = serde_json::from_slice(line).map_err(|_| NotALine)?;
        let shape = m.shape.as_str();
        match (shape, m.body, m.record, m.prev, m.hash, m.signature) {
            ("header", Some(body), None, None, None, None) => Ok(Self::Header { body: bytes(body) }),
            ("chain", Some(body), None, None, None, None) => Ok(Self::Chain { body: bytes(body) }),
            ("key", Some(body), None, None, None, None) => Ok(Self::Key(read(bytes(body))?)),
            ("event", None, Some(record), Some(prev), Some(hash), None) => {
                Ok(Self::Event { record: bytes(record), prev, hash })
            }
            ("checkpoint", Some(body), None, None, None, Some(signature)) => {
                Ok(Self::Checkpoint(SignedCheckpoint { body: bytes(body).to_vec(), signature }))
            }
            ("footer", Some(body), None, None, None, Some(signature)) => {
                Ok(Self::Footer { body: bytes(body), signature })
            }
            _ => Err(NotALine),
        }
    }
}

fn bytes(raw: &RawValue) -> &[u8] {
    raw.get().as_bytes()
}

/// Reads the body of a line.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, NotALine> {
    serde_json::from_slice(body).map_err(|_| NotALine)
}

/// A line with a body and perhaps a signature over it.
pub(super) fn body_line(shape: &str, body: &[u8], signature: Option<&Hex<64>>) -> Vec<u8> {
    let mut out = format!(r#"{{"type":"{shape}","body":"#).into_bytes();
    out.extend_from_slice(body);
    if let Some(signature) = signature {
        out.extend_from_slice(format!(r#","signature":"{signature}""#).as_bytes());
    }
    out.extend_from_slice(b"}\n");
    out
}

/// A line with a record.
pub(super) fn event_line(event: &StoredEvent) -> Vec<u8> {
    let mut out =
        format!(r#"{{"type":"event","hash":"{}","prev":"{}","record":"#, event.hash, event.prev_hash)
            .into_bytes();
    out.extend_from_slice(&event.record);
    out.extend_from_slice(b"}\n");
    out
}

/// The bytes of a body that we make ourselves.
pub(super) fn body_of(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a body of texts and whole numbers serializes")
}

/// The line that tells an anchors file which key to trust.
pub fn key_line(key: &PublicKey) -> Vec<u8> {
    body_line("key", &body_of(key), None)
}

impl SignedCheckpoint {
    /// The line for an export or an anchors file.
    pub fn line(&self) -> Vec<u8> {
        body_line("checkpoint", &self.body, Some(&self.signature))
    }
}
