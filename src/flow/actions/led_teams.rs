//! The teams that somebody speaks for: those they own or administer, or all where their role in the organization says so.
//!
//! What a person may by their role in a team counts in the browser only, as it does for teams themselves.

use crate::{
    base::{
        ids::TeamId,
        page::{MAX_LIMIT, PageRequest},
        permission::TeamRole,
    },
    domain::tenancy::{TeamFilter, store::teams},
    flow::{cx::OrgCx, fault::ActionResult},
    io::db::OrgTx,
};

/// A team that somebody speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedTeam {
    /// Its id.
    pub id: TeamId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// The teams that the person in the browser owns or administers.
pub(super) async fn led(cx: &OrgCx, tx: &mut OrgTx) -> ActionResult<Vec<LedTeam>> {
    let Some(person) = &cx.person else { return Ok(Vec::new()) };
    let teams = teams::list_of_person(tx, person.user.id).await?.into_iter();
    let led = teams.filter(|team| team.role != TeamRole::Member);
    Ok(led.map(|team| LedTeam { id: team.id, slug: team.slug.to_string(), name: team.name }).collect())
}

/// All teams, as far as a page holds them.
pub(super) async fn all(tx: &mut OrgTx) -> ActionResult<Vec<LedTeam>> {
    let all = PageRequest { limit: MAX_LIMIT, after: None };
    let found = teams::list(tx, &TeamFilter::default(), &all).await?.items.into_iter();
    Ok(found.map(|team| LedTeam { id: team.id, slug: team.slug.to_string(), name: team.name }).collect())
}
