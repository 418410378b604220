//! A person's own connected accounts, in every organization of theirs.
//!
//! Invariant: a person sees and changes what is connected in their own name, and shared accounts that they look after.

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::{
        connections::Connection,
        tenancy::{self, PersonsOrg},
    },
    flow::{
        actions::{
            connections::{
                self, BeginInput, Begun, Connectable, ConnectionChange, ConnectionSheet, Diagnosis, Ended,
                Offer, Probed, Returned,
            },
            frame,
        },
        cx::{OrgCx, PersonCx},
        enter,
        fault::{ActionError, ActionResult},
    },
};

/// A person's accounts in one organization.
#[derive(Debug)]
pub struct MyAccounts {
    /// The organization, and the person's role there.
    pub found: PersonsOrg,
    /// The providers that it has registered, with the person's accounts.
    pub providers: Vec<Connectable>,
}

/// Everything that is connected in the person's name, and what could be.
pub async fn list(cx: &PersonCx) -> ActionResult<Vec<MyAccounts>> {
    let mut mine = Vec::new();
    for found in frame::of_person(cx).await? {
        let Some(org) = enter::if_let_in(cx, &found).await? else { continue };
        let providers = connections::mine(&org).await?;
        mine.push(MyAccounts { found, providers });
    }
    Ok(mine)
}

/// What a person is about to allow.
///
/// # Errors
/// As for the organization's own pages; whatever keeps the person out of it.
pub async fn offer(cx: &PersonCx, org: &str, input: &BeginInput) -> ActionResult<(tenancy::Org, Offer)> {
    let cx = enter(cx, org).await?;
    let offer = connections::offer(&cx, input).await?;
    Ok((cx.org, offer))
}

/// Sends the person's browser to a provider.
///
/// # Errors
/// As [`offer`].
pub async fn begin(cx: &PersonCx, org: &str, input: &BeginInput) -> ActionResult<Begun> {
    connections::begin(&enter(cx, org).await?, input).await
}

/// Has a client ask for a token in its own name; see [`connections::connect_client`].
pub async fn connect_client(cx: &PersonCx, org: &str, input: &BeginInput) -> ActionResult<Connection> {
    connections::connect_client(&enter(cx, org).await?, input).await
}

/// Keeps a key that the person made; see [`connections::connect_key`].
pub async fn connect_key(
    cx: &PersonCx,
    org: &str,
    input: &BeginInput,
    key: &Secret<String>,
) -> ActionResult<Connection> {
    connections::connect_key(&enter(cx, org).await?, input, key).await
}

/// Takes what the browser brings back.
///
/// # Errors
/// A refusal for whatever went wrong.
pub async fn finish(cx: &PersonCx, provider: &str, query: &str) -> ActionResult<Returned> {
    connections::finish(cx, provider, query).await
}

/// One account of the person's.
///
/// # Errors
/// `NotFound` for another's.
pub async fn find(cx: &PersonCx, org: &str, id: &str) -> ActionResult<(tenancy::Org, ConnectionSheet)> {
    let cx = enter(cx, org).await?;
    let sheet = own(&cx, id).await?;
    Ok((cx.org, sheet))
}

/// Looks at an account link by link.
pub async fn diagnose(cx: &PersonCx, org: &str, id: &str) -> ActionResult<(tenancy::Org, Diagnosis)> {
    let cx = enter(cx, org).await?;
    own(&cx, id).await?;
    let diagnosis = connections::diagnose(&cx, id).await?;
    Ok((cx.org, diagnosis))
}

/// Changes an account: what it is called, and whether and when agents use it.
///
/// # Errors
/// As [`connections::change`].
pub async fn change(
    cx: &PersonCx,
    org: &str,
    id: &str,
    change: &ConnectionChange,
    seen: Option<i64>,
) -> ActionResult<ConnectionSheet> {
    let cx = enter(cx, org).await?;
    own(&cx, id).await?;
    connections::change(&cx, id, change, seen).await
}

/// What whoever says for which calls an account of theirs is used chooses from; see [`connections::argument_places`].
pub async fn argument_places(
    cx: &PersonCx,
    org: &str,
    id: &str,
) -> ActionResult<(tenancy::Org, ConnectionSheet, Vec<String>)> {
    let cx = enter(cx, org).await?;
    let sheet = own(&cx, id).await?;
    let places = connections::argument_places(&cx, &sheet.connection).await?;
    Ok((cx.org, sheet, places))
}

/// Tries an account.
pub async fn probe(cx: &PersonCx, org: &str, id: &str) -> ActionResult<Probed> {
    let cx = enter(cx, org).await?;
    own(&cx, id).await?;
    connections::probe(&cx, id, false).await
}

/// Switches an account off, or on again.
///
/// # Errors
/// As [`connections::switch_off`] and [`connections::switch_on`].
pub async fn switch(cx: &PersonCx, org: &str, id: &str, is_on: bool) -> ActionResult<Connection> {
    let cx = enter(cx, org).await?;
    own(&cx, id).await?;
    match is_on {
        true => connections::switch_on(&cx, id).await,
        false => connections::switch_off(&cx, id).await,
    }
}

/// Ends an account.
pub async fn disconnect(cx: &PersonCx, org: &str, id: &str) -> ActionResult<Ended> {
    let cx = enter(cx, org).await?;
    own(&cx, id).await?;
    connections::disconnect(&cx, id).await
}

async fn enter(cx: &PersonCx, org: &str) -> ActionResult<OrgCx> {
    let cx = enter::org(cx.clone(), org).await?;
    cx.require(Permission::ConnectionsOwn)?;
    Ok(cx)
}

/// Also who may see all accounts sees only their own here, and shared ones that they look after.
async fn own(cx: &OrgCx, id: &str) -> ActionResult<ConnectionSheet> {
    let sheet = connections::find(cx, id).await?;
    if sheet.may_change { Ok(sheet) } else { Err(ActionError::NotFound) }
}
