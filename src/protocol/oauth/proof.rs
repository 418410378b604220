//! Values that prove that a callback and a code belong to the request that was made: state, nonce and PKCE.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroize;

use crate::base::{
    crypto::digest::{self, Digest},
    secret::Secret,
};

/// 256 random bits as they travel: the state of a request, or its nonce.
#[derive(Clone, Debug)]
pub struct State(Secret<String>);

impl State {
    /// Makes one of random bytes.
    pub fn of_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(encoded(bytes)))
    }

    /// Takes one that was kept.
    pub const fn of_kept(text: Secret<String>) -> Self {
        Self(text)
    }

    /// The text that travels.
    pub const fn text(&self) -> &Secret<String> {
        &self.0
    }

    /// What is kept of it: whoever reads the row cannot finish somebody's request.
    pub fn hash(&self) -> Digest {
        digest::sha256(self.0.expose().as_bytes())
    }

    /// The hash of a state that came back, or nothing where the text could be none of ours.
    pub fn hash_of(text: &str) -> Option<Digest> {
        let is_ours =
            text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        is_ours.then(|| digest::sha256(text.as_bytes()))
    }
}

/// The secret half of a PKCE pair (RFC 7636).
#[derive(Clone, Debug)]
pub struct Verifier(Secret<String>);

impl Verifier {
    /// Makes one of random bytes, as section 4.1 recommends.
    pub fn of_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(encoded(bytes)))
    }

    /// Takes one that was kept.
    pub const fn of_kept(text: Secret<String>) -> Self {
        Self(text)
    }

    /// The text that is kept, and sent with the code.
    pub const fn text(&self) -> &Secret<String> {
        &self.0
    }

    /// The half that is sent first: S256 (section 4.2).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest::sha256(self.0.expose().as_bytes()))
    }
}

fn encoded(mut bytes: [u8; 32]) -> String {
    let text = URL_SAFE_NO_PAD.encode(bytes);
    bytes.zeroize();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_the_one_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = Verifier::of_kept("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned().into());
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn values_are_long_enough_for_every_provider_and_print_as_stars() {
        let (state, verifier) = (State::of_random([7; 32]), Verifier::of_random([8; 32]));
        assert_eq!((state.text().expose().len(), verifier.text().expose().len()), (43, 43));
        assert_eq!(State::hash_of(state.text().expose()), Some(state.hash()));
        assert!(format!("{state:?}{verifier:?}").contains("***"));
        for text in ["", "short", &"a".repeat(44), &format!("{}é", "a".repeat(41)), &"a b".repeat(14)] {
            assert_eq!(State::hash_of(text), None, "{text}");
        }
    }
}
