//! The master keys: the first one wraps, every one unwraps. They never enter the database.

use std::{collections::HashSet, fmt, str::FromStr};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    base::{
        crypto::{
            digest,
            seal::{self, Place, SealKey},
        },
        ids::DataKeyId,
        secret::Secret,
    },
    domain::vault::{VaultError, VaultResult},
};

const KEY_BYTES: usize = 32;
/// A random key has about 30 different bytes; 16 random ones written twice have at most this many.
const FEWEST_DISTINCT: usize = 17;

/// The name of a master key: 1 to 20 of a to z, 0 to 9 and hyphen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MasterId(String);

/// The text cannot name a master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("name a master key with 1 to 20 of a to z, 0 to 9 and hyphen")]
pub struct NotAMasterId;

impl MasterId {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MasterId {
    type Err = NotAMasterId;

    fn from_str(text: &str) -> Result<Self, NotAMasterId> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=20).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAMasterId)
        }
    }
}

impl fmt::Display for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no ring of master keys.
///
/// Entries whose name is in doubt are called by position: what stands there may be a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRing {
    /// Nothing is there.
    #[error("no master key is given; write `k1:` followed by the output of `openssl rand -base64 32`")]
    Empty,
    /// The bytes are not text.
    #[error("the key file holds something other than text; restore it from a backup")]
    NotText,
    /// An entry has no colon.
    #[error("entry {0} of the master keys lacks the colon between name and key, as in `k1:…`")]
    NoColon(usize),
    /// An entry's name is no name.
    #[error(
        "entry {0} of the master keys needs a name of 1 to 20 of a to z, 0 to 9 and hyphen before its colon"
    )]
    BadId(usize),
    /// A name comes twice.
    #[error("two master keys are named {0}; give each its own name")]
    SameId(MasterId),
    /// A key comes twice.
    #[error("the master keys {0} and {1} are the same key; leave one out")]
    SameKey(MasterId, MasterId),
    /// A key is not base64.
    #[error("the master key {0} is not base64; make one with `openssl rand -base64 32`")]
    NotBase64(MasterId),
    /// A key has another length.
    #[error("the master key {id} has {bytes} bytes instead of 32; make one with `openssl rand -base64 32`")]
    Length {
        /// Which key.
        id: MasterId,
        /// How long it is.
        bytes: usize,
    },
    /// A key is not random.
    #[error(
        "the master key {0} is a default, a pattern or plain text; \
         make a random one with `openssl rand -base64 32`"
    )]
    Guessable(MasterId),
}

/// The master keys, the sealing one first.
#[derive(Clone, Debug)]
pub struct MasterRing {
    /// Never empty.
    keys: Vec<(MasterId, SealKey)>,
}

/// A data key as the database holds it.
#[derive(Clone, Debug)]
pub(super) struct Wrapped {
    pub(super) master: String,
    pub(super) bytes: Vec<u8>,
}

