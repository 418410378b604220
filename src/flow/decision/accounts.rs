//! Connected accounts as calls need them, kept beside a snapshot, sealed as they are stored.
//!
//! A call takes one from here only while nobody is about to fetch a new token for it. Whatever changes it earlier than that
//! raises the organization's epoch, and no call that was served by an older snapshot is put on record: so an account that was
//! ended, or a token that was replaced, serves no call on any replica after whoever did it was answered.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    base::{actor::Principal, ids::ProviderId},
    domain::connections::HeldAccount,
};

/// How many accounts are kept beside one snapshot; beyond, all are forgotten and read anew.
const MOST: usize = 10_000;

/// Which account serves whom at which provider, as of one epoch.
#[derive(Debug, Default)]
pub struct Accounts(RwLock<HashMap<(Principal, ProviderId), Arc<HeldAccount>>>);

impl Accounts {
    /// The account that serves somebody, where that was read before.
    pub fn kept(&self, principal: Principal, provider: ProviderId) -> Option<Arc<HeldAccount>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(principal, provider)).cloned()
    }

    /// Keeps what was read.
    pub fn keep(&self, principal: Principal, account: Arc<HeldAccount>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert((principal, account.provider), account);
    }
}
