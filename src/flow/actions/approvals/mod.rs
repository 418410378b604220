//! Approvals: seeing what waits, deciding it, reminding of it, taking it back.
//!
//! Who may decide follows from the rules that ask, not from a role alone. Who may neither decide nor see all, sees what
//! agents asked in their name.
//!
//! Invariant: only a person decides: in a browser, or by a key of their own.

mod decide;
mod narrow;
mod similar;

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        actor::{Actor, KeyOwner},
        crypto::digest,
        ids::ApprovalId,
        page::{Page, PageRequest},
        permission::Permission,
        secret::Secret,
    },
    domain::{
        approvals::{
            self, Approval, ApprovalFilter, ApprovalRefusal, ApprovalState, Judge, Kept, NarrowRefusal, Vote,
            store,
        },
        audit::{self, Entry},
        vault::{Cell, Sealed},
    },
    flow::{
        approvers::{self, Desk},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

pub use decide::{DecisionInput, Terms, decide};
pub use similar::{DAYS, PastOutcome, Similar, SimilarCall, Tally};

/// How often whoever asks may remind of it.
const NUDGES: Duration = Duration::minutes(5);

/// An approval with all that its page shows.
#[derive(Debug)]
pub struct ApprovalSheet {
    /// The approval.
    pub approval: Approval,
    /// Where it stands now.
    pub state: ApprovalState,
    /// The arguments as they were asked, as JSON; masked where a policy says that they are not kept.
    pub arguments: Secret<String>,
    /// Whether something of them is masked.
    pub is_masked: bool,
    /// The arguments that it is for, where somebody agreed to others than were asked.
    pub instead: Option<Secret<String>>,
    /// What was said.
    pub votes: Vec<Vote>,
    /// Why the viewer may not decide; none where they may.
    pub refusal: Option<ApprovalRefusal>,
    /// Why the viewer may not agree to other arguments, were they to decide.
    pub bound: Option<NarrowRefusal>,
    /// Calls of the same tool before; only where one approval of a tool is read.
    pub similar: Option<Similar>,
}

/// What waits, or waited, for a human, the newest first: all of it for who may see all, otherwise what agents asked in
/// the caller's name and what they may decide.
pub async fn list(
    cx: &OrgCx,
    filter: &ApprovalFilter,
    page: &PageRequest<ApprovalId>,
) -> ActionResult<Page<Approval>> {
    cx.require(Permission::ApprovalsDecide)?;
    let sees_all = cx.may(Permission::ApprovalsRead);
    let mut tx = cx.tx().await?;
    if !sees_all {
        let judges = store::judges(&mut tx).await?;
        let judge = cx.user().and_then(|user| judges.into_iter().find(|judge| judge.user == user));
        let judge = judge.ok_or(ActionError::Forbidden(Permission::ApprovalsRead))?;
        let found = store::list(&mut tx, filter, page, cx.now()).await?;
        tx.done().await?;
        let Page { items, next } = found;
        let is_theirs = |approval: &Approval| approval.user == Some(judge.user) || is_judge(approval, &judge);
        return Ok(Page { items: items.into_iter().filter(is_theirs).collect(), next });
    }
    let found = store::list(&mut tx, filter, page, cx.now()).await?;
    tx.done().await?;
    Ok(found)
}

fn is_judge(approval: &Approval, judge: &Judge) -> bool {
    approvals::may_decide(approval, judge, OffsetDateTime::UNIX_EPOCH)
        != Err(ApprovalRefusal::NotAmongApprovers)
}

/// How many calls wait; nothing for who may not see them all.
pub async fn count_waiting(cx: &OrgCx) -> ActionResult<i64> {
    cx.require(Permission::ApprovalsRead)?;
    let mut tx = cx.tx().await?;
    let count = store::count_waiting(&mut tx, cx.now()).await?;
    tx.done().await?;
    Ok(count)
}

/// One approval with its arguments.
///
/// # Errors
/// `NotFound` for who may neither decide it nor see all, and in whose name no agent asks it.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let mut tx = cx.tx().await?;
    let mut sheet = sheet(cx, &mut tx, id).await?;
    sheet.similar = similar::of(cx, &mut tx, &sheet.approval).await?;
    tx.done().await?;
    Ok(sheet)
}

