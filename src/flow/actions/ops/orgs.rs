//! Organizations as the operator sees them: their size and whether they may be used.

use serde::Serialize;

use crate::{
    base::{
        ids::OrgId,
        page::{Page, PageRequest},
    },
    domain::{
        audit::{self, Entry},
        jobs::{NewJob, store as jobs},
        tenancy::{OperatorOrg, OrgFilter, OrgState, Reason, TELL_ORG, store},
    },
    flow::{
        cx::OperatorCx,
        fault::{ActionError, ActionResult, settled},
    },
    io::db::{SystemTx, Tx},
};

/// All organizations, by name.
pub async fn list(
    cx: &OperatorCx,
    filter: &OrgFilter,
    page: &PageRequest<(String, OrgId)>,
) -> ActionResult<Page<OperatorOrg>> {
    let mut tx = cx.system_tx().await?;
    let orgs = store::orgs::list_for_operator(&mut tx, filter, page).await?;
    tx.done().await?;
    Ok(orgs)
}

/// One organization, by id or slug.
pub async fn find(cx: &OperatorCx, name: &str) -> ActionResult<OperatorOrg> {
    let mut tx = cx.system_tx().await?;
    let org = named(&mut tx, name).await?;
    tx.done().await?;
    Ok(org)
}

/// What the record keeps.
#[derive(Serialize)]
struct Standing<'a> {
    suspended: bool,
    reason: Option<&'a str>,
}

impl<'a> From<&'a OperatorOrg> for Standing<'a> {
    fn from(org: &'a OperatorOrg) -> Self {
        Self { suspended: org.suspended_at.is_some(), reason: org.suspended_reason.as_deref() }
    }
}

/// Stops an organization: its people see the reason, its keys are no good until it is resumed.
pub async fn suspend(
    cx: &OperatorCx,
    name: &str,
    reason: &str,
    seen: Option<i64>,
) -> ActionResult<OperatorOrg> {
    let reason: Reason = reason.parse().map_err(|wrong: crate::domain::tenancy::NotAReason| {
        ActionError::field("reason", wrong.to_string())
    })?;
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let before = present(&mut tx, name).await?;
    settled(store::orgs::suspend(&mut tx, before.id, &reason, seen, now).await?)?;
    keep(cx, tx, &before, "org.suspended", Some(&reason)).await
}

/// Lets a suspended organization go on.
pub async fn resume(cx: &OperatorCx, name: &str, seen: Option<i64>) -> ActionResult<OperatorOrg> {
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    let before = present(&mut tx, name).await?;
    if before.suspended_at.is_none() {
        tx.done().await?;
        return Err(ActionError::refused(
            "org_not_suspended",
            format!("{} is not suspended; nothing was changed.", before.name),
        ));
    }
    settled(store::orgs::resume(&mut tx, before.id, seen, now).await?)?;
    keep(cx, tx, &before, "org.resumed", None).await
}

/// Records the change in the instance's chain, and has the organization's own record told.
async fn keep(
    cx: &OperatorCx,
    mut tx: SystemTx,
    before: &OperatorOrg,
    action: &'static str,
    reason: Option<&Reason>,
) -> ActionResult<OperatorOrg> {
    let now = cx.now();
    let after = named(&mut tx, &before.id.to_string()).await?;
    let told = serde_json::json!({
        "org": after.id,
        "name": after.name,
        "reason": reason.map(Reason::as_str),
        "user": cx.id(),
        "session": cx.session.id,
        "operator": cx.user.name.as_str(),
        "request": cx.origin.request,
        "ip": cx.origin.ip,
    });
    let job = NewJob { kind: TELL_ORG, payload: told, dedup_key: None, run_at: now };
    jobs::enqueue(&mut tx, now, job).await?;
    let mut entry = Entry::admin(action, &cx.who())
        .target("org", after.id, &after.name)
        .changed(&Standing::from(before), &Standing::from(&after));
    if let Some(reason) = reason {
        entry = entry.note(reason.as_str());
    }
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(after)
}

async fn present(tx: &mut SystemTx, name: &str) -> ActionResult<OperatorOrg> {
    let org = named(tx, name).await?;
    if org.state() == OrgState::Deleted {
        return Err(ActionError::refused(
            "org_deleted",
            format!("{} is deleted; nothing can be changed about it.", org.name),
        ));
    }
    Ok(org)
}

async fn named(tx: &mut SystemTx, name: &str) -> ActionResult<OperatorOrg> {
    let name = name.parse().map_err(|_| ActionError::NotFound)?;
    store::orgs::find_for_operator(tx, &name).await?.ok_or(ActionError::NotFound)
}
