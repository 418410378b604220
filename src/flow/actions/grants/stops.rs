//! Suspending, resuming and ending grants.

use crate::{
    base::{actor::Principal, ids::GrantId, permission::Permission, update::Update},
    domain::{
        approvals::store::{self as approvals, Of},
        audit::Entry,
        grants::{Deed, Grant, Reason, Standing, Stop, store},
    },
    flow::{
        actions::grants::{GrantFound, found, keep},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::OrgTx,
};

/// Lets a grant rest: from the next call on its tokens are refused, until it is resumed.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen; a refusal where it is revoked.
pub async fn suspend(cx: &OrgCx, id: &str, reason: &str, seen: Option<i64>) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsWrite)?;
    suspend_as(cx, Standing::Admin(cx.user()), id, reason, seen).await
}

/// Puts a suspended grant in force again.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen; a refusal where it is revoked.
pub async fn resume(cx: &OrgCx, id: &str, seen: Option<i64>) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsWrite)?;
    resume_as(cx, Standing::Admin(cx.user()), id, seen).await
}

/// Ends a grant for good. Needs no proof, for in an emergency it must be quick.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn revoke(cx: &OrgCx, id: &str, reason: &str, seen: Option<i64>) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsWrite)?;
    revoke_as(cx, Standing::Admin(cx.user()), id, reason, seen).await
}

/// [`suspend`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn suspend_as(
    cx: &OrgCx,
    standing: Standing,
    id: &str,
    reason: &str,
    seen: Option<i64>,
) -> ActionResult<GrantFound> {
    let stop = stop(cx, standing, reason)?;
    let mut tx = cx.tx().await?;
    let before = found(cx, &mut tx, standing, Deed::Suspend, id).await?;
    let outcome = store::stops::suspend(&mut tx, before.entry.grant.id, &stop, seen).await?;
    keep(cx, tx, "grant.suspended", before, outcome, Some(&stop.reason)).await
}

/// [`resume`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn resume_as(
    cx: &OrgCx,
    standing: Standing,
    id: &str,
    seen: Option<i64>,
) -> ActionResult<GrantFound> {
    let mut tx = cx.tx().await?;
    let before = found(cx, &mut tx, standing, Deed::Resume, id).await?;
    let outcome = store::stops::resume(&mut tx, before.entry.grant.id, seen, cx.now()).await?;
    if let Update::Done(change) = &outcome {
        // Somebody else may have suspended it between the look and the lock.
        standing.check(Deed::Resume, &change.before)?;
    }
    keep(cx, tx, "grant.resumed", before, outcome, None).await
}

/// [`revoke`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn revoke_as(
    cx: &OrgCx,
    standing: Standing,
    id: &str,
    reason: &str,
    seen: Option<i64>,
) -> ActionResult<GrantFound> {
    let stop = stop(cx, standing, reason)?;
    let mut tx = cx.tx().await?;
    let before = found(cx, &mut tx, standing, Deed::Revoke, id).await?;
    let outcome = store::stops::revoke(&mut tx, before.entry.grant.id, &stop, seen).await?;
    approvals::withdraw_all_of(&mut tx, Of::Grant(before.entry.grant.id), cx.now()).await?;
    keep(cx, tx, "grant.revoked", before, outcome, Some(&stop.reason)).await
}

/// Ends all grants of a principal that is about to go, and says so in the record.
pub(in crate::flow::actions) async fn end_all(
    cx: &OrgCx,
    tx: &mut OrgTx,
    principal: Principal,
    reason: &'static str,
) -> ActionResult<Vec<Entry>> {
    let stop = Stop { at: cx.now(), by: cx.user(), reason: reason.to_owned() };
    let ended = store::stops::revoke_all_of(tx, principal, &stop).await?;
    let entry = |(id, label): (GrantId, String)| {
        Entry::admin("grant.revoked", &cx.who()).target("grant", id, label).note(reason)
    };
    Ok(ended.into_iter().map(entry).collect())
}

fn stop(cx: &OrgCx, standing: Standing, reason: &str) -> ActionResult<Stop> {
    let reason: Reason = reason.parse().map_err(|bad| ActionError::field("reason", format!("{bad}")))?;
    Ok(Stop { at: cx.now(), by: standing.by(), reason: reason.as_str().to_owned() })
}

/// Whether a suspension can be taken back by this standing, so that a page offers it.
pub(in crate::flow::actions) fn can_resume(standing: Standing, grant: &Grant) -> bool {
    grant.suspension.is_some() && standing.check(Deed::Resume, grant).is_ok()
}
