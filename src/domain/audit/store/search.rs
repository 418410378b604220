//! Looking for words in the log, a stretch of it at a time.
//!
//! Words within names have no index that helps: every event on the way has to be looked at. A chain may hold tens of
//! millions, so a search ends after a stretch, says how far it came, and goes on from there when it is asked to.

use time::OffsetDateTime;

use crate::{
    base::page::{Page, PageRequest, cursor},
    domain::audit::store::{
        filter::EventFilter,
        list::{self, Between},
        read::EventRow,
    },
    io::db::{DbResult, Tx},
};

/// What a search found in one stretch.
#[derive(Debug)]
pub struct Searched {
    /// The events, newest first; the cursor of the next page also where only the stretch ended.
    pub page: Page<EventRow>,
    /// The cursor of the page before this one in the other direction.
    pub newer: Option<String>,
    /// How far back the stretch reaches, where the log goes on beyond it.
    pub reaches: Option<OffsetDateTime>,
}

impl EventFilter {
    /// Whether it asks for words within names.
    pub const fn has_words(&self) -> bool {
        self.text.is_some() || self.actor_name.is_some() || self.target_name.is_some()
    }
}

/// Events of the transaction's chain, newest first; where words are asked for, only those of the next `stretch` places.
///
/// # Errors
/// When the database is away.
pub async fn search(
    tx: &mut impl Tx,
    filter: &EventFilter,
    page: &PageRequest<i64>,
    stretch: i64,
) -> DbResult<Searched> {
    if !filter.has_words() {
        let found = list::list(tx, filter, page).await?;
        return Ok(Searched { newer: newer(page, &found), page: found, reaches: None });
    }
    let span = span(tx, filter).await?;
    let below = page.after.map_or(span.below, |after| after.min(span.below));
    let above = below.saturating_sub(1).saturating_sub(stretch).max(span.above);
    let rows = list::newest_between(tx, filter, Between { above, below }, page.limit).await?;
    let found = Page::cut(rows, page.limit, |row| row.seq);
    let newer = newer(page, &found);
    if found.next.is_some() || above == span.above {
        return Ok(Searched { page: found, newer, reaches: None });
    }
    let reaches = moment_after(tx, above).await?;
    Ok(Searched { page: Page { next: Some(cursor(&(above + 1))), ..found }, newer, reaches })
}

/// The events that come right after a place, newest first; where words are asked for, only
/// those of the next `stretch` places. Nothing where the first page shows them all.
///
/// # Errors
/// When the database is away.
pub async fn search_newer(
    tx: &mut impl Tx,
    filter: &EventFilter,
    after: i64,
    limit: u16,
    stretch: i64,
) -> DbResult<Option<Searched>> {
    let below = after.saturating_add(stretch).saturating_add(1);
    let is_whole = !filter.has_words() || span(tx, filter).await?.below <= below;
    let mut rows = if filter.has_words() {
        list::oldest_between(tx, filter, Between { above: after, below }, limit).await?
    } else {
        list::newer(tx, filter, after, limit).await?
    };
    let is_full = rows.len() > usize::from(limit);
    if is_whole && !is_full {
        return Ok(None);
    }
    rows.truncate(usize::from(limit));
    rows.reverse();
    let newest = rows.first().map(|row| row.seq).filter(|_| is_full).unwrap_or(below - 1);
    let oldest = rows.last().map_or(after + 1, |row| row.seq);
    let page = Page { items: rows, next: Some(cursor(&oldest)) };
    Ok(Some(Searched { page, newer: Some(cursor(&newest)), reaches: None }))
}

/// Going on from a place means that something newer stands before it.
fn newer(asked: &PageRequest<i64>, found: &Page<EventRow>) -> Option<String> {
    asked.after.map(|after| cursor(&found.items.first().map_or(after - 1, |row| row.seq)))
}

/// Between which places of the chain the time of a filter lies, a day to spare on either side.
async fn span(tx: &mut impl Tx, filter: &EventFilter) -> DbResult<Between> {
    let org = tx.chain();
    let row = sqlx::query!(
        r#"select
            coalesce(events_before($1, $2::timestamptz - interval '1 day'), 0) as "above!",
            coalesce(events_before($1, $3::timestamptz + interval '1 day') + 1,
                (select e.seq + 1 from events e where e.org_id = $1 order by e.seq desc limit 1), 1) as "below!""#,
        org,
        filter.from,
        filter.to
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Between { above: row.above, below: row.below })
}

/// When the first event after a place happened.
async fn moment_after(tx: &mut impl Tx, place: i64) -> DbResult<Option<OffsetDateTime>> {
    let org = tx.chain();
    Ok(sqlx::query_scalar!(
        "select at from events where org_id = $1 and seq > $2 order by seq limit 1",
        org,
        place
    )
    .fetch_optional(tx.conn())
    .await?)
}
