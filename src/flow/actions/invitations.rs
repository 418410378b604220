//! Invitations: asking people in by e-mail, sending again, withdrawing.
//!
//! Invariant: a link leaves only by letter, to the invited address; whoever invites never sees it. That is what lets
//! the link's arrival prove the address (`docs/decisions/0006-invitation-links.md`).

mod input;
mod letter;

use serde::Serialize;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    base::{
        email::Email,
        ids::{InvitationId, UserId},
        page::{MAX_LIMIT, Page, PageRequest},
        permission::{Permission, Role},
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        tenancy::{
            Invitation, InvitationFilter, InvitationState, Invited, Team, TeamFilter, TeamRef,
            TenancyRefusal, rules::people, store,
        },
    },
    flow::{
        actions::{
            invitations::{
                input::parse,
                letter::{Inviter, names_of, names_of_emails},
            },
            members::{reach, refused},
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, OrgTx, Tx},
};

/// How many people may be invited at once.
pub const MOST_AT_ONCE: usize = 50;
/// How long a letter has to arrive before it may be sent again.
const RESEND_AFTER: Duration = Duration::minutes(1);

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct InviteInput {
    /// The addresses.
    pub emails: Vec<String>,
    /// The role they get.
    pub role: String,
    /// The team they join, by id or slug; empty for none.
    pub team: String,
}

/// What there is to choose from when inviting.
#[derive(Clone, Debug)]
pub struct InviteChoices {
    /// The roles that the caller may give.
    pub roles: Vec<Role>,
    /// The teams, where the caller may put people into teams.
    pub teams: Vec<Team>,
    /// For how many hours a link works.
    pub hours: i32,
}

/// What became of one address.
#[derive(Clone, Debug)]
pub struct InviteResult {
    /// The address.
    pub email: Email,
    /// What became of it.
    pub outcome: InviteOutcome,
}

/// What became of an address that was to be invited.
#[derive(Clone, Debug)]
pub enum InviteOutcome {
    /// A letter is on its way.
    Sent(Box<Invitation>),
    /// It has an open invitation already.
    AlreadyInvited(InvitationId),
    /// It belongs to a member.
    AlreadyMember(UserId),
}

/// What the record keeps of an invitation.
#[derive(Serialize)]
struct InvitationRecord<'a> {
    email: &'a str,
    role: Role,
    team: Option<&'a str>,
    expires_at: String,
}

impl<'a> From<&'a Invitation> for InvitationRecord<'a> {
    fn from(invitation: &'a Invitation) -> Self {
        Self {
            email: invitation.email.as_str(),
            role: invitation.role,
            team: invitation.team_name.as_deref(),
            expires_at: invitation.expires_at.format(&Rfc3339).unwrap_or_default(),
        }
    }
}

/// The organization's invitations, newest first.
pub async fn list(
    cx: &OrgCx,
    filter: &InvitationFilter,
    page: &PageRequest<InvitationId>,
) -> ActionResult<Page<Invitation>> {
    cx.require(Permission::MembersRead)?;
    let mut tx = cx.tx().await?;
    let invitations = store::invitations::list(&mut tx, filter, page, cx.now()).await?;
    tx.done().await?;
    Ok(invitations)
}

/// One invitation.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<Invitation> {
    cx.require(Permission::MembersRead)?;
    let mut tx = cx.tx().await?;
    let invitation = named(&mut tx, id).await?;
    tx.done().await?;
    Ok(invitation)
}

/// What the form to invite offers.
pub async fn choices(cx: &OrgCx) -> ActionResult<InviteChoices> {
    cx.require(Permission::MembersWrite)?;
    let roles = people::roles_to_give(reach(cx)).collect();
    let teams = if cx.may(Permission::TeamsWrite) {
        let mut tx = cx.tx().await?;
        let page = PageRequest { limit: MAX_LIMIT, after: None };
        let teams = store::teams::list(&mut tx, &TeamFilter::default(), &page).await?;
        tx.done().await?;
        teams.items
    } else {
        Vec::new()
    };
    Ok(InviteChoices { roles, teams, hours: cx.org.invitation_hours })
}

/// Invites people: each gets a letter, in the same transaction as their invitation.
///
/// Addresses that are here or invited already are told apart, so sending the same form twice invites once.
///
/// # Errors
/// Field faults; nobody is invited then.
pub async fn invite(cx: &OrgCx, input: &InviteInput) -> ActionResult<Vec<InviteResult>> {
    cx.require(Permission::MembersWrite)?;
    let wanted = parse(input)?;
    let role = wanted.first().map_or(Role::Member, |new| new.role);
    people::check_invitation(reach(cx), role).map_err(refused)?;
    if role == Role::Owner {
        cx.require_proof()?;
    }
    let names = names_of(cx, &wanted).await?;
    let mut tx = cx.tx().await?;
    let team = team_of(cx, &mut tx, wanted.first().and_then(|new| new.team.as_ref())).await?;
    let inviter = Inviter::of(cx, &mut tx).await?;
    let (mut results, mut entries) = (Vec::new(), Vec::new());
    for (new, name) in wanted.iter().zip(names) {
        let team = team.as_ref().map(|team| team.id);
        let made = store::invitations::issue(&mut tx, new, team, inviter.id, cx.now()).await?;
        let outcome = match made {
            Invited::AlreadyInvited(id) => InviteOutcome::AlreadyInvited(id),
            Invited::AlreadyMember(user) => InviteOutcome::AlreadyMember(user),
            Invited::Issued(issue) => {
                let invitation =
                    store::invitations::find(&mut tx, issue.id).await?.ok_or(ActionError::NotFound)?;
                inviter.write(cx, &mut tx, &invitation, name, &issue.token).await?;
                entries.push(
                    entry(cx, "invitation.created", &invitation).after(&InvitationRecord::from(&invitation)),
                );
                InviteOutcome::Sent(Box::new(invitation))
            }
        };
        results.push(InviteResult { email: new.email.clone(), outcome });
    }
    if entries.is_empty() {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
    } else {
        audit::commit(tx, cx.now(), entries).await?;
        cx.ports.waker.wake();
    }
    Ok(results)
}

