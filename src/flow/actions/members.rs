//! Members: who is here with which role, and who owns the organization.

use serde::Serialize;

use crate::{
    base::{
        ids::UserId,
        page::{Page, PageRequest},
        permission::{NotARole, Permission, Role},
    },
    domain::{
        audit::{self, Entry, EventFilter, EventRow},
        automation::{ApiKeyEntry, KeyFilter, store as automation},
        connections::store::reach as connections,
        grants::store as grants,
        identity::store as identity,
        tenancy::{
            Member, MemberFilter, PersonsTeam, PlaceInTeam, Reach, Suspension, TenancyRefusal, rules::people,
            store,
        },
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
        letters::{Letter, OwnershipTransferred, PostError},
    },
    io::db::{OrgTx, Tx},
};

/// How many of a person's latest events their page shows.
const LATEST: u16 = 8;

/// A member in a list.
#[derive(Clone, Debug)]
pub struct MemberEntry {
    /// The member.
    pub member: Member,
    /// Their teams, by name.
    pub teams: Vec<PlaceInTeam>,
    /// How many agents act in their name.
    pub agents: i64,
    /// How many accounts of theirs are connected.
    pub accounts: i64,
    /// Whether they have a passkey or an authenticator app.
    pub has_second_factor: bool,
    /// That an admin keeps them out, where one does.
    pub suspension: Option<Suspension>,
}

/// Everything the page of one member shows.
#[derive(Clone, Debug)]
pub struct MemberFacts {
    /// The member.
    pub entry: MemberEntry,
    /// Their teams, with their role in each.
    pub teams: Vec<PersonsTeam>,
    /// How many sessions they have.
    pub sessions: usize,
    /// Their API keys here, where the caller may see keys.
    pub keys: Vec<ApiKeyEntry>,
    /// What they did and what was done to them, where the caller may read the record.
    pub events: Vec<EventRow>,
    /// Whether this is the caller.
    pub is_self: bool,
    /// Whether nobody else is an owner.
    pub is_last_owner: bool,
    /// The roles that the caller may give them; empty where the caller may change nothing.
    pub roles: Vec<Role>,
}

/// A role that was changed.
#[derive(Clone, Debug)]
pub struct RoleChange {
    /// The role before.
    pub before: Role,
    /// The member now.
    pub entry: MemberEntry,
}

/// What the record keeps of a membership.
#[derive(Serialize)]
pub(super) struct MemberRecord {
    role: Role,
}

impl From<&Member> for MemberRecord {
    fn from(member: &Member) -> Self {
        Self { role: member.role }
    }
}

/// The organization's people, by name.
pub async fn list(
    cx: &OrgCx,
    filter: &MemberFilter,
    page: &PageRequest<(String, UserId)>,
) -> ActionResult<Page<MemberEntry>> {
    cx.require(Permission::MembersRead)?;
    let mut tx = cx.tx().await?;
    let Page { items, next } = store::members::list(&mut tx, filter, page).await?;
    Ok(Page { items: dressed(cx, tx, items).await?, next })
}

/// One member.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<MemberEntry> {
    cx.require(Permission::MembersRead)?;
    let mut tx = cx.tx().await?;
    let member = named(&mut tx, id).await?;
    one_dressed(cx, tx, member).await
}

/// One member with all that the page about them shows.
pub async fn facts(cx: &OrgCx, id: &str) -> ActionResult<MemberFacts> {
    cx.require(Permission::MembersRead)?;
    let mut tx = cx.tx().await?;
    let member = named(&mut tx, id).await?;
    let user = member.user;
    let teams = store::teams::list_of_person(&mut tx, user).await?;
    let sessions = identity::sessions::list(&mut tx, user, cx.now()).await?.len();
    let keys = if cx.may(Permission::ApiKeysRead) {
        let filter = KeyFilter { owner: Some(crate::base::actor::KeyOwner::User(user)), state: None };
        automation::keys::list(&mut tx, filter, &PageRequest::first(), cx.now()).await?.items
    } else {
        Vec::new()
    };
    let events = if cx.may(Permission::AuditRead) {
        let filter = EventFilter { user: Some(user), ..EventFilter::default() };
        audit::list(&mut tx, &filter, &PageRequest { limit: LATEST, after: None }).await?.items
    } else {
        Vec::new()
    };
    let is_last_owner = member.role == Role::Owner && owners(&mut tx).await? == 1;
    let roles = roles_to_give(cx, &member, is_last_owner);
    let entry = one_dressed(cx, tx, member).await?;
    Ok(MemberFacts {
        entry,
        teams,
        sessions,
        keys,
        events,
        is_self: cx.user() == Some(user),
        is_last_owner,
        roles,
    })
}

