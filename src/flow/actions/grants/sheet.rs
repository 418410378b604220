//! What the pages about grants show.

use crate::{
    base::{
        ids::{GrantId, GrantTokenId},
        page::{Page, PageRequest},
        permission::Permission,
    },
    domain::grants::{Deed, GrantToken, NamedServer, Standing, store},
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

/// One grant with all that its page shows.
#[derive(Debug)]
pub struct GrantSheet {
    /// The grant.
    pub found: GrantFound,
    /// What it may call now.
    pub reach: Vec<ServerReach>,
    /// Its tokens, the newest first.
    pub tokens: Page<GrantToken>,
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
    Ok(GrantSheet { found, reach, tokens, can_resume })
}

/// What the form for a grant offers.
pub async fn offer(cx: &OrgCx) -> ActionResult<GrantForms> {
    cx.require(Permission::GrantsWrite)?;
    let mut tx = cx.tx().await?;
    let principals = principals::offer(cx, &mut tx).await?;
    let servers = reach::offer(&mut tx).await?;
    tx.done().await?;
    Ok(GrantForms { principals, servers })
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
