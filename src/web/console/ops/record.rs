//! The instance's own record: what was done to the installation.

use std::borrow::Cow;

use askama::Template;
use axum::extract::Path;
use time::OffsetDateTime;

use crate::{
    base::{ids::EventId, page::Page},
    domain::audit::{EventFilter, EventKind, EventRow, Proof},
    flow::{actions::ops::record, fault::ActionError},
    web::{
        console::{
            audit::{outcome, words},
            shell_of,
        },
        kit::{
            ask::OperatorPage,
            listing::{Asked, Listing},
            page::{PageResult, page, page_with},
            parts::{Crumb, Tab},
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default().page("/ops/audit", Access::Operator, list).page(
        "/ops/audit/{event}",
        Access::Operator,
        show,
    )
}

/// The list.
#[derive(Template)]
#[template(path = "console/ops/record.html")]
struct RecordPage {
    shell: Shell,
    tabs: Vec<Tab>,
    q: String,
    kind: String,
    events: Vec<Line>,
    is_filtered: bool,
    list: Listing,
}

/// One event in the list.
struct Line {
    id: EventId,
    at: OffsetDateTime,
    title: Cow<'static, str>,
    action: String,
    who: String,
    note: &'static str,
    whom: String,
    ended: Ended,
}

/// How an event ended: tone, glyph, word.
type Ended = (&'static str, &'static str, &'static str);

impl From<EventRow> for Line {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            title: words::title(&row.action),
            who: words::actor(&row),
            note: words::actor_note(&row),
            ended: outcome(row.decision),
            whom: row.target_name.unwrap_or_default(),
            action: row.action,
        }
    }
}

/// One event.
#[derive(Template)]
#[template(path = "console/ops/event.html")]
struct EventPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    row: EventRow,
    who: String,
    ended: Ended,
    note: String,
    before: String,
    after: String,
    proof: Option<Proof>,
    holds: bool,
}

async fn list(ask: OperatorPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let (_, kind) = asked.one_of("kind", [EventKind::Admin, EventKind::Auth].map(|kind| (kind.name(), kind)));
    let sought = sought.map(|words| words.trim().to_owned());
    // An action has a dot in it and no space; everything else is looked for in names.
    let is_action = |words: &String| words.contains('.') && !words.contains([' ', '@']);
    let (action, text) = if sought.as_ref().is_some_and(is_action) { (sought, None) } else { (None, sought) };
    let filter = EventFilter { kind, action, text, ..EventFilter::default() };
    let Page { items, next } = record::list(&ask.cx, &filter, &asked.page()).await?;
    let word = kind.map_or("", EventKind::name);
    let list = asked.listing(next.as_deref());
    let tab = |label: &str, kind: &str| {
        let href = if kind.is_empty() { "/ops/audit".to_owned() } else { format!("/ops/audit?kind={kind}") };
        Tab::new(label, href, kind == word)
    };
    let page = RecordPage {
        shell: shell_of::operator(&ask, "Audit log").await?.with_faults(!list.faults.is_empty()),
        tabs: vec![tab("All", ""), tab("Admin changes", "admin"), tab("Sign-ins", "auth")],
        is_filtered: filter.action.is_some() || filter.text.is_some() || kind.is_some(),
        kind: word.to_owned(),
        q,
        events: items.into_iter().map(Line::from).collect(),
        list,
    };
    page_with(page.list.status(), &page)
}

async fn show(ask: OperatorPage, Path(event): Path<String>) -> PageResult {
    let event: EventId = event.parse().map_err(|_| ActionError::NotFound)?;
    let (found, proof) = record::find(&ask.cx, event).await?;
    let pretty = |value: Option<&serde_json::Value>| {
        value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
    };
    let kept = found.record.as_ref();
    page(&EventPage {
        shell: shell_of::operator(&ask, words::title(&found.row.action)).await?,
        crumbs: vec![Crumb::to("Audit log", "/ops/audit")],
        note: kept.and_then(|kept| kept.note.clone()).unwrap_or_default(),
        before: pretty(kept.and_then(|kept| kept.before.as_ref())),
        after: pretty(kept.and_then(|kept| kept.after.as_ref())),
        holds: proof.as_ref().is_some_and(|proof| proof.recomputes && proof.follows && proof.columns_agree),
        who: words::actor(&found.row),
        ended: outcome(found.row.decision),
        row: found.row,
        proof,
    })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::domain::audit::Decision;
    use crate::web::console::samples::event;
    use crate::web::kit::{
        samples::{LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };

    let page = |count: usize, list| RecordPage {
        shell: shell(Base::Operator, "Audit log"),
        tabs: vec![Tab::new("All", "/a", true)],
        q: SHARP.into(),
        kind: String::new(),
        events: (0..count).map(|_| event(LONG, Decision::Failed).into()).collect(),
        is_filtered: true,
        list,
    };
    let one = EventPage {
        shell: shell(Base::Operator, "Role changed"),
        crumbs: vec![Crumb::to("Audit log", "/ops/audit")],
        row: event(LONG, Decision::Refused),
        who: LONG.into(),
        ended: outcome(Decision::Refused),
        note: SHARP.into(),
        before: LONG.repeat(40),
        after: String::new(),
        proof: None,
        holds: false,
    };
    vec![
        sample("record: nothing", &page(0, refused_list("kind"))),
        sample("record: much", &page(50, list())),
        sample("record: event", &one),
    ]
}
