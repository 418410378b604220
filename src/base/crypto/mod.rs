//! Cryptography without keys of our own: digests, sealed values, carried tokens, signatures, randomness.

pub mod digest;
pub mod ecdsa;
pub mod random;
pub mod seal;
pub mod signature;
pub mod token;
