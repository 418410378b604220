//! Letters that wait, and what they say while they are kept.

use std::borrow::Cow;

use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::IntoResponse,
};
use serde::Deserialize;

use crate::{
    base::{ids::LetterId, page::Page},
    domain::outbox::{LetterRow, LetterState},
    flow::{actions::ops::outbox, fault::ActionError},
    web::{
        console::{ops::words, shell_of},
        kit::{
            ask::OperatorPage,
            flash::Toast,
            form::Form,
            headers,
            listing::{Asked, Listing},
            page::{PageResult, go_saying, page, page_with},
            parts::{Crumb, Tab},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    let tests = Effect::Records(&["letter.test_sent"]);
    let opens = Effect::Records(&["letter.opened"]);
    let resends = Effect::Records(&["letter.resent"]);
    Routes::default()
        .page("/ops/outbox", Access::Operator, list)
        .form("/ops/outbox/test", Access::Operator, tests, send_test)
        .page("/ops/outbox/{letter}", Access::Operator, show)
        .form("/ops/outbox/{letter}/open", Access::Operator, opens, open)
        .page("/ops/outbox/{letter}/look", Access::Operator, look)
        .form("/ops/outbox/{letter}/resend", Access::Operator, resends, resend)
}

/// The list.
#[derive(Template)]
#[template(path = "console/ops/outbox.html")]
struct OutboxPage {
    shell: Shell,
    tabs: Vec<Tab>,
    letters: Vec<Row>,
    is_filtered: bool,
    sends_mail: bool,
    list: Listing,
}

/// One letter in the list.
struct Row {
    letter: LetterRow,
    about: Cow<'static, str>,
    tone: &'static str,
    glyph: &'static str,
    error: String,
}

/// One letter.
#[derive(Template)]
#[template(path = "console/ops/letter.html")]
struct LetterPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    row: Row,
    href: String,
    can_open: bool,
    can_resend: bool,
    /// What it says, once opened.
    subject: String,
    parts: Vec<Part>,
    /// Where it is to be seen as it looks, once opened.
    look: String,
}

/// A stretch of a letter: words, or an address of ours that may be followed.
struct Part {
    text: String,
    is_link: bool,
}

#[derive(Deserialize)]
struct Nothing {}

async fn list(ask: OperatorPage, mut asked: Asked) -> PageResult {
    let (_, state) = asked.one_of("state", LetterState::ALL.map(|state| (state.as_str(), state)));
    let (Page { items, next }, counts) = outbox::list(&ask.cx, state, &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let page = OutboxPage {
        shell: shell_of::operator(&ask, "Outbox").await?.with_faults(!list.faults.is_empty()),
        tabs: tabs(&counts, state.map_or("", LetterState::as_str)),
        letters: items.into_iter().map(row).collect(),
        is_filtered: state.is_some(),
        sends_mail: ask.cx.ports.site.sends_mail,
        list,
    };
    page_with(page.list.status(), &page)
}

fn tabs(counts: &[(LetterState, i64)], current: &str) -> Vec<Tab> {
    let all: i64 = counts.iter().map(|(_, count)| count).sum();
    let mut tabs = vec![Tab::new("All", "/ops/outbox", current.is_empty()).with(all)];
    tabs.extend(LetterState::ALL.into_iter().map(|state| {
        let word = state.as_str();
        let count: i64 = counts.iter().filter(|(found, _)| *found == state).map(|(_, count)| count).sum();
        Tab::new(state.label(), format!("/ops/outbox?state={word}"), word == current).with(count)
    }));
    tabs
}

fn row(letter: LetterRow) -> Row {
    let (tone, glyph) = match letter.state {
        LetterState::Queued => ("quiet", "clock"),
        LetterState::Held => ("ask", "inbox"),
        LetterState::Sent => ("quiet", "ok"),
        LetterState::Failed => ("deny", "deny"),
    };
    let about = words::letter(&letter.kind);
    Row { about, tone, glyph, error: letter.last_error.clone().unwrap_or_default(), letter }
}

async fn show(ask: OperatorPage, Path(letter): Path<String>) -> PageResult {
    let kept = outbox::find(&ask.cx, id(&letter)?).await?;
    let can_open = kept.content.is_some();
    page(&letter_page(&ask, kept.row, can_open).await?)
}

async fn open(ask: OperatorPage, Path(letter): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    let (found, said) = outbox::open(&ask.cx, id(&letter)?).await?;
    let mut opened = letter_page(&ask, found, false).await?;
    opened.subject = said.subject.clone();
    opened.parts = parts(&said.text, &ask.cx.ports.site.base_url);
    opened.look = format!("{}/look", opened.href);
    let mut answer = page(&opened)?;
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers::may_frame_ours(&mut answer);
    Ok(answer)
}

/// The letter as it looks, for the frame on its page.
async fn look(ask: OperatorPage, Path(letter): Path<String>) -> PageResult {
    let said = outbox::look(&ask.cx, id(&letter)?).await?;
    let mut answer =
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], said.html.clone()).into_response();
    headers::inert(&mut answer);
    Ok(answer)
}