/// Gives a member another role; none leaves them the one they have.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen; a refusal for the last owner.
pub async fn change_role(
    cx: &OrgCx,
    id: &str,
    role: Option<&str>,
    seen: Option<i64>,
) -> ActionResult<RoleChange> {
    cx.require(Permission::MembersWrite)?;
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    let before = named(&mut tx, id).await?;
    let wanted: Role = role
        .map_or(Ok(before.role), str::parse)
        .map_err(|why: NotARole| ActionError::field("role", why.to_string()))?;
    people::check_role_change(reach(cx), before.user, before.role, wanted, &owners).map_err(refused)?;
    if before.role == wanted {
        let role = before.role;
        return Ok(RoleChange { before: role, entry: one_dressed(cx, tx, before).await? });
    }
    if before.role == Role::Owner || wanted == Role::Owner {
        cx.require_proof()?;
    }
    if wanted == Role::Owner {
        not_suspended(&mut tx, &before).await?;
    }
    let expected = seen.or(Some(before.version));
    settled(store::members::change_role(&mut tx, &owners, before.user, wanted, expected, cx.now()).await?)?;
    let after = store::members::find(&mut tx, before.user).await?.ok_or(ActionError::NotFound)?;
    let entry = Entry::admin("member.role_changed", &cx.who())
        .target("member", after.user, &after.name)
        .about(after.user)
        .changed(&MemberRecord::from(&before), &MemberRecord::from(&after));
    audit::commit(tx, cx.now(), vec![entry]).await?;
    let tx = cx.tx().await?;
    Ok(RoleChange { before: before.role, entry: one_dressed(cx, tx, after).await? })
}

/// Who would become an owner by [`transfer`].
pub async fn heir(cx: &OrgCx, id: &str) -> ActionResult<Member> {
    cx.require(Permission::OwnersWrite)?;
    cx.require_proof()?;
    let mut tx = cx.tx().await?;
    let heir = named(&mut tx, id).await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    people::check_transfer(reach(cx), giver(cx)?, heir.user, &owners).map_err(refused)?;
    tx.done().await?;
    Ok(heir)
}

/// Hands ownership to another member: they become an owner, the caller an admin.
///
/// # Errors
/// `Changed` where someone else was faster than the version seen.
pub async fn transfer(cx: &OrgCx, id: &str, seen: Option<i64>) -> ActionResult<Member> {
    cx.require(Permission::OwnersWrite)?;
    cx.require_proof()?;
    let giver = giver(cx)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    let before = named(&mut tx, id).await?;
    let owner = store::members::find(&mut tx, giver).await?.ok_or(ActionError::NotFound)?;
    people::check_transfer(reach(cx), giver, before.user, &owners).map_err(refused)?;
    not_suspended(&mut tx, &before).await?;
    let expected = seen.or(Some(before.version));
    let outcome =
        store::members::transfer_ownership(&mut tx, &owners, giver, before.user, expected, now).await?;
    settled(outcome)?;
    let heir = store::members::find(&mut tx, before.user).await?.ok_or(ActionError::NotFound)?;
    let stepped_down = store::members::find(&mut tx, giver).await?.ok_or(ActionError::NotFound)?;
    let letter = Letter::OwnershipTransferred(OwnershipTransferred {
        org: cx.org.name.as_str().into(),
        from: owner.name.as_str().into(),
        to: heir.name.as_str().into(),
        at: now.into(),
        members_page: cx.ports.site.url(&format!("/o/{}/members", cx.org.slug)),
    });
    let to = heir.email.parse().map_err(ActionError::defect)?;
    cx.ports.post.queue(&mut tx, &to, &letter).await.map_err(unposted)?;
    let handed = Entry::admin("ownership.transferred", &cx.who())
        .target("member", heir.user, &heir.name)
        .about(heir.user)
        .changed(&MemberRecord::from(&before), &MemberRecord::from(&heir));
    let down = Entry::admin("member.role_changed", &cx.who())
        .target("member", giver, &owner.name)
        .changed(&MemberRecord::from(&owner), &MemberRecord::from(&stepped_down));
    audit::commit(tx, now, vec![handed, down]).await?;
    cx.ports.waker.wake();
    Ok(heir)
}

