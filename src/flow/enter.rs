//! How someone becomes known: by a session's cookie, by membership, by a key, as an operator.
//!
//! Invariant: the only place that makes a [`PersonCx`], [`OrgCx`] or [`OperatorCx`].

use time::Duration;

use crate::{
    base::{
        actor::Actor,
        crypto::token::{Token, TokenKind},
        permission::Permission,
    },
    domain::{
        audit::{self, Unrecorded, Who},
        automation::{self, KeyState, PresentedKey},
        identity::store as identity,
        tenancy::{self, OrgRef, OrgState, PersonsOrg},
    },
    flow::{
        cx::{Cx, OperatorCx, OrgCx, PersonCx},
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgScope, Tx},
};

/// How long a proof opens the operator's pages; a shorter one than a session's, since they reach every organization.
const OPERATOR_PROOF_TTL: Duration = Duration::minutes(30);

/// The person whose cookie this is, while their session lasts.
pub async fn person(cx: &Cx, token: &Token) -> ActionResult<Option<PersonCx>> {
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let Some((session, user)) = identity::sessions::recognize(&mut tx, token, now).await? else {
        tx.done().await?;
        return Ok(None);
    };
    if session.is_touch_due(now) {
        identity::sessions::touch(&mut tx, &session, cx.origin.ip, now).await?;
        audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
    } else {
        tx.done().await?;
    }
    Ok(Some(PersonCx { cx: cx.clone(), user, session }))
}

/// The person inside an organization of theirs, named by slug or id; it is the one to open next time.
///
/// # Errors
/// `NotFound` where they are no member; a refusal where the organization is suspended, or they are; `NeedsSecondFactor` where it
/// asks for one that the person has not shown.
pub async fn org(person: PersonCx, name: &str) -> ActionResult<OrgCx> {
    let inside = inside(person.clone(), name).await?;
    if person.user.last_org != Some(inside.id()) {
        let mut tx = person.tx().await?;
        identity::users::remember_org(&mut tx, person.user.id, inside.id()).await?;
        audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
    }
    Ok(inside)
}

/// The person inside an organization, which they did not open by that.
async fn inside(person: PersonCx, name: &str) -> ActionResult<OrgCx> {
    let name: OrgRef = name.parse().map_err(|_| ActionError::NotFound)?;
    let now = person.now();
    let mut tx = person.tx().await?;
    let found = tenancy::store::orgs::find_of_person(&mut tx, &name).await?;
    tx.done().await?;
    let PersonsOrg { org, role, last_seen_at, suspended: kept_out } = found.ok_or(ActionError::NotFound)?;
    if org.state() == OrgState::Suspended {
        return Err(suspended(org.suspended_reason.as_deref()));
    }
    if let Some(reason) = kept_out {
        return Err(member_suspended(&org.name, &reason));
    }
    if org.require_second_factor && !person.session.is_two_factor() {
        return Err(ActionError::NeedsSecondFactor);
    }
    let scope = OrgScope::proven(org.id);
    if tenancy::is_touch_due(last_seen_at, now) {
        touch(&person, scope).await?;
    }
    let who = person.who();
    Ok(OrgCx { cx: (*person).clone(), scope, org, role, who, scopes: None, person: Some(person) })
}

/// The person inside one of the organizations that they are listed in; none where it does not let them in.
///
/// For what shows all of them at once: one that is suspended, keeps the person out, or asks for a second factor, says nothing
/// there; its own pages say why. None of them is the one to open next time for it.
///
/// # Errors
/// When the database is away.
pub async fn if_let_in(person: &PersonCx, found: &PersonsOrg) -> ActionResult<Option<OrgCx>> {
    let_in(inside(person.clone(), found.org.slug.as_str()).await)
}

