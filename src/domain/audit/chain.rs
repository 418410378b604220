//! The hash chain and the checkpoints that seal it.
//!
//! `h_n = SHA-256("portreeve/audit/1" ‖ org ‖ n ‖ h_(n-1) ‖ length ‖ record)` with the organization as 16
//! bytes and both numbers as 8 bytes, big-endian; `h_0 = SHA-256("portreeve/audit-genesis/1" ‖ org)`. A
//! chain is thus bound to its organization from the first byte, and a record to its place in it.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::{
    base::{
        crypto::{digest, signature, signature::SignKey},
        ids::{OrgId, SigningKeyId},
    },
    domain::audit::canon::{NotCanonical, VERSION, micros},
};

/// Bytes that are written as lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// A SHA-256 hash.
pub type Hash = Hex<32>;

impl<const N: usize> Hex<N> {
    /// Takes the bytes as the database holds them.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        let mut bytes = [0u8; N];
        if text.len() != 2 * N {
            return Err(de::Error::custom("wrong number of hexadecimal digits"));
        }
        HEXLOWER
            .decode_mut(text.as_bytes(), &mut bytes)
            .map_err(|_| de::Error::custom("not hexadecimal digits in lower case"))?;
        Ok(Self(bytes))
    }
}

/// The hash before the first record.
pub(super) fn genesis(org: OrgId) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"portreeve/audit-genesis/1");
    hash.update(org.uuid().as_bytes());
    Hex(hash.finalize().into())
}

/// The hash of a record at its place.
pub(super) fn link(org: OrgId, seq: i64, prev: Hash, record: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"portreeve/audit/1");
    hash.update(org.uuid().as_bytes());
    hash.update(seq.to_be_bytes());
    hash.update(prev.0);
    hash.update((record.len() as u64).to_be_bytes());
    hash.update(record);
    Hex(hash.finalize().into())
}

/// Where a chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {
    /// The hash of its last record.
    pub head: Hash,
    /// Whose chain.
    pub org: OrgId,
    /// The number of its last record; 0 when it has none.
    pub seq: i64,
}

impl ChainHead {
    /// A chain without records.
    pub fn empty(org: OrgId) -> Self {
        Self { head: genesis(org), org, seq: 0 }
    }
}

/// A key that signs checkpoints, and its id.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The key.
    pub key: &'a SignKey,
    /// Its id.
    pub id: SigningKeyId,
}

/// The public half of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// The key's id.
    pub id: SigningKeyId,
    /// The 32 bytes.
    pub public: Hex<32>,
}

/// What a checkpoint says. Members are declared in canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointBody {
    /// When it was made.
    #[serde(with = "micros")]
    pub at: OffsetDateTime,
    /// In a global checkpoint: every other chain of the installation and where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chains: Option<Vec<ChainHead>>,
    /// How many records the chain has.
    pub count: i64,
    /// The hash of its last record.
    pub head: Hash,
    /// Which key signs.
    pub key: SigningKeyId,
    /// The checkpoint's own number, from 1.
    pub number: i64,
    /// Whose chain.
    pub org: OrgId,
    /// The hash of the checkpoint before; zeros for the first.
    pub prev: Hash,
    /// The number of the last record.
    pub seq: i64,
    /// The version of this layout.
    pub v: u8,
}

impl CheckpointBody {
    /// What the checkpoint of a chain with this head says.
    pub(super) fn of(
        head: ChainHead,
        at: OffsetDateTime,
        before: Option<(i64, Hash)>,
        key: SigningKeyId,
    ) -> Self {
        let (number, prev) = before.unwrap_or((0, Hex([0; 32])));
        Self {
            at,
            chains: None,
            count: head.seq,
            head: head.head,
            key,
            number: number + 1,
            org: head.org,
            prev,
            seq: head.seq,
            v: VERSION,
        }
    }

    /// Signs it.
    pub(super) fn sign(&self, key: &SignKey) -> SignedCheckpoint {
        let body = serde_json::to_vec(self).expect("a checkpoint of texts and whole numbers serializes");
        let signature = Hex(key.sign(&labelled(CHECKPOINT, &body)));
        SignedCheckpoint { body, signature }
    }
}

