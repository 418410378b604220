//! Teams: groups of members that later share servers, secrets and duties.
//!
//! A person sees the teams they are in without any role in the organization, and a team's owner manages it.

use serde::Serialize;

use crate::{
    base::{
        actor::Principal,
        ids::TeamId,
        page::{Page, PageRequest},
        permission::Permission,
        slug::Slug,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        connections::{
            TELL_FOR,
            store::endings::{self, Ending},
        },
        tenancy::{NewTeam, Team, TeamFilter, TeamRef, store},
    },
    flow::{
        actions::{
            grants::end_all,
            team_members::{check_change, enter},
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{DbError, Tx},
};

/// What a person types about a team.
#[derive(Clone, Debug, Default)]
pub struct TeamInput {
    /// Its name.
    pub name: String,
    /// Its short name for addresses; made from the name when left empty.
    pub slug: String,
    /// What it is for.
    pub description: String,
}

/// Changes to a team; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct TeamChange {
    /// Its name.
    pub name: Option<String>,
    /// Its short name.
    pub slug: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

impl TeamChange {
    fn onto(self, team: &Team) -> TeamInput {
        TeamInput {
            name: self.name.unwrap_or_else(|| team.name.clone()),
            slug: self.slug.unwrap_or_else(|| team.slug.to_string()),
            description: self.description.unwrap_or_else(|| team.description.clone()),
        }
    }
}

/// What the record keeps of a team.
#[derive(Serialize)]
struct TeamRecord<'a> {
    name: &'a str,
    slug: &'a str,
    description: &'a str,
}

impl<'a> From<&'a Team> for TeamRecord<'a> {
    fn from(team: &'a Team) -> Self {
        Self { name: &team.name, slug: team.slug.as_str(), description: &team.description }
    }
}

/// The organization's teams, by name; for who may not see all, those that they are in.
///
/// # Errors
/// `Forbidden` for who may not see all and is in none.
pub async fn list(
    cx: &OrgCx,
    filter: &TeamFilter,
    page: &PageRequest<(String, TeamId)>,
) -> ActionResult<Page<Team>> {
    let mut filter = filter.clone();
    let mut tx = cx.tx().await?;
    if !cx.may(Permission::TeamsRead) {
        let forbidden = ActionError::Forbidden(Permission::TeamsRead);
        let Some(person) = &cx.person else { return Err(forbidden) };
        if store::teams::list_of_person(&mut tx, person.user.id).await?.is_empty() {
            return Err(forbidden);
        }
        filter.of = Some(person.user.id);
    }
    let teams = store::teams::list(&mut tx, &filter, page).await?;
    tx.done().await?;
    Ok(teams)
}

/// One team, by id or slug.
pub async fn find(cx: &OrgCx, name: &str) -> ActionResult<Team> {
    let mut tx = cx.tx().await?;
    let (team, _) = enter(cx, &mut tx, name).await?;
    tx.done().await?;
    Ok(team)
}

/// One team, for who may change it.
pub async fn changeable(cx: &OrgCx, name: &str) -> ActionResult<Team> {
    let mut tx = cx.tx().await?;
    let (team, reach) = enter(cx, &mut tx, name).await?;
    tx.done().await?;
    check_change(reach)?;
    Ok(team)
}

/// Creates a team.
pub async fn create(cx: &OrgCx, input: &TeamInput) -> ActionResult<Team> {
    cx.require(Permission::TeamsWrite)?;
    let new = parse(input)?;
    let mut tx = cx.tx().await?;
    let id = store::teams::insert(&mut tx, &new, cx.now()).await.map_err(slug_taken)?;
    let team = store::teams::find(&mut tx, &TeamRef::Id(id)).await?.ok_or(ActionError::NotFound)?;
    let entry = Entry::admin("team.created", &cx.who())
        .target("team", team.id, &team.name)
        .after(&TeamRecord::from(&team));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(team)
}

/// Changes a team's name, short name and description.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn update(cx: &OrgCx, name: &str, change: TeamChange, seen: Option<i64>) -> ActionResult<Team> {
    let mut tx = cx.tx().await?;
    let (before, reach) = enter(cx, &mut tx, name).await?;
    check_change(reach)?;
    let new = parse(&change.onto(&before))?;
    let outcome = store::teams::update(&mut tx, before.id, &new, seen, cx.now()).await.map_err(slug_taken)?;
    settled(outcome)?;
    let after = store::teams::find(&mut tx, &TeamRef::Id(before.id)).await?.ok_or(ActionError::NotFound)?;
    let entry = Entry::admin("team.changed", &cx.who())
        .target("team", after.id, &after.name)
        .changed(&TeamRecord::from(&before), &TeamRecord::from(&after));
    if entry.has_change() {
        audit::commit(tx, cx.now(), vec![entry]).await?;
        Ok(after)
    } else {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        Ok(after)
    }
}

/// Deletes a team; its members stay in the organization, its grants stop at once and are recorded as revoked.
///
/// # Errors
/// `NeedsProof`; `Changed` where someone else was faster than the version seen.
pub async fn delete(cx: &OrgCx, name: &str, seen: Option<i64>) -> ActionResult<Team> {
    let mut tx = cx.tx().await?;
    let (team, reach) = enter(cx, &mut tx, name).await?;
    check_change(reach)?;
    cx.require_proof()?;
    let mut entries = end_all(cx, &mut tx, Principal::Team(team.id), "Its team was deleted.").await?;
    // Its connected accounts go with it, and their providers are told.
    endings::keep(&mut tx, Ending::Team(team.id), cx.now(), cx.now() + TELL_FOR).await?;
    settled(store::teams::delete(&mut tx, team.id, seen).await?)?;
    entries.push(
        Entry::admin("team.deleted", &cx.who())
            .target("team", team.id, &team.name)
            .before(&TeamRecord::from(&team)),
    );
    audit::commit(tx, cx.now(), entries).await?;
    Ok(team)
}

fn parse(input: &TeamInput) -> ActionResult<NewTeam> {
    let slug = match input.slug.trim() {
        "" => Slug::suggest(&input.name, "team"),
        slug => slug.to_owned(),
    };
    Ok(NewTeam::parse(&input.name, &slug, &input.description)?)
}

fn slug_taken(error: DbError) -> ActionError {
    if error.broke(store::teams::SLUG_IS_FREE) {
        ActionError::field("slug", "another team has this short name; choose another")
    } else {
        error.into()
    }
}
