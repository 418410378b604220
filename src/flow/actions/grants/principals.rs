//! In whose name a grant acts: finding the one that somebody names, and offering those there are.

use crate::{
    base::{
        actor::Principal,
        email::Email,
        faults::Faults,
        ids::UserId,
        page::{MAX_LIMIT, PageRequest},
        permission::Permission,
    },
    domain::{
        automation::{ServiceAccountRef, store as automation},
        grants::store,
        tenancy::{MemberFilter, TeamFilter, TeamRef, store as tenancy},
    },
    flow::{
        actions::grants::PrincipalInput,
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{DbError, OrgTx},
};

const FIELD: &str = "principal";
const NO_PERSON: &str = "nobody here has this id or address; invite them first";
const NO_TEAM: &str = "there is no team of this name";
const NO_ACCOUNT: &str = "there is no service account of this name";

/// How a typed name says which kind it means.
const TEAM: &str = "team ";
const ACCOUNT: &str = "service account ";

/// One in whose name a grant may act, as a form offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrincipalChoice {
    /// What the form sends.
    pub value: String,
    /// Their name.
    pub name: String,
}

/// Whom a form offers; a large organization has more, who are typed.
#[derive(Clone, Debug, Default)]
pub struct PrincipalOffer {
    /// The choices.
    pub choices: Vec<PrincipalChoice>,
}

/// The one that is named; notes a fault where there is none.
pub(super) async fn find(
    tx: &mut OrgTx,
    input: &PrincipalInput,
    faults: &mut Faults,
) -> ActionResult<Option<Principal>> {
    let (found, missing) = match input {
        PrincipalInput::User(name) => (user(tx, name).await?, NO_PERSON),
        PrincipalInput::Team(name) => (team(tx, name).await?, NO_TEAM),
        PrincipalInput::ServiceAccount(name) => (account(tx, name).await?, NO_ACCOUNT),
        PrincipalInput::Named(name) => match any(tx, name.trim()).await? {
            Ok(found) => (Some(found), ""),
            Err(why) => (None, why),
        },
    };
    if found.is_none() {
        faults.add(FIELD, missing);
    }
    Ok(found)
}

/// Whichever has a name that a person typed.
async fn any(tx: &mut OrgTx, name: &str) -> ActionResult<Result<Principal, &'static str>> {
    if name.is_empty() {
        return Ok(Err("choose a person, a team or a service account"));
    }
    if let Some(name) = name.strip_prefix(TEAM) {
        return Ok(team(tx, name).await?.ok_or(NO_TEAM));
    }
    if let Some(name) = name.strip_prefix(ACCOUNT) {
        return Ok(account(tx, name).await?.ok_or(NO_ACCOUNT));
    }
    if let Some(found) = user(tx, name).await? {
        return Ok(Ok(found));
    }
    Ok(match (team(tx, name).await?, account(tx, name).await?) {
        (Some(team), None) => Ok(team),
        (None, Some(account)) => Ok(account),
        (Some(_), Some(_)) => {
            Err("a team and a service account have this name; write “team” or “service account” before it")
        }
        (None, None) => Err("nobody here has this name or address; choose from the list"),
    })
}

async fn user(tx: &mut OrgTx, name: &str) -> ActionResult<Option<Principal>> {
    let name = name.trim();
    let id = match (name.parse::<UserId>(), name.parse::<Email>()) {
        (Ok(id), _) => tenancy::members::find(tx, id).await?.map(|member| member.user),
        (Err(_), Ok(email)) => tenancy::members::find_by_email(tx, &email).await?,
        (Err(_), Err(_)) => None,
    };
    Ok(id.map(Principal::User))
}

async fn team(tx: &mut OrgTx, name: &str) -> ActionResult<Option<Principal>> {
    let Ok(name) = name.trim().parse::<TeamRef>() else {
        return Ok(None);
    };
    Ok(tenancy::teams::find(tx, &name).await?.map(|team| Principal::Team(team.id)))
}

async fn account(tx: &mut OrgTx, name: &str) -> ActionResult<Option<Principal>> {
    let Some(name) = ServiceAccountRef::parse(name.trim()) else {
        return Ok(None);
    };
    let account = automation::accounts::find(tx, &name).await?;
    Ok(account.map(|account| Principal::ServiceAccount(account.id)))
}

/// Those whom a form offers.
pub(super) async fn offer(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<PrincipalOffer> {
    let mut choices = Vec::new();
    if cx.may(Permission::MembersRead) {
        let page = PageRequest { limit: MAX_LIMIT, after: None };
        let members = tenancy::members::list(tx, &MemberFilter::default(), &page).await?.items;
        choices.extend(members.into_iter().map(|m| PrincipalChoice { value: m.email, name: m.name }));
    }
    if cx.may(Permission::TeamsRead) {
        let page = PageRequest { limit: MAX_LIMIT, after: None };
        let teams = tenancy::teams::list(tx, &TeamFilter::default(), &page).await?.items;
        let choice = |team: crate::domain::tenancy::Team| PrincipalChoice {
            value: format!("{TEAM}{}", team.slug),
            name: team.name,
        };
        choices.extend(teams.into_iter().map(choice));
    }
    if cx.may(Permission::ServiceAccountsRead) {
        let page = PageRequest { limit: MAX_LIMIT, after: None };
        let accounts = automation::accounts::list(tx, None, &page, cx.now()).await?.items;
        let choice = |entry: crate::domain::automation::ServiceAccountEntry| PrincipalChoice {
            value: format!("{ACCOUNT}{}", entry.account.slug),
            name: entry.account.name,
        };
        choices.extend(accounts.into_iter().map(choice));
    }
    Ok(PrincipalOffer { choices })
}

/// What to say where the principal went away while the grant was made.
pub(super) fn refusal_of(error: DbError) -> ActionError {
    let rules = [
        (store::grants::PERSON_IS_HERE, NO_PERSON),
        (store::grants::TEAM_IS_HERE, NO_TEAM),
        (store::grants::ACCOUNT_IS_HERE, NO_ACCOUNT),
    ];
    match rules.into_iter().find(|(rule, _)| error.broke(rule)) {
        Some((_, why)) => ActionError::field(FIELD, why),
        None => error.into(),
    }
}