/// A checkpoint as it is stored, exported and kept outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The canonical bytes of the [`CheckpointBody`].
    pub body: Vec<u8>,
    /// The Ed25519 signature over label and body.
    pub signature: Hex<64>,
}

/// The label before a checkpoint's bytes, so that its signature means nothing anywhere else.
const CHECKPOINT: &[u8] = b"portreeve/checkpoint/1";
/// The label before an export statement's bytes.
const STATEMENT: &[u8] = b"portreeve/export/1";

fn labelled(label: &[u8], body: &[u8]) -> Vec<u8> {
    [label, &(body.len() as u64).to_be_bytes(), body].concat()
}

impl SignedCheckpoint {
    /// The hash by which the next checkpoint names it.
    pub fn hash(&self) -> Hash {
        Hex(digest::sha256(&labelled(CHECKPOINT, &self.body)))
    }

    /// Reads what it says.
    ///
    /// # Errors
    /// When the bytes are not a checkpoint in canonical form.
    pub fn read(&self) -> Result<CheckpointBody, NotCanonical> {
        let body: CheckpointBody = serde_json::from_slice(&self.body).map_err(|_| NotCanonical)?;
        let again = serde_json::to_vec(&body).map_err(|_| NotCanonical)?;
        if body.v == VERSION && again == self.body { Ok(body) } else { Err(NotCanonical) }
    }

    /// Whether the holder of this key signed it.
    pub fn is_signed_by(&self, public: &Hex<32>) -> bool {
        signature::verify(&public.0, &labelled(CHECKPOINT, &self.body), &self.signature.0)
    }
}

/// Signs the statement at the end of an export.
pub(super) fn sign_statement(body: &[u8], key: &SignKey) -> Hex<64> {
    Hex(key.sign(&labelled(STATEMENT, body)))
}

/// Whether the holder of this key signed the statement.
pub(super) fn statement_holds(body: &[u8], signature: &Hex<64>, public: &Hex<32>) -> bool {
    signature::verify(&public.0, &labelled(STATEMENT, body), &signature.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn org(n: u128) -> OrgId {
        OrgId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn the_chain_starts_and_links_with_these_hashes() {
        // Computed independently with Python's hashlib, so that a change of layout cannot pass unseen.
        let first = genesis(org(1));
        assert_eq!(first.to_string(), "20a5779a2fa8316fbdc9edb986a952b987884648edf0bf61e20fa206606f3908");
        assert_eq!(
            link(org(1), 1, first, b"{}").to_string(),
            "db8e3a4f71e568397c9ad3626c3a2346c128c4df6f5405d6f8e348bd53c4f892"
        );
    }

    #[test]
    fn organization_number_predecessor_and_record_all_enter_the_hash() {
        let base = link(org(1), 1, genesis(org(1)), b"{}");
        assert_ne!(base, link(org(2), 1, genesis(org(1)), b"{}"));
        assert_ne!(base, link(org(1), 2, genesis(org(1)), b"{}"));
        assert_ne!(base, link(org(1), 1, genesis(org(2)), b"{}"));
        assert_ne!(base, link(org(1), 1, genesis(org(1)), b"{} "));
    }

    #[test]
    fn a_checkpoint_reads_back_and_its_signature_covers_every_byte() {
        let key = SignKey::fresh();
        let head = ChainHead { head: Hex([7; 32]), org: org(1), seq: 3 };
        let mut body = CheckpointBody::of(head, OffsetDateTime::UNIX_EPOCH, None, SigningKeyId::fresh());
        body.chains = Some(vec![ChainHead::empty(org(2))]);
        let signed = body.sign(&key);
        assert_eq!(signed.read(), Ok(body));
        assert!(signed.is_signed_by(&Hex(key.public())));
        for at in 0..signed.body.len() {
            let mut other = signed.clone();
            other.body[at] ^= 1;
            assert!(!other.is_signed_by(&Hex(key.public())));
        }
    }

    #[test]
    fn a_statement_is_no_checkpoint() {
        let key = SignKey::fresh();
        let signature = sign_statement(b"{}", &key);
        let forged = SignedCheckpoint { body: b"{}".to_vec(), signature };
        assert!(statement_holds(b"{}", &signature, &Hex(key.public())));
        assert!(!forged.is_signed_by(&Hex(key.public())));
    }
}
