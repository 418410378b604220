//! Who is in a team: a team's owners and admins manage their own team, owners and admins of the organization every one.
//!
//! What a person may by their role in a team counts in the browser only: an API key carries what the role in the
//! organization carries, and nothing of a team.

use serde::Serialize;

use crate::{
    base::{
        actor::Principal,
        email::Email,
        ids::UserId,
        page::{MAX_LIMIT, Page, PageRequest},
        permission::{Permission, TeamRole},
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        grants::store as grants,
        tenancy::{Member, MemberFilter, Team, TeamAddition, TeamMember, TeamReach, TeamRef, rules, store},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{OrgTx, Tx},
};

/// A team as one sees it who may.
#[derive(Debug)]
pub struct TeamOverview {
    /// The team.
    pub team: Team,
    /// How far the caller's right over it reaches.
    pub reach: TeamReach,
    /// Who is in it, by name.
    pub members: Page<TeamMember>,
    /// How many grants of agents act in its name.
    pub grants: i64,
}

/// What the page to add somebody shows.
#[derive(Debug)]
pub struct TeamOffer {
    /// The team.
    pub team: Team,
    /// The roles that the caller may give.
    pub roles: Vec<TeamRole>,
    /// Members of the organization who are not in the team; none where the caller may not see who is here.
    pub people: Vec<Member>,
}

/// A change to one person's place in a team.
#[derive(Debug)]
pub struct TeamStep {
    /// The team.
    pub team: Team,
    /// The person, with their place as it is now; as it was, where it is no more.
    pub member: TeamMember,
    /// Their role before, where they had one.
    pub before: Option<TeamRole>,
}

/// What the record keeps of a place in a team.
#[derive(Serialize)]
struct PlaceRecord<'a> {
    person: UserId,
    name: &'a str,
    role: &'a str,
}

impl<'a> PlaceRecord<'a> {
    const fn of(member: &'a TeamMember, role: TeamRole) -> Self {
        Self { person: member.user, name: member.name.as_str(), role: role.as_str() }
    }
}

/// The team of this name, and how far the caller's right over it reaches.
///
/// # Errors
/// `Forbidden` where neither the organization nor the team lets the caller see it, whether it exists or not.
pub(super) async fn enter(cx: &OrgCx, tx: &mut OrgTx, name: &str) -> ActionResult<(Team, TeamReach)> {
    let may_read = cx.may(Permission::TeamsRead) || cx.may(Permission::TeamsWrite);
    let hidden =
        || if may_read { ActionError::NotFound } else { ActionError::Forbidden(Permission::TeamsRead) };
    let name: TeamRef = name.parse().map_err(|_| hidden())?;
    let team = store::teams::find(tx, &name).await?.ok_or_else(hidden)?;
    let place = match &cx.person {
        Some(person) => store::teams::find_member(tx, team.id, person.user.id).await?,
        None => None,
    };
    if !may_read && place.is_none() {
        return Err(hidden());
    }
    let reach = TeamReach::of(|permission| cx.may(permission), place.map(|place| place.role));
    Ok((team, reach))
}

/// Refuses a change to the team itself that the caller's reach does not cover.
pub(super) fn check_change(reach: TeamReach) -> ActionResult<()> {
    if reach == TeamReach::Nothing {
        return Err(ActionError::Forbidden(Permission::TeamsWrite));
    }
    Ok(rules::teams::check_change(reach)?)
}

fn check_place(reach: TeamReach, present: Option<TeamRole>, wanted: Option<TeamRole>) -> ActionResult<()> {
    if reach == TeamReach::Nothing {
        return Err(ActionError::Forbidden(Permission::TeamsWrite));
    }
    Ok(rules::teams::check_place(reach, present, wanted)?)
}

/// A team with who is in it; `q` finds part of a name or address.
pub async fn overview(
    cx: &OrgCx,
    name: &str,
    q: Option<&str>,
    page: &PageRequest<(String, UserId)>,
) -> ActionResult<TeamOverview> {
    let mut tx = cx.tx().await?;
    let (team, reach) = enter(cx, &mut tx, name).await?;
    let members = store::teams::list_members(&mut tx, team.id, q, page).await?;
    let grants = grants::grants::count_of(&mut tx, Principal::Team(team.id), cx.now()).await?;
    tx.done().await?;
    Ok(TeamOverview { team, reach, members, grants })
}

/// One person's place in a team.
pub async fn find(cx: &OrgCx, name: &str, user: &str) -> ActionResult<TeamMember> {
    let mut tx = cx.tx().await?;
    let (team, _) = enter(cx, &mut tx, name).await?;
    let member = place_of(&mut tx, &team, user).await?;
    tx.done().await?;
    Ok(member)
}