/// Sends an invitation again: a new link in a new letter; the earlier link is dead.
///
/// # Errors
/// A refusal where it was accepted or withdrawn, or sent a moment ago.
pub async fn resend(cx: &OrgCx, id: &str, seen: Option<i64>) -> ActionResult<Invitation> {
    let now = cx.now();
    // Looked up beforehand, so that no request holds two connections at once.
    let (tx, before) = touched(cx, id).await?;
    tx.done().await?;
    let names = names_of_emails(cx, &[&before.email]).await?;
    let (mut tx, before) = touched(cx, id).await?;
    still_waiting(&before, now)?;
    if now < before.sent_at + RESEND_AFTER {
        let sentence = "This invitation was sent less than a minute ago. Give the letter a minute to arrive.";
        return Err(ActionError::refused("sent_just_now", sentence));
    }
    let inviter = Inviter::of(cx, &mut tx).await?;
    let expected = seen.or(Some(before.version));
    let issue = settled(store::invitations::reissue(&mut tx, before.id, inviter.id, expected, now).await?)?;
    let after = store::invitations::find(&mut tx, before.id).await?.ok_or(ActionError::NotFound)?;
    let name = names.into_iter().next().flatten();
    inviter.write(cx, &mut tx, &after, name, &issue.token).await?;
    let entry = entry(cx, "invitation.resent", &after)
        .before(&InvitationRecord::from(&before))
        .after(&InvitationRecord::from(&after));
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(after)
}

/// Withdraws an invitation: its link is dead.
///
/// # Errors
/// A refusal where it was accepted or withdrawn before.
pub async fn revoke(cx: &OrgCx, id: &str, seen: Option<i64>) -> ActionResult<Invitation> {
    let (mut tx, before) = touched(cx, id).await?;
    still_waiting(&before, cx.now())?;
    let expected = seen.or(Some(before.version));
    settled(store::invitations::revoke(&mut tx, before.id, expected, cx.now()).await?)?;
    let after = store::invitations::find(&mut tx, before.id).await?.ok_or(ActionError::NotFound)?;
    let entry = entry(cx, "invitation.revoked", &after).before(&InvitationRecord::from(&before));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}

/// Takes a withdrawal back: the link in the letter works again, as long as it would have.
///
/// # Errors
/// A refusal where the address has been invited anew.
pub async fn restore(cx: &OrgCx, id: &str, seen: Option<i64>) -> ActionResult<Invitation> {
    let (mut tx, before) = touched(cx, id).await?;
    if before.revoked_at.is_none() || before.expires_at <= cx.now() {
        let sentence = "This invitation can no longer be restored. Invite the address again.";
        return Err(ActionError::refused("not_restorable", sentence));
    }
    let expected = seen.or(Some(before.version));
    let restored = store::invitations::restore(&mut tx, before.id, expected, cx.now()).await;
    settled(restored.map_err(invited_again)?)?;
    let after = store::invitations::find(&mut tx, before.id).await?.ok_or(ActionError::NotFound)?;
    let entry = entry(cx, "invitation.restored", &after).after(&InvitationRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}

fn invited_again(error: DbError) -> ActionError {
    if error.broke(store::invitations::ONE_OPEN) {
        let sentence = "This address has been invited again in the meantime; that invitation stands.";
        ActionError::refused("invited_again", sentence)
    } else {
        error.into()
    }
}

/// An invitation that the caller may touch.
async fn touched(cx: &OrgCx, id: &str) -> ActionResult<(OrgTx, Invitation)> {
    cx.require(Permission::MembersWrite)?;
    let mut tx = cx.tx().await?;
    let invitation = named(&mut tx, id).await?;
    people::check_invitation(reach(cx), invitation.role).map_err(refused)?;
    if invitation.role == Role::Owner {
        cx.require_proof()?;
    }
    Ok((tx, invitation))
}

fn still_waiting(invitation: &Invitation, now: OffsetDateTime) -> ActionResult<()> {
    match invitation.state(now) {
        InvitationState::Open | InvitationState::Expired => Ok(()),
        InvitationState::Accepted => Err(TenancyRefusal::InvitationUsed.into()),
        InvitationState::Revoked => Err(TenancyRefusal::InvitationRevoked.into()),
    }
}

async fn named(tx: &mut OrgTx, id: &str) -> ActionResult<Invitation> {
    let id: InvitationId = id.parse().map_err(|_| ActionError::NotFound)?;
    store::invitations::find(tx, id).await?.ok_or(ActionError::NotFound)
}

/// The team that invited people join; putting people into teams is a right of its own.
async fn team_of(cx: &OrgCx, tx: &mut OrgTx, named: Option<&TeamRef>) -> ActionResult<Option<Team>> {
    let Some(named) = named else { return Ok(None) };
    cx.require(Permission::TeamsWrite)?;
    let team = store::teams::find(tx, named).await?;
    team.map(Some).ok_or_else(|| ActionError::field("team", "choose one of the teams"))
}

fn entry(cx: &OrgCx, action: &'static str, invitation: &Invitation) -> Entry {
    Entry::admin(action, &cx.who()).target("invitation", invitation.id, invitation.email.as_str())
}
