//! What the pages about grants show.

use crate::{
    base::{
        ids::{GrantId, GrantTokenId},
        page::{MAX_LIMIT, Page, PageRequest},
        permission::Permission,
    },
    domain::{
        audit::{self, EventFilter, EventKind, EventRow},
        grants::{Deed, GrantToken, NamedServer, Standing, store},
        policy::{
            kept::{Policy, PolicyFilter},
            store::policies,
        },
    },
    flow::{
        actions::grants::{
            GrantFound, GrantListFilter, PrincipalOffer, ServerReach, found, input, listed, principals,
            reach, stops,
        },
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::{OrgTx, Tx},
};

/// How many of the latest calls a page shows.
const CALLS: usize = 20;

/// One grant with all that its page shows.
#[derive(Debug)]
pub struct GrantSheet {
    /// The grant.
    pub found: GrantFound,
    /// What it may call now.
    pub reach: Vec<ServerReach>,
    /// Its tokens, the newest first.
    pub tokens: Page<GrantToken>,
    /// Its latest calls, each as it ended, the newest first; for those who may see them.
    pub calls: Vec<EventRow>,
    /// Whether the viewer may open the calls in the log.
    pub may_read_log: bool,
    /// Whether the viewer may put it in force again.
    pub can_resume: bool,
}

/// What the form for a grant offers.
#[derive(Debug)]
pub struct GrantForms {
    /// In whose name it may act.
    pub principals: PrincipalOffer,
    /// The servers to choose from.
    pub servers: Vec<NamedServer>,
    /// The policies to choose from.
    pub policies: Vec<NamedPolicy>,
}

/// A policy by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPolicy {
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// One grant with its reach and its tokens.
pub async fn sheet(cx: &OrgCx, id: &str, page: &PageRequest<GrantTokenId>) -> ActionResult<GrantSheet> {
    cx.require(Permission::GrantsRead)?;
    sheet_as(cx, Standing::Admin(cx.user()), id, page).await
}

/// [`sheet`] by whatever standing the caller has.
pub(in crate::flow::actions) async fn sheet_as(
    cx: &OrgCx,
    standing: Standing,
    id: &str,
    page: &PageRequest<GrantTokenId>,
) -> ActionResult<GrantSheet> {
    let mut tx = cx.tx().await?;
    let sheet = read(cx, &mut tx, standing, id, page).await?;
    tx.done().await?;
    Ok(sheet)
}

async fn read(
    cx: &OrgCx,
    tx: &mut OrgTx,
    standing: Standing,
    id: &str,
    page: &PageRequest<GrantTokenId>,
) -> ActionResult<GrantSheet> {
    let found = found(cx, tx, standing, Deed::See, id).await?;
    let grant = &found.entry.grant;
    let reach = reach::of(tx, grant).await?;
    let tokens = store::tokens::list(tx, grant.id, page).await?;
    let can_resume = stops::can_resume(standing, grant);
    let may_read_log = cx.may(Permission::AuditRead);
    let is_theirs = matches!(standing, Standing::Member(_));
    let calls = if may_read_log || is_theirs { calls(tx, grant.id).await? } else { Vec::new() };
    Ok(GrantSheet { found, reach, tokens, calls, may_read_log, can_resume })
}

/// The latest calls, each once: how it ended stands for it, or its beginning where no end is on record.
async fn calls(tx: &mut OrgTx, grant: GrantId) -> ActionResult<Vec<EventRow>> {
    let filter =
        EventFilter { kind: Some(EventKind::Call), actor: Some(grant.to_string()), ..EventFilter::default() };
    let page = PageRequest { limit: 2 * CALLS as u16, after: None };
    let mut calls: Vec<EventRow> = Vec::new();
    for event in audit::list(tx, &filter, &page).await?.items {
        if event.request.is_none() || calls.iter().all(|call| call.request != event.request) {
            calls.push(event);
        }
    }
    calls.truncate(CALLS);
    Ok(calls)
}

/// What the form for a grant offers.
pub async fn offer(cx: &OrgCx) -> ActionResult<GrantForms> {
    cx.require(Permission::GrantsWrite)?;
    let mut tx = cx.tx().await?;
    let principals = principals::offer(cx, &mut tx).await?;
    let servers = reach::offer(&mut tx).await?;
    let page = PageRequest { limit: MAX_LIMIT, after: None };
    let policies = policies::list(&mut tx, &PolicyFilter::default(), &page).await?.items;
    tx.done().await?;
    let named = |policy: Policy| NamedPolicy { slug: policy.slug, name: policy.name };
    let policies = policies.into_iter().filter(|policy| policy.live.is_some()).map(named).collect();
    Ok(GrantForms { principals, servers, policies })
}

/// What the list of grants shows.
#[derive(Debug)]
pub struct GrantsOverview {
    /// The grants, the newest first.
    pub grants: Page<GrantFound>,
    /// The servers to filter by.
    pub servers: Vec<NamedServer>,
}

/// The organization's grants with the servers to filter by.
pub async fn overview(
    cx: &OrgCx,
    filter: &GrantListFilter,
    page: &PageRequest<GrantId>,
) -> ActionResult<GrantsOverview> {
    cx.require(Permission::GrantsRead)?;
    let mut tx = cx.tx().await?;
    let filter = input::filter(cx, &mut tx, filter).await?;
    let grants = listed(&mut tx, &filter, page, cx.now()).await?;
    let servers = reach::offer(&mut tx).await?;
    tx.done().await?;
    Ok(GrantsOverview { grants, servers })
}

/// A grant that may be given other terms, so that nobody types a form in vain.
///
/// # Errors
/// A refusal where it is revoked.
pub async fn changeable(cx: &OrgCx, id: &str) -> ActionResult<GrantFound> {
    cx.require(Permission::GrantsWrite)?;
    let mut tx = cx.tx().await?;
    let found = found(cx, &mut tx, Standing::Admin(cx.user()), Deed::Change, id).await?;
    tx.done().await?;
    Ok(found)
}
