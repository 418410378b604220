//! Keeping a member out for a while, and letting them in again: neither they, nor their keys, nor their agents do anything
//! meanwhile, and nothing of theirs is lost but what they agreed to for agents of others: that is revoked.

use serde::Serialize;

use crate::{
    base::{
        permission::{Permission, Role},
        wording,
    },
    domain::{
        audit::{self, Entry},
        tenancy::{Member, rules::people, store},
    },
    flow::{
        actions::members::{self, MemberEntry, named, one_dressed},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        leaver::{self, Leaver, Occasion},
    },
};

/// What the record keeps of it.
#[derive(Serialize)]
struct SuspensionRecord<'a> {
    reason: &'a str,
    /// What of theirs ended, by kind.
    ended: serde_json::Value,
}

/// Keeps a member out. From the next request and call on they, their keys and their agents are refused, on every replica.
///
/// # Errors
/// A fault of `reason`; a refusal for an owner, for oneself, and for who is kept out already.
pub async fn suspend(cx: &OrgCx, id: &str, reason: &str) -> ActionResult<MemberEntry> {
    cx.require(Permission::MembersWrite)?;
    let reason =
        wording::parse_description(reason).map_err(|bad| ActionError::field("reason", bad.to_string()))?;
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    let member = named(&mut tx, id).await?;
    people::check_removal(members::reach(cx), member.user, member.role, &owners).map_err(members::refused)?;
    if cx.user() == Some(member.user) {
        return Err(ActionError::refused(
            "suspend_self",
            "You cannot suspend yourself. Ask another admin, or leave.",
        ));
    }
    if member.role == Role::Owner {
        let sentence =
            format!("{} is an owner. Give them another role before you suspend them.", member.name);
        return Err(ActionError::refused("suspend_owner", sentence));
    }
    if !store::suspensions::begin(&mut tx, member.user, cx.user(), &reason, cx.now()).await? {
        let sentence = format!("{} is suspended already.", member.name);
        return Err(ActionError::refused("member_suspended", sentence));
    }
    let leaver = Leaver { user: member.user, by: cx.user(), now: cx.now() };
    let ended = leaver::counts(&leaver::end(&mut tx, &leaver, Occasion::Suspension).await?);
    let entry = entry("member.suspended", cx, &member).after(&SuspensionRecord { reason: &reason, ended });
    audit::commit(tx, cx.now(), vec![entry]).await?;
    one_dressed(cx, cx.tx().await?, member).await
}

/// Lets a member in again.
///
/// # Errors
/// A refusal for who is not kept out.
pub async fn resume(cx: &OrgCx, id: &str) -> ActionResult<MemberEntry> {
    cx.require(Permission::MembersWrite)?;
    let mut tx = cx.tx().await?;
    let member = named(&mut tx, id).await?;
    if !store::suspensions::end(&mut tx, member.user, cx.now()).await? {
        let sentence = format!("{} is not suspended.", member.name);
        return Err(ActionError::refused("member_not_suspended", sentence));
    }
    audit::commit(tx, cx.now(), vec![entry("member.resumed", cx, &member)]).await?;
    one_dressed(cx, cx.tx().await?, member).await
}

fn entry(action: &'static str, cx: &OrgCx, member: &Member) -> Entry {
    Entry::admin(action, &cx.who()).target("member", member.user, &member.name).about(member.user)
}
