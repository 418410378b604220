//! Leaving an organization of one's own will.

use crate::{
    domain::{
        audit::{self, Entry},
        tenancy::{self, OrgRef, PersonsOrg, TenancyRefusal, rules},
    },
    flow::{
        actions::offboarding::{Departed, Ended},
        cx::PersonCx,
        fault::{ActionError, ActionResult, settled},
        leaver::{self, Ending, Leaver, Occasion},
    },
    io::db::{OrgScope, Tx},
};

/// What leaving an organization means.
#[derive(Debug)]
pub struct Leaving {
    /// The organization and the person's role in it.
    pub found: PersonsOrg,
    /// What ends.
    pub endings: Vec<Ending>,
    /// Whether the person may not go, being its last owner.
    pub is_last_owner: bool,
}

/// What leaving would mean.
pub async fn preview(cx: &PersonCx, org: &str) -> ActionResult<Leaving> {
    let found = membership(cx, org).await?;
    let mut tx = cx.tx_of(OrgScope::proven(found.org.id)).await?;
    let endings = leaver::preview(&mut tx, &leaver(cx), Occasion::Leaving).await?;
    let owners = tenancy::store::members::lock_owners(&mut tx).await?;
    tx.done().await?;
    let is_last_owner = rules::people::check_leaving(cx.id(), &owners).is_err();
    Ok(Leaving { found, endings, is_last_owner })
}

/// Leaves: the membership ends with everything the registry names.
///
/// # Errors
/// A refusal for the last owner; of two owners who leave at once the second is refused.
pub async fn leave(cx: &PersonCx, org: &str) -> ActionResult<Leaving> {
    let found = membership(cx, org).await?;
    cx.require_proof()?;
    let mut tx = cx.tx_of(OrgScope::proven(found.org.id)).await?;
    let owners = tenancy::store::members::lock_owners(&mut tx).await?;
    rules::people::check_leaving(cx.id(), &owners).map_err(last_owner)?;
    let endings = leaver::end(&mut tx, &leaver(cx), Occasion::Leaving).await?;
    settled(tenancy::store::members::remove(&mut tx, &owners, cx.id(), None).await?)?;
    let entry = Entry::admin("member.left", &cx.who())
        .target("member", cx.id(), cx.user.name.as_str())
        .before(&Departed { email: cx.user.email.as_str(), role: found.role })
        .after(&Ended { ended: leaver::counts(&endings) });
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(Leaving { found, endings, is_last_owner: false })
}

async fn membership(cx: &PersonCx, org: &str) -> ActionResult<PersonsOrg> {
    let name: OrgRef = org.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = cx.tx().await?;
    let found = tenancy::store::orgs::find_of_person(&mut tx, &name).await?;
    tx.done().await?;
    found.ok_or(ActionError::NotFound)
}

fn leaver(cx: &PersonCx) -> Leaver {
    Leaver { user: cx.id(), by: Some(cx.id()), now: cx.now() }
}

fn last_owner(refusal: TenancyRefusal) -> ActionError {
    ActionError::refused(
        refusal.code(),
        "You are the last owner of this organization. Hand ownership over to another member first, then leave.",
    )
}
