//! A new server: from the well-known ones or by address, tried before it is added.

use askama::Template;
use axum::{extract::Query, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, risk::Class, secret::Secret},
    domain::servers::{KnownServer, known_server, known_servers},
    flow::{
        actions::servers::{self, Probe, ServerInput, TriedCredential},
        catalogue::{Onlooker, StepReport},
    },
    web::{
        console::{
            servers::{
                check::under_way,
                crumb, href, list_href,
                words::{StepRow, class_tone, shown, step_rows},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            faults::PageError,
            flash::Toast,
            form::{self, Form, FormFaults},
            live::{self, Live},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            shell::Shell,
        },
    },
};

const TEMPLATE: &str = "Bearer {value}";

/// The page.
#[derive(Template)]
#[template(path = "console/servers/new.html")]
struct NewPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    known: &'static [KnownServer],
    checked_on: &'static str,
    trial: Trial,
}

/// What a try found and the form with it, alone.
#[derive(Template)]
#[template(path = "console/servers/trial.html")]
struct TrialPiece {
    trial: Trial,
}

/// What a try found, where there was one, and the form.
struct Trial {
    action: String,
    back: String,
    csrf: String,
    chosen: Option<&'static KnownServer>,
    transports: Vec<Choice>,
    steps: Vec<StepRow>,
    is_found: bool,
    found: Found,
    form: NewForm,
    faults: FormFaults,
    is_piece: bool,
}

impl Trial {
    fn of(ask: &OrgPage, form: NewForm, faults: FormFaults, probe: Option<&Probe>) -> Self {
        let back = list_href(ask);
        Self {
            action: format!("{back}/new"),
            back,
            csrf: ask.browser.csrf.as_str().to_owned(),
            chosen: known_server(&form.known),
            transports: transports(&form.transport),
            steps: probe.map(|probe| step_rows(&probe.steps)).unwrap_or_default(),
            is_found: probe.is_some_and(Probe::is_ok),
            found: probe.map(found).unwrap_or_default(),
            form,
            faults,
            is_piece: false,
        }
    }

    const fn title(&self) -> &'static str {
        if self.is_found { "The server answers" } else { "The way ends before its tools" }
    }
}

/// What a check found.
#[derive(Default)]
struct Found {
    software: String,
    tools: usize,
    classes: Vec<(&'static str, &'static str, usize)>,
}

#[derive(Deserialize)]
pub(super) struct NewQuery {
    #[serde(default)]
    known: String,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct NewForm {
    #[serde(default)]
    known: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    transport: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    credential_name: String,
    #[serde(default)]
    template: String,
    #[serde(default)]
    credential_value: Secret<String>,
    #[serde(default)]
    draft: String,
}

impl NewForm {
    fn tried(&self) -> TriedCredential {
        TriedCredential {
            name: self.credential_name.clone(),
            template: self.template.clone(),
            value: Some(self.credential_value.clone()).filter(|value| !value.expose().is_empty()),
            draft: self.draft.clone(),
        }
    }
}

pub(super) async fn new(ask: OrgPage, Query(query): Query<NewQuery>) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    let mut form = NewForm {
        credential_name: "Authorization".to_owned(),
        template: TEMPLATE.to_owned(),
        ..NewForm::default()
    };
    if let Some(known) = known_server(&query.known) {
        known.slug.clone_into(&mut form.known);
        known.url.clone_into(&mut form.url);
        known.name.clone_into(&mut form.name);
        known.slug.clone_into(&mut form.slug);
        known.description.clone_into(&mut form.description);
        known.transport.as_str().clone_into(&mut form.transport);
    }
    render(&ask, StatusCode::OK, Trial::of(&ask, form, FormFaults::default(), None)).await
}

