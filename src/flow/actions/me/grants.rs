//! A person's own agents: the grants that act in their name, in every organization of theirs.
//!
//! Invariant: a person sees and narrows what acts in their name; what it may do is an admin's to say.

use crate::{
    base::{
        actor::Principal,
        ids::GrantTokenId,
        page::{MAX_LIMIT, PageRequest},
    },
    domain::{
        grants::{GrantFilter, GrantState, GrantToken, Overlap, Standing, store},
        tenancy::{self, OrgState, PersonsOrg},
    },
    flow::{
        actions::{
            frame,
            grants::{
                self, GrantFound, GrantSheet,
                tokens::{self, MadeToken, TokenInput},
            },
        },
        cx::{OrgCx, PersonCx},
        enter,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgScope, Tx},
};

/// A person's grants in one organization.
#[derive(Debug)]
pub struct MyGrants {
    /// The organization, and the person's role there.
    pub found: PersonsOrg,
    /// Their grants, the newest first.
    pub grants: Vec<GrantFound>,
}

impl MyGrants {
    /// Those that are in force.
    pub fn active(&self) -> impl Iterator<Item = &GrantFound> {
        self.grants.iter().filter(|found| found.entry.state == GrantState::Active)
    }
}

/// One grant of the person's with all that its page shows.
#[derive(Debug)]
pub struct MySheet {
    /// The organization.
    pub org: tenancy::Org,
    /// The grant.
    pub sheet: GrantSheet,
}

/// A token that was just made, and where.
#[derive(Debug)]
pub struct MyMadeToken {
    /// The organization.
    pub org: tenancy::Org,
    /// The token.
    pub made: MadeToken,
}

/// Everything that acts in the person's name.
pub async fn list(cx: &PersonCx) -> ActionResult<Vec<MyGrants>> {
    let filter = GrantFilter { principal: Some(Principal::User(cx.id())), ..GrantFilter::default() };
    let page = PageRequest { limit: MAX_LIMIT, after: None };
    let mut mine = Vec::new();
    for found in frame::of_person(cx).await? {
        let mut tx = cx.tx_of(OrgScope::proven(found.org.id)).await?;
        let grants = grants::listed(&mut tx, &filter, &page, cx.now()).await?.items;
        tx.done().await?;
        mine.push(MyGrants { found, grants });
    }
    Ok(mine)
}

/// One grant of the person's.
///
/// # Errors
/// `NotFound` for another's; whatever keeps the person out of the organization.
pub async fn sheet(
    cx: &PersonCx,
    org: &str,
    id: &str,
    page: &PageRequest<GrantTokenId>,
) -> ActionResult<MySheet> {
    let (cx, standing) = enter(cx, org).await?;
    let sheet = grants::sheet_as(&cx, standing, id, page).await?;
    Ok(MySheet { org: cx.org, sheet })
}

/// Lets a grant of the person's rest.
pub async fn suspend(
    cx: &PersonCx,
    org: &str,
    id: &str,
    reason: &str,
    seen: Option<i64>,
) -> ActionResult<GrantFound> {
    let (cx, standing) = enter(cx, org).await?;
    grants::suspend_as(&cx, standing, id, reason, seen).await
}

/// Puts a grant in force again that the person suspended themselves.
pub async fn resume(cx: &PersonCx, org: &str, id: &str, seen: Option<i64>) -> ActionResult<GrantFound> {
    let (cx, standing) = enter(cx, org).await?;
    grants::resume_as(&cx, standing, id, seen).await
}

/// Ends a grant of the person's for good.
pub async fn revoke(
    cx: &PersonCx,
    org: &str,
    id: &str,
    reason: &str,
    seen: Option<i64>,
) -> ActionResult<GrantFound> {
    let (cx, standing) = enter(cx, org).await?;
    grants::revoke_as(&cx, standing, id, reason, seen).await
}

/// Makes a token for a grant of the person's.
///
/// # Errors
/// As for an admin.
pub async fn mint(cx: &PersonCx, org: &str, id: &str, input: &TokenInput) -> ActionResult<MyMadeToken> {
    let (cx, standing) = enter(cx, org).await?;
    let made = tokens::mint_as(&cx, standing, id, input).await?;
    Ok(MyMadeToken { org: cx.org, made })
}

