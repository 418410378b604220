//! Where the person is signed in.

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    domain::identity::sessions::{Method, Session},
    flow::actions::me::sessions,
    web::{
        console::shell_of,
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::Form,
            page::{PageResult, go_saying, page},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .page("/me/sessions", Access::Person, list)
        .form("/me/sessions/end-others", Access::Person, Effect::Records(&["sessions.ended"]), end_others)
        .form("/me/sessions/{session}/end", Access::Person, Effect::Records(&["session.ended"]), end)
}

#[derive(Template)]
#[template(path = "console/me/sessions.html")]
struct SessionsPage {
    shell: Shell,
    sessions: Vec<SessionRow>,
    others: usize,
    others_title: String,
}

struct SessionRow {
    id: String,
    device: String,
    place: String,
    how: String,
    since: OffsetDateTime,
    last_seen_at: OffsetDateTime,
    is_this: bool,
}

#[derive(Deserialize)]
struct Nothing {}

async fn list(ask: PersonPage) -> PageResult {
    let here = ask.cx.session.id;
    let row = |session: Session| SessionRow {
        id: session.id.to_string(),
        device: session.device(),
        place: session.ip.map_or_else(|| "Unknown address".to_owned(), |ip| ip.to_string()),
        how: how(&session.methods),
        since: session.created_at,
        last_seen_at: session.last_seen_at,
        is_this: session.id == here,
    };
    let mut rows: Vec<SessionRow> = sessions::list(&ask.cx).await?.into_iter().map(row).collect();
    // This one stands first, wherever else the person was active since.
    rows.sort_by_key(|row| !row.is_this);
    let others = rows.iter().filter(|row| !row.is_this).count();
    page(&SessionsPage {
        shell: shell_of::person(&ask, "Sessions").await?,
        sessions: rows,
        others,
        others_title: if others == 1 {
            "End the other session?".to_owned()
        } else {
            format!("End {others} other sessions?")
        },
    })
}

async fn end(ask: PersonPage, Path(id): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    let ended = sessions::end(&ask.cx, &id).await?;
    let said = format!("The session on {} has ended.", ended.device());
    Ok(go_saying("/me/sessions", Toast::say(said)))
}

async fn end_others(ask: PersonPage, Form(_): Form<Nothing>) -> PageResult {
    let said = match sessions::end_others(&ask.cx).await? {
        0 => "There was no other session.".to_owned(),
        1 => "1 other session has ended.".to_owned(),
        ended => format!("{ended} other sessions have ended."),
    };
    Ok(go_saying("/me/sessions", Toast::say(said)))
}

/// How the person proved themselves, in words: "Password + Passkey".
fn how(methods: &[Method]) -> String {
    methods.iter().map(|method| method.label()).collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{AT, LONG, sample, shell},
        shell::Base,
    };

    let row = |n: usize| SessionRow {
        id: format!("ses_{n}"),
        device: LONG.into(),
        place: "2001:db8:1234:5678:9abc:def0:1234:5678".into(),
        how: "Password and authenticator code".into(),
        since: AT,
        last_seen_at: AT,
        is_this: n == 0,
    };
    let page = |count: usize| SessionsPage {
        shell: shell(Base::Account, "Sessions"),
        sessions: (0..count).map(row).collect(),
        others: count.saturating_sub(1),
        others_title: "End the others?".into(),
    };
    vec![sample("sessions: only this", &page(1)), sample("sessions: many", &page(60))]
}
