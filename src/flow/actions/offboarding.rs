//! Off-boarding a member: everything of theirs in the organization ends in one transaction.

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
    io::db::Tx,
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
pub(super) struct Departed<'a> {
    pub(super) email: &'a str,
    pub(super) role: Role,
}

/// What the record keeps of what ended.
#[derive(Serialize)]
pub(super) struct Ended {
    pub(super) ended: serde_json::Value,
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
    let entry = Entry::admin("member.offboarded", &cx.who())
        .target("member", member.user, &member.name)
        .about(member.user)
        .before(&Departed { email: &member.email, role: member.role })
        .after(&Ended { ended: leaver::counts(&endings) });
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(Departure { member, endings })
}

fn leaver(cx: &OrgCx, user: UserId) -> Leaver {
    Leaver { user, by: cx.user(), now: cx.now() }
}

/// Off-boarding is done to somebody else, so that nobody signs themselves out of their own organization by mistake.
fn not_self(cx: &OrgCx, user: UserId) -> ActionResult<()> {
    if cx.user() == Some(user) {
        let sentence = "This is you. To go, leave the organization; somebody else can off-board you.";
        return Err(ActionError::refused("leave_instead", sentence));
    }
    Ok(())
}
