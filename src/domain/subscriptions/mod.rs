//! Subscriptions: the resources that a session of an agent follows, where Portreeve keeps the session in a server's place.
//!
//! Owns the table `resource_subscriptions`.
//!
//! Lacks on purpose: the streams on which sessions hear of resources; and sealing, which is the vault's.
//!
//! Invariant: an address stands here sealed, and for comparing as a digest.
//! Invariant: one session follows a bounded number of resources, and so do all sessions of one grant.

pub mod store;

use crate::base::{
    crypto::digest::Digest,
    ids::{DataKeyId, GrantId, SealedId, ServerId},
};

/// A session of an agent at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOf {
    /// The grant.
    pub grant: GrantId,
    /// The server.
    pub server: ServerId,
    /// Of the session, as the agent names it.
    pub session: Digest,
}

/// A resource that a session follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The row, to which the sealed address is bound.
    pub id: SealedId,
    /// Of the address.
    pub address: Vec<u8>,
    /// By which key the address is sealed.
    pub key: DataKeyId,
    /// The address, sealed.
    pub bytes: Vec<u8>,
}
