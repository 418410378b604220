//! All SQL of policies.
//!
//! Invariant: whatever a call's decision depends on raises the organization's epoch here, in the same transaction.

pub mod decisions;
pub mod layers;
pub mod policies;
pub mod tests;
pub mod versions;

use crate::io::db::{DbResult, OrgTx, Tx};

/// Raises the epoch. The one column of another room's table that is written here: without it no change would be in
/// force.
async fn bump_epoch(tx: &mut OrgTx) -> DbResult<()> {
    sqlx::query!("update orgs set epoch = epoch + 1 where id = $1", tx.org().uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A text to look for; Postgres cannot be asked for the null character, and no row holds it.
fn sought(text: Option<&str>) -> Option<String> {
    text.map(|text| text.trim().replace('\0', "")).filter(|text| !text.is_empty())
}