async fn sheet(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<ApprovalSheet> {
    let id: ApprovalId = id.parse().map_err(|_| ActionError::NotFound)?;
    let approval = store::find(tx, id).await?.ok_or(ActionError::NotFound)?;
    let judge = judge(cx, tx).await?;
    let own = judge.as_ref().is_some_and(|judge| approval.user == Some(judge.user));
    let refusal = match &judge {
        Some(judge) => approvals::may_decide(&approval, judge, cx.now()).err(),
        None => Some(ApprovalRefusal::NotAmongApprovers),
    };
    if refusal == Some(ApprovalRefusal::NotAmongApprovers) && !own && !cx.may(Permission::ApprovalsRead) {
        return Err(ActionError::NotFound);
    }
    let is_narrowed = approval.asked.is_some();
    let column = if is_narrowed { store::SEALED_ASKED } else { store::SEALED_ARGUMENTS };
    let arguments = opened(cx, tx, column, (id, approval.as_asked())).await?;
    let instead = match is_narrowed {
        true => Some(opened(cx, tx, store::SEALED_ARGUMENTS, (id, &approval.arguments)).await?),
        false => None,
    };
    let votes = store::votes(tx, id).await?;
    // The digest is that of what the agent sent.
    let is_masked = digest::sha256(arguments.expose().as_bytes())[..] != approval.as_asked().digest[..];
    let bound = judge.as_ref().and_then(|judge| narrow::refusal(&approval, is_masked, judge, &votes));
    let state = approval.state_at(cx.now());
    Ok(ApprovalSheet { state, approval, arguments, is_masked, instead, votes, refusal, bound, similar: None })
}

/// Arguments of an approval, as JSON.
async fn opened(
    cx: &OrgCx,
    tx: &mut OrgTx,
    column: &'static str,
    (id, kept): (ApprovalId, &Kept),
) -> ActionResult<Secret<String>> {
    let sealed = Sealed { key: kept.key, bytes: kept.sealed.clone() };
    let plain = cx.ports.vault.open(tx, Cell::new("approvals", column, id), &sealed).await?;
    Ok(Secret::new(String::from_utf8_lossy(plain.expose()).into_owned()))
}

/// The person who asks, as far as deciding goes; a service account is none.
async fn judge(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<Option<Judge>> {
    let user = match cx.who().actor {
        Actor::User { user, .. } | Actor::ApiKey { owner: KeyOwner::User(user), .. } => user,
        _ => return Ok(None),
    };
    Ok(store::judges(tx).await?.into_iter().find(|judge| judge.user == user))
}

/// Takes a request back, by whom it was asked for, or by who may decide it.
///
/// # Errors
/// A refusal where it was decided already.
pub async fn withdraw(cx: &OrgCx, id: &str) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let mut tx = cx.tx().await?;
    let seen = own(cx, &mut tx, id).await?;
    let to = store::Settled {
        state: ApprovalState::Withdrawn,
        is_single: true,
        valid_until: None,
        reason: "",
        by: cx.user(),
    };
    if !store::settle(&mut tx, seen.id, &to, cx.now()).await? {
        return Err(refused(ApprovalRefusal::Decided));
    }
    let entry = Entry::admin("approval.withdrawn", &cx.who()).target("approval", seen.id, &seen.tool);
    let sheet = sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// Reminds those who may decide; every few minutes at the most.
///
/// # Errors
/// `TooMany` where somebody reminded of it a moment ago.
pub async fn nudge(cx: &OrgCx, id: &str) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let mut tx = cx.tx().await?;
    let seen = own(cx, &mut tx, id).await?;
    if seen.state_at(cx.now()) != ApprovalState::Pending {
        return Err(refused(ApprovalRefusal::Decided));
    }
    if !store::nudge(&mut tx, seen.id, cx.now() - NUDGES, cx.now()).await? {
        return Err(ActionError::TooMany { retry_after: NUDGES });
    }
    let desk = Desk {
        post: &cx.ports.post,
        base_url: &cx.ports.site.base_url,
        org: cx.org.slug.as_str(),
        now: cx.now(),
    };
    approvers::tell(desk, &mut tx, &seen).await?;
    let entry = Entry::admin("approval.nudged", &cx.who()).target("approval", seen.id, &seen.tool);
    let sheet = sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// An approval that an agent asked in the caller's name; another's is unknown to them.
async fn own(cx: &OrgCx, tx: &mut OrgTx, id: &str) -> ActionResult<Approval> {
    let seen = sheet(cx, tx, id).await?.approval;
    if seen.user.is_some() && seen.user == cx.user() { Ok(seen) } else { Err(ActionError::NotFound) }
}

fn refused(refusal: ApprovalRefusal) -> ActionError {
    ActionError::refused(refusal.code(), refusal.to_string())
}
