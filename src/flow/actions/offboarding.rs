//! Off-boarding a member, and leaving: everything of theirs in the organization ends in one transaction.

use serde::Serialize;

use crate::{
    base::{
        ids::UserId,
        permission::{Permission, Role},
    },
    domain::{
        audit::{self, Entry},
        tenancy::{Member, rules::people, store},
    },
    flow::{
        actions::members::{named, reach, refused, unposted},
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
        leaver::{self, Ending, Leaver, Occasion},
        letters::{Letter, RemovedFromOrg},
    },
    io::db::{OrgTx, Tx},
};

/// What ends, or has ended.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The member, as they were last.
    pub member: Member,
    /// What of theirs ends.
    pub endings: Vec<Ending>,
}

/// What the record keeps of somebody who was here.
#[derive(Serialize)]
struct Departed<'a> {
    email: &'a str,
    role: Role,
}

/// What the record keeps of what ended.
#[derive(Serialize)]
struct Ended {
    ended: serde_json::Value,
}

/// What would end if this member were off-boarded.
///
/// # Errors
/// Why they cannot be.
pub async fn preview(cx: &OrgCx, id: &str) -> ActionResult<Departure> {
    cx.require(Permission::MembersWrite)?;
    let mut tx = cx.tx().await?;
    let member = named(&mut tx, id).await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    not_self(cx, member.user)?;
    people::check_removal(reach(cx), member.user, member.role, &owners).map_err(refused)?;
    let endings = leaver::preview(&mut tx, &leaver(cx, member.user), Occasion::Offboarding).await?;
    tx.done().await?;
    Ok(Departure { member, endings })
}

/// Off-boards a member: everything of theirs here ends, and they are no longer a member.
///
/// # Errors
/// `Changed` where the membership is not as it was seen; a refusal for the last owner.
pub async fn offboard(cx: &OrgCx, id: &str, seen: Option<i64>) -> ActionResult<Departure> {
    cx.require(Permission::MembersWrite)?;
    cx.require_proof()?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    let member = named(&mut tx, id).await?;
    not_self(cx, member.user)?;
    people::check_removal(reach(cx), member.user, member.role, &owners).map_err(refused)?;
    let endings = leaver::end(&mut tx, &leaver(cx, member.user), Occasion::Offboarding).await?;
    let letter = Letter::RemovedFromOrg(RemovedFromOrg {
        name: member.name.as_str().into(),
        org: cx.org.name.as_str().into(),
        by: cx.who().name.into(),
        at: now.into(),
    });
    let to = member.email.parse().map_err(ActionError::defect)?;
    cx.ports.post.queue(&mut tx, &to, &letter).await.map_err(unposted)?;
    let expected = seen.or(Some(member.version));
    settled(store::members::remove(&mut tx, &owners, member.user, expected).await?)?;
    keep(tx, cx, "member.offboarded", &member, &endings).await?;
    cx.ports.waker.wake();
    Ok(Departure { member, endings })
}

/// What would end if the caller left.
///
/// # Errors
/// A refusal for the last owner.
pub async fn preview_leaving(cx: &OrgCx) -> ActionResult<Departure> {
    let user = person(cx)?;
    let mut tx = cx.tx().await?;
    let member = store::members::find(&mut tx, user).await?.ok_or(ActionError::NotFound)?;
    let owners = store::members::lock_owners(&mut tx).await?;
    people::check_leaving(user, &owners).map_err(refused)?;
    let endings = leaver::preview(&mut tx, &leaver(cx, user), Occasion::Leaving).await?;
    tx.done().await?;
    Ok(Departure { member, endings })
}

/// The caller leaves the organization. Whoever is here may, whatever their role.
///
/// # Errors
/// A refusal for the last owner.
pub async fn leave(cx: &OrgCx) -> ActionResult<Departure> {
    let user = person(cx)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    let member = store::members::find(&mut tx, user).await?.ok_or(ActionError::NotFound)?;
    people::check_leaving(user, &owners).map_err(refused)?;
    let endings = leaver::end(&mut tx, &leaver(cx, user), Occasion::Leaving).await?;
    settled(store::members::remove(&mut tx, &owners, user, None).await?)?;
    keep(tx, cx, "member.left", &member, &endings).await?;
    Ok(Departure { member, endings })
}

async fn keep(
    tx: OrgTx,
    cx: &OrgCx,
    action: &'static str,
    member: &Member,
    endings: &[Ending],
) -> ActionResult<()> {
    let entry = Entry::admin(action, &cx.who())
        .target("member", member.user, &member.name)
        .about(member.user)
        .before(&Departed { email: &member.email, role: member.role })
        .after(&Ended { ended: leaver::counts(endings) });
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(())
}

fn leaver(cx: &OrgCx, user: UserId) -> Leaver {
    Leaver { user, by: cx.user(), now: cx.now() }
}

/// Only a person in a browser leaves; a key cannot take its owner away.
fn person(cx: &OrgCx) -> ActionResult<UserId> {
    cx.person.as_ref().map(|person| person.id()).ok_or(ActionError::NotFound)
}

/// Off-boarding is done to somebody else, so that nobody signs themselves out of their own organization by mistake.
fn not_self(cx: &OrgCx, user: UserId) -> ActionResult<()> {
    if cx.user() == Some(user) {
        let sentence = "This is you. To go, leave the organization; somebody else can off-board you.";
        return Err(ActionError::refused("leave_instead", sentence));
    }
    Ok(())
}