/// A grant of the person's for which a token can be made.
///
/// # Errors
/// As [`mint`].
pub async fn mintable(cx: &PersonCx, org: &str, id: &str) -> ActionResult<(tenancy::Org, GrantFound)> {
    let (cx, standing) = enter(cx, org).await?;
    let found = tokens::mintable_as(&cx, standing, id).await?;
    Ok((cx.org, found))
}

/// A token of the person's that can be replaced.
///
/// # Errors
/// As [`rotate`].
pub async fn rotatable(
    cx: &PersonCx,
    org: &str,
    id: &str,
    token: &str,
) -> ActionResult<(tenancy::Org, GrantFound, GrantToken)> {
    let (cx, standing) = enter(cx, org).await?;
    let (found, token) = tokens::rotatable_as(&cx, standing, id, token).await?;
    Ok((cx.org, found, token))
}

/// Makes a token in the place of another.
///
/// # Errors
/// As for an admin.
pub async fn rotate(
    cx: &PersonCx,
    org: &str,
    id: &str,
    token: &str,
    new_id: Option<GrantTokenId>,
    overlap: Overlap,
) -> ActionResult<MyMadeToken> {
    let (cx, standing) = enter(cx, org).await?;
    let made = tokens::rotate_as(&cx, standing, id, token, new_id, overlap).await?;
    Ok(MyMadeToken { org: cx.org, made })
}

/// Ends a token of the person's at once.
pub async fn revoke_token(cx: &PersonCx, org: &str, id: &str, token: &str) -> ActionResult<GrantToken> {
    let (cx, standing) = enter(cx, org).await?;
    tokens::revoke_as(&cx, standing, id, token).await
}

/// What the page to connect a client shows.
#[derive(Debug)]
pub struct Connecting {
    /// Everything that acts in the person's name.
    pub mine: Vec<MyGrants>,
    /// The grant that was chosen, or the only one there is.
    pub chosen: Option<Chosen>,
}

/// The grant that a client is connected with.
#[derive(Debug)]
pub struct Chosen {
    /// Its organization.
    pub org: tenancy::Org,
    /// The grant.
    pub found: GrantFound,
    /// The token whose first call is waited for, where one is.
    pub awaited: Option<GrantToken>,
}

impl Connecting {
    /// The grants that a client can be connected with: those in force, in organizations at work.
    pub fn open(&self) -> impl Iterator<Item = (&PersonsOrg, &GrantFound)> {
        let at_work = self.mine.iter().filter(|mine| mine.found.org.state() == OrgState::Active);
        at_work.flat_map(|mine| mine.active().map(move |found| (&mine.found, found)))
    }
}

/// What the page to connect a client shows, for a grant and a token of it that may have been chosen.
///
/// # Errors
/// `NotFound` for another's.
pub async fn connecting(cx: &PersonCx, grant: &str, token: &str) -> ActionResult<Connecting> {
    let mine = list(cx).await?;
    let all = Connecting { mine, chosen: None };
    let chosen = match grant.trim() {
        "" => {
            let mut open = all.open();
            open.next().filter(|_| open.next().is_none()).map(|(org, found)| (org.clone(), found.clone()))
        }
        id => {
            let of = |mine: &MyGrants| {
                let found = mine.grants.iter().find(|found| found.entry.grant.id.to_string() == id)?;
                Some((mine.found.clone(), found.clone()))
            };
            Some(all.mine.iter().find_map(of).ok_or(ActionError::NotFound)?)
        }
    };
    let Some((persons, found)) = chosen else {
        return Ok(all);
    };
    let awaited = match token.trim() {
        "" => None,
        token => Some(awaited(cx, &persons, &found, token).await?),
    };
    Ok(Connecting { chosen: Some(Chosen { org: persons.org, found, awaited }), ..all })
}

async fn awaited(
    cx: &PersonCx,
    persons: &PersonsOrg,
    found: &GrantFound,
    token: &str,
) -> ActionResult<GrantToken> {
    let token = token.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = cx.tx_of(OrgScope::proven(persons.org.id)).await?;
    let token = store::tokens::find(&mut tx, found.entry.grant.id, token).await?;
    tx.done().await?;
    token.ok_or(ActionError::NotFound)
}

/// The person as a member of one organization, with the standing of one who acts for themselves.
async fn enter(cx: &PersonCx, org: &str) -> ActionResult<(OrgCx, Standing)> {
    Ok((enter::org(cx.clone(), org).await?, Standing::Member(cx.id())))
}
