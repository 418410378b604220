//! The audit log: a list with filters, one event beside it or on its own page, downloads.

mod asked;
mod panel;
mod tokens;
pub(in crate::web::console) mod words;

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use time::OffsetDateTime;

use crate::{
    base::permission::Permission,
    domain::audit::{Decision, EventDetail},
    flow::actions::{
        events::{self, Log},
        export::{self, Format},
    },
    web::{
        console::{
            audit::{
                asked::{Asked, Chip, Row},
                panel::Panel,
                tokens::{Bad, Token},
            },
            shell_of,
            traces::Reader,
        },
        kit::{
            ask::OrgPage,
            download::download,
            faults::PageError,
            page::{PageResult, page, page_with},
            parts::{Choice, Crumb, Tab},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(in crate::web::console) use panel::simulate;

/// The routes.
pub fn routes() -> Routes {
    let read = Access::Org(Permission::AuditRead);
    let export = Access::Org(Permission::AuditExport);
    Routes::default().page("/o/{org}/audit", read, list).page("/o/{org}/audit/{event}", read, show).download(
        "/o/{org}/audit/export",
        export,
        Effect::Records(&["audit.exported"]),
        save,
    )
}

/// The list.
#[derive(Template)]
#[template(path = "console/audit/list.html")]
struct AuditPage {
    shell: Shell,
    tabs: Vec<Tab>,
    kind: String,
    chips: Vec<Chip>,
    /// The filters shown as chips, to be sent along with what is typed.
    kept: String,
    /// What was typed and cannot be used, to be corrected.
    typed: String,
    bad: Vec<Bad>,
    spans: Vec<Choice>,
    rows: Vec<Row>,
    panel: Option<Panel>,
    older: String,
    newer: String,
    /// How far back words were looked for, where the log goes on.
    reaches: Option<OffsetDateTime>,
    /// Where nothing matches: what to drop, and where that leads.
    drops: Vec<Chip>,
    advice: &'static str,
    all: String,
    has_filter: bool,
    csv: String,
    jsonl: String,
    can_export: bool,
}

/// One event.
#[derive(Template)]
#[template(path = "console/audit/show.html")]
struct EventPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    panel: Panel,
}

/// How an event ended: tone, glyph, word.
pub(in crate::web::console) const fn outcome(
    decision: Decision,
) -> (&'static str, &'static str, &'static str) {
    match decision {
        Decision::Allowed => ("allow", "ok", "Allowed"),
        Decision::Done => ("quiet", "ok", "Done"),
        Decision::Refused => ("deny", "deny", "Denied"),
        Decision::Failed => ("rule", "warn", "Failed"),
        Decision::Unknown => ("rule", "warn", "Unknown"),
    }
}

/// The same of an event of which all is known: a call that waits for a human was asked about.
pub(in crate::web::console) fn outcome_of(
    detail: &EventDetail,
) -> (&'static str, &'static str, &'static str) {
    if is_asked(detail) { ("ask", "ask", "Asked") } else { outcome(detail.row.decision) }
}

/// Whether it is a call that waits for a human.
pub(in crate::web::console) fn is_asked(detail: &EventDetail) -> bool {
    let call = detail.record.as_ref().and_then(|record| record.call.as_deref());
    call.is_some_and(|call| call.code.as_deref() == Some("approval_needed"))
}

/// Who reads an event.
fn reader<'a>(ask: &'a OrgPage, detail: Option<&EventDetail>) -> Reader<'a> {
    let user = detail.and_then(|detail| detail.row.user);
    Reader {
        slug: ask.cx.org.slug.as_str(),
        role: ask.cx.role,
        is_theirs: user.is_some() && user == ask.cx.user(),
    }
}

const ONE_FILTER: &str = "Together the filters leave nothing. Without this one there is something to see:";
const NO_SINGLE_FILTER: &str = "No single filter is to blame; taking all away shows the whole log.";

async fn list(ask: OrgPage, Query(pairs): Query<Vec<(String, String)>>) -> PageResult {
    let mut asked = Asked::read(&ask, &pairs);
    let input = asked.tokens.input(asked.kind.as_deref());
    let log = events::browse(&ask.cx, &input, asked.turn, asked.event.as_deref()).await?;
    asked.reject(&log.faults);
    let status = if asked.tokens.bad.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    page_with(status, &list_page(&ask, asked, &log).await?)
}

async fn list_page(ask: &OrgPage, asked: Asked, log: &Log) -> Result<AuditPage, PageError> {
    let span = asked.span();
    let shown: Vec<&Token> = asked.tokens.good.iter().filter(|token| Some(*token) != span).collect();
    let turned = |name, cursor: &Option<String>| match cursor {
        Some(cursor) => asked.here(&[(name, cursor.clone())]),
        None => String::new(),
    };
    let csv = [("format", Format::Csv.name().to_owned())];
    let typed = asked.tokens.bad.iter().map(|bad| bad.text.as_str()).collect::<Vec<_>>().join(" ");
    let mut shell = shell_of::org(ask, "Audit log").await?;
    shell.has_faults = !asked.tokens.bad.is_empty();
    Ok(AuditPage {
        shell,
        tabs: asked.tabs(),
        kind: asked.kind.clone().unwrap_or_default(),
        kept: shown.iter().map(|token| token.text()).collect::<Vec<_>>().join(" "),
        chips: shown.iter().map(|token| asked.chip(token, &log.rows)).collect(),
        typed,
        bad: asked.tokens.bad.clone(),
        spans: asked.spans(),
        rows: log.rows.iter().map(|row| asked.row(row)).collect(),
        panel: asked.panel(log, reader(ask, log.seen.as_ref().map(|seen| &seen.detail))),
        older: turned("cursor", &log.older),
        newer: turned("newer", &log.newer),
        reaches: log.reaches,
        advice: if log.droppable.is_empty() { NO_SINGLE_FILTER } else { ONE_FILTER },
        drops: asked.drops(log),
        has_filter: asked.kind.is_some() || !asked.tokens.good.is_empty(),
        csv: asked.address("/export", asked.kind.as_deref(), &asked.tokens.text_without(""), &csv),
        jsonl: format!("{}/export?format=jsonl", asked.base),
        all: asked.base,
        can_export: ask.cx.may(Permission::AuditExport),
    })
}

