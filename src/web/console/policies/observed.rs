//! What the parts of a policy that are only tried would have done to the calls of the last week: by part, and the calls.
//!
//! Asked for by script, the same address gives the parts alone, for the editor to hold a place for them.

use askama::Template;
use axum::{extract::Path, http::HeaderMap};
use time::OffsetDateTime;

use crate::{
    base::{
        page::{Page, PageRequest},
        permission::Permission,
    },
    domain::policy::words,
    flow::actions::policies::{self, Observed, ObservedCall, ObservedInput, ObservedRule},
    web::{
        console::{
            policies::{Head, Piece, editor, impact::grouped, pieces},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing, with_query},
            page::{PageResult, page, page_with},
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

/// How many parts are shown.
const MOST_RULES: usize = 100;
/// How many of them stand in the editor.
const MOST_IN_EDITOR: usize = 8;

/// The routes.
pub(super) fn routes() -> Routes {
    let read = Access::Org(Permission::PoliciesRead);
    Routes::default().page("/o/{org}/policies/{policy}/observed", read, show)
}

/// The page.
#[derive(Template)]
#[template(path = "console/policies/observed.html")]
struct ObservedPage {
    shell: Shell,
    head: Head,
    week: Week,
    /// Whether the viewer may see the calls.
    sees_calls: bool,
    /// Whether only calls of one part are shown.
    is_narrowed: bool,
    rows: Vec<CallRow>,
    list: Listing,
}

/// The parts alone.
#[derive(Template)]
#[template(path = "console/policies/observed_piece.html")]
struct ObservedPiece {
    week: Week,
}

/// What was counted.
struct Week {
    /// The page with the calls.
    href: String,
    /// How many calls were looked at.
    counted: String,
    rules: Vec<RuleRow>,
    /// How many more there are.
    more: usize,
}

/// One part.
struct RuleRow {
    /// What it means; nothing where its version is not in force any more.
    pieces: Vec<Piece>,
    rule: String,
    version: i32,
    denied: String,
    asked: String,
    /// Its calls.
    href: String,
    is_current: bool,
}

/// A call.
struct CallRow {
    href: String,
    tool: String,
    agent: String,
    client: String,
    at: OffsetDateTime,
    tone: &'static str,
    glyph: &'static str,
    word: &'static str,
    rule: String,
    version: i32,
}

async fn show(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    mut asked: Asked,
) -> PageResult {
    let (rule, version) = (asked.text("rule"), asked.text("version"));
    let number = version.parse::<i32>().ok();
    if !version.is_empty() && number.is_none() {
        asked.refuse("version", "A version is a number. Calls of all versions are shown.");
    }
    let request = asked.page();
    let sheet = policies::find(&ask.cx, &id).await?;
    let head = Head::of(&ask, &sheet.policy, "/observed");
    let input = ObservedInput { rule: Some(rule.as_str()).filter(|rule| !rule.is_empty()), version: number };
    let is_piece = headers.contains_key("hx-request");
    let request = if is_piece { PageRequest { limit: 1, after: None } } else { request };
    let found = policies::observed(&ask.cx, &sheet.policy.slug, input, &request).await?;
    let live = sheet.document.as_deref().map(editor::kept).transpose()?;
    let says = |one: &ObservedRule| {
        let live = live.as_ref().filter(|_| sheet.policy.live == Some(one.version))?;
        words::part(live, &one.rule).map(pieces)
    };
    let most = if is_piece { MOST_IN_EDITOR } else { MOST_RULES };
    let week = Week::of(&format!("{}/observed", head.href), &found, input, most, says);
    if is_piece {
        return page(&ObservedPiece { week });
    }
    let org = format!("/o/{}", ask.cx.org.slug);
    let Page { items, next } = found.items.unwrap_or(Page { items: Vec::new(), next: None });
    let list = asked.listing(next.as_deref());
    let shell = shell_of::org(&ask, format!("{}: only tried", sheet.policy.name)).await?;
    let page = ObservedPage {
        shell: shell.with_faults(!list.faults.is_empty()),
        head,
        week,
        sees_calls: ask.cx.may(Permission::AuditRead),
        is_narrowed: input.rule.is_some() || input.version.is_some(),
        rows: items.into_iter().map(|call| CallRow::of(&org, call)).collect(),
        list,
    };
    page_with(page.list.status(), &page)
}

impl Week {
    fn of(
        href: &str,
        found: &Observed,
        input: ObservedInput<'_>,
        most: usize,
        says: impl Fn(&ObservedRule) -> Option<Vec<Piece>>,
    ) -> Self {
        let row = |one: &ObservedRule| {
            let version = one.version.to_string();
            RuleRow {
                pieces: says(one).unwrap_or_default(),
                rule: one.rule.clone(),
                version: one.version,
                denied: grouped(one.denied),
                asked: grouped(one.asked),
                href: with_query(href, [("rule", one.rule.as_str()), ("version", version.as_str())]),
                is_current: input.rule == Some(one.rule.as_str()) && input.version == Some(one.version),
            }
        };
        Self {
            href: href.to_owned(),
            counted: counted(found),
            rules: found.rules.iter().take(most).map(row).collect(),
            more: found.rules.len().saturating_sub(most),
        }
    }
}

fn counted(found: &Observed) -> String {
    let calls = match found.calls {
        1 => "1 call".to_owned(),
        calls => format!("{} calls", grouped(calls)),
    };
    match found.ended {
        None => format!("Of {calls} in the last 7 days."),
        Some(_) => format!("Of the newest {calls}; older ones were not looked at."),
    }
}

impl CallRow {
    fn of(org: &str, call: ObservedCall) -> Self {
        let server = if call.server.is_empty() { String::new() } else { format!("{}/", call.server) };
        let (tone, glyph, word) = would(&call.effect);
        Self {
            href: format!("{org}/audit/{}", call.event),
            tool: format!("{server}{}", call.tool),
            agent: call.agent,
            client: call.client,
            at: call.at,
            tone,
            glyph,
            word,
            rule: call.rule,
            version: call.version,
        }
    }
}

/// What an observed part would have done: tone, icon and words.
pub(in crate::web::console) fn would(effect: &str) -> (&'static str, &'static str, &'static str) {
    match effect {
        "ask" => ("ask", "ask", "Would have been asked"),
        "hide" => ("deny", "hide", "Would have been hidden"),
        _ => ("deny", "deny", "Would have been denied"),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::{
        domain::policy::words::Phrase,
        web::{
            console::policies::sample_head,
            kit::{
                samples::{AT, LONG, SHARP, list, refused_list, sample, shell},
                shell::Base,
            },
        },
    };

    let rule = |text: &str, version: i32| RuleRow {
        pieces: if version > 2 { pieces(Phrase::of("deny if ").code(text)) } else { Vec::new() },
        rule: text.into(),
        version,
        denied: "1,204".into(),
        asked: "0".into(),
        href: "?rule=x".into(),
        is_current: version == 3,
    };
    let week = |text: &str, count: i32| Week {
        href: "/o/acme/policies/github/observed".into(),
        counted: "Of 4,812 calls in the last 7 days.".into(),
        rules: (1..=count).map(|n| rule(text, n)).collect(),
        more: 3,
    };
    let row = |text: &str, effect: &str| {
        let (tone, glyph, word) = would(effect);
        CallRow {
            href: "/o/acme/audit/x".into(),
            tool: text.into(),
            agent: text.into(),
            client: text.into(),
            at: AT,
            tone,
            glyph,
            word,
            rule: text.into(),
            version: 3,
        }
    };
    let page = |week: Week, rows: Vec<CallRow>, list| ObservedPage {
        shell: shell(Base::Organization, "GitHub: only tried"),
        head: sample_head("GitHub", true, true),
        sees_calls: !rows.is_empty(),
        is_narrowed: rows.len() == 1,
        week,
        rows,
        list,
    };
    vec![
        sample("observed: nothing", &page(week("", 0), Vec::new(), list())),
        sample("observed", &page(week(SHARP, 3), vec![row(SHARP, "ask")], list())),
        sample(
            "observed: many",
            &page(week(LONG, 40), (0..40).map(|_| row(LONG, "hide")).collect(), refused_list("version")),
        ),
    ]
}
