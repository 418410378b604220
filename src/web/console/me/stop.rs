//! Stop everything of mine.

use askama::Template;
use axum::http::{HeaderValue, header};
use serde::Deserialize;

use crate::{
    flow::{
        actions::me::stop::{self, OrgEndings, Sessions, Stopping},
        leaver::Ending,
    },
    web::{
        console::{audit::words, shell_of},
        kit::{
            ask::PersonPage,
            cookies::{self, CookieName},
            form::Form,
            page::{PageResult, go, page},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default().page("/me/stop", Access::Person, show).form(
        "/me/stop",
        Access::Person,
        Effect::Records(&["person.stopped", "member.stopped"]),
        carry_out,
    )
}

#[derive(Template)]
#[template(path = "console/me/stop.html")]
struct StopPage {
    shell: Shell,
    lines: Vec<Line>,
    /// Whether it has been done, and this is what ended.
    is_done: bool,
}

/// One kind of thing that ends.
struct Line {
    icon: &'static str,
    words: String,
    count: i64,
}

#[derive(Deserialize)]
struct StopForm {
    #[serde(default)]
    this_too: String,
}

async fn show(ask: PersonPage) -> PageResult {
    let stopping = stop::preview(&ask.cx).await?;
    stop_page(&ask, "Stop everything of mine", &stopping, false).await
}

async fn carry_out(ask: PersonPage, Form(form): Form<StopForm>) -> PageResult {
    let which = if form.this_too == "on" { Sessions::All } else { Sessions::Others };
    let stopping = stop::stop(&ask.cx, which).await?;
    if which == Sessions::Others {
        return stop_page(&ask, "Everything was stopped", &stopping, true).await;
    }
    let mut response = go("/login");
    let gone = cookies::clear(CookieName::Session, ask.cx.ports.site.is_secure());
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, gone);
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\", \"storage\""));
    Ok(response)
}

async fn stop_page(ask: &PersonPage, title: &str, stopping: &Stopping, is_done: bool) -> PageResult {
    let sessions = i64::try_from(stopping.other_sessions).unwrap_or(i64::MAX);
    let mut lines =
        vec![Line { icon: "laptop", words: "Other sessions of yours".to_owned(), count: sessions }];
    for OrgEndings { org, endings } in &stopping.orgs {
        lines.extend(endings.iter().map(|ending| line(ending, org)));
    }
    page(&StopPage { shell: shell_of::person(ask, title).await?, lines, is_done })
}

/// What ends in an organization.
fn line(ending: &Ending, org: &str) -> Line {
    let icon = match ending.key {
        "api_keys" => "key",
        "grants" => "bot",
        "connections" => "plug",
        "approvals" => "inbox",
        _ => "log",
    };
    Line { icon, words: format!("{} in {org}", words::label(ending.noun)), count: ending.count }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, sample, shell},
        shell::Base,
    };

    let line = |n: usize| Line { icon: "key", words: LONG.to_owned(), count: n as i64 };
    let page = |lines: usize, is_done| StopPage {
        shell: shell(Base::Account, "Stop everything"),
        lines: (0..lines).map(line).collect(),
        is_done,
    };
    vec![
        sample("stop: nothing", &page(0, false)),
        sample("stop: much", &page(20, false)),
        sample("stop: done", &page(2, true)),
    ]
}
