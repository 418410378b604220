//! The instance's own record.

use crate::{
    base::{
        ids::EventId,
        page::{Page, PageRequest},
    },
    domain::audit::{self, EventDetail, EventFilter, EventRow, Proof},
    flow::{
        cx::OperatorCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// What happened to the installation, newest first.
pub async fn list(
    cx: &OperatorCx,
    filter: &EventFilter,
    page: &PageRequest<i64>,
) -> ActionResult<Page<EventRow>> {
    let mut tx = cx.system_tx().await?;
    let events = audit::list(&mut tx, filter, page).await?;
    tx.done().await?;
    Ok(events)
}

/// One event, and whether its bytes still prove it.
pub async fn find(cx: &OperatorCx, event: EventId) -> ActionResult<(EventDetail, Option<Proof>)> {
    let mut tx = cx.system_tx().await?;
    let found = audit::find(&mut tx, event).await?.ok_or(ActionError::NotFound)?;
    let proof = audit::proof(&mut tx, event).await?;
    tx.done().await?;
    Ok((found, proof))
}
