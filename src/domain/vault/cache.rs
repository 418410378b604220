//! Unwrapped data keys in memory: few, briefly, wiped when dropped.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{crypto::seal::SealKey, ids::DataKeyId},
    domain::vault::rules::CACHE_TTL,
};

const MOST_KEYS: usize = 4096;

/// The key that seals for one chain.
#[derive(Clone)]
pub(super) struct Active {
    pub(super) id: DataKeyId,
    pub(super) key: Arc<SealKey>,
    pub(super) created_at: OffsetDateTime,
    pub(super) seals: i64,
}

/// Both memories: which key seals for a chain, and each key by its id.
#[derive(Default)]
pub(super) struct Cache(Mutex<Shelves>);

#[derive(Default)]
struct Shelves {
    active: Shelf<Uuid, Active>,
    keys: Shelf<(Uuid, Uuid), Arc<SealKey>>,
}

impl Cache {
    pub(super) fn active(&self, org: Uuid, now: OffsetDateTime) -> Option<Active> {
        self.lock().active.find(&org, now)
    }

    pub(super) fn keep_active(&self, org: Uuid, active: Active, now: OffsetDateTime) {
        self.lock().active.keep(org, active, now);
    }

    pub(super) fn key(&self, org: Uuid, id: DataKeyId, now: OffsetDateTime) -> Option<Arc<SealKey>> {
        self.lock().keys.find(&(org, id.uuid()), now)
    }

    pub(super) fn keep_key(&self, org: Uuid, id: DataKeyId, key: Arc<SealKey>, now: OffsetDateTime) {
        self.lock().keys.keep((org, id.uuid()), key, now);
    }

    /// Forgets which key seals for a chain; the next seal reads the row.
    pub(super) fn forget_active(&self, org: Uuid) {
        self.lock().active.rows.remove(&org);
    }

    /// Forgets everything of a chain.
    pub(super) fn forget(&self, org: Uuid) {
        let mut shelves = self.lock();
        shelves.active.rows.remove(&org);
        shelves.keys.rows.retain(|(of, _), _| *of != org);
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        // A panic between two map operations leaves both maps whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache(***)")
    }
}

/// Rows that go stale [`CACHE_TTL`] after they were read.
struct Shelf<K, V> {
    rows: HashMap<K, (OffsetDateTime, V)>,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self { rows: HashMap::new() }
    }
}

impl<K: Eq + std::hash::Hash + Copy, V: Clone> Shelf<K, V> {
    fn find(&mut self, key: &K, now: OffsetDateTime) -> Option<V> {
        let (read_at, value) = self.rows.get(key)?;
        if is_fresh(*read_at, now) {
            return Some(value.clone());
        }
        self.rows.remove(key);
        None
    }

    fn keep(&mut self, key: K, value: V, now: OffsetDateTime) {
        if self.rows.len() >= MOST_KEYS {
            self.rows.retain(|_, (read_at, _)| is_fresh(*read_at, now));
        }
        while self.rows.len() >= MOST_KEYS {
            let Some(oldest) = self.rows.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| *key) else {
                break;
            };
            self.rows.remove(&oldest);
        }
        self.rows.insert(key, (now, value));
    }
}

/// A clock set back makes a row stale rather than immortal.
fn is_fresh(read_at: OffsetDateTime, now: OffsetDateTime) -> bool {
    now >= read_at && now - read_at < CACHE_TTL
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::base::crypto::seal;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn key() -> Arc<SealKey> {
        Arc::new(seal::new_key())
    }

    #[test]
    fn a_key_is_forgotten_after_its_time_or_when_the_clock_goes_back() {
        let cache = Cache::default();
        let (org, id) = (Uuid::from_u128(1), DataKeyId::fresh());
        cache.keep_key(org, id, key(), NOW);
        assert!(cache.key(org, id, NOW + CACHE_TTL - Duration::MILLISECOND).is_some());
        assert!(cache.key(org, id, NOW + CACHE_TTL).is_none());
        cache.keep_key(org, id, key(), NOW);
        assert!(cache.key(org, id, NOW - Duration::SECOND).is_none());
    }

    #[test]
    fn a_key_belongs_to_one_chain_and_goes_with_it() {
        let cache = Cache::default();
        let (org, other, id) = (Uuid::from_u128(1), Uuid::from_u128(2), DataKeyId::fresh());
        cache.keep_key(org, id, key(), NOW);
        cache.keep_active(org, Active { id, key: key(), created_at: NOW, seals: 0 }, NOW);
        assert!(cache.key(other, id, NOW).is_none() && cache.active(other, NOW).is_none());
        cache.keep_key(other, id, key(), NOW);
        cache.forget(org);
        assert!(cache.key(org, id, NOW).is_none() && cache.active(org, NOW).is_none());
        assert!(cache.key(other, id, NOW).is_some());
    }

    #[test]
    fn the_cache_is_bounded_and_drops_the_oldest() {
        let mut shelf = Shelf::default();
        for n in 0..MOST_KEYS + 3 {
            shelf.keep(n, (), NOW + Duration::milliseconds(n as i64));
        }
        let now = NOW + Duration::milliseconds(MOST_KEYS as i64 + 3);
        assert_eq!(shelf.rows.len(), MOST_KEYS);
        assert!(shelf.find(&2, now).is_none() && shelf.find(&3, now).is_some());
    }
}
