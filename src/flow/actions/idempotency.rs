//! Repeated requests to the API: the first is carried out, the others get its answer.

use serde::{Deserialize, Serialize};

use crate::{
    base::crypto::digest::Digest,
    domain::{
        audit::{self, Unrecorded},
        automation::{self, Answer},
        vault::{Cell, Sealed},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// What to do with a request that carries a key.
#[derive(Debug)]
pub enum Claim {
    /// Carry it out, then keep the answer or release the claim.
    Ours(Claimed),
    /// It was carried out; this was the answer.
    Answered(Kept),
}

/// A claim on a key.
#[derive(Clone, Copy, Debug)]
pub struct Claimed(crate::base::ids::SealedId);

/// An answer as it is kept. It may hold a token that is shown once, so it is sealed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The HTTP status.
    pub status: u16,
    /// The entity tag.
    pub etag: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Claims a key for a request.
///
/// # Errors
/// A refusal where the key was used for another request, or where the first attempt has no known outcome yet.
pub async fn claim(cx: &OrgCx, key: &str, request: &Digest) -> ActionResult<Claim> {
    let mut tx = cx.tx().await?;
    let actor = cx.who().actor.id_text().unwrap_or_default();
    match automation::store::idempotency::claim(&mut tx, &actor, key, request, cx.now()).await? {
        automation::Claim::New(row) => {
            audit::commit_unrecorded(tx, Unrecorded::IdempotentAnswer).await?;
            Ok(Claim::Ours(Claimed(row)))
        }
        automation::Claim::InProgress { .. } => Err(ActionError::refused(
            "first_attempt_open",
            "A request with this Idempotency-Key is under way, or ended without an answer. Look whether it took \
             effect before you send it with another key.",
        )),
        automation::Claim::Mismatch => Err(ActionError::refused(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request. Use a new one.",
        )),
        automation::Claim::Replay(answer) => {
            let sealed = Sealed { key: answer.data_key, bytes: answer.sealed };
            let opened = cx.ports.vault.open(&mut tx, cell(Claimed(answer.row)), &sealed).await?;
            tx.done().await?;
            serde_json::from_slice(opened.expose()).map(Claim::Answered).map_err(ActionError::defect)
        }
    }
}

/// Keeps the answer for a day.
pub async fn keep(cx: &OrgCx, claim: Claimed, kept: &Kept) -> ActionResult<()> {
    let plain = serde_json::to_vec(kept).map_err(ActionError::defect)?;
    let mut tx = cx.tx().await?;
    let sealed = cx.ports.vault.seal(&mut tx, cell(claim), &plain).await?;
    let answer = Answer { row: claim.0, status: kept.status, data_key: sealed.key, sealed: sealed.bytes };
    automation::store::idempotency::finish(&mut tx, &answer).await?;
    audit::commit_unrecorded(tx, Unrecorded::IdempotentAnswer).await?;
    Ok(())
}

/// Gives the key back after a request that changed nothing.
pub async fn release(cx: &OrgCx, claim: Claimed) -> ActionResult<()> {
    let mut tx = cx.tx().await?;
    automation::store::idempotency::release(&mut tx, claim.0).await?;
    audit::commit_unrecorded(tx, Unrecorded::IdempotentAnswer).await?;
    Ok(())
}

fn cell(claim: Claimed) -> Cell {
    Cell::new("idempotency_keys", "sealed_answer", claim.0)
}
