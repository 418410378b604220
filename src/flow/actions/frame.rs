//! What the frame around every page shows: where the person may switch to, and how the gate stands.

use time::OffsetDateTime;

use crate::{
    base::{
        page::PageRequest,
        permission::{Permission, Role},
    },
    domain::{
        access::store as access,
        approvals::store as approvals,
        audit::{self, Traffic},
        gate::{self, Gate},
        tenancy::{MemberFilter, PersonsOrg, rules::deletion, store},
    },
    flow::{
        actions::access_requests::is_decider,
        cx::{OrgCx, PersonCx},
        fault::ActionResult,
    },
    io::db::Tx,
};

/// Around an organization's page.
#[derive(Debug)]
pub struct OrgFrame {
    /// The person's organizations.
    pub orgs: Vec<PersonsOrg>,
    /// The emergency stop.
    pub gate: Gate,
    /// What passes the gate, for who may see it; nothing while it is closed.
    pub traffic: Option<Traffic>,
    /// When the organization goes by itself, where its only owner asked for that.
    pub deletes_at: Option<OffsetDateTime>,
    /// How many requests for access wait, for who sees them all.
    pub waiting_access: i64,
    /// How much waits in the inbox of who decides about calls: those, and what people ask for where they give access.
    pub waiting_approvals: i64,
    /// Whether a person who may not see all teams is in one.
    pub is_in_team: bool,
}

/// What the frame of an organization's page shows.
pub async fn of_org(cx: &OrgCx) -> ActionResult<OrgFrame> {
    let orgs = match &cx.person {
        Some(person) => of_person(person).await?,
        None => Vec::new(),
    };
    let mut tx = cx.tx().await?;
    let gate = gate::find(&mut tx).await?;
    let traffic = if gate.is_open() && cx.may(Permission::GateRead) {
        Some(audit::traffic(&mut tx, cx.now()).await?)
    } else {
        None
    };
    let mut deletes_at = None;
    if let Some(asked_at) = cx.org.deletion_asked_at {
        let owners = MemberFilter { role: Some(Role::Owner), ..MemberFilter::default() };
        let owners =
            store::members::list(&mut tx, &owners, &PageRequest { limit: 2, after: None }).await?.items;
        let waits_alone = owners.len() == 1 && Some(owners[0].user) == cx.org.deletion_asked_by;
        deletes_at = waits_alone.then(|| asked_at + deletion::GRACE);
    }
    let is_in_team = match &cx.person {
        Some(person) if !cx.may(Permission::TeamsRead) => {
            !store::teams::list_of_person(&mut tx, person.user.id).await?.is_empty()
        }
        _ => false,
    };
    let waiting_access = if cx.may(Permission::GrantsRead) {
        access::count_waiting(&mut tx, None, cx.now()).await?
    } else {
        0
    };
    let waiting_approvals = if cx.may(Permission::ApprovalsDecide) {
        let asked = if is_decider(cx) { waiting_access } else { 0 };
        approvals::count_waiting(&mut tx, cx.now()).await? + asked
    } else {
        0
    };
    tx.done().await?;
    Ok(OrgFrame { orgs, gate, traffic, deletes_at, waiting_access, waiting_approvals, is_in_team })
}

/// The organizations a person can switch to, by name.
pub async fn of_person(cx: &PersonCx) -> ActionResult<Vec<PersonsOrg>> {
    let mut tx = cx.tx().await?;
    let orgs = store::orgs::list_of_person(&mut tx).await?;
    tx.done().await?;
    Ok(orgs)
}
