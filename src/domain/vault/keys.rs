//! Sealing and opening: which data key, and from where.

use std::{
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    base::{
        clock::Clock,
        crypto::{
            random,
            seal::{self, SealKey},
        },
        ids::{DataKeyId, OrgId},
        secret::Secret,
    },
    domain::vault::{
        Cell, MasterRing, Sealed, VaultError, VaultResult,
        cache::{Active, Cache},
        ring::Wrapped,
        rules,
        store::{self, ActiveRow, KeyRow},
    },
    io::db::{OrgTx, SystemTx, Tx},
};

/// Seals and opens; clones share the keys in memory.
#[derive(Clone, Debug)]
pub struct Vault(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ring: RwLock<Arc<MasterRing>>,
    source: OnceLock<Source>,
    clock: Clock,
    cache: Cache,
}

/// Where the ring can be read again while we run, such as a key file.
struct Source(Box<dyn Fn() -> Option<MasterRing> + Send + Sync>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Vault {
    /// A vault over a ring of master keys.
    pub fn new(ring: MasterRing, clock: Clock) -> Self {
        let ring = RwLock::new(Arc::new(ring));
        Self(Arc::new(Inner { ring, source: OnceLock::new(), clock, cache: Cache::default() }))
    }

    /// The master keys as they are now.
    pub fn ring(&self) -> Arc<MasterRing> {
        Arc::clone(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says where the ring can be read again; only the first word counts.
    pub fn read_ring_from(&self, source: impl Fn() -> Option<MasterRing> + Send + Sync + 'static) {
        let _ = self.0.source.set(Source(Box::new(source)));
    }

    /// Reads the ring again where its source is known; a source that cannot be read changes nothing.
    pub fn reload(&self) {
        if let Some(ring) = self.0.source.get().and_then(|source| source.0()) {
            *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        }
    }

    /// Unwraps a data key; a master key that came into the ring's source since is taken from there.
    fn unwrap(&self, org: Uuid, id: DataKeyId, wrapped: &Wrapped) -> VaultResult<SealKey> {
        if !self.ring().holds(&wrapped.master) {
            self.reload();
        }
        self.ring().unwrap(org, id, wrapped)
    }

    /// Seals a value for a cell of the transaction's chain; the chain gets its first data key here.
    ///
    /// # Errors
    /// When the chain's keys were destroyed, its key is not to be unwrapped, or the database refuses.
    pub async fn seal(&self, tx: &mut impl Tx, cell: Cell, plain: &[u8]) -> VaultResult<Sealed> {
        let org = tx.chain();
        let (key, id) = self.sealing_key(tx.conn(), org, rules::is_counted(random::bytes())).await?;
        Ok(Sealed { key: id, bytes: seal::seal(&key, cell.of(org), plain) })
    }

    /// Opens what was sealed for this cell of the transaction's chain.
    ///
    /// # Errors
    /// When the key is unknown, destroyed or not to be unwrapped, or the bytes are not those of this cell.
    pub async fn open(&self, tx: &mut impl Tx, cell: Cell, sealed: &Sealed) -> VaultResult<Secret<Vec<u8>>> {
        let org = tx.chain();
        let key = self.opening_key(tx.conn(), org, sealed.key).await?;
        seal::open(&key, cell.of(org), &sealed.bytes)
            .map_err(|_| VaultError::DoesNotOpen { table: cell.table, column: cell.column })
    }

    /// The same without the database, where the key was unwrapped within the last minute; none where it was not.
    pub fn open_held(&self, org: OrgId, cell: Cell, sealed: &Sealed) -> Option<VaultResult<Secret<Vec<u8>>>> {
        let org = org.uuid();
        let key = self.0.cache.key(org, sealed.key, self.0.clock.now())?;
        let opened = seal::open(&key, cell.of(org), &sealed.bytes);
        Some(opened.map_err(|_| VaultError::DoesNotOpen { table: cell.table, column: cell.column }))
    }

    /// Opens what was sealed for this cell of another chain, as the system may for letters.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_of(
        &self,
        tx: &mut SystemTx,
        chain: Uuid,
        cell: Cell,
        sealed: &Sealed,
    ) -> VaultResult<Secret<Vec<u8>>> {
        let key = self.opening_key(tx.conn(), chain, sealed.key).await?;
        seal::open(&key, cell.of(chain), &sealed.bytes)
            .map_err(|_| VaultError::DoesNotOpen { table: cell.table, column: cell.column })
    }

    /// Destroys every data key of an organization, for good; returns how many there were.
    ///
    /// Other replicas hold unwrapped keys for at most 60 seconds longer, and so does this one if a value of
    /// the organization is opened between this call and the commit.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn destroy(&self, tx: &mut OrgTx) -> VaultResult<u64> {
        let org = tx.chain();
        let ring = self.ring();
        let master = ring.active().as_str();
        store::lock_chain(tx.conn(), org).await?;
        let emptied = store::destroy(tx.conn(), org, DataKeyId::fresh(), master, self.0.clock.now()).await?;
        self.0.cache.forget(org);
        Ok(emptied)
    }

    async fn sealing_key(
        &self,
        conn: &mut PgConnection,
        org: Uuid,
        is_counted: bool,
    ) -> VaultResult<(Arc<SealKey>, DataKeyId)> {
        let now = self.0.clock.now();
        if !is_counted
            && let Some(active) = self.0.cache.active(org, now)
            && !rules::is_worn(active.created_at, active.seals, now)
        {
            return Ok((active.key, active.id));
        }
        let row = match store::find_active(conn, org).await? {
            Some(row) if !rules::is_worn(row.created_at, row.seals, now) => row,
            _ => self.replace_active(conn, org, now).await?,
        };
        let key = Arc::new(self.unwrap(org, row.id, &row.wrapped)?);
        if is_counted {
            store::count(conn, org, row.id, i64::from(rules::COUNT_STEP)).await?;
            self.0.cache.forget_active(org);
        } else if !row.is_own {
            let active =
                Active { id: row.id, key: key.clone(), created_at: row.created_at, seals: row.seals };
            self.0.cache.keep_active(org, active, now);
        }
        Ok((key, row.id))
    }

    /// Gives the chain a new sealing key, unless somebody else just did.
    async fn replace_active(
        &self,
        conn: &mut PgConnection,
        org: Uuid,
        now: OffsetDateTime,
    ) -> VaultResult<ActiveRow> {
        store::lock_chain(conn, org).await?;
        match store::find_active(conn, org).await? {
            Some(row) if !rules::is_worn(row.created_at, row.seals, now) => return Ok(row),
            Some(row) => store::retire(conn, org, row.id, now).await?,
            None if store::is_destroyed(conn, org).await? => return Err(VaultError::Destroyed),
            None => {}
        }
        self.0.cache.forget_active(org);
        let id = DataKeyId::fresh();
        let wrapped = self.ring().wrap(org, id, &seal::new_key());
        store::insert(conn, org, id, &wrapped, now).await?;
        Ok(ActiveRow { id, wrapped, created_at: now, seals: 0, is_own: true })
    }

    async fn opening_key(
        &self,
        conn: &mut PgConnection,
        org: Uuid,
        id: DataKeyId,
    ) -> VaultResult<Arc<SealKey>> {
        let now = self.0.clock.now();
        if let Some(key) = self.0.cache.key(org, id, now) {
            return Ok(key);
        }
        let wrapped = match store::find(conn, org, id).await? {
            Some(KeyRow::Whole(wrapped)) => wrapped,
            Some(KeyRow::Destroyed) => return Err(VaultError::Destroyed),
            None => return Err(VaultError::KeyUnknown(id)),
        };
        let key = Arc::new(self.unwrap(org, id, &wrapped)?);
        self.0.cache.keep_key(org, id, key.clone(), now);
        Ok(key)
    }
}