async fn show(ask: OrgPage, Path((_, event)): Path<(String, String)>) -> PageResult {
    let seen = events::find(&ask.cx, &event).await?;
    let base = format!("/o/{}/audit", ask.cx.org.slug);
    let mut panel = Panel::of(&seen, reader(&ask, Some(&seen.detail)), &base, |key, value| {
        let query = serde_urlencoded::to_string([("q", Token { key, value }.text())]).unwrap_or_default();
        format!("{base}?{query}")
    });
    let beside =
        |id: Option<crate::base::ids::EventId>| id.map(|id| format!("{base}/{id}")).unwrap_or_default();
    panel.newer = beside(seen.neighbors.newer);
    panel.older = beside(seen.neighbors.older);
    page(&EventPage {
        shell: shell_of::org(&ask, panel.title.clone()).await?,
        crumbs: vec![Crumb::to("Audit log", base)],
        panel,
    })
}

async fn save(ask: OrgPage, Query(pairs): Query<Vec<(String, String)>>) -> Result<Response, PageError> {
    ask.cx.require(Permission::AuditExport)?;
    let asked = Asked::read(&ask, &pairs);
    let format = pairs.iter().find(|(name, _)| name == "format").map_or("", |(_, value)| value.as_str());
    if let Some(bad) = asked.tokens.bad.first() {
        return Err(crate::flow::fault::ActionError::field("q", bad.why.clone()).into());
    }
    let input = asked.tokens.input(asked.kind.as_deref());
    Ok(download(export::begin(&ask.cx, Format::parse(format)?, &input).await?))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::domain::audit::Decision;
    use crate::web::console::{
        audit::panel::{Change, Check, Fact, Would},
        samples::event,
    };
    use crate::web::kit::{
        samples::{AT, LONG, SHARP, sample, shell},
        shell::Base,
    };

    let chip = || Chip { key: "-person", value: LONG.into(), text: LONG.into(), href: "/x".into() };
    let row = |n: usize| {
        let (tone, glyph, outcome) = outcome([Decision::Done, Decision::Refused, Decision::Failed][n % 3]);
        let deed = words::deed(&event(LONG, Decision::Refused), None);
        Row {
            href: "/x".into(),
            at: AT,
            tone,
            glyph,
            outcome,
            who: LONG.into(),
            note: "",
            deed,
            current: n == 1,
        }
    };
    let panel = || Panel {
        href: "/x".into(),
        newer: "/n".into(),
        older: "/o".into(),
        close: "/c".into(),
        title: "Role changed".into(),
        sentence: LONG.into(),
        note: SHARP.into(),
        tone: "deny",
        glyph: "deny",
        outcome: "Denied",
        at: AT,
        changes: vec![Change { field: "Role".into(), before: Some(LONG.into()), after: None }],
        steps: crate::web::console::traces::sample_lines(),
        observed: vec![Would {
            tone: "ask",
            glyph: "ask",
            word: "Would have been asked",
            says: LONG.into(),
            rule: SHARP.into(),
            href: "/x".into(),
        }],
        arguments: "{\n  \"title\": \"x\"\n}".into(),
        facts: vec![Fact { name: "Who", text: LONG.into(), is_code: true, href: "/x".into() }],
        checks: vec![Check { class: "ok", glyph: "ok", says: LONG.into() }],
        proof: Vec::new(),
        simulate: "/o/acme/policies/crew/simulate?event=x".into(),
        sealed_at: None,
    };
    let page = |count: usize, chips: usize, bad: Vec<Bad>| AuditPage {
        shell: shell(Base::Organization, "Audit log"),
        tabs: vec![Tab::new("All", "/a", true)],
        kind: String::new(),
        chips: (0..chips).map(|_| chip()).collect(),
        kept: SHARP.into(),
        typed: bad.iter().map(|bad| bad.text.as_str()).collect(),
        bad,
        spans: vec![Choice::new("", "Any time")],
        rows: (0..count).map(row).collect(),
        panel: Some(panel()).filter(|_| count > 1),
        older: if count > 0 { "/o".into() } else { String::new() },
        newer: if count > 0 { "/n".into() } else { String::new() },
        reaches: None,
        drops: (0..chips).map(|_| chip()).collect(),
        advice: ONE_FILTER,
        all: "/o/acme/audit".into(),
        has_filter: chips > 0,
        csv: "/csv".into(),
        jsonl: "/jsonl".into(),
        can_export: true,
    };
    let bad = vec![Bad { text: SHARP.into(), why: LONG.into() }];
    let one = EventPage {
        shell: shell(Base::Organization, "Role changed"),
        crumbs: vec![Crumb::to("Audit log", "/x")],
        panel: panel(),
    };
    let searched = |count| AuditPage { reaches: Some(AT), older: "/o".into(), ..page(count, 3, Vec::new()) };
    vec![
        sample("audit: nothing matches so far", &searched(0)),
        sample("audit: something matches so far", &searched(3)),
        sample("audit: nothing", &page(0, 0, Vec::new())),
        sample("audit: nothing matches", &page(0, 3, bad)),
        sample("audit: much", &page(50, 8, Vec::new())),
        sample("audit: event", &one),
    ]
}
