//! What a person's agents asked a human about: what waits, reminding of it, taking it back, and what came of the rest.

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;

use crate::{
    domain::approvals::Approval,
    flow::actions::me::requests::{self, MyRequests},
    web::{
        console::{approvals::Card, shell_of},
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

const LIST: &str = "/me/requests";

pub(super) fn routes() -> Routes {
    let me = Access::Person;
    let one = "/me/requests/{org}/{approval}";
    Routes::default()
        .page(LIST, me, list)
        .form(&format!("{one}/nudge"), me, Effect::Records(&["approval.nudged"]), nudge)
        .form(&format!("{one}/withdraw"), me, Effect::Records(&["approval.withdrawn"]), withdraw)
}

/// The list, by organization.
#[derive(Template)]
#[template(path = "console/me/requests.html")]
struct RequestsPage {
    shell: Shell,
    places: Vec<Place>,
}

/// What agents asked in one organization.
struct Place {
    name: String,
    slug: String,
    cards: Vec<(String, Card)>,
}

/// A button and nothing else.
#[derive(Deserialize)]
struct Press {}

async fn list(ask: PersonPage) -> PageResult {
    let now = ask.cx.now();
    let mine = requests::list(&ask.cx).await?;
    let place = |MyRequests { found, approvals }: MyRequests| {
        let slug = found.org.slug.to_string();
        let base = format!("/o/{slug}/approvals");
        let card = |approval: Approval| {
            (format!("{LIST}/{slug}/{}", approval.id), Card::of(&base, "", approval, now))
        };
        Place { name: found.org.name, cards: approvals.into_iter().map(card).collect(), slug }
    };
    let shell = shell_of::person(&ask, "Requests").await?;
    page(&RequestsPage { shell, places: mine.into_iter().map(place).collect() })
}

async fn nudge(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    requests::nudge(&ask.cx, &org, &id).await?;
    Ok(go_saying(LIST, Toast::say("Those who may decide were reminded.")))
}

async fn withdraw(
    ask: PersonPage,
    Path((org, id)): Path<(String, String)>,
    Form(Press {}): Form<Press>,
) -> PageResult {
    requests::withdraw(&ask.cx, &org, &id).await?;
    Ok(go_saying(LIST, Toast::say("Taken back. The agent may ask again.")))
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::{
        domain::approvals::ApprovalState,
        web::{
            console::approvals::sample_card,
            kit::{
                samples::{LONG, SHARP, sample, shell},
                shell::Base,
            },
        },
    };

    let place = |text: &str, count: usize| Place {
        name: text.into(),
        slug: format!("acme-{count}"),
        cards: (0..count)
            .map(|n| {
                let state = if n % 2 == 0 { ApprovalState::Pending } else { ApprovalState::Approved };
                (format!("{LIST}/acme/x{n}"), sample_card(text, state))
            })
            .collect(),
    };
    let page = |places: Vec<Place>| RequestsPage { shell: shell(Base::Account, "Requests"), places };
    vec![
        sample("my requests: in no organization", &page(Vec::new())),
        sample("my requests: none", &page(vec![place("Acme", 0)])),
        sample("my requests", &page(vec![place(SHARP, 2)])),
        sample("my requests: many", &page(vec![place(LONG, 30), place(LONG, 1)])),
    ]
}