/// A door that stays shut is no failure; not to know whether it is shut is one.
fn let_in<T>(entered: ActionResult<T>) -> ActionResult<Option<T>> {
    match entered {
        Ok(inside) => Ok(Some(inside)),
        Err(ActionError::NotFound | ActionError::Refused(_) | ActionError::NeedsSecondFactor) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Notes that a member was here.
async fn touch(person: &PersonCx, scope: OrgScope) -> ActionResult<()> {
    let now = person.now();
    let mut tx = person.tx_of(scope).await?;
    tenancy::store::members::touch(&mut tx, person.user.id, now).await?;
    audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
    Ok(())
}

fn suspended(reason: Option<&str>) -> ActionError {
    let why = reason.map(|reason| format!(" Reason given: {reason}")).unwrap_or_default();
    ActionError::refused(
        "org_suspended",
        format!("This organization is suspended by the operator of this installation.{why}"),
    )
}

fn member_suspended(org: &str, reason: &str) -> ActionError {
    let why = if reason.is_empty() { String::new() } else { format!(" Reason given: {reason}") };
    ActionError::refused(
        "member_suspended",
        format!(
            "An admin of {org} suspended your membership; your agents are stopped there too. Ask them to resume it.{why}"
        ),
    )
}

/// The holder of an API key.
///
/// # Errors
/// `NotSignedIn`, without saying why: unknown, expired, revoked and disabled look the same.
pub async fn key(cx: &Cx, bearer: &str) -> ActionResult<OrgCx> {
    let now = cx.now();
    let token = Token::parse(TokenKind::ApiKey, bearer).ok_or(ActionError::NotSignedIn)?;
    let mut tx = cx.system_tx().await?;
    let presented = automation::store::keys::find_by_token(&mut tx, &token, now).await?;
    tx.done().await?;
    let presented = presented.filter(|key| key.state == KeyState::Live).ok_or(ActionError::NotSignedIn)?;
    let scope = OrgScope::proven(presented.org);
    let mut tx = cx.tx_of(scope).await?;
    let org = tenancy::store::orgs::find(&mut tx).await?.ok_or(ActionError::NotSignedIn)?;
    if presented.key.is_touch_due(now) {
        automation::store::keys::touch(&mut tx, presented.key.id, cx.origin.ip, now).await?;
        audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
    } else {
        tx.done().await?;
    }
    let who = Who::asking(actor(&presented), presented.key.name.as_str(), cx.origin.clone());
    let scopes = scopes(&presented);
    Ok(OrgCx {
        cx: cx.clone(),
        scope,
        org,
        role: presented.owner_role,
        who,
        scopes: Some(scopes),
        person: None,
    })
}

fn actor(presented: &PresentedKey) -> Actor {
    Actor::ApiKey { key: presented.key.id, owner: presented.key.owner }
}

fn scopes(presented: &PresentedKey) -> Vec<Permission> {
    Permission::ALL.iter().copied().filter(|permission| presented.may(*permission)).collect()
}

/// The person as an operator.
///
/// # Errors
/// `NotFound` for everyone else: who is no operator learns nothing about these pages.
pub fn operator(person: PersonCx) -> ActionResult<OperatorCx> {
    if !person.user.is_operator {
        return Err(ActionError::NotFound);
    }
    if person.now() >= person.session.proven_at + OPERATOR_PROOF_TTL {
        return Err(ActionError::NeedsProof);
    }
    Ok(OperatorCx { person })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_leaves_out_what_is_shut_and_nothing_else() {
        assert_eq!(let_in(Ok(1)).expect("inside"), Some(1));
        let shut = [
            ActionError::NotFound,
            ActionError::NeedsSecondFactor,
            suspended(None),
            member_suspended("Acme", "on leave"),
        ];
        for error in shut {
            assert!(matches!(let_in::<()>(Err(error)), Ok(None)));
        }
        for error in [ActionError::Busy, ActionError::NotSignedIn, ActionError::Changed] {
            let code = error.code();
            assert_eq!(let_in::<()>(Err(error)).expect_err("a failure").code(), code);
        }
    }
}
