//! Moving every data key onto the sealing master key, while the service runs.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::ids::DataKeyId,
    domain::vault::{
        MasterRing, Vault, VaultError, VaultResult,
        store::{self, MasterCount, Movable},
    },
    io::db::{SystemTx, Tx},
};

/// The kind of job that moves every data key onto the sealing master key.
pub const REWRAP_KEYS: &str = "rewrap_keys";

const BATCH: i64 = 100;

/// What a master key is to this replica's ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterState {
    /// Seals and opens.
    Active,
    /// Opens only.
    Standby,
    /// Is named by data keys but not here.
    Missing,
}

/// One master key and what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterStatus {
    /// Its name.
    pub master: String,
    /// What it is to the ring.
    pub state: MasterState,
    /// How many data keys it wraps.
    pub data_keys: i64,
    /// How many chains those keys belong to: organizations, and the instance itself.
    pub chains: i64,
    /// How many of these are organizations.
    pub orgs: i64,
    /// Since when it wraps keys: since they were first moved onto it, or else since the oldest of them was made.
    pub since: Option<OffsetDateTime>,
}

impl MasterStatus {
    /// Whether the key may leave the ring: it only opens, and has nothing left to open.
    pub fn is_removable(&self) -> bool {
        self.state == MasterState::Standby && self.data_keys == 0
    }
}

/// Every master key of the ring and of the database, the ring's first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingStatus {
    /// The keys.
    pub masters: Vec<MasterStatus>,
}

impl RingStatus {
    /// Data keys in all.
    pub fn total(&self) -> i64 {
        self.masters.iter().map(|m| m.data_keys).sum()
    }

    /// Data keys that the sealing master key wraps.
    pub fn done(&self) -> i64 {
        self.masters.iter().filter(|m| m.state == MasterState::Active).map(|m| m.data_keys).sum()
    }

    /// Data keys that still hang on another master key.
    pub fn remaining(&self) -> i64 {
        self.total() - self.done()
    }

    fn of(ring: &MasterRing, counts: Vec<MasterCount>) -> Self {
        let mut masters: Vec<_> = ring
            .ids()
            .map(|id| MasterStatus {
                master: id.as_str().to_owned(),
                state: if id == ring.active() { MasterState::Active } else { MasterState::Standby },
                data_keys: 0,
                chains: 0,
                orgs: 0,
                since: None,
            })
            .collect();
        for MasterCount { master, data_keys, chains, orgs, since } in counts {
            let state = masters.iter().find(|m| m.master == master).map_or(MasterState::Missing, |m| m.state);
            let counted = MasterStatus { master, state, data_keys, chains, orgs, since };
            match masters.iter_mut().find(|m| m.master == counted.master) {
                Some(known) => *known = counted,
                None => masters.push(counted),
            }
        }
        Self { masters }
    }
}

/// Counts the data keys of every master key.
///
/// # Errors
/// When the database refuses.
pub async fn status(vault: &Vault, tx: &mut SystemTx) -> VaultResult<RingStatus> {
    Ok(RingStatus::of(&vault.ring(), store::count_by_master(tx.conn()).await?))
}

/// A data key that could not be moved.
#[derive(Debug)]
pub struct Unreadable {
    /// The data key.
    pub key: DataKeyId,
    /// Why: its master key is missing or wrong.
    pub why: VaultError,
}

/// One walk over all data keys. Where it stands is in the rows themselves, so a walk that was cut short, or a
/// step that was not kept, is simply begun again; two walks at once share the work.
#[derive(Debug)]
pub struct Rewrap {
    after: (Uuid, Uuid),
    /// How many keys this walk moved.
    pub moved: u64,
    /// Which keys it could not move; they stay as they are.
    pub unreadable: Vec<Unreadable>,
}

impl Default for Rewrap {
    fn default() -> Self {
        Self { after: (Uuid::nil(), Uuid::nil()), moved: 0, unreadable: Vec::new() }
    }
}

impl Rewrap {
    /// Moves the next hundred keys; returns whether more may follow. Commit after each step.
    ///
    /// # Errors
    /// When the database refuses. A key that does not unwrap is noted in `unreadable` and passed over.
    pub async fn step(&mut self, vault: &Vault, tx: &mut SystemTx) -> VaultResult<bool> {
        let ring = vault.ring();
        let active = ring.active().as_str();
        let rows = store::lock_movable(tx.conn(), active, self.after, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(false) };
        self.after = (last.org, last.id.uuid());
        let has_more = rows.len() as i64 == BATCH;
        let mut moved = Vec::with_capacity(rows.len());
        for Movable { org, id, wrapped } in rows {
            match ring.unwrap(org, id, &wrapped) {
                Ok(key) => moved.push(Movable { org, id, wrapped: ring.wrap(org, id, &key) }),
                Err(why) => self.unreadable.push(Unreadable { key: id, why }),
            }
        }
        self.moved += store::update_wrapped(tx.conn(), active, &moved).await?;
        Ok(has_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_emptied_standby_key_is_removable() {
        let ring = MasterRing::generate("k1".parse().expect("a name")).grown().grown();
        let count = |master: &str, data_keys| MasterCount {
            master: master.to_owned(),
            data_keys,
            chains: 1,
            orgs: 1,
            since: None,
        };
        let status = RingStatus::of(&ring, vec![count("k0", 2), count("k2", 3), count("k3", 5)]);
        let seen: Vec<_> = status.masters.iter().map(|m| (&*m.master, m.state, m.is_removable())).collect();
        assert_eq!(
            seen,
            [
                ("k3", MasterState::Active, false),
                ("k2", MasterState::Standby, false),
                ("k1", MasterState::Standby, true),
                ("k0", MasterState::Missing, false),
            ]
        );
        assert_eq!((status.total(), status.done(), status.remaining()), (10, 5, 5));
    }

    #[test]
    fn a_fresh_sealing_key_is_not_removable() {
        let ring = MasterRing::generate("k1".parse().expect("a name"));
        assert!(!RingStatus::of(&ring, Vec::new()).masters[0].is_removable());
    }
}
