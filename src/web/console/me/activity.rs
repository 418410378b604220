//! What the record holds about the person.

use askama::Template;

use crate::{
    base::page::Page,
    domain::audit::{Decision, EventRow},
    flow::actions::me::activity,
    web::{
        console::shell_of,
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
    words: String,
    action: String,
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
        words: words(&event.action),
        by: if is_mine { "You".to_owned() } else { event.actor_name },
        place: event.ip.map_or_else(String::new, |ip| ip.to_string()),
        is_done: event.decision == Decision::Done,
        action: event.action,
    }
}

/// What an action means to the person it is about; one that this page does not know is told by its own words.
fn words(action: &str) -> String {
    let known = match action {
        "profile.changed" => "Profile changed",
        "email.change_asked" => "Change of e-mail address asked for",
        "email.changed" => "E-mail address changed",
        "password.changed" => "Password changed",
        "password.reset" => "Password reset by a link",
        "totp.enabled" => "Authenticator app turned on",
        "totp.disabled" => "Authenticator app turned off",
        "recovery_codes.made" => "New recovery codes made",
        "passkey.added" => "Passkey added",
        "passkey.renamed" => "Passkey renamed",
        "passkey.removed" => "Passkey removed",
        "session.ended" => "A session ended",
        "sessions.ended" => "All other sessions ended",
        "person.stopped" => "Everything stopped",
        other => return sentence(other),
    };
    known.to_owned()
}

fn sentence(action: &str) -> String {
    let text = action.replace(['.', '_'], " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_is_not_known_reads_as_words() {
        assert_eq!(words("session.started"), "Session started");
        assert_eq!(words("totp.enabled"), "Authenticator app turned on");
        assert_eq!(words(""), "");
    }
}
