//! A person's own secrets, in every organization of theirs.

use crate::{
    base::{
        page::{MAX_LIMIT, PageRequest},
        secret::Secret,
    },
    domain::{
        secrets::{Scope, SecretFilter, StoredSecret, Wanted, store::served},
        tenancy::{Org, OrgState, PersonsOrg},
    },
    flow::{
        actions::{
            frame,
            secrets::{self, Confirmed, SecretChange, SecretInput, SecretSheet, Whose},
        },
        cx::PersonCx,
        enter,
        fault::ActionResult,
    },
    io::db::Tx,
};

/// What a person keeps for themselves in one organization.
#[derive(Debug)]
pub struct MySecrets {
    /// The organization.
    pub found: PersonsOrg,
    /// Their secrets, by name.
    pub secrets: Vec<StoredSecret>,
    /// What servers ask them for that they do not have.
    pub wanted: Vec<Wanted>,
}

/// Everything that the person keeps for themselves, and what is asked of them.
pub async fn list(cx: &PersonCx) -> ActionResult<Vec<MySecrets>> {
    let orgs = frame::of_person(cx).await?;
    let mut mine = Vec::new();
    for found in orgs.into_iter().filter(|found| found.org.state() == OrgState::Active) {
        let Some(org) = enter::if_let_in(cx, &found).await? else { continue };
        let page = PageRequest { limit: MAX_LIMIT, after: None };
        let secrets = secrets::list(&org, Whose::Own, &SecretFilter::default(), None, &page).await?.items;
        let mut tx = org.tx().await?;
        let wanted = served::wanted_of(&mut tx, cx.id()).await?;
        tx.done().await?;
        mine.push(MySecrets { found, secrets, wanted });
    }
    Ok(mine)
}

/// The organization in which the person keeps secrets.
///
/// # Errors
/// Whatever keeps the person out of it.
pub async fn place(cx: &PersonCx, org: &str) -> ActionResult<Org> {
    Ok(enter::org(cx.clone(), org).await?.org)
}

/// One secret of the person's own, with the organization it is in.
///
/// # Errors
/// `NotFound` for what is not theirs; whatever keeps the person out of the organization.
pub async fn find(cx: &PersonCx, org: &str, id: &str) -> ActionResult<(Org, SecretSheet)> {
    let org = enter::org(cx.clone(), org).await?;
    let sheet = secrets::find(&org, Whose::Own, id).await?;
    Ok((org.org, sheet))
}

/// Adds a secret of the person's own.
///
/// # Errors
/// As [`secrets::create`]; whatever keeps the person out of the organization.
pub async fn create(cx: &PersonCx, org: &str, input: SecretInput) -> ActionResult<StoredSecret> {
    let input = SecretInput { scope: Scope::User.as_str().to_owned(), team: String::new(), ..input };
    secrets::create(&enter::org(cx.clone(), org).await?, Whose::Own, &input).await
}

/// Gives a secret of the person's own a new value.
///
/// # Errors
/// As [`secrets::rotate`]; whatever keeps the person out of the organization.
pub async fn rotate(
    cx: &PersonCx,
    org: &str,
    id: &str,
    value: &Secret<String>,
    seen: Option<i64>,
) -> ActionResult<StoredSecret> {
    secrets::rotate(&enter::org(cx.clone(), org).await?, Whose::Own, id, value, seen).await
}

/// Changes what is said of a secret of the person's own.
///
/// # Errors
/// As [`secrets::update`]; whatever keeps the person out of the organization.
pub async fn update(
    cx: &PersonCx,
    org: &str,
    id: &str,
    change: SecretChange,
    seen: Option<i64>,
) -> ActionResult<StoredSecret> {
    secrets::update(&enter::org(cx.clone(), org).await?, Whose::Own, id, change, seen).await
}

/// Destroys a secret of the person's own.
///
/// # Errors
/// As [`secrets::delete`]; whatever keeps the person out of the organization.
pub async fn delete(
    cx: &PersonCx,
    org: &str,
    id: &str,
    confirmed: Confirmed,
    seen: Option<i64>,
) -> ActionResult<StoredSecret> {
    secrets::delete(&enter::org(cx.clone(), org).await?, Whose::Own, id, confirmed, seen).await
}