/// What the page to add somebody shows.
pub async fn offer(cx: &OrgCx, name: &str) -> ActionResult<TeamOffer> {
    let mut tx = cx.tx().await?;
    let (team, reach) = enter(cx, &mut tx, name).await?;
    check_place(reach, None, Some(TeamRole::Member))?;
    let mut people = Vec::new();
    if cx.may(Permission::MembersRead) {
        let all = PageRequest { limit: MAX_LIMIT, after: None };
        let inside = MemberFilter { team: Some(team.id), ..MemberFilter::default() };
        let inside = store::members::list(&mut tx, &inside, &all).await?.items;
        people = store::members::list(&mut tx, &MemberFilter::default(), &all).await?.items;
        people.retain(|member| !inside.iter().any(|there| there.user == member.user));
    }
    tx.done().await?;
    Ok(TeamOffer { team, roles: roles_to_give(reach), people })
}

/// The team roles that somebody may give, strongest first.
pub fn roles_to_give(reach: TeamReach) -> Vec<TeamRole> {
    TeamRole::ALL
        .into_iter()
        .filter(|role| rules::teams::check_place(reach, None, Some(*role)).is_ok())
        .collect()
}

/// Puts a member of the organization, named by id or address, into a team.
pub async fn add(cx: &OrgCx, name: &str, person: &str, role: TeamRole) -> ActionResult<TeamStep> {
    let mut tx = cx.tx().await?;
    let (team, reach) = enter(cx, &mut tx, name).await?;
    check_place(reach, None, Some(role))?;
    let user = sought(cx, &mut tx, person).await?;
    match store::teams::add_member(&mut tx, team.id, user, role, cx.now()).await? {
        TeamAddition::Added => {}
        TeamAddition::AlreadyThere => {
            return Err(ActionError::field("person", format!("they are in {} already", team.name)));
        }
        TeamAddition::NotAMember => return Err(unknown(cx)),
        TeamAddition::NoSuchTeam => return Err(ActionError::NotFound),
    }
    let member = store::teams::find_member(&mut tx, team.id, user).await?.ok_or(ActionError::NotFound)?;
    let entry = Entry::admin("team.member_added", &cx.who())
        .target("team", team.id, &team.name)
        .about(user)
        .after(&PlaceRecord::of(&member, role));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(TeamStep { team, member, before: None })
}

/// Gives somebody another role in a team; left out, it stays.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn change_role(
    cx: &OrgCx,
    name: &str,
    user: &str,
    role: Option<TeamRole>,
    seen: Option<i64>,
) -> ActionResult<TeamStep> {
    let mut tx = cx.tx().await?;
    let (team, reach) = enter(cx, &mut tx, name).await?;
    let before = place_of(&mut tx, &team, user).await?;
    let role = role.unwrap_or(before.role);
    check_place(reach, Some(before.role), Some(role))?;
    if before.role == role && seen.is_none_or(|seen| seen == before.version) {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        return Ok(TeamStep { team, before: Some(before.role), member: before });
    }
    // The version read here also keeps a role given in between from being overwritten by one who might not touch it.
    let expected = Some(seen.unwrap_or(before.version));
    settled(
        store::teams::change_member_role(&mut tx, team.id, before.user, role, expected, cx.now()).await?,
    )?;
    let member =
        store::teams::find_member(&mut tx, team.id, before.user).await?.ok_or(ActionError::NotFound)?;
    let entry = Entry::admin("team.member_changed", &cx.who())
        .target("team", team.id, &team.name)
        .about(member.user)
        .before(&PlaceRecord::of(&before, before.role))
        .after(&PlaceRecord::of(&member, role));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(TeamStep { team, member, before: Some(before.role) })
}

/// Takes somebody out of a team; they stay in the organization. Everyone may leave a team by themselves.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn remove(cx: &OrgCx, name: &str, user: &str, seen: Option<i64>) -> ActionResult<TeamStep> {
    let mut tx = cx.tx().await?;
    let (team, reach) = enter(cx, &mut tx, name).await?;
    let member = place_of(&mut tx, &team, user).await?;
    let is_leaving = cx.person.as_ref().is_some_and(|person| person.user.id == member.user);
    if !is_leaving {
        check_place(reach, Some(member.role), None)?;
    }
    let expected = Some(seen.unwrap_or(member.version));
    settled(store::teams::remove_member(&mut tx, team.id, member.user, expected).await?)?;
    let entry = Entry::admin("team.member_removed", &cx.who())
        .target("team", team.id, &team.name)
        .about(member.user)
        .before(&PlaceRecord::of(&member, member.role));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(TeamStep { team, before: Some(member.role), member })
}

async fn place_of(tx: &mut OrgTx, team: &Team, user: &str) -> ActionResult<TeamMember> {
    let user: UserId = user.parse().map_err(|_| ActionError::NotFound)?;
    store::teams::find_member(tx, team.id, user).await?.ok_or(ActionError::NotFound)
}

async fn sought(cx: &OrgCx, tx: &mut OrgTx, person: &str) -> ActionResult<UserId> {
    if let Ok(user) = person.trim().parse() {
        return Ok(user);
    }
    let email: Email = person.parse().map_err(|bad| ActionError::field("person", format!("{bad}")))?;
    store::members::find_by_email(tx, &email).await?.ok_or_else(|| unknown(cx))
}

fn unknown(cx: &OrgCx) -> ActionError {
    let message = format!("nobody in {} has this address; an admin can invite them first", cx.org.name);
    ActionError::field("person", message)
}
