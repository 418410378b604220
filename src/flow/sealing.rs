//! Seals the audit chains: the key that signs, the checkpoints, and the lines kept outside the database.
//!
//! Invariant: the private half of a signing key leaves the vault only for the length of one job or export.

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::{
    base::{
        crypto::signature::SignKey,
        ids::{OrgId, SigningKeyId},
        secret::Secret,
    },
    domain::{
        audit::{
            self, Hex, NewSigningKey, PublicKey, SealedSigningKey, SignedCheckpoint, Signer, Unrecorded,
            Urgency,
        },
        vault::{Cell, Sealed},
    },
    flow::{
        cx::Ports,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
};

/// The kind of job that seals what is due; once a minute is right.
pub const CHECKPOINT_CHAINS: &str = "checkpoint_chains";

/// A key that signs, opened.
#[derive(Debug)]
pub struct Seal {
    key: SignKey,
    id: SigningKeyId,
}

/// The stored private half is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("the audit signing key {0} does not have 32 bytes")]
struct NotAKey(SigningKeyId);

impl Seal {
    /// For signing.
    pub const fn signer(&self) -> Signer<'_> {
        Signer { key: &self.key, id: self.id }
    }

    fn public(&self) -> PublicKey {
        PublicKey { id: self.id, public: Hex(self.key.public()) }
    }
}

/// Opens the key that signs now; the first use makes it.
///
/// # Errors
/// When the database is away or the vault cannot open the key.
pub async fn seal(ports: &Ports) -> ActionResult<Seal> {
    let mut tx = SystemTx::begin(&ports.db).await?;
    if let Some(stored) = audit::find_signing_key(&mut tx).await? {
        let seal = open(ports, &mut tx, stored).await?;
        tx.done().await?;
        return Ok(seal);
    }
    let seal = Seal { key: SignKey::fresh(), id: SigningKeyId::fresh() };
    let sealed = ports.vault.seal(&mut tx, cell(seal.id), seal.key.to_bytes().expose()).await?;
    let new = NewSigningKey {
        id: seal.id,
        public: seal.key.public(),
        sealed_private: sealed.bytes,
        data_key: sealed.key,
    };
    audit::insert_signing_key(&mut tx, ports.clock.now(), &new).await?;
    audit::commit_unrecorded(tx, Unrecorded::Checkpoint).await?;
    keep_outside(ports, &audit::key_line(&seal.public())).await?;
    Ok(seal)
}

async fn open(ports: &Ports, tx: &mut SystemTx, stored: SealedSigningKey) -> ActionResult<Seal> {
    let id = stored.id;
    let sealed = Sealed { key: stored.data_key, bytes: stored.sealed_private };
    let plain = ports.vault.open(tx, cell(id), &sealed).await?;
    let bytes: [u8; 32] =
        plain.expose().as_slice().try_into().map_err(|_| ActionError::defect(NotAKey(id)))?;
    Ok(Seal { key: SignKey::from_bytes(&Secret::new(bytes)), id })
}

fn cell(id: SigningKeyId) -> Cell {
    Cell::new("signing_keys", "sealed_private", id)
}

/// Seals every chain that is due, then the instance's own. One chain that fails does not keep the others back.
///
/// # Errors
/// The first failure, after all were tried.
pub async fn checkpoint_chains(ports: &Ports, stop: &CancellationToken) -> ActionResult<()> {
    let now = ports.clock.now();
    let mut tx = SystemTx::begin(&ports.db).await?;
    let due = audit::due_chains(&mut tx, now).await?;
    tx.done().await?;
    let seal = seal(ports).await?;
    let mut outcome = Ok(());
    for org in due {
        if stop.is_cancelled() {
            return outcome;
        }
        // The job acts for every organization, and only on its chain.
        outcome = outcome.and(checkpoint(ports, OrgScope::proven(org), &seal, Urgency::WhenDue).await);
    }
    outcome.and(checkpoint_instance(ports, &seal, now).await)
}

/// Seals one organization's chain.
///
/// # Errors
/// When the database is away, or the line cannot be kept outside it.
pub async fn checkpoint(ports: &Ports, scope: OrgScope, seal: &Seal, urgency: Urgency) -> ActionResult<()> {
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    match audit::checkpoint(&mut tx, ports.clock.now(), seal.signer(), urgency).await? {
        None => Ok(tx.done().await?),
        Some(made) => keep(ports, tx, &made, scope.org()).await,
    }
}

async fn checkpoint_instance(ports: &Ports, seal: &Seal, now: OffsetDateTime) -> ActionResult<()> {
    let mut tx = SystemTx::begin(&ports.db).await?;
    match audit::checkpoint_instance(&mut tx, now, seal.signer(), Urgency::WhenDue).await? {
        None => Ok(tx.done().await?),
        Some(made) => {
            let chain = OrgId::from_uuid(tx.chain());
            keep(ports, tx, &made, chain).await
        }
    }
}

async fn keep(ports: &Ports, tx: impl Tx, made: &SignedCheckpoint, chain: OrgId) -> ActionResult<()> {
    audit::commit_unrecorded(tx, Unrecorded::Checkpoint).await?;
    tracing::debug!(%chain, "sealed an audit chain");
    keep_outside(ports, &made.line()).await
}

/// Appends lines to the file outside the database; a new file begins with the public halves of all keys.
async fn keep_outside(ports: &Ports, lines: &[u8]) -> ActionResult<()> {
    let Some(file) = &ports.site.anchor_file else { return Ok(()) };
    let mut tx = SystemTx::begin(&ports.db).await?;
    let keys = audit::list_public_keys(&mut tx).await?;
    tx.done().await?;
    let head = keys.iter().flat_map(audit::key_line).collect();
    file.append(head, lines.to_vec()).await.map_err(|error| {
        tracing::error!(%error, "an audit checkpoint could not be appended to the anchor file");
        ActionError::defect(error)
    })
}
