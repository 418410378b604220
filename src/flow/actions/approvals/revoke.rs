//! Taking back what somebody agreed to, while it is not used up.

use serde::Serialize;

use crate::{
    base::permission::Permission,
    domain::{
        approvals::{
            Approval, Judge, RevokeRefusal, Vote,
            store::{self, revoked},
        },
        audit::{self, Entry},
    },
    flow::{
        actions::approvals::{ApprovalSheet, sheet},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
};

/// What the record keeps of what was taken back.
#[derive(Serialize)]
struct RevokedRecord {
    tool: String,
    grant: String,
    uses: i32,
}

/// Takes back what was agreed to. From the next call on nobody uses it, on every replica: a call takes its approval in the
/// statement that puts it on record.
///
/// # Errors
/// A refusal for who neither agreed to it, nor could have, nor may revoke its grant; and where there is nothing to take
/// back.
pub async fn revoke(cx: &OrgCx, id: &str) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let mut tx = cx.tx().await?;
    let seen = sheet(cx, &mut tx, id).await?;
    if let Some(refusal) = seen.irrevocable {
        return Err(refused(refusal));
    }
    if !revoked::revoke(&mut tx, seen.approval.id, cx.user(), cx.now()).await? {
        return Err(refused(RevokeRefusal::Over));
    }
    let approval = store::find(&mut tx, seen.approval.id).await?.ok_or(ActionError::NotFound)?;
    let record = RevokedRecord {
        tool: format!("{}/{}", approval.server_slug, approval.tool),
        grant: approval.grant.to_string(),
        uses: approval.uses,
    };
    let entry = Entry::admin("approval.revoked", &cx.who())
        .target("approval", approval.id, &approval.tool)
        .after(&record);
    let entry = match approval.user {
        Some(user) => entry.about(user),
        None => entry,
    };
    let sheet = sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// Whether somebody may take it back: whoever agreed to it, whoever could have and sees all, and whoever may revoke the
/// grant that uses it.
///
/// # Errors
/// Why they may not.
pub(super) fn check(
    cx: &OrgCx,
    approval: &Approval,
    judge: Option<&Judge>,
    votes: &[Vote],
) -> Result<(), RevokeRefusal> {
    let has_given = |judge: &Judge| votes.iter().any(|vote| vote.is_approved && vote.user == judge.user);
    let could_give = |judge: &Judge| cx.may(Permission::ApprovalsRead) && judge.is_asked(&approval.needs);
    let is_theirs = judge.is_some_and(|judge| has_given(judge) || could_give(judge));
    if !is_theirs && !cx.may(Permission::GrantsWrite) {
        return Err(RevokeRefusal::NotYours);
    }
    if approval.is_usable(cx.now()) { Ok(()) } else { Err(RevokeRefusal::Over) }
}

fn refused(refusal: RevokeRefusal) -> ActionError {
    ActionError::refused(refusal.code(), refusal.to_string())
}