async fn resend(ask: OperatorPage, Path(letter): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    let found = outbox::resend(&ask.cx, id(&letter)?).await?;
    let toast = Toast::say(format!("The letter to {} is on its way again.", found.recipient));
    Ok(go_saying("/ops/outbox", toast))
}

async fn send_test(ask: OperatorPage, Form(_): Form<Nothing>) -> PageResult {
    outbox::send_test(&ask.cx).await?;
    let toast = Toast::say(format!("A test letter to {} was queued.", ask.cx.user.email));
    Ok(go_saying("/ops/outbox", toast))
}

async fn letter_page(
    ask: &OperatorPage,
    found: LetterRow,
    can_open: bool,
) -> Result<LetterPage, crate::web::kit::faults::PageError> {
    Ok(LetterPage {
        shell: shell_of::operator(ask, format!("Letter to {}", found.recipient)).await?,
        crumbs: vec![Crumb::to("Outbox", "/ops/outbox")],
        href: format!("/ops/outbox/{}", found.id),
        can_open,
        can_resend: matches!(found.state, LetterState::Held | LetterState::Failed),
        row: row(found),
        subject: String::new(),
        parts: Vec::new(),
        look: String::new(),
    })
}

fn id(text: &str) -> Result<LetterId, ActionError> {
    text.parse().map_err(|_| ActionError::NotFound)
}

/// Takes a letter apart, so that our own addresses can be followed and nothing else.
fn parts(text: &str, site: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(&format!("{site}/")) {
        let (before, link) = rest.split_at(at);
        let end = link.find(char::is_whitespace).unwrap_or(link.len());
        parts.push(Part { text: before.to_owned(), is_link: false });
        parts.push(Part { text: link[..end].to_owned(), is_link: true });
        rest = &link[end..];
    }
    parts.push(Part { text: rest.to_owned(), is_link: false });
    parts
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::base::ids::LetterId;
    use crate::web::kit::{
        samples::{AT, LONG, list, refused_list, sample, shell},
        shell::Base,
    };

    let letter = |n: usize| LetterRow {
        id: LetterId::fresh(),
        recipient: "someone.with.a.long.address@subsidiary.acme.example".into(),
        kind: "reset_password".into(),
        state: LetterState::ALL[n % 4],
        attempts: 3,
        next_attempt_at: AT,
        last_error: Some(LONG.into()).filter(|_| n == 3),
        created_at: AT,
        sent_at: Some(AT).filter(|_| n == 2),
    };
    let page = |count: usize, list| OutboxPage {
        shell: shell(Base::Operator, "Outbox"),
        tabs: tabs(&[], ""),
        letters: (0..count).map(|n| row(letter(n))).collect(),
        is_filtered: true,
        sends_mail: count > 0,
        list,
    };
    let one = |n: usize, can_open: bool, text: &str| LetterPage {
        shell: shell(Base::Operator, "Letter"),
        crumbs: vec![Crumb::to("Outbox", "/ops/outbox")],
        row: row(letter(n)),
        href: "/x".into(),
        can_open,
        can_resend: true,
        subject: LONG.into(),
        parts: parts(text, "https://us.example").into_iter().filter(|part| !part.text.is_empty()).collect(),
        look: "/x/look".into(),
    };
    vec![
        sample("outbox: none", &page(0, refused_list("state"))),
        sample("outbox: many", &page(50, list())),
        sample("letter: closed", &one(1, true, "")),
        sample("letter: wiped", &one(2, false, "")),
        sample("letter: open", &one(3, false, "Go to https://us.example/invite/x now.")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_addresses_become_links() {
        let text = "Go to https://us.example/invite/pri_1\nor https://us.example.evil/x javascript:x";
        let found = parts(text, "https://us.example");
        let links: Vec<&str> =
            found.iter().filter(|part| part.is_link).map(|part| part.text.as_str()).collect();
        assert_eq!(links, ["https://us.example/invite/pri_1"]);
        assert_eq!(found.iter().map(|part| part.text.as_str()).collect::<String>(), text);
    }
}
