//! What a person asked for, in every organization of theirs.

use crate::{
    base::page::{MAX_LIMIT, PageRequest},
    domain::{
        access::{AccessFilter, AccessRequest},
        grants::NamedServer,
        tenancy::{self, OrgState, PersonsOrg},
    },
    flow::{
        actions::{
            access_requests::{self, AccessInput},
            frame, grants,
        },
        cx::PersonCx,
        enter,
        fault::ActionResult,
    },
    io::db::Tx,
};

/// What a person asked for in one organization.
#[derive(Debug)]
pub struct MyAccess {
    /// The organization.
    pub found: PersonsOrg,
    /// What they asked for, the newest first.
    pub requests: Vec<AccessRequest>,
}

/// Where a person may ask for access, and to what.
#[derive(Debug)]
pub struct Askable {
    /// The organization.
    pub org: tenancy::Org,
    /// Its servers that agents may reach.
    pub servers: Vec<NamedServer>,
}

/// Everything that the person asked for.
pub async fn list(cx: &PersonCx) -> ActionResult<Vec<MyAccess>> {
    let mut mine = Vec::new();
    for found in orgs(cx).await? {
        let Some(org) = enter::if_let_in(cx, &found).await? else { continue };
        let filter = AccessFilter { user: Some(cx.id()), ..AccessFilter::default() };
        let page = PageRequest { limit: MAX_LIMIT, after: None };
        let requests = access_requests::listed(&org, filter, &page).await?.items;
        mine.push(MyAccess { found, requests });
    }
    Ok(mine)
}

/// What the person may ask for in an organization: the names of its servers, and nothing of their tools.
///
/// # Errors
/// Whatever keeps the person out of the organization.
pub async fn askable(cx: &PersonCx, org: &str) -> ActionResult<Askable> {
    let org = enter::org(cx.clone(), org).await?;
    let mut tx = org.tx().await?;
    let servers = grants::offered_servers(&mut tx).await?;
    tx.done().await?;
    Ok(Askable { servers: servers.into_iter().filter(|server| server.is_enabled).collect(), org: org.org })
}

async fn orgs(cx: &PersonCx) -> ActionResult<Vec<PersonsOrg>> {
    let orgs = frame::of_person(cx).await?;
    Ok(orgs.into_iter().filter(|found| found.org.state() == OrgState::Active).collect())
}

/// Asks for access in an organization of the person's.
///
/// # Errors
/// As [`access_requests::ask`]; whatever keeps the person out of the organization.
pub async fn ask(cx: &PersonCx, org: &str, input: &AccessInput) -> ActionResult<AccessRequest> {
    access_requests::ask(&enter::org(cx.clone(), org).await?, input).await
}

/// Takes back what the person asked for.
///
/// # Errors
/// As [`access_requests::withdraw`]; whatever keeps the person out of the organization.
pub async fn withdraw(cx: &PersonCx, org: &str, id: &str) -> ActionResult<AccessRequest> {
    access_requests::withdraw(&enter::org(cx.clone(), org).await?, id).await
}
