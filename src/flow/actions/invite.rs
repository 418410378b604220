//! Accepting an invitation, at its link.
//!
//! Invariant: nothing about an invitation is shown unless its link works, and nothing but a POST accepts it.
//! Invariant: an account made here has the invited address, which the link proves: it was sent there.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::{
        actor::KeyOwner,
        crypto::token::{Token, TokenKind},
        email::Email,
        faults::Faults,
        ids::InvitationId,
        permission::Role,
        secret::Secret,
    },
    domain::{
        audit::{self, Entry, Who},
        automation::{ServiceAccountRef, store as automation},
        identity::{
            attempts::Key,
            mail_tokens::Purpose,
            sessions::Method,
            store as identity,
            strength::{Known, NewPassword},
            users::{EmailStanding, PersonName, User},
        },
        instance::{self, SignUp},
        tenancy::{
            Accepted, CarriedInvitation, Joined, Reach, TenancyRefusal, Visitor,
            rules::acceptance::{check_acceptance, check_link},
            store,
        },
    },
    flow::{
        actions::{found::UserRecord, limits, sign_in, sign_up},
        cx::{Cx, PersonCx},
        fault::{ActionError, ActionResult},
        jobs::{AuthAction, AuthEvent},
    },
    io::db::{OrgScope, OrgTx, Tx},
};

/// An invitation as its page shows it.
#[derive(Debug)]
pub struct Shown {
    /// Its id, which the page sends back.
    pub id: InvitationId,
    /// The organization.
    pub org: String,
    /// Who invites.
    pub inviter: String,
    /// As what.
    pub role: Role,
    /// Whom.
    pub email: Email,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// Who stands at the door.
    pub caller: Caller,
}

/// Who stands at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody yet; the address has an account.
    HasAccount,
    /// Nobody yet; the address has no account, and may make one.
    MayJoin,
    /// Nobody yet; the address has no account, and none is made here.
    MayNotJoin,
    /// The person invited.
    Invited,
    /// The person invited, whose address is not proven.
    Unproven,
    /// Somebody else, by their address.
    SomebodyElse(String),
}

/// What a newcomer types.
#[derive(Clone, Debug)]
pub struct JoinInput {
    /// Their name.
    pub name: String,
    /// Their password.
    pub password: Secret<String>,
}

/// What the page of a link shows.
///
/// # Errors
/// Why the link does not work.
pub async fn show(cx: &Cx, token: &str, person: Option<&PersonCx>) -> ActionResult<Shown> {
    let (carried, account, mode) = look_up(cx, token).await?;
    let invitation = check_link(carried.as_ref())?;
    let caller = match (person, account, mode) {
        (Some(person), ..) if person.user.email != invitation.email => {
            Caller::SomebodyElse(person.user.email.to_string())
        }
        (Some(person), ..) if person.user.is_verified() => Caller::Invited,
        (Some(_), ..) => Caller::Unproven,
        (None, Some(user), _) if user.is_verified() => Caller::HasAccount,
        (None, _, SignUp::Closed) => Caller::MayNotJoin,
        (None, ..) => Caller::MayJoin,
    };
    Ok(Shown {
        id: invitation.id,
        org: invitation.org_name.clone(),
        inviter: inviter_name(invitation),
        role: invitation.role,
        email: invitation.email.clone(),
        expires_at: invitation.expires_at,
        caller,
    })
}

fn inviter_name(invitation: &CarriedInvitation) -> String {
    match (&invitation.inviter_name, invitation.inviter) {
        (Some(name), _) => name.clone(),
        (None, KeyOwner::ServiceAccount(_)) => "A service account".to_owned(),
        (None, KeyOwner::User(_)) => "Somebody who has left".to_owned(),
    }
}

async fn look_up(cx: &Cx, token: &str) -> ActionResult<(Option<CarriedInvitation>, Option<User>, SignUp)> {
    let Some(token) = Token::parse(TokenKind::Invitation, token) else {
        return Err(TenancyRefusal::InvitationUnknown.into());
    };
    let mut tx = cx.system_tx().await?;
    let carried = store::invitations::find_by_token(&mut tx, &token, cx.now()).await?;
    let account = match &carried {
        Some(invitation) => identity::users::find_by_email(&mut tx, &invitation.email).await?,
        None => None,
    };
    let mode = instance::find(&mut tx).await?.sign_up;
    tx.done().await?;
    Ok((carried, account, mode))
}

/// Makes the signed-in person a member; gives the path of the organization.
///
/// # Errors
/// Why not, in a sentence of its own for each rule.
pub async fn accept(person: &PersonCx, token: &str, shown: &str) -> ActionResult<String> {
    let visitor = if person.user.is_verified() {
        Visitor::Proven(&person.user.email)
    } else {
        Visitor::Unproven(&person.user.email)
    };
    take(person, &person.who(), &person.user, visitor, token, shown).await
}

async fn take(
    cx: &Cx,
    who: &Who,
    user: &User,
    visitor: Visitor<'_>,
    token: &str,
    shown: &str,
) -> ActionResult<String> {
    let (carried, ..) = look_up(cx, token).await?;
    let Some(invitation) = carried else { return Err(TenancyRefusal::InvitationUnknown.into()) };
    let mut tx = cx.tx_of(OrgScope::proven(invitation.org)).await?;
    let reach = reach(&mut tx, invitation.inviter).await?;
    let checked = check_acceptance(Some(&invitation), shown_id(shown)?, visitor, reach);
    if let Err(refusal) = checked {
        return refuse(tx, cx, who, &invitation, refusal).await;
    }
    let Some(accepted) = store::invitations::accept(&mut tx, &invitation, user.id, cx.now()).await? else {
        return refuse(tx, cx, who, &invitation, TenancyRefusal::InvitationUsed).await;
    };
    let org = store::orgs::find(&mut tx).await?.ok_or(TenancyRefusal::OrgDeleted)?;
    let entries = entries(who, user, &invitation, accepted);
    audit::commit(tx, cx.now(), entries).await?;
    Ok(format!("/o/{}", org.slug))
}