/// Who is kept out does not become an owner: an organization always has one who can come in.
async fn not_suspended(tx: &mut OrgTx, member: &Member) -> ActionResult<()> {
    if store::suspensions::list(tx, &[member.user]).await?.is_empty() {
        return Ok(());
    }
    let sentence =
        format!("{} is suspended. Resume their membership before they become an owner.", member.name);
    Err(ActionError::refused("member_suspended", sentence))
}

fn giver(cx: &OrgCx) -> ActionResult<UserId> {
    cx.user().ok_or(ActionError::Forbidden(Permission::OwnersWrite))
}

/// How far the caller's right to manage people reaches.
pub(super) fn reach(cx: &OrgCx) -> Reach {
    Reach::of(|permission| cx.may(permission))
}

/// A refusal for want of a right names the permission, so that its page names the roles.
pub(super) fn refused(refusal: TenancyRefusal) -> ActionError {
    match refusal {
        TenancyRefusal::MayNotManage => ActionError::Forbidden(Permission::MembersWrite),
        TenancyRefusal::OwnersOnly => ActionError::Forbidden(Permission::OwnersWrite),
        other => other.into(),
    }
}

/// A letter that could not be queued.
pub(super) fn unposted(error: PostError) -> ActionError {
    match error {
        PostError::Db(error) => error.into(),
        PostError::Vault(error) => error.into(),
    }
}

/// The member whose id a path names.
pub(super) async fn named(tx: &mut OrgTx, id: &str) -> ActionResult<Member> {
    let user: UserId = id.parse().map_err(|_| ActionError::NotFound)?;
    store::members::find(tx, user).await?.ok_or(ActionError::NotFound)
}

fn roles_to_give(cx: &OrgCx, member: &Member, is_last_owner: bool) -> Vec<Role> {
    let reach = reach(cx);
    if is_last_owner || people::check_invitation(reach, member.role).is_err() {
        return Vec::new();
    }
    people::roles_to_give(reach).collect()
}

/// How many owners there are: none, one, or more.
async fn owners(tx: &mut OrgTx) -> ActionResult<usize> {
    let filter = MemberFilter { role: Some(Role::Owner), ..MemberFilter::default() };
    let page = PageRequest { limit: 2, after: None };
    Ok(store::members::list(tx, &filter, &page).await?.items.len())
}

pub(super) async fn one_dressed(cx: &OrgCx, tx: OrgTx, member: Member) -> ActionResult<MemberEntry> {
    dressed(cx, tx, vec![member]).await?.pop().ok_or(ActionError::NotFound)
}

/// Adds to members what other rooms know of them. Ends the transaction, which only read.
async fn dressed(cx: &OrgCx, mut tx: OrgTx, members: Vec<Member>) -> ActionResult<Vec<MemberEntry>> {
    let users: Vec<UserId> = members.iter().map(|member| member.user).collect();
    let places = store::places::list(&mut tx, &users).await?;
    let mut suspended = store::suspensions::list(&mut tx, &users).await?;
    let agents = grants::grants::count_of_users(&mut tx, &users, cx.now()).await?;
    let accounts = connections::count_of_users(&mut tx, &users).await?;
    tx.done().await?;
    let counted = |counts: &[(UserId, i64)], user| {
        counts.iter().find(|(of, _)| *of == user).map_or(0, |(_, count)| *count)
    };
    let mut tx = cx.system_tx().await?;
    let secured = identity::factors::holders(&mut tx, &users).await?;
    tx.done().await?;
    let mut suspension = |user: UserId| {
        let at = suspended.iter().position(|(suspended, _)| *suspended == user)?;
        Some(suspended.swap_remove(at).1)
    };
    let entry = |member: Member| MemberEntry {
        suspension: suspension(member.user),
        teams: places.iter().filter(|place| place.user == member.user).cloned().collect(),
        agents: counted(&agents, member.user),
        accounts: counted(&accounts, member.user),
        has_second_factor: secured.contains(&member.user),
        member,
    };
    Ok(members.into_iter().map(entry).collect())
}
