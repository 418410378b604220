//! The master keys, by name and by what hangs on them.

use crate::{
    domain::{
        audit::{self, Entry, SigningKeyRow},
        jobs::{JobFilter, JobRow, NewJob, store as jobs},
        vault::{self, REWRAP_KEYS, RingStatus},
    },
    flow::{
        cx::OperatorCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The master keys.
    pub ring: RingStatus,
    /// The latest rotation.
    pub job: Option<JobRow>,
    /// The keys that sign the audit's checkpoints, newest first.
    pub signing: Vec<SigningKeyRow>,
    /// Whether the keys lie in the data directory.
    pub in_file: bool,
}

/// How the keys stand.
pub async fn look(cx: &OperatorCx) -> ActionResult<Keys> {
    cx.ports.vault.reload();
    let mut tx = cx.system_tx().await?;
    let ring = vault::status(&cx.ports.vault, &mut tx).await?;
    let filter = JobFilter { kind: Some(REWRAP_KEYS.to_owned()), state: None };
    let page = crate::base::page::PageRequest { limit: 1, after: None };
    let job = jobs::list(&mut tx, &filter, &page).await?.items.into_iter().next();
    let signing = audit::list_signing_keys(&mut tx).await?;
    tx.done().await?;
    Ok(Keys { ring, job, signing, in_file: cx.ports.data_dir.is_some() })
}

/// Begins to move every data key onto the sealing master key.
///
/// # Errors
/// A refusal where nothing is left to move, or a walk is already under way.
pub async fn rotate(cx: &OperatorCx) -> ActionResult<()> {
    cx.require_proof()?;
    cx.ports.vault.reload();
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let ring = vault::status(&cx.ports.vault, &mut tx).await?;
    if ring.remaining() == 0 {
        tx.done().await?;
        return Err(ActionError::refused(
            "nothing_to_rotate",
            "Every data key already hangs on the sealing master key. Put a new master key in front first.",
        ));
    }
    let job = NewJob {
        kind: REWRAP_KEYS,
        payload: serde_json::json!({}),
        dedup_key: Some("all".to_owned()),
        run_at: now,
    };
    if jobs::enqueue(&mut tx, now, job).await?.is_none() {
        tx.done().await?;
        return Err(ActionError::refused(
            "rotation_under_way",
            "A rotation is already under way; this page shows how far it is.",
        ));
    }
    let master = cx.ports.vault.ring().active().to_string();
    let entry = Entry::admin("keys.rotation_started", &cx.who())
        .target("master_key", &master, &master)
        .after(&serde_json::json!({ "to_move": ring.remaining() }));
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(())
}
