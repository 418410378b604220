//! The arguments of tools, where an organization keeps them: sealed, without what a policy says is never stored, and for as
//! many days as it wants.
//!
//! Invariant: a call whose arguments cannot be kept is made all the same, and its record says no word of their values.

use crate::{
    base::ids::EventId,
    domain::{
        audit::{self, ARGUMENTS, SEALED_ARGUMENTS, SealedArguments, Unrecorded},
        vault::Cell,
    },
    flow::{
        fault::ActionResult,
        proxy::{admit::Admitted, approve, gateway::Gateway, judge::Permit},
    },
    io::db::OrgTx,
};

/// How large arguments may be that are kept.
const LARGEST: usize = 64 * 1024;

/// Keeps the arguments of a call that is on record, where its organization wants that.
pub async fn keep(gateway: &Gateway, admitted: &Admitted, permit: &Permit<'_>, intent: EventId) {
    if admitted.snapshot.argument_days == 0 || permit.tool().is_none() {
        return;
    }
    let (_, asked) = approve::what_is_asked(permit);
    let kept = approve::kept(permit, &asked);
    if kept.len() > LARGEST {
        return;
    }
    let done: ActionResult<()> = async {
        let mut tx = OrgTx::begin(&gateway.db, admitted.snapshot.scope).await?;
        let cell = Cell::new(ARGUMENTS, SEALED_ARGUMENTS, intent);
        let sealed = gateway.vault.seal(&mut tx, cell, &kept).await?;
        let sealed = SealedArguments { key: sealed.key, bytes: sealed.bytes };
        audit::keep_arguments(&mut tx, intent, &sealed, gateway.clock.now()).await?;
        // The intent of the call is recorded.
        audit::commit_unrecorded(tx, Unrecorded::Arguments).await?;
        Ok(())
    }
    .await;
    if let Err(error) = done {
        tracing::warn!(%error, "the arguments of a call are not kept");
    }
}
