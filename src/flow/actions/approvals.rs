//! Approvals: seeing what waits, deciding it, reminding of it, taking it back.
//!
//! Who may decide follows from the rules that ask, not from a role alone. Who may neither decide nor see all, sees what
//! agents asked in their name.
//!
//! Invariant: only a person decides: in a browser, or by a key of their own.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        actor::{Actor, KeyOwner},
        ids::{ApprovalId, UserId},
        page::{Page, PageRequest},
        permission::Permission,
        secret::Secret,
    },
    domain::{
        approvals::{
            self, Approval, ApprovalFilter, ApprovalRefusal, ApprovalState, Judge, LONGEST_FOR, Outcome,
            Verdict, Vote, store,
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

/// How long a used-once approval may be used after it was given.
const USABLE: Duration = Duration::minutes(30);
/// How often whoever asks may remind of it.
const NUDGES: Duration = Duration::minutes(5);

/// An approval with all that its page shows.
#[derive(Debug)]
pub struct ApprovalSheet {
    /// The approval.
    pub approval: Approval,
    /// Where it stands now.
    pub state: ApprovalState,
    /// The arguments as they came, as JSON.
    pub arguments: Secret<String>,
    /// What was said.
    pub votes: Vec<Vote>,
    /// Why the viewer may not decide; none where they may.
    pub refusal: Option<ApprovalRefusal>,
}

/// What somebody decides.
#[derive(Clone, Debug, Default)]
pub struct DecisionInput {
    /// `approve_once`, `approve_for` or `deny`.
    pub decision: String,
    /// For how many minutes.
    pub minutes: Option<u32>,
    /// What they say with it.
    pub reason: String,
}

/// What the record keeps of a decision.
#[derive(Serialize)]
struct DecisionRecord<'a> {
    state: &'static str,
    tool: String,
    grant: String,
    arguments_digest: String,
    minutes: Option<u32>,
    reason: &'a str,
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
    let sheet = sheet(cx, &mut tx, id).await?;
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
    let sealed = Sealed { key: approval.key, bytes: approval.sealed_arguments.clone() };
    let cell = Cell::new("approvals", "sealed_arguments", approval.id);
    let plain = cx.ports.vault.open(tx, cell, &sealed).await?;
    let arguments = Secret::new(String::from_utf8_lossy(plain.expose()).into_owned());
    let votes = store::votes(tx, id).await?;
    Ok(ApprovalSheet { state: approval.state_at(cx.now()), approval, arguments, votes, refusal })
}

/// The person who asks, as far as deciding goes; a service account is none.
async fn judge(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<Option<Judge>> {
    let user = match cx.who().actor {
        Actor::User { user, .. } | Actor::ApiKey { owner: KeyOwner::User(user), .. } => user,
        _ => return Ok(None),
    };
    Ok(store::judges(tx).await?.into_iter().find(|judge| judge.user == user))
}

/// Decides about an approval.
///
/// # Errors
/// A fault of `decision`, `minutes` or `reason`; `NeedsProof` to agree to what cannot be undone; a refusal where the caller may not decide, or somebody was faster.
pub async fn decide(cx: &OrgCx, id: &str, input: &DecisionInput) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let verdict = verdict(input)?;
    let reason = approvals::parse_reason(&input.reason)
        .map_err(|bad| ActionError::field("reason", bad.to_string()))?;
    let mut tx = cx.tx().await?;
    let seen = sheet(cx, &mut tx, id).await?;
    // What cannot be undone is agreed to by whoever proves that it is them.
    let is_grave = matches!(seen.approval.class.as_str(), "destructive" | "financial");
    if verdict != Verdict::Deny && is_grave {
        cx.require_proof()?;
    }
    let approval = store::lock(&mut tx, seen.approval.id).await?.ok_or(ActionError::NotFound)?;
    let judges = store::judges(&mut tx).await?;
    let me = judge(cx, &mut tx).await?.ok_or_else(|| refused(ApprovalRefusal::NotAmongApprovers))?;
    approvals::may_decide(&approval, &me, cx.now()).map_err(refused)?;
    let is_approved = verdict != Verdict::Deny;
    store::vote(&mut tx, approval.id, me.user, is_approved, &reason, cx.now()).await?;
    let votes = store::votes(&mut tx, approval.id).await?;
    // Whoever left the organization no longer counts.
    let of = |user: UserId| judges.iter().find(|judge| judge.user == user).cloned();
    let counted: Vec<_> = votes.iter().filter_map(|vote| Some((of(vote.user)?, vote.is_approved))).collect();
    let outcome = approvals::outcome(&approval.needs, &counted);
    let settled = settled(outcome, verdict, &reason, me.user, cx.now());
    if let Some(settled) = &settled {
        store::settle(&mut tx, approval.id, settled, cx.now()).await?;
    }
    let action = match outcome {
        Outcome::Approved => "approval.approved",
        Outcome::Denied => "approval.denied",
        Outcome::Open => "approval.voted",
    };
    let entry = entry(cx, action, &approval, verdict, &reason);
    let sheet = self::sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

fn verdict(input: &DecisionInput) -> ActionResult<Verdict> {
    match input.decision.as_str() {
        "approve_once" => Ok(Verdict::ApproveOnce),
        "deny" => Ok(Verdict::Deny),
        "approve_for" => match input.minutes {
            Some(minutes) if (1..=LONGEST_FOR).contains(&minutes) => Ok(Verdict::ApproveFor(minutes)),
            _ => Err(ActionError::field("minutes", format!("choose 1 to {LONGEST_FOR} minutes"))),
        },
        _ => Err(ActionError::field("decision", "choose approve_once, approve_for or deny")),
    }
}

fn settled(
    outcome: Outcome,
    verdict: Verdict,
    reason: &str,
    by: UserId,
    now: OffsetDateTime,
) -> Option<store::Settled<'_>> {
    let to = |state, is_single, valid_until| {
        Some(store::Settled { state, is_single, valid_until, reason, by: Some(by) })
    };
    match (outcome, verdict) {
        (Outcome::Open, _) => None,
        (Outcome::Denied, _) => to(ApprovalState::Denied, true, None),
        // The last who agrees says for how long; those before agreed to one call at least.
        (Outcome::Approved, Verdict::ApproveFor(minutes)) => {
            to(ApprovalState::Approved, false, Some(now + Duration::minutes(minutes.into())))
        }
        (Outcome::Approved, _) => to(ApprovalState::Approved, true, Some(now + USABLE)),
    }
}

fn entry(cx: &OrgCx, action: &'static str, approval: &Approval, verdict: Verdict, reason: &str) -> Entry {
    let record = DecisionRecord {
        state: match verdict {
            Verdict::ApproveOnce => "approve_once",
            Verdict::ApproveFor(_) => "approve_for",
            Verdict::Deny => "deny",
        },
        tool: format!("{}/{}", approval.server_slug, approval.tool),
        grant: approval.grant.to_string(),
        arguments_digest: approval.arguments_digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        minutes: match verdict {
            Verdict::ApproveFor(minutes) => Some(minutes),
            Verdict::ApproveOnce | Verdict::Deny => None,
        },
        reason,
    };
    let entry =
        Entry::admin(action, &cx.who()).target("approval", approval.id, &approval.tool).after(&record);
    match approval.user {
        Some(user) => entry.about(user),
        None => entry,
    }
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
