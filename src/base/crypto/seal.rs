//! AES-256-GCM over one value, bound to the place where it is stored.
//!
//! Invariant: a sealed value opens only with the same key and the same [`Place`].

use aes_gcm::{
    Aes256Gcm, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base::{
    crypto::{digest, random},
    secret::Secret,
};

/// A 256-bit key.
pub type SealKey = Secret<[u8; 32]>;

/// Where a sealed value stands; moving the bytes elsewhere makes them unreadable.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The organization, or nil for the instance itself.
    pub org: Uuid,
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The row.
    pub row: Uuid,
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let mut out = b"portreeve/seal/1".to_vec();
        out.extend_from_slice(self.org.as_bytes());
        out.extend_from_slice(self.row.as_bytes());
        for part in [self.table, self.column] {
            out.extend_from_slice(&(part.len() as u32).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out
    }
}

/// The value does not open: another key, another place, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with this key at this place")]
pub struct DoesNotOpen;

const NONCE: usize = 12;

/// Seals a value: nonce, then ciphertext with tag.
pub fn seal(key: &SealKey, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
    seal_with(key, place, plain, random::bytes())
}

/// Seals a value so that the same value at the same place is always sealed into the same bytes: for names that others
/// compare. The nonce is a digest of place and value under a key of its own, so that two values share one only by a
/// collision of 96 bits, and whoever sees the bytes learns no more than that two are equal.
pub fn seal_alike(key: &SealKey, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
    let nonce_key = digest::hmac(key.expose(), b"portreeve/seal-nonce/1");
    let digest = digest::hmac(&nonce_key, &[place.associated_data().as_slice(), plain].concat());
    let mut nonce = [0u8; NONCE];
    nonce.copy_from_slice(&digest[..NONCE]);
    seal_with(key, place, plain, nonce)
}

fn seal_with(key: &SealKey, place: Place<'_>, plain: &[u8], nonce: [u8; NONCE]) -> Vec<u8> {
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.expose()));
    let payload = Payload { msg: plain, aad: &place.associated_data() };
    let ciphertext =
        cipher.encrypt(&Nonce::from(nonce), payload).expect("AES-GCM seals anything below 64 GiB");
    [nonce.as_slice(), &ciphertext].concat()
}

/// Opens a sealed value.
///
/// # Errors
/// When key, place or bytes are not those of the sealing.
pub fn open(key: &SealKey, place: Place<'_>, sealed: &[u8]) -> Result<Secret<Vec<u8>>, DoesNotOpen> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE).ok_or(DoesNotOpen)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| DoesNotOpen)?;
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.expose()));
    let payload = Payload { msg: ciphertext, aad: &place.associated_data() };
    cipher.decrypt(&Nonce::from(nonce), payload).map(Secret::new).map_err(|_| DoesNotOpen)
}

/// A new random key.
pub fn new_key() -> SealKey {
    let bytes = Zeroizing::new(random::bytes::<32>());
    Secret::new(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(row: u128) -> Place<'static> {
        Place { org: Uuid::from_u128(1), table: "t", column: "c", row: Uuid::from_u128(row) }
    }

    proptest! {
        #[test]
        fn a_value_opens_only_in_its_place(plain: Vec<u8>) {
            let key = new_key();
            let sealed = seal(&key, place(1), &plain);
            let opened = open(&key, place(1), &sealed).expect("same place");
            prop_assert_eq!(opened.expose(), &plain);
            prop_assert!(open(&key, place(2), &sealed).is_err());
            let moved = Place { column: "d", ..place(1) };
            prop_assert!(open(&key, moved, &sealed).is_err());
            let moved = Place { org: Uuid::nil(), ..place(1) };
            prop_assert!(open(&key, moved, &sealed).is_err());
            prop_assert!(open(&new_key(), place(1), &sealed).is_err());
        }

        #[test]
        fn any_changed_byte_is_noticed(plain: Vec<u8>, at: prop::sample::Index, flip in 1u8..) {
            let key = new_key();
            let mut sealed = seal(&key, place(1), &plain);
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(open(&key, place(1), &sealed).is_err());
        }
    }

    #[test]
    fn neighboring_names_are_kept_apart() {
        let key = new_key();
        let sealed = seal(&key, Place { table: "ab", column: "c", ..place(1) }, b"x");
        assert!(open(&key, Place { table: "a", column: "bc", ..place(1) }, &sealed).is_err());
    }
}
