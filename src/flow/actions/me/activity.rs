//! What the record holds about the person, outside of any organization.

use crate::{
    base::page::{Page, PageRequest},
    domain::audit::{self, EventFilter, EventRow},
    flow::{cx::PersonCx, fault::ActionResult},
    io::db::Tx,
};

/// What the person did and what was done to them, newest first.
pub async fn list(cx: &PersonCx, page: &PageRequest<i64>) -> ActionResult<Page<EventRow>> {
    let mut tx = cx.tx().await?;
    let filter = EventFilter { user: Some(cx.id()), ..EventFilter::default() };
    let events = audit::list(&mut tx, &filter, page).await?;
    tx.done().await?;
    Ok(events)
}
