//! Arguments that are kept, sealed, with approvals: of exactly such a call, for equal arguments have one digest.

use crate::{
    base::{crypto::digest, secret::Secret},
    domain::{
        approvals::store::{self, SealedArguments, Wanted},
        audit::Attempt,
        vault::{Cell, Sealed},
    },
    flow::{
        actions::policies::replay::attempt::{Given, Key},
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::Tx,
};

/// A call whose arguments were kept.
pub(super) struct Kept<'a> {
    pub(super) key: Key,
    pub(super) attempt: &'a Attempt,
    pub(super) arguments: Secret<Vec<u8>>,
}

/// Opens the arguments of these calls, as far as they are kept.
pub(super) async fn open<'a>(cx: &OrgCx, wanted: &[(Key, &'a Attempt)]) -> ActionResult<Vec<Kept<'a>>> {
    let asked: Vec<_> = wanted.iter().map(|(key, _)| wanted_of(key)).collect();
    let mut tx = cx.tx().await?;
    let found = store::sealed_arguments(&mut tx, &asked).await?;
    let mut kept = Vec::with_capacity(found.len());
    for SealedArguments { at, approval, column, key, bytes, digest } in found {
        let Some((call, attempt)) = wanted.get(at) else { continue };
        let cell = Cell::new("approvals", column, approval);
        // What cannot be opened any more is as if it were not kept.
        let Ok(arguments) = cx.ports.vault.open(&mut tx, cell, &Sealed { key, bytes }).await else {
            continue;
        };
        // What was masked says nothing of what a rule would have seen.
        if digest::sha256(arguments.expose())[..] != digest[..] {
            continue;
        }
        kept.push(Kept { key: call.clone(), attempt, arguments });
    }
    tx.done().await?;
    Ok(kept)
}

fn wanted_of(key: &Key) -> Wanted<'_> {
    match key.given {
        Given::Unseen(Some(approval)) => Wanted::Approval(approval),
        Given::Digest(arguments) => {
            Wanted::Call { grant: key.grant, server: key.server, tool: key.thing.name(), arguments }
        }
        Given::Nothing | Given::Unseen(None) => Wanted::Nothing,
    }
}