/// Records the refusal in the organization's chain, for the link leads there, and answers with it.
async fn refuse(
    tx: OrgTx,
    cx: &Cx,
    who: &Who,
    invitation: &CarriedInvitation,
    refusal: TenancyRefusal,
) -> ActionResult<String> {
    let entry = Entry::auth("invitation.refused", who)
        .target("invitation", invitation.id, invitation.email.as_str())
        .note(refusal.code())
        .refused();
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Err(refusal.into())
}

fn entries(who: &Who, user: &User, invitation: &CarriedInvitation, accepted: Accepted) -> Vec<Entry> {
    let mut entries = vec![
        Entry::auth("invitation.accepted", who)
            .target("invitation", invitation.id, invitation.email.as_str())
            .about(user.id),
    ];
    if accepted.joined == Joined::Joined {
        let team = accepted.team.map(|team| team.to_string());
        let added = Entry::admin("member.added", who)
            .target("user", user.id, user.name.as_str())
            .about(user.id)
            .after(&MemberRecord { role: accepted.role.as_str(), team });
        entries.push(added);
    }
    entries
}

#[derive(Serialize)]
struct MemberRecord {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
}

/// How far whoever invited reaches now.
async fn reach(tx: &mut OrgTx, inviter: KeyOwner) -> ActionResult<Reach> {
    let role = match inviter {
        KeyOwner::User(user) => store::members::lock_role(tx, user).await?,
        KeyOwner::ServiceAccount(account) => {
            let account = automation::accounts::find(tx, &ServiceAccountRef::Id(account)).await?;
            account.filter(|account| account.disabled_at.is_none()).map(|account| account.role)
        }
    };
    Ok(role.map_or(Reach::Nobody, Reach::of_role))
}

/// Makes an account for the invited address, accepts and signs in.
///
/// # Errors
/// Faults of the fields `name` and `password`; why the invitation cannot be accepted.
pub async fn join(cx: &Cx, token: &str, shown: &str, input: &JoinInput) -> ActionResult<(Token, String)> {
    limits::spend(cx, Key::sign_up(cx.origin.ip), cx.ports.limits.sign_up).await?;
    let (carried, account, mode) = look_up(cx, token).await?;
    let invitation = check_link(carried.as_ref())?;
    if mode == SignUp::Closed {
        return Err(no_accounts());
    }
    if account.as_ref().is_some_and(User::is_verified) {
        return Err(TenancyRefusal::SignInFirst.into());
    }
    // Nobody gets an account by an invitation that they cannot accept.
    let mut tx = cx.tx_of(OrgScope::proven(invitation.org)).await?;
    let reach = reach(&mut tx, invitation.inviter).await?;
    tx.done().await?;
    check_acceptance(Some(invitation), shown_id(shown)?, Visitor::Proven(&invitation.email), reach)?;
    let (name, password) = parse(invitation, input)?;
    let hash = cx.ports.hasher.hash(password).await.map_err(sign_in::hasher)?;

    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let user = match account {
        None => {
            let new = sign_up::new_user(invitation.email.clone(), name, EmailStanding::Verified);
            let id = identity::users::insert(&mut tx, &new, Some(&hash), now).await?;
            identity::users::find(&mut tx, id.ok_or(TenancyRefusal::SignInFirst)?).await?
        }
        Some(known) if known.is_disabled() => return Err(sign_in::disabled()),
        Some(known) => {
            // Somebody claimed the address and never proved it; who holds the mailbox takes the account over.
            let user = sign_up::claim(&mut tx, cx, known, &name, &hash).await?;
            identity::mail_tokens::void(&mut tx, user.id, Purpose::VerifyEmail).await?;
            identity::sessions::delete_all(&mut tx, user.id).await?;
            identity::users::mark_verified(&mut tx, user.id, &invitation.email, now).await?;
            Some(user)
        }
    };
    let user = user.ok_or(ActionError::NotFound)?;
    let (session_token, session) = sign_in::insert(cx, &mut tx, &user, vec![Method::Password]).await?;
    let who = sign_in::who(cx, &user, &session);
    let created = Entry::auth(AuthAction::AccountCreated.name(), &who)
        .target("user", user.id, user.name.as_str())
        .after(&UserRecord::from(&user));
    let started: AuthEvent = sign_in::started(cx, &user, &session);
    started.commit_with(tx, &cx.ports, now, vec![created]).await?;
    let home = take(cx, &who, &user, Visitor::Proven(&invitation.email), token, shown).await?;
    Ok((session_token, home))
}

fn parse(invitation: &CarriedInvitation, input: &JoinInput) -> ActionResult<(PersonName, NewPassword)> {
    let mut faults = Faults::default();
    let name = faults.check("name", input.name.parse::<PersonName>());
    let known = Known::about(&invitation.email, &input.name, &[&invitation.org_name]);
    let password = faults.check("password", NewPassword::parse(input.password.clone(), &known));
    match (name, password) {
        (Some(name), Some(password)) => Ok((name, password)),
        _ => Err(faults.into()),
    }
}

fn shown_id(shown: &str) -> ActionResult<InvitationId> {
    shown.parse().map_err(|_| TenancyRefusal::OtherInvitation.into())
}

fn no_accounts() -> ActionError {
    ActionError::refused(
        "sign_up_closed",
        "No accounts are made here. Ask the operator of this installation for one, then open this link again.",
    )
}