impl MasterRing {
    /// Reads `k2:<base64>,k1:<base64>`; spaces and line ends around entries do not count.
    ///
    /// # Errors
    /// See [`BadRing`]; no message holds key material.
    pub fn parse(text: &str) -> Result<Self, BadRing> {
        if text.trim().is_empty() {
            return Err(BadRing::Empty);
        }
        let keys = text
            .split(',')
            .enumerate()
            .map(|(i, entry)| parse_entry(i + 1, entry.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        for (i, (id, key)) in keys.iter().enumerate() {
            for (earlier, other) in &keys[..i] {
                if id == earlier {
                    return Err(BadRing::SameId(id.clone()));
                }
                if digest::same(key.expose(), other.expose()) {
                    return Err(BadRing::SameKey(earlier.clone(), id.clone()));
                }
            }
        }
        Ok(Self { keys })
    }

    /// Reads a key file: the same text.
    ///
    /// # Errors
    /// See [`BadRing`].
    pub fn from_file(bytes: &[u8]) -> Result<Self, BadRing> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_| BadRing::NotText)?)
    }

    /// A ring of one new random key.
    pub fn generate(id: MasterId) -> Self {
        Self { keys: vec![(id, fresh_key())] }
    }

    /// The ring with a new random key in front, named by the next free number: `k2` after `k1`.
    #[must_use]
    pub fn grown(&self) -> Self {
        let taken: HashSet<&str> = self.ids().map(MasterId::as_str).collect();
        let id = (1u32..)
            .skip(self.keys.len())
            .map(|n| format!("k{n}"))
            .find(|id| !taken.contains(id.as_str()))
            .expect("a ring holds fewer keys than there are numbers");
        let mut keys = vec![(MasterId(id), fresh_key())];
        keys.extend(self.keys.iter().cloned());
        Self { keys }
    }

    /// The ring with its sealing key alone, for when the others have nothing left to open.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        Self { keys: vec![self.keys[0].clone()] }
    }

    /// The text that [`MasterRing::parse`] reads, for the key file.
    pub fn text(&self) -> Secret<String> {
        let room: usize = self.keys.iter().map(|(id, _)| id.as_str().len() + 46).sum();
        // Room for all of it at once: growing would leave a copy behind in freed memory.
        let mut text = String::with_capacity(room);
        for (i, (id, key)) in self.keys.iter().enumerate() {
            if i > 0 {
                text.push(',');
            }
            text.push_str(id.as_str());
            text.push(':');
            STANDARD.encode_string(key.expose(), &mut text);
        }
        Secret::new(text)
    }

    /// The names, the sealing key's first.
    pub fn ids(&self) -> impl Iterator<Item = &MasterId> {
        self.keys.iter().map(|(id, _)| id)
    }

    /// The name of the key that seals.
    pub fn active(&self) -> &MasterId {
        &self.keys[0].0
    }

    /// Whether a key of that name is here.
    pub fn holds(&self, master: &str) -> bool {
        self.find(master).is_some()
    }

    /// Keys derived from the master keys for one purpose that is not wrapping, the sealing key's first.
    pub fn derived(&self, purpose: &str) -> Vec<SealKey> {
        let derive = |key: &SealKey| Secret::new(digest::hmac(key.expose(), purpose.as_bytes()));
        self.keys.iter().map(|(_, key)| derive(key)).collect()
    }

    /// Wraps a data key under the sealing master key.
    pub(super) fn wrap(&self, org: Uuid, id: DataKeyId, key: &SealKey) -> Wrapped {
        let (master, master_key) = &self.keys[0];
        Wrapped { master: master.0.clone(), bytes: seal::seal(master_key, place(org, id), key.expose()) }
    }

    /// Unwraps a data key of this organization and id.
    pub(super) fn unwrap(&self, org: Uuid, id: DataKeyId, wrapped: &Wrapped) -> VaultResult<SealKey> {
        let master = self
            .find(&wrapped.master)
            .ok_or_else(|| VaultError::MasterMissing { master: wrapped.master.clone() })?;
        let wrong = || VaultError::MasterWrong { master: wrapped.master.clone() };
        let plain = seal::open(master, place(org, id), &wrapped.bytes).map_err(|_| wrong())?;
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        if plain.expose().len() != KEY_BYTES {
            return Err(wrong());
        }
        key.copy_from_slice(plain.expose());
        Ok(Secret::new(*key))
    }

    fn find(&self, master: &str) -> Option<&SealKey> {
        self.keys.iter().find(|(id, _)| id.as_str() == master).map(|(_, key)| key)
    }
}

fn place(org: Uuid, id: DataKeyId) -> Place<'static> {
    Place { org, table: "data_keys", column: "wrapped", row: id.uuid() }
}

fn parse_entry(position: usize, entry: &str) -> Result<(MasterId, SealKey), BadRing> {
    let (id, key) = entry.split_once(':').ok_or(BadRing::NoColon(position))?;
    let id: MasterId = id.trim().parse().map_err(|_| BadRing::BadId(position))?;
    let decoded = STANDARD_PAD_INDIFFERENT.decode(key.trim()).map_err(|_| BadRing::NotBase64(id.clone()))?;
    let decoded = Zeroizing::new(decoded);
    let mut bytes = Zeroizing::new([0u8; KEY_BYTES]);
    if decoded.len() != KEY_BYTES {
        return Err(BadRing::Length { id, bytes: decoded.len() });
    }
    bytes.copy_from_slice(&decoded);
    if is_guessable(&bytes) {
        return Err(BadRing::Guessable(id));
    }
    Ok((id, Secret::new(*bytes)))
}

fn fresh_key() -> SealKey {
    loop {
        let key = seal::new_key();
        // About once in 10^9: a key that we would refuse to read back.
        if !is_guessable(key.expose()) {
            return key;
        }
    }
}

/// Whether 32 bytes are a default, a pattern, or text somebody typed.
fn is_guessable(key: &[u8; KEY_BYTES]) -> bool {
    let distinct = key.iter().collect::<HashSet<_>>().len();
    let step = key[1].wrapping_sub(key[0]);
    let counts_up = key.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    let is_text = key.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    distinct < FEWEST_DISTINCT || counts_up || is_text
}

#[cfg(test)]
mod tests;
