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
        console::shell_of,
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
    other_sessions: u64,
    /// What else, in words with its count.
    lines: Vec<(String, i64)>,
    /// Whether it has been done, and this is what ended.
    is_done: bool,
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
    let of_org = |found: &OrgEndings| {
        let org = found.org.clone();
        found.endings.iter().map(move |ending| (words(ending, &org), ending.count)).collect::<Vec<_>>()
    };
    page(&StopPage {
        shell: shell_of::person(ask, title).await?,
        other_sessions: stopping.other_sessions,
        lines: stopping.orgs.iter().flat_map(of_org).collect(),
        is_done,
    })
}

/// What ends in an organization, said to the person whose it is.
fn words(ending: &Ending, org: &str) -> String {
    match ending.key {
        "api_keys" => format!("Your API keys in {org}"),
        "grants" => format!("Your agents in {org}"),
        _ => format!("{} in {org}", ending.noun),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, sample, shell},
        shell::Base,
    };

    let page = |other_sessions, lines: usize, is_done| StopPage {
        shell: shell(Base::Account, "Stop everything"),
        other_sessions,
        lines: (0..lines).map(|n| (LONG.to_owned(), n as i64)).collect(),
        is_done,
    };
    vec![
        sample("stop: nothing", &page(0, 0, false)),
        sample("stop: much", &page(120, 20, false)),
        sample("stop: done", &page(3, 2, true)),
    ]
}
