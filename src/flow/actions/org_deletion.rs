//! Deleting an organization: an owner asks, a second one confirms; a sole owner waits.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::{
        ids::UserId,
        permission::{Permission, Role},
    },
    domain::{
        audit::{self, Entry},
        automation::{AutomationCount, store as automation},
        tenancy::{MemberFilter, MemberName, Org, PeopleCount, TenancyRefusal, rules::deletion, store},
    },
    flow::{
        actions::orgs::present,
        cx::OrgCx,
        fault::{ActionError, ActionResult, settled},
        jobs::erase_org,
        letters::{Letter, Line, Moment, OrgDeletionAsked, PostError},
    },
    io::db::{OrgTx, Tx},
};

/// How the deletion stands, for an owner.
#[derive(Clone, Debug)]
pub struct DeletionSheet {
    /// The organization as it is now.
    pub org: Org,
    /// The owners.
    pub owners: Vec<MemberName>,
    /// Who asked; a person who left has no name here.
    pub asked_by: Option<MemberName>,
    /// When it goes by itself; nothing while a second owner has to confirm.
    pub due_at: Option<OffsetDateTime>,
    /// Whether the one who looks may confirm.
    pub may_confirm: bool,
    /// Who loses access.
    pub people: PeopleCount,
    /// What stops.
    pub automation: AutomationCount,
}

/// What the record keeps of a question.
#[derive(Serialize)]
struct AskedRecord {
    deletion_asked: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    deletes_at: Option<OffsetDateTime>,
}

/// How the deletion stands and what it would take away.
pub async fn sheet(cx: &OrgCx) -> ActionResult<DeletionSheet> {
    cx.require(Permission::OrgDelete)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let locked = store::members::lock_owners(&mut tx).await?;
    let org = present(&mut tx).await?;
    let names = store::glance::names(&mut tx).await?;
    let people = store::glance::count(&mut tx, now, now).await?;
    let automation = automation::glance::count(&mut tx, now, now).await?;
    tx.done().await?;
    let asked_by = names.iter().find(|member| Some(member.user) == org.deletion_asked_by).cloned();
    let may_confirm = cx.user().is_some_and(|user| deletion::check_confirming(&org, user, &locked).is_ok());
    let due_at = deletion::due_at(&org, &locked);
    let owners = names.into_iter().filter(|member| member.role == Role::Owner).collect();
    Ok(DeletionSheet { org, owners, asked_by, due_at, may_confirm, people, automation })
}

/// Asks for the deletion; every owner is told by letter. A sole owner's organization goes after the grace period.
pub async fn ask(cx: &OrgCx, seen: Option<i64>) -> ActionResult<Option<OffsetDateTime>> {
    let user = owner(cx)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    deletion::check_asking(&present(&mut tx).await?, user, &owners)?;
    settled(store::orgs::ask_deletion(&mut tx, user, seen, now).await?)?;
    let org = present(&mut tx).await?;
    let deletes_at = deletion::due_at(&org, &owners);
    let letter = Letter::OrgDeletionAsked(OrgDeletionAsked {
        org: Line::of(&org.name),
        by: Line::of(&cx.who().name),
        at: Moment::from(now),
        deletes_at: deletes_at.map(Moment::from),
        settings_page: cx.ports.site.url(&format!("/o/{}/settings/delete", org.slug)),
    });
    tell_owners(cx, &mut tx, &letter).await?;
    let entry = Entry::admin("org.deletion_asked", &cx.who())
        .target("org", org.id, &org.name)
        .after(&AskedRecord { deletion_asked: true, deletes_at });
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(deletes_at)
}

/// Takes the question back, whoever asked it.
pub async fn cancel(cx: &OrgCx, seen: Option<i64>) -> ActionResult<()> {
    let user = owner(cx)?;
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    let org = present(&mut tx).await?;
    deletion::check_cancelling(&org, user, &owners)?;
    settled(store::orgs::cancel_deletion(&mut tx, seen, cx.now()).await?)?;
    let entry = Entry::admin("org.deletion_canceled", &cx.who())
        .target("org", org.id, &org.name)
        .before(&AskedRecord { deletion_asked: true, deletes_at: deletion::due_at(&org, &owners) });
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(())
}

/// Confirms as a second owner: the organization goes now.
pub async fn confirm(cx: &OrgCx, seen: Option<i64>) -> ActionResult<()> {
    let user = owner(cx)?;
    let mut tx = cx.tx().await?;
    let owners = store::members::lock_owners(&mut tx).await?;
    let org = present(&mut tx).await?;
    deletion::check_confirming(&org, user, &owners)?;
    if seen.is_some_and(|seen| seen != org.version) {
        return Err(ActionError::Changed);
    }
    erase_org(tx, &cx.ports, &org, &cx.who(), cx.now()).await
}

/// The person who asks: an owner in a browser who has just proven themselves.
fn owner(cx: &OrgCx) -> ActionResult<UserId> {
    cx.require(Permission::OrgDelete)?;
    cx.require_proof()?;
    let person = cx.person.as_ref().ok_or(TenancyRefusal::DeletionOwnersOnly)?;
    Ok(person.id())
}

async fn tell_owners(cx: &OrgCx, tx: &mut OrgTx, letter: &Letter) -> ActionResult<()> {
    let filter = MemberFilter { role: Some(Role::Owner), ..MemberFilter::default() };
    let page = crate::base::page::PageRequest { limit: crate::base::page::MAX_LIMIT, after: None };
    for owner in store::members::list(tx, &filter, &page).await?.items {
        let address = owner.email.parse().map_err(ActionError::defect)?;
        cx.ports.post.queue(tx, &address, letter).await.map_err(|error| match error {
            PostError::Db(error) => ActionError::from(error),
            PostError::Vault(error) => error.into(),
        })?;
    }
    Ok(())
}
