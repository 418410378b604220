//! Whether this ring is the ring of this database, asked before anything is served.

use crate::{
    base::{crypto::random, ids::SealedId},
    domain::vault::{
        Cell, Vault, VaultError, VaultResult,
        store::{self, Movable},
    },
    io::db::{SystemTx, Tx},
};

/// Checks that every master key named by the data keys is here and is the right one, and that a canary
/// sealed for the instance opens. End the transaction with `done`: nothing of it needs to stay.
///
/// # Errors
/// [`VaultError::MasterMissing`] and [`VaultError::MasterWrong`] have a [`VaultError::remedy`].
pub async fn self_test(vault: &Vault, tx: &mut SystemTx) -> VaultResult<()> {
    let rows = store::sample(tx.conn()).await?;
    if rows.iter().any(|row| !vault.ring().holds(&row.wrapped.master)) {
        vault.reload();
    }
    let ring = vault.ring();
    // A missing key is told first: a wrong one may be its consequence.
    if let Some(row) = rows.iter().find(|row| !ring.holds(&row.wrapped.master)) {
        return Err(VaultError::MasterMissing { master: row.wrapped.master.clone() });
    }
    for Movable { org, id, wrapped } in &rows {
        ring.unwrap(*org, *id, wrapped)?;
    }
    let canary: [u8; 32] = random::bytes();
    let cell = Cell::new("data_keys", "canary", SealedId::fresh());
    let sealed = vault.seal(tx, cell, &canary).await?;
    let opened = vault.open(tx, cell, &sealed).await?;
    if opened.expose() == &canary {
        Ok(())
    } else {
        Err(VaultError::DoesNotOpen { table: cell.table, column: cell.column })
    }
}
