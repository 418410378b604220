//! Off-boarding a member.

use askama::Template;
use axum::{extract::Path, http::StatusCode};

use crate::{
    base::permission::Permission,
    flow::{
        actions::offboarding::{self, Departure},
        leaver::Ending,
    },
    web::{
        console::{
            members::{ConfirmForm, member_href, members_crumb, unconfirmed},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            form::{self, Form, FormFaults},
            page::{PageResult, page, page_with},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let write = Access::Org(Permission::MembersWrite);
    Routes::default().page("/o/{org}/members/{member}/offboard", write, preview).form(
        "/o/{org}/members/{member}/offboard",
        write,
        Effect::Records(&["member.offboarded"]),
        offboard,
    )
}

/// What stops, before it does.
#[derive(Template)]
#[template(path = "console/members/offboard.html")]
struct OffboardPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    action: String,
    back: String,
    org: String,
    departure: Departure,
    faults: FormFaults,
}

/// What has stopped.
#[derive(Template)]
#[template(path = "console/members/offboarded.html")]
struct OffboardedPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    org: String,
    departure: Departure,
}

async fn preview(ask: OrgPage, Path((_, id)): Path<(String, String)>) -> PageResult {
    // Asked for here already, so that the form that follows is not lost on the way to a proof.
    ask.cx.require_proof()?;
    let departure = offboarding::preview(&ask.cx, &id).await?;
    offboard_page(&ask, departure, StatusCode::OK, FormFaults::default()).await
}

async fn offboard(
    ask: OrgPage,
    Path((_, id)): Path<(String, String)>,
    Form(form): Form<ConfirmForm>,
) -> PageResult {
    let seen = offboarding::preview(&ask.cx, &id).await?;
    if let Some(faults) = unconfirmed(&form.confirm, &seen.member.email) {
        return offboard_page(&ask, seen, StatusCode::UNPROCESSABLE_ENTITY, faults).await;
    }
    let departure = offboarding::offboard(&ask.cx, &id, form::version(&form.version)).await?;
    page(&OffboardedPage {
        shell: shell_of::org(&ask, format!("{} was off-boarded", departure.member.name)).await?,
        crumbs: vec![members_crumb(&ask)],
        org: ask.cx.org.name.clone(),
        departure,
    })
}

async fn offboard_page(
    ask: &OrgPage,
    departure: Departure,
    status: StatusCode,
    faults: FormFaults,
) -> PageResult {
    let member = &departure.member;
    let back = member_href(ask, member);
    let mut shell = shell_of::org(ask, format!("Off-board {}", member.name)).await?;
    shell.has_faults = !faults.is_empty();
    let page = OffboardPage {
        shell,
        crumbs: vec![members_crumb(ask), Crumb::to(member.name.clone(), back.clone())],
        action: format!("{back}/offboard"),
        back,
        org: ask.cx.org.name.clone(),
        departure,
        faults,
    };
    page_with(status, &page)
}

/// The icon beside a kind of thing that ends.
fn icon(ending: &Ending) -> &'static str {
    match ending.key {
        "sessions" => "laptop",
        "api_keys" => "key",
        "grants" => "bot",
        "kept_values" => "lock",
        "team_places" => "team",
        "invitations" => "invite",
        _ => "stack",
    }
}

/// What happens to a kind of thing, as a sentence without its full stop: "API keys stop working at once".
fn words(ending: &Ending) -> String {
    let mut letters = ending.noun.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{} {}", letters.as_str(), ending.what_happens)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::samples::{endings, member};
    use crate::web::kit::{
        samples::{LONG, faults, sample, shell},
        shell::Base,
    };

    let departure = |name: &str, count| Departure { member: member(name), endings: endings(count) };
    let page = |name: &str, count, faults| OffboardPage {
        shell: shell(Base::Organization, "Off-board"),
        crumbs: vec![Crumb::to("Members", "/o/acme/members")],
        action: "/x".into(),
        back: "/".into(),
        org: "Acme".into(),
        departure: departure(name, count),
        faults,
    };
    let done = OffboardedPage {
        shell: shell(Base::Organization, "Tomás Ferreira was off-boarded"),
        crumbs: vec![Crumb::to("Members", "/o/acme/members")],
        org: "Acme".into(),
        departure: departure("Tomás Ferreira", 2),
    };
    vec![
        sample("off-board", &page("Tomás Ferreira", 1, FormFaults::default())),
        sample("off-board: nothing", &page("Tomás Ferreira", 0, FormFaults::default())),
        sample("off-board: refused", &page(LONG, 12_000, faults(&[("confirm", "type the address")]))),
        sample("off-boarded", &done),
    ]
}
