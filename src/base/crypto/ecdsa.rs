//! ECDSA over P-256 with SHA-256, for what others verify.

use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer, Verifier},
};

use crate::base::{crypto::random, secret::Secret};

/// The public half of a key: both coordinates of its point.
pub type EcPublic = [u8; 64];

/// A key that signs.
pub struct EcSignKey(SigningKey);

/// Some bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no private key of P-256")]
pub struct NoEcKey;

impl std::fmt::Debug for EcSignKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EcSignKey(***)")
    }
}

impl EcSignKey {
    /// A new random key.
    pub fn fresh() -> Self {
        loop {
            // Of the numbers of this length, one among four billion is none.
            if let Ok(key) = Self::from_bytes(&Secret::new(random::bytes())) {
                return key;
            }
        }
    }

    /// A key from its 32 secret bytes.
    ///
    /// # Errors
    /// [`NoEcKey`] for zero, and for a number beyond the curve's order.
    pub fn from_bytes(bytes: &Secret<[u8; 32]>) -> Result<Self, NoEcKey> {
        SigningKey::from_slice(bytes.expose()).map(Self).map_err(|_| NoEcKey)
    }

    /// The 32 secret bytes, to be sealed.
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.to_bytes().into())
    }

    /// The public half.
    pub fn public(&self) -> EcPublic {
        let point = self.0.verifying_key().to_sec1_point(false);
        let mut public = [0; 64];
        // Before the coordinates stands that both are there (SEC 1, section 2.3.3).
        public.copy_from_slice(&point.as_bytes()[1..]);
        public
    }

    /// Signs a message; the two halves of the signature follow each other (RFC 7518, section 3.4).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }
}

/// Whether a signature over a message was made by the holder of a public key.
pub fn verify(public: &EcPublic, message: &[u8], signature: &[u8; 64]) -> bool {
    let mut point = [4u8; 65];
    point[1..].copy_from_slice(public);
    match (VerifyingKey::from_sec1_bytes(&point), Signature::from_slice(signature)) {
        (Ok(key), Ok(signature)) => key.verify(message, &signature).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        URL_SAFE_NO_PAD.decode(text).expect("base64").try_into().expect("the length")
    }

    #[test]
    fn a_signature_holds_for_its_message_only() {
        let key = EcSignKey::fresh();
        let signature = key.sign(b"head 7");
        assert!(verify(&key.public(), b"head 7", &signature));
        assert!(!verify(&key.public(), b"head 8", &signature));
        assert!(!verify(&EcSignKey::fresh().public(), b"head 7", &signature));
        let again = EcSignKey::from_bytes(&key.to_bytes()).expect("its own bytes");
        assert_eq!(again.public(), key.public());
        assert_eq!(format!("{key:?}"), "EcSignKey(***)");
        assert!(!verify(&[0; 64], b"head 7", &signature) && !verify(&key.public(), b"head 7", &[0; 64]));
        for none in [[0; 32], [255; 32]] {
            assert!(EcSignKey::from_bytes(&Secret::new(none)).is_err());
        }
    }

    #[test]
    fn the_example_of_the_standard_is_verified() {
        // RFC 7515, appendix A.3.
        let secret = Secret::new(bytes("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"));
        let key = EcSignKey::from_bytes(&secret).expect("a key");
        let (x, y): ([u8; 32], [u8; 32]) = (
            bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        );
        assert_eq!(key.public().to_vec(), [x, y].concat());
        let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature =
            bytes("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
        assert!(verify(&key.public(), signed.as_bytes(), &signature));
    }
}
