//! The instance's own record: what was done to the installation.

use askama::Template;
use axum::extract::{Path, Query};
use serde::Deserialize;

use crate::{
    base::{ids::EventId, page::Page},
    domain::audit::{Decision, EventFilter, EventKind, EventRow, Proof},
    flow::{actions::ops::record, fault::ActionError},
    web::{
        console::shell_of,
        kit::{
            ask::OperatorPage,
            listing::{PageQuery, next_href},
            page::{PageResult, page},
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
    events: Vec<EventRow>,
    is_filtered: bool,
    first: String,
    next: String,
}

/// One event.
#[derive(Template)]
#[template(path = "console/ops/event.html")]
struct EventPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    row: EventRow,
    note: String,
    before: String,
    after: String,
    proof: Option<Proof>,
    holds: bool,
}

#[derive(Default, Deserialize)]
struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    cursor: Option<String>,
}

async fn list(ask: OperatorPage, Query(query): Query<ListQuery>) -> PageResult {
    let request = PageQuery { limit: None, cursor: query.cursor.clone() }.parse()?;
    let kind = EventKind::parse(&query.kind);
    let words = query.q.trim().replace('\0', "");
    // An action has a dot in it and no space; everything else is looked for in names.
    let is_action = words.contains('.') && !words.contains(' ') && !words.contains('@');
    let sought = Some(words.clone()).filter(|words| !words.is_empty());
    let (action, text) = if is_action { (sought, None) } else { (None, sought) };
    let filter = EventFilter { kind, action, text, ..EventFilter::default() };
    let Page { items, next } = record::list(&ask.cx, &filter, &request).await?;
    let word = kind.map_or("", EventKind::name);
    let filters = [("q", words.as_str()), ("kind", word)];
    let (first, next) = next_href("/ops/audit", &filters, query.cursor.as_deref(), next.as_deref());
    let tab = |label: &str, kind: &str| {
        let href = if kind.is_empty() { "/ops/audit".to_owned() } else { format!("/ops/audit?kind={kind}") };
        Tab::new(label, href, kind == word)
    };
    page(&RecordPage {
        shell: shell_of::operator(&ask, "Audit log").await?,
        tabs: vec![tab("All", ""), tab("Admin changes", "admin"), tab("Sign-ins", "auth")],
        is_filtered: !words.is_empty() || kind.is_some(),
        kind: word.to_owned(),
        q: words,
        events: items,
        first,
        next,
    })
}

async fn show(ask: OperatorPage, Path(event): Path<String>) -> PageResult {
    let event: EventId = event.parse().map_err(|_| ActionError::NotFound)?;
    let (found, proof) = record::find(&ask.cx, event).await?;
    let pretty = |value: Option<&serde_json::Value>| {
        value.and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
    };
    let kept = found.record.as_ref();
    page(&EventPage {
        shell: shell_of::operator(&ask, found.row.action.clone()).await?,
        crumbs: vec![Crumb::to("Audit log", "/ops/audit")],
        note: kept.and_then(|kept| kept.note.clone()).unwrap_or_default(),
        before: pretty(kept.and_then(|kept| kept.before.as_ref())),
        after: pretty(kept.and_then(|kept| kept.after.as_ref())),
        holds: proof.as_ref().is_some_and(|proof| proof.recomputes && proof.follows && proof.columns_agree),
        row: found.row,
        proof,
    })
}
