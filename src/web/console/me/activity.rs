//! What the record holds about the person.

use askama::Template;

use crate::{
    base::page::Page,
    domain::audit::{Decision, EventRow},
    flow::actions::me::activity,
    web::{
        console::{
            audit::{outcome, words},
            shell_of,
        },
        kit::{
            ask::PersonPage,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default().page("/me/activity", Access::Person, list)
}

#[derive(Template)]
#[template(path = "console/me/activity.html")]
struct ActivityPage {
    shell: Shell,
    events: Vec<EventLine>,
    list: Listing,
}

struct EventLine {
    at: time::OffsetDateTime,
    title: String,
    by: String,
    place: String,
    /// Tone and word, where it did not end well.
    ended: Option<(&'static str, &'static str)>,
}

async fn list(ask: PersonPage, mut asked: Asked) -> PageResult {
    let Page { items, next } = activity::list(&ask.cx, &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let me = ask.cx.id().to_string();
    let events = items.into_iter().map(|event| line(event, &me)).collect();
    let shell = shell_of::person(&ask, "Activity").await?.with_faults(!list.faults.is_empty());
    page_with(list.status(), &ActivityPage { shell, events, list })
}

fn line(event: EventRow, me: &str) -> EventLine {
    let (tone, _, word) = outcome(event.decision);
    let is_mine = event.actor_id.as_deref() == Some(me);
    EventLine {
        at: event.at,
        title: words::title(&event.action).into_owned(),
        by: if is_mine { "You".to_owned() } else { words::actor(&event) },
        place: event.ip.map_or_else(String::new, |ip| ip.to_string()),
        ended: (event.decision != Decision::Done).then_some((tone, word)),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{AT, LONG, list, refused_list, sample, shell},
        shell::Base,
    };

    let event = |n: usize| EventLine {
        at: AT,
        title: "Password changed".into(),
        by: if n == 0 { "You".into() } else { LONG.into() },
        place: "203.0.113.7".into(),
        ended: (n == 2).then_some(("deny", "Denied")),
    };
    let page = |count: usize, list| ActivityPage {
        shell: shell(Base::Account, "Activity"),
        events: (0..count).map(event).collect(),
        list,
    };
    vec![
        sample("activity: nothing", &page(0, Listing::default())),
        sample("activity", &page(50, list())),
        sample("activity: refused", &page(2, refused_list("cursor"))),
    ]
}
