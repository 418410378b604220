//! What the record holds about the person.

use askama::Template;

use crate::{
    base::page::Page,
    domain::audit::{Decision, EventRow},
    flow::actions::me::activity,
    web::{
        console::{audit::words, shell_of},
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
    is_done: bool,
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
    let is_mine = event.actor_id.as_deref() == Some(me);
    EventLine {
        at: event.at,
        title: words::title(&event.action).into_owned(),
        by: if is_mine { "You".to_owned() } else { event.actor_name },
        place: event.ip.map_or_else(String::new, |ip| ip.to_string()),
        is_done: event.decision == Decision::Done,
    }
}
