//! Ed25519 signatures, for audit checkpoints.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::base::{crypto::random, secret::Secret};

/// A key that signs.
pub struct SignKey(SigningKey);

impl std::fmt::Debug for SignKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignKey(***)")
    }
}

impl SignKey {
    /// A new random key.
    pub fn fresh() -> Self {
        Self(SigningKey::from_bytes(&random::bytes()))
    }

    /// A key from its 32 secret bytes.
    pub fn from_bytes(bytes: &Secret<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(bytes.expose()))
    }

    /// The 32 secret bytes, to be sealed.
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        Secret::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// Whether a signature over a message was made by the holder of a public key.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_only() {
        let key = SignKey::fresh();
        let signature = key.sign(b"head 7");
        assert!(verify(&key.public(), b"head 7", &signature));
        assert!(!verify(&key.public(), b"head 8", &signature));
        assert!(!verify(&SignKey::fresh().public(), b"head 7", &signature));
        let again = SignKey::from_bytes(&key.to_bytes());
        assert_eq!(again.public(), key.public());
    }
}
