//! Deciding: once, for a while, not at all, or with other arguments than were asked.

use data_encoding::HEXLOWER;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::{
    base::{ids::UserId, permission::Permission, unprinted::Unprinted, wording},
    domain::{
        approvals::{
            self, Approval, ApprovalRefusal, ApprovalState, Judge, LONGEST_FOR, Outcome, Verdict, store,
        },
        audit::{self, Entry},
    },
    flow::{
        actions::approvals::{ApprovalSheet, judge, narrow, narrow::Narrowed, refused, sheet},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// How long a used-once approval may be used after it was given.
const USABLE: Duration = Duration::minutes(30);

/// What somebody decides.
#[derive(Clone, Debug, Default)]
pub struct DecisionInput {
    /// `approve_once`, `approve_for` or `deny`.
    pub decision: String,
    /// For how many minutes.
    pub minutes: Option<u32>,
    /// What they say with it.
    pub reason: String,
    /// To which arguments they agree.
    pub terms: Terms,
}

/// To which arguments somebody agrees.
#[derive(Clone, Debug, Default)]
pub enum Terms {
    /// Those that were asked.
    #[default]
    AsAsked,
    /// Those that were asked, having had these before them, which they may have changed: then they did not mean those asked.
    AsShown(Unprinted<String>),
    /// These in place of those that were asked, as JSON.
    Instead(Unprinted<String>),
}

/// What the record keeps of a decision.
#[derive(Serialize)]
struct DecisionRecord<'a> {
    state: &'static str,
    tool: String,
    grant: String,
    /// Of the arguments that the decision is about.
    arguments_digest: String,
    /// Of those that were asked, where others were agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_digest: Option<String>,
    /// The names of the arguments that differ from what was asked, where others were agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    narrowed: Option<&'a [String]>,
    minutes: Option<u32>,
    reason: &'a str,
}

/// Decides about an approval.
///
/// # Errors
/// A fault of `decision`, `minutes`, `reason` or `arguments`; `NeedsProof` to agree to what cannot be undone; a refusal where the caller may not decide, somebody was faster, or other arguments cannot be agreed to.
pub async fn decide(cx: &OrgCx, id: &str, input: &DecisionInput) -> ActionResult<ApprovalSheet> {
    cx.require(Permission::ApprovalsDecide)?;
    let verdict = verdict(input)?;
    let reason = wording::parse_description(&input.reason)
        .map_err(|bad| ActionError::field("reason", bad.to_string()))?;
    let mut tx = cx.tx().await?;
    let seen = sheet(cx, &mut tx, id).await?;
    tx.done().await?;
    if let Some(refusal) = seen.refusal {
        return Err(refused(refusal));
    }
    // What cannot be undone is agreed to by whoever proves that it is them.
    let is_grave = matches!(seen.approval.class.as_str(), "destructive" | "financial");
    if verdict != Verdict::Deny && is_grave {
        cx.require_proof()?;
    }
    let narrowed = match (&input.terms, verdict) {
        (Terms::Instead(_), Verdict::Deny) => {
            return Err(ActionError::field("arguments", "leave them out to deny: what was asked is denied"));
        }
        (Terms::Instead(text), _) => Some(narrow::weigh(cx, &seen, text).await?),
        (Terms::AsShown(text), Verdict::ApproveOnce | Verdict::ApproveFor(_)) => {
            narrow::unchanged(&seen, text)?;
            None
        }
        (Terms::AsShown(_), Verdict::Deny) | (Terms::AsAsked, _) => None,
    };
    let mut tx = cx.tx().await?;
    let approval = store::lock(&mut tx, seen.approval.id).await?.ok_or(ActionError::NotFound)?;
    let me = judge(cx, &mut tx).await?.ok_or_else(|| refused(ApprovalRefusal::NotAmongApprovers))?;
    approvals::may_decide(&approval, &me, cx.now()).map_err(refused)?;
    if let Some(narrowed) = &narrowed {
        narrowed.check(&approval, &me, &store::votes(&mut tx, approval.id).await?)?;
    }
    let outcome = voted(cx, &mut tx, &approval, &me, (verdict, &reason)).await?;
    if let Some(narrowed) = &narrowed {
        narrow::keep(cx, &mut tx, &seen, narrowed).await?;
    }
    let action = match outcome {
        Outcome::Approved => "approval.approved",
        Outcome::Denied => "approval.denied",
        Outcome::Open => "approval.voted",
    };
    let entry = entry(cx, action, &approval, verdict, &reason, narrowed.as_ref());
    let sheet = sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// Keeps what somebody says, and what it comes to with what was said before.
async fn voted(
    cx: &OrgCx,
    tx: &mut OrgTx,
    approval: &Approval,
    me: &Judge,
    (verdict, reason): (Verdict, &str),
) -> ActionResult<Outcome> {
    let judges = store::judges(tx).await?;
    let is_approved = verdict != Verdict::Deny;
    store::vote(tx, approval.id, me.user, is_approved, reason, cx.now()).await?;
    let votes = store::votes(tx, approval.id).await?;
    // Whoever left the organization no longer counts.
    let of = |user: UserId| judges.iter().find(|judge| judge.user == user).cloned();
    let counted: Vec<_> = votes.iter().filter_map(|vote| Some((of(vote.user)?, vote.is_approved))).collect();
    let outcome = approvals::outcome(&approval.needs, &counted);
    if let Some(settled) = settled(outcome, verdict, reason, me.user, cx.now()) {
        store::settle(tx, approval.id, &settled, cx.now()).await?;
    }
    Ok(outcome)
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

fn entry(
    cx: &OrgCx,
    action: &'static str,
    approval: &Approval,
    verdict: Verdict,
    reason: &str,
    narrowed: Option<&Narrowed>,
) -> Entry {
    let asked = HEXLOWER.encode(&approval.arguments.digest);
    let record = DecisionRecord {
        state: match verdict {
            Verdict::ApproveOnce => "approve_once",
            Verdict::ApproveFor(_) => "approve_for",
            Verdict::Deny => "deny",
        },
        tool: format!("{}/{}", approval.server_slug, approval.tool),
        grant: approval.grant.to_string(),
        arguments_digest: narrowed
            .map_or_else(|| asked.clone(), |narrowed| HEXLOWER.encode(&narrowed.digest)),
        asked_digest: narrowed.is_some().then_some(asked),
        narrowed: narrowed.map(|narrowed| narrowed.changed.as_slice()),
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
