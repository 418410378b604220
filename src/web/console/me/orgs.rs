//! The person's organizations: to switch to, and to leave.

use askama::Template;
use axum::extract::Path;
use serde::Deserialize;

use crate::{
    domain::tenancy::PersonsOrg,
    flow::{
        actions::{
            frame,
            me::leave::{self, Leaving},
        },
        leaver::Ending,
    },
    web::{
        console::{me::proof_then, shell_of},
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::Form,
            page::{PageResult, go_saying, page},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .page("/me/orgs", Access::Person, list)
        .page("/me/orgs/{org}/leave", Access::Person, ask_leave)
        .form("/me/orgs/{org}/leave", Access::Person, Effect::Records(&["member.left"]), leave)
}

#[derive(Template)]
#[template(path = "console/me/orgs.html")]
struct OrgsPage {
    shell: Shell,
    orgs: Vec<PersonsOrg>,
}

#[derive(Template)]
#[template(path = "console/me/leave.html")]
struct LeavePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    leaving: Leaving,
    /// What ends, in words with its count.
    lines: Vec<(&'static str, i64)>,
    action: String,
    is_fresh: bool,
}

#[derive(Deserialize)]
struct Nothing {}

async fn list(ask: PersonPage) -> PageResult {
    let orgs = frame::of_person(&ask.cx).await?;
    page(&OrgsPage { shell: shell_of::person(&ask, "Organizations").await?, orgs })
}

async fn ask_leave(ask: PersonPage, Path(org): Path<String>) -> PageResult {
    let leaving = leave::preview(&ask.cx, &org).await?;
    page(&LeavePage {
        shell: shell_of::person(&ask, format!("Leave {}?", leaving.found.org.name)).await?,
        crumbs: vec![Crumb::to("Organizations", "/me/orgs")],
        action: format!("/me/orgs/{}/leave", leaving.found.org.slug),
        lines: leaving.endings.iter().map(|ending| (words(ending), ending.count)).collect(),
        is_fresh: ask.cx.require_proof().is_ok(),
        leaving,
    })
}

async fn leave(ask: PersonPage, Path(org): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    match leave::leave(&ask.cx, &org).await {
        Ok(left) => {
            let toast = Toast::say(format!("You left {}.", left.found.org.name));
            Ok(go_saying("/me/orgs", toast))
        }
        Err(error) => proof_then(&format!("/me/orgs/{org}/leave"), error),
    }
}

/// What ends, said to the person whose it is.
fn words(ending: &Ending) -> &'static str {
    match ending.key {
        "api_keys" => "Your API keys here stop working",
        "grants" => "Your agents here are refused",
        "kept_values" => "Your own secrets here are destroyed",
        "team_places" => "Your places in teams are given up",
        "invitations" => "Open invitations you sent are withdrawn",
        _ => ending.noun,
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::samples::{endings, persons_org};
    use crate::web::kit::{
        samples::{LONG, sample, shell},
        shell::Base,
    };

    let page = |count: usize| OrgsPage {
        shell: shell(Base::Account, "Organizations"),
        orgs: (0..count).map(|n| persons_org(if n == 1 { LONG } else { "Acme" })).collect(),
    };
    let leave = |is_last_owner| LeavePage {
        shell: shell(Base::Account, "Leave Acme?"),
        crumbs: vec![Crumb::to("Organizations", "/me/orgs")],
        leaving: Leaving { found: persons_org("Acme"), endings: endings(2), is_last_owner },
        lines: endings(2).iter().map(|ending| (words(ending), ending.count)).collect(),
        action: "/me/orgs/acme/leave".into(),
        is_fresh: is_last_owner,
    };
    vec![
        sample("organizations: none", &page(0)),
        sample("organizations: many", &page(60)),
        sample("leave", &leave(false)),
        sample("leave: last owner", &leave(true)),
    ]
}
