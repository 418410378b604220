//! Moves every data key onto the sealing master key: as a job while we serve, and for the command line.

use tokio_util::sync::CancellationToken;

use crate::{
    base::{clock::Clock, ids::JobId},
    domain::{
        audit::{self, Entry, Unrecorded, Who},
        jobs::{JobFilter, JobRow, NewJob, store as jobs},
        vault::{self, REWRAP_KEYS, Rewrap, RingStatus, Vault, VaultError},
    },
    flow::jobs::JobError,
    io::db::{Db, DbResult, SystemTx, Tx},
};

/// Why keys were not moved.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// The vault cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Some data keys hang on a master key that is not here, or not the right one.
    #[error("{count} data keys could not be moved; the first is {first}")]
    Unreadable {
        /// How many.
        count: usize,
        /// The first and why.
        first: String,
    },
}

impl From<crate::io::db::DbError> for RewrapError {
    fn from(error: crate::io::db::DbError) -> Self {
        Self::Vault(VaultError::Db(error))
    }
}

/// Where the moving stands.
///
/// # Errors
/// When the database is away.
pub async fn status(db: &Db, vault: &Vault) -> Result<RingStatus, RewrapError> {
    let mut tx = SystemTx::begin(db).await?;
    let status = vault::status(vault, &mut tx).await?;
    tx.done().await?;
    Ok(status)
}

/// Proves that the ring is this database's.
///
/// # Errors
/// When it is not, or the database is away.
pub async fn self_test(db: &Db, vault: &Vault) -> Result<(), VaultError> {
    let mut tx = SystemTx::begin(db).await?;
    let outcome = vault::self_test(vault, &mut tx).await;
    tx.done().await?;
    outcome
}

/// Leaves the work to the replica that serves; returns nothing where the same work already waits.
///
/// # Errors
/// When the database is away.
pub async fn enqueue(db: &Db, clock: &Clock, who: &Who) -> DbResult<Option<JobId>> {
    let now = clock.now();
    let mut tx = SystemTx::begin(db).await?;
    let job = NewJob {
        kind: REWRAP_KEYS,
        payload: serde_json::json!({}),
        dedup_key: Some("all".to_owned()),
        run_at: now,
    };
    let id = jobs::enqueue(&mut tx, now, job).await?;
    match id {
        Some(_) => {
            let entry = Entry::admin("keys.rotation_started", who);
            audit::commit(tx, now, vec![entry]).await?;
        }
        None => tx.done().await?,
    }
    Ok(id)
}

/// The newest such job.
///
/// # Errors
/// When the database is away.
pub async fn last_job(db: &Db) -> DbResult<Option<JobRow>> {
    let mut tx = SystemTx::begin(db).await?;
    let filter = JobFilter { kind: Some(REWRAP_KEYS.to_owned()), state: None };
    let page = crate::base::page::PageRequest { limit: 1, after: None };
    let found = jobs::list(&mut tx, &filter, &page).await?;
    tx.done().await?;
    Ok(found.items.into_iter().next())
}

/// Moves everything, a hundred keys at a time; each hundred is kept before the next, so that a walk that was cut
/// short is simply begun again. Returns how many were moved by this walk.
///
/// # Errors
/// When the database is away, or keys could not be opened; what could be moved was moved all the same.
pub async fn rewrap(
    db: &Db,
    clock: &Clock,
    vault: &Vault,
    stop: &CancellationToken,
    mut report: impl FnMut(u64),
) -> Result<u64, RewrapError> {
    vault.reload();
    let mut walk = Rewrap::default();
    let mut has_more = true;
    while has_more && !stop.is_cancelled() {
        let mut tx = SystemTx::begin(db).await?;
        has_more = walk.step(vault, &mut tx).await?;
        audit::commit_unrecorded(tx, Unrecorded::Resealing).await?;
        report(walk.moved);
    }
    if walk.moved > 0 && !has_more {
        let master = vault.ring().active().to_string();
        let facts =
            serde_json::json!({ "master": master, "moved": walk.moved, "left": walk.unreadable.len() });
        let entry = Entry::admin("keys.rotated", &Who::system(REWRAP_KEYS))
            .target("master_key", &master, &master)
            .after(&facts);
        let tx = SystemTx::begin(db).await?;
        audit::commit(tx, clock.now(), vec![entry]).await?;
    }
    match walk.unreadable.first() {
        None => Ok(walk.moved),
        Some(first) => Err(RewrapError::Unreadable {
            count: walk.unreadable.len(),
            first: format!("{}: {}", first.key, first.why),
        }),
    }
}

/// The handler of [`REWRAP_KEYS`].
///
/// # Errors
/// When the database is away, so that it is tried again, or keys could not be opened.
pub(super) async fn handle(
    db: &Db,
    clock: &Clock,
    vault: &Vault,
    stop: &CancellationToken,
) -> Result<(), JobError> {
    match rewrap(db, clock, vault, stop, |_| ()).await {
        Ok(_) if stop.is_cancelled() => {
            Err(JobError::again("the replica was asked to stop; another goes on"))
        }
        Ok(_) => Ok(()),
        Err(error @ RewrapError::Unreadable { .. }) => Err(JobError::give_up(error)),
        Err(error) => Err(JobError::again(error)),
    }
}
