//! Deletes organizations: at a second owner's word, or after a sole owner has waited.
//!
//! Invariant: the keys that seal an organization's values are destroyed in the transaction that deletes it.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    domain::{
        audit::{self, Entry, Who},
        tenancy::{Org, rules::deletion, store},
    },
    flow::{
        cx::Ports,
        fault::{ActionResult, settled},
        jobs::JobError,
    },
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
};

/// The kind of job that deletes organizations whose time has come; every few minutes is right.
pub const DELETE_ORGS: &str = "delete_orgs";

/// How many organizations one run looks at.
const MOST: i64 = 1_000;

/// What the record keeps of an organization that is gone.
#[derive(Serialize)]
struct GoneRecord<'a> {
    name: &'a str,
    slug: &'a str,
}

/// Deletes what is due. An organization that got a second owner meanwhile waits for that owner.
///
/// # Errors
/// When the database is away, or a key cannot be destroyed.
pub async fn delete_orgs(ports: &Ports) -> Result<(), JobError> {
    let now = ports.clock.now();
    let mut tx = SystemTx::begin(&ports.db).await?;
    let due = store::orgs::list_deletion_asked(&mut tx, now - deletion::GRACE, MOST).await?;
    tx.done().await?;
    for org in due {
        let mut tx = OrgTx::begin(&ports.db, OrgScope::proven(org)).await?;
        let owners = store::members::lock_owners(&mut tx).await?;
        match store::orgs::find(&mut tx).await? {
            Some(org) if deletion::check_due(&org, &owners, now).is_ok() => {
                let who = Who::system(DELETE_ORGS);
                erase_org(tx, ports, &org, &who, now).await.map_err(JobError::again)?;
            }
            _ => tx.done().await?,
        }
    }
    Ok(())
}

/// Deletes an organization; that it may go was judged in this transaction. Its record stays and stays verifiable. The providers
/// of its connected accounts are told, once.
///
/// # Errors
/// `Changed` where somebody was faster; when the database is away.
pub async fn erase_org(
    mut tx: OrgTx,
    ports: &Ports,
    org: &Org,
    who: &Who,
    now: OffsetDateTime,
) -> ActionResult<()> {
    let gone = GoneRecord { name: &org.name, slug: org.slug.as_str() };
    let entry = Entry::admin("org.deleted", who).target("org", org.id, &org.name).before(&gone);
    // Opened before the keys are gone, told when the organization is.
    let farewell = ports.tokens.farewell(&mut tx).await?;
    ports.vault.destroy(&mut tx).await?;
    settled(store::orgs::delete(&mut tx, Some(org.version), now).await?)?;
    audit::commit(tx, now, vec![entry]).await?;
    ports.tokens.say(farewell);
    Ok(())
}
