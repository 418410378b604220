//! A second person before a policy comes into force, where the organization wants one.
//!
//! One asks that the draft be published as it stands, another publishes it. Whatever changes the draft takes the question
//! back, so two people have always seen the very text that comes into force.

use crate::{
    base::permission::Permission,
    domain::{
        approvals::store::judges,
        audit::{self, Entry},
        policy::{
            kept::{Policy, Proposal},
            store::policies,
        },
    },
    flow::{
        actions::{
            orgs,
            policies::{PolicySheet, about, input, named, sheet},
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
        letters::{Letter, Line, PolicyProposed},
    },
    io::db::OrgTx,
};

/// Asks that the draft be published by somebody else, as it stands; those who may hear of it.
///
/// # Errors
/// A refusal where there is no draft, or one that was begun from a version no longer in force; `Changed` where someone
/// else was faster than the version seen.
pub async fn propose(cx: &OrgCx, name: &str, note: &str, seen: Option<i64>) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let note = input::checked_note(note)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let (after, entry) = propose_in(cx, &mut tx, &policy, note, seen).await?;
    let sheet = sheet(&mut tx, after).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// [`propose`] within a transaction that does more, and the event to record with it.
pub(super) async fn propose_in(
    cx: &OrgCx,
    tx: &mut OrgTx,
    policy: &Policy,
    note: String,
    seen: Option<i64>,
) -> ActionResult<(Policy, Entry)> {
    check_draft(policy)?;
    let who = cx.who();
    let proposal = Proposal { by: cx.user(), by_name: who.name.clone(), at: cx.now(), note };
    let outcome = policies::propose(tx, policy.id, Some(&proposal), seen, cx.now()).await?;
    let after = settled(outcome)?.after;
    tell(cx, tx, &after, &proposal).await?;
    let entry = about(Entry::admin("policy.proposed", &who), &after);
    let entry = if proposal.note.is_empty() { entry } else { entry.note(&proposal.note) };
    Ok((after, entry))
}

/// Takes the question back, or says no to it; the draft stays.
///
/// # Errors
/// A refusal where nobody asks; `Changed` where someone else was faster than the version seen.
pub async fn withdraw(cx: &OrgCx, name: &str, note: &str, seen: Option<i64>) -> ActionResult<PolicySheet> {
    cx.require(Permission::PoliciesWrite)?;
    let note = input::checked_note(note)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    if policy.proposal.is_none() {
        return Err(ActionError::refused("not_proposed", "Nobody asks for this draft to be published."));
    }
    let outcome = policies::propose(&mut tx, policy.id, None, seen, cx.now()).await?;
    let after = settled(outcome)?.after;
    let entry = about(Entry::admin("policy.proposal_withdrawn", &cx.who()), &after);
    let entry = if note.is_empty() { entry } else { entry.note(note) };
    let sheet = sheet(&mut tx, after).await?;
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(sheet)
}

/// Whether this organization wants a second person before anything comes into force.
pub(super) async fn takes_two(tx: &mut OrgTx) -> ActionResult<bool> {
    Ok(orgs::present(tx).await?.publishing_takes_two)
}

/// Refuses to publish what nobody else asked for, where a second person is wanted.
pub(super) async fn check(cx: &OrgCx, tx: &mut OrgTx, policy: &Policy) -> ActionResult<()> {
    if takes_two(tx).await? { agreed(cx, policy) } else { Ok(()) }
}

fn agreed(cx: &OrgCx, policy: &Policy) -> ActionResult<()> {
    let Some(proposal) = &policy.proposal else {
        return Err(needed("Ask for its publication; then somebody else publishes it."));
    };
    match cx.user() {
        None => Err(needed("A service account may ask for the publication, and a person publishes it.")),
        Some(user) if proposal.by == Some(user) => {
            Err(needed("You asked for its publication, so somebody else has to publish it."))
        }
        Some(_) => Ok(()),
    }
}

/// That a second person is needed, and what to do.
pub(super) fn needed(remedy: &str) -> ActionError {
    let sentence =
        format!("This organization wants a second person before a policy comes into force. {remedy}");
    ActionError::refused("second_person_needed", sentence)
}

/// Refuses a draft that cannot come into force.
pub(super) fn check_draft(policy: &Policy) -> ActionResult<()> {
    if policy.draft.is_none() {
        return Err(ActionError::refused("no_draft", "There is no draft to publish. Save one first."));
    }
    if policy.is_draft_stale() {
        let sentence = "Another version came into force since this draft was begun. Compare the two, then say that the \
                        draft takes it into account.";
        return Err(ActionError::refused("draft_stale", sentence));
    }
    Ok(())
}

/// Writes to those who may publish it.
async fn tell(cx: &OrgCx, tx: &mut OrgTx, policy: &Policy, proposal: &Proposal) -> ActionResult<()> {
    let judges = judges(tx).await?;
    let may = judges
        .iter()
        .filter(|judge| judge.role.may(Permission::PoliciesWrite) && proposal.by != Some(judge.user));
    let letter = Letter::PolicyProposed(PolicyProposed {
        org: Line::of(&cx.org.name),
        policy: Line::of(&policy.name),
        person: Line::of(&proposal.by_name),
        note: Some(&proposal.note).filter(|note| !note.is_empty()).map(Line::of),
        page: cx.ports.site.url(&format!("/o/{}/policies/{}/publish", cx.org.slug, policy.slug)),
    });
    Ok(cx.ports.post.queue_for(tx, may.map(|judge| judge.email.as_str()), &letter).await?)
}
