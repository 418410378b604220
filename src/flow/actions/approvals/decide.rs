//! Deciding: once, for a while, not at all, or with other arguments than were asked.

use data_encoding::HEXLOWER;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::{
    base::{ids::UserId, permission::Permission, unprinted::Unprinted, wording},
    domain::{
        approvals::{
            self, Approval, ApprovalRefusal, ApprovalState, Judge, LONGEST_FOR, Outcome, Verdict,
            store::{self, Said},
        },
        audit::{self, Entry},
    },
    flow::{
        actions::approvals::{ApprovalSheet, Judges, narrow, narrow::Narrowed, refused, sheet},
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
    /// For how many minutes all agree together, where this settles it and it is for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreed_minutes: Option<u32>,
    reason: &'a str,
}

/// What the decisions come to, with those before.
#[derive(Clone, Copy)]
struct Came {
    outcome: Outcome,
    /// For how many minutes, where enough agreed; none for one call.
    minutes: Option<u32>,
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
        return Err(refused(cx, refusal));
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
    let judges = Judges::of(cx, &mut tx).await?;
    let me = judges.me().ok_or_else(|| refused(cx, ApprovalRefusal::NotAmongApprovers))?;
    approvals::may_decide(&approval, me, cx.now()).map_err(|refusal| refused(cx, refusal))?;
    if let Some(narrowed) = &narrowed {
        narrowed.check(&approval, me, &store::votes(&mut tx, approval.id).await?)?;
    }
    let said = Said { user: me.user, verdict, reason: &reason };
    let came = voted(cx, &mut tx, &approval, &judges, &said).await?;
    if let Some(narrowed) = &narrowed {
        narrow::keep(cx, &mut tx, &seen, narrowed).await?;
    }
    let entry = entry(cx, came, &approval, &said, narrowed.as_ref());
    let sheet = sheet(cx, &mut tx, id).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// Keeps what somebody says, and what it comes to with what was said before.
async fn voted(
    cx: &OrgCx,
    tx: &mut OrgTx,
    approval: &Approval,
    judges: &Judges,
    said: &Said<'_>,
) -> ActionResult<Came> {
    store::vote(tx, approval.id, said, cx.now()).await?;
    let votes = store::votes(tx, approval.id).await?;
    // Whoever left the organization no longer counts, nor does who asks once the organization lets them decide no longer.
    let may = |judge: &&Judge| judge.decides_own || approval.user != Some(judge.user);
    let of = |user: UserId| judges.all().iter().filter(may).find(|judge| judge.user == user).cloned();
    let (mut counted, mut agreed) = (Vec::new(), Vec::new());
    for vote in &votes {
        let Some(judge) = of(vote.user) else { continue };
        if vote.is_approved {
            agreed.push((judge.clone(), vote.minutes));
        }
        counted.push((judge, vote.is_approved));
    }
    let came = Came {
        outcome: approvals::outcome(&approval.needs, &counted),
        minutes: approvals::narrowest(&approval.needs, &agreed),
    };
    if let Some(settled) = settled(came, said, cx.now()) {
        store::settle(tx, approval.id, &settled, cx.now()).await?;
    }
    Ok(came)
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

fn settled<'a>(came: Came, said: &Said<'a>, now: OffsetDateTime) -> Option<store::Settled<'a>> {
    let to = |state, is_single, valid_until| {
        Some(store::Settled { state, is_single, valid_until, reason: said.reason, by: Some(said.user) })
    };
    match (came.outcome, came.minutes) {
        (Outcome::Open, _) => None,
        (Outcome::Denied, _) => to(ApprovalState::Denied, true, None),
        // Nobody is taken to agree to more than they said, whoever says it last.
        (Outcome::Approved, Some(minutes)) => {
            to(ApprovalState::Approved, false, Some(now + Duration::minutes(minutes.into())))
        }
        (Outcome::Approved, None) => to(ApprovalState::Approved, true, Some(now + USABLE)),
    }
}

fn entry(cx: &OrgCx, came: Came, approval: &Approval, said: &Said<'_>, narrowed: Option<&Narrowed>) -> Entry {
    let action = match came.outcome {
        Outcome::Approved => "approval.approved",
        Outcome::Denied => "approval.denied",
        Outcome::Open => "approval.voted",
    };
    let asked = HEXLOWER.encode(&approval.arguments.digest);
    let record = DecisionRecord {
        state: match said.verdict {
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
        minutes: said.verdict.minutes(),
        agreed_minutes: came.minutes.filter(|_| came.outcome == Outcome::Approved),
        reason: said.reason,
    };
    let entry =
        Entry::admin(action, &cx.who()).target("approval", approval.id, &approval.tool).after(&record);
    match approval.user {
        Some(user) => entry.about(user),
        None => entry,
    }
}