pub(super) async fn check(ask: OrgPage, live: Live, Form(form): Form<NewForm>) -> PageResult {
    if live.is_wanted {
        return check_watched(ask, form);
    }
    let trial = tried(&ask, form, Onlooker::default()).await?;
    let is_whole = trial.faults.is_empty();
    render(&ask, if is_whole { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, trial).await
}

/// Tries the address while the page shows each step.
fn check_watched(ask: OrgPage, form: NewForm) -> PageResult {
    ask.cx.require(Permission::ServersWrite)?;
    let (onlooker, seen) = Onlooker::watching();
    let work = async move {
        let trial = tried(&ask, form, onlooker).await;
        let last =
            trial.and_then(|trial| live::piece(&TrialPiece { trial: Trial { is_piece: true, ..trial } }));
        last.unwrap_or_else(|error| live::broken_off(error, ask.cx.origin.request))
    };
    Ok(live::pieces(seen, |taken: &Vec<StepReport>| under_way(taken), Box::pin(work)))
}

async fn tried(ask: &OrgPage, mut form: NewForm, onlooker: Onlooker) -> Result<Trial, PageError> {
    match servers::probe_tried(&ask.cx, &form.url, &form.transport, &form.tried(), onlooker).await {
        Ok(probe) => {
            probe.draft.clone_into(&mut form.draft);
            if let Some(transport) = probe.transport {
                transport.as_str().clone_into(&mut form.transport);
            }
            if let (true, Some(name)) = (form.name.trim().is_empty(), &probe.declared.name) {
                form.name = name.chars().filter(|c| !c.is_control()).take(100).collect();
            }
            Ok(Trial::of(ask, form, FormFaults::default(), Some(&probe)))
        }
        Err(error) => Ok(Trial::of(ask, form, form::faults_of(error)?, None)),
    }
}

pub(super) async fn create(ask: OrgPage, Form(form): Form<NewForm>) -> PageResult {
    let input = ServerInput {
        name: form.name.clone(),
        slug: form.slug.clone(),
        description: form.description.clone(),
        transport: form.transport.clone(),
        url: form.url.clone(),
        enabled: true,
    };
    match servers::register_tried(&ask.cx, &input, &form.tried()).await {
        Ok(server) => {
            let toast = Toast::say(format!("{} was added. Review its tools next.", server.name));
            Ok(go_saying(&href(&ask, server.slug.as_str()), toast))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, Trial::of(&ask, form, faults, None)).await
        }
    }
}

async fn render(ask: &OrgPage, status: StatusCode, trial: Trial) -> PageResult {
    let mut shell = shell_of::org(ask, "Add a server").await?;
    shell.has_faults = !trial.faults.is_empty();
    let known = known_servers();
    let checked_on = known.first().map_or("", |known| known.checked_on);
    page_with(status, &NewPage { shell, crumbs: vec![crumb(ask)], known, checked_on, trial })
}

fn transports(chosen: &str) -> Vec<Choice> {
    [("", "Find out"), ("http", "Streamable HTTP"), ("sse", "HTTP with SSE")]
        .into_iter()
        .map(|(value, label)| Choice::new(value, label).chosen_by(chosen))
        .collect()
}

fn found(probe: &Probe) -> Found {
    let count = |class: Class| probe.tools.iter().filter(|tool| tool.classified.class == class).count();
    let classes = Class::ALL.into_iter().map(|class| (class.label(), class_tone(class), count(class)));
    let software = [&probe.declared.name, &probe.declared.version];
    Found {
        software: software.into_iter().flatten().map(|text| shown(text)).collect::<Vec<_>>().join(" "),
        tools: probe.tools.len(),
        classes: classes.filter(|(_, _, count)| *count > 0).collect(),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::flow::catalogue::StepName;
    use crate::web::console::servers::samples::steps;
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |steps: Vec<StepRow>, is_found: bool, form: NewForm, faults| NewPage {
        shell: shell(Base::Organization, "Add a server"),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        known: known_servers(),
        checked_on: "2026-11-20",
        trial: Trial {
            action: "/o/acme/servers/new".into(),
            back: "/o/acme/servers".into(),
            csrf: "c5rf".into(),
            chosen: known_server(&form.known),
            transports: transports(&form.transport),
            steps,
            is_found,
            found: Found {
                software: SHARP.into(),
                tools: 40,
                classes: vec![("Read", "", 39), ("Write", "rule", 1)],
            },
            form,
            faults,
            is_piece: false,
        },
    };
    let full = || NewForm {
        known: known_servers().first().map(|known| known.slug.clone()).unwrap_or_default(),
        url: SHARP.into(),
        name: LONG.into(),
        slug: SHARP.into(),
        description: LONG.repeat(5),
        draft: "sealed".into(),
        ..NewForm::default()
    };
    let all = faults(&[
        ("url", "no"),
        ("name", "no"),
        ("slug", "no"),
        ("credential_value", "no"),
        ("template", "no"),
    ]);
    let failed = step_rows(&steps(Some(StepName::Dns)));
    vec![
        sample("server, new: empty", &page(Vec::new(), false, NewForm::default(), FormFaults::default())),
        sample("server, new: found", &page(step_rows(&steps(None)), true, full(), FormFaults::default())),
        sample("server, new: not found", &page(failed, false, full(), FormFaults::default())),
        sample("server, new: refused", &page(Vec::new(), false, full(), all)),
    ]
}
