//! Layers: which policies stand above the grants, for the organization, for teams and for servers.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;

use crate::{
    base::permission::Permission,
    flow::{
        actions::policies::{self, LayerChoices, LayerInput},
        fault::ActionError,
    },
    web::{
        console::shell_of,
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of, version},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/policies/layers.html")]
struct LayersPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    base: String,
    has_policies: bool,
    org: Vec<Choice>,
    teams: Vec<Seat>,
    servers: Vec<Seat>,
    version: i64,
    can_write: bool,
    faults: FormFaults,
}

/// A team or a server, and what stands there.
struct Seat {
    field: String,
    name: String,
    slug: String,
    choices: Vec<Choice>,
}

pub(super) async fn show(ask: OrgPage) -> PageResult {
    let found = policies::layers(&ask.cx).await?;
    let version = found.version();
    let input = LayerInput { org: found.org, teams: found.teams, servers: found.servers };
    shown(&ask, StatusCode::OK, &input, version, FormFaults::default()).await
}

/// What was chosen, by the names of the fields: `org`, `team:SLUG`, `server:SLUG`.
pub(super) async fn save(ask: OrgPage, Form(pairs): Form<Vec<(String, String)>>) -> PageResult {
    let mut input = LayerInput::default();
    let mut seen = None;
    for (name, value) in pairs {
        if name == "version" {
            seen = version(&value);
        } else if value.is_empty() {
            // What has no policy is left out.
        } else if name == "org" {
            input.org = Some(value);
        } else if let Some(team) = name.strip_prefix("team:") {
            input.teams.insert(team.to_owned(), value);
        } else if let Some(server) = name.strip_prefix("server:") {
            input.servers.insert(server.to_owned(), value);
        }
    }
    match policies::set_layers(&ask.cx, &input, seen).await {
        Ok(_) => {
            let said = Toast::say("Saved. The layers hold from the next call on.");
            Ok(go_saying(&format!("{}/layers", base_of(&ask)), said))
        }
        Err(error) => {
            // Saving again after somebody else was faster replaces what they chose, as the message says.
            let current = match &error {
                ActionError::Changed => policies::layers(&ask.cx).await?.version(),
                _ => seen.unwrap_or_default(),
            };
            let faults = faults_of(error)?;
            shown(&ask, StatusCode::UNPROCESSABLE_ENTITY, &input, current, faults).await
        }
    }
}

async fn shown(
    ask: &OrgPage,
    status: StatusCode,
    input: &LayerInput,
    version: i64,
    faults: FormFaults,
) -> PageResult {
    let LayerChoices { teams, servers, policies } = policies::layer_choices(&ask.cx).await?;
    let base = base_of(ask);
    let page = LayersPage {
        shell: shell_of::org(ask, "Layers").await?.with_faults(!faults.is_empty()),
        crumbs: vec![Crumb::to("Policies", &base)],
        base,
        has_policies: !policies.is_empty(),
        org: choices(&policies, input.org.as_deref()),
        teams: seats("team", teams, &input.teams, &policies),
        servers: seats("server", servers, &input.servers, &policies),
        version,
        can_write: ask.cx.may(Permission::PoliciesWrite),
        faults,
    };
    page_with(status, &page)
}

fn seats(
    kind: &str,
    all: Vec<(String, String)>,
    chosen: &BTreeMap<String, String>,
    policies: &[(String, String)],
) -> Vec<Seat> {
    let seat = |(slug, name): (String, String)| Seat {
        field: format!("{kind}:{slug}"),
        choices: choices(policies, chosen.get(&slug).map(String::as_str)),
        name,
        slug,
    };
    let mut seats: Vec<_> = all.into_iter().map(seat).collect();
    // What stands beyond the end of a long list is not lost when the form is saved.
    let missing = chosen.keys().filter(|slug| !seats.iter().any(|seat| seat.slug == **slug));
    let missing: Vec<_> = missing.map(|slug| seat((slug.clone(), slug.clone()))).collect();
    seats.extend(missing);
    seats
}

fn choices(policies: &[(String, String)], chosen: Option<&str>) -> Vec<Choice> {
    let none = Choice::new("", "No policy");
    let all = policies.iter().map(|(slug, name)| Choice::new(slug, name));
    Choice::chosen_of(std::iter::once(none).chain(all), chosen.unwrap_or_default())
}

fn base_of(ask: &OrgPage) -> String {
    format!("/o/{}/policies", ask.cx.org.slug)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |count: usize, text: &str, faults| {
        let policies = vec![("crew".to_owned(), text.to_owned())];
        let all = |kind: &str| (0..count).map(|n| (format!("{kind}-{n}"), text.to_owned())).collect();
        LayersPage {
            shell: shell(Base::Organization, "Layers"),
            crumbs: vec![Crumb::to("Policies", "/o/acme/policies")],
            base: "/o/acme/policies".into(),
            has_policies: count > 0,
            org: choices(&policies, Some("crew")),
            teams: seats("team", all("team"), &BTreeMap::new(), &policies),
            servers: seats("server", all("server"), &BTreeMap::new(), &policies),
            version: 1,
            can_write: count != 1,
            faults,
        }
    };
    vec![
        sample("layers: none", &page(0, "", FormFaults::default())),
        sample("layers: read", &page(1, SHARP, FormFaults::default())),
        sample("layers: many", &page(40, LONG, FormFaults::default())),
        sample(
            "layers: refused",
            &page(2, SHARP, faults(&[("", "no"), ("org", "no"), ("teams", "no"), ("servers", "no")])),
        ),
    ]
}
