//! A new server: from the well-known ones or by address, tried before it is added.

use askama::Template;
use axum::{extract::Query, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::{permission::Permission, risk::Class, secret::Secret},
    domain::servers::{KnownServer, known_server, known_servers},
    flow::actions::servers::{self, Probe, ServerInput, TriedCredential},
    web::{
        console::{
            servers::{
                crumb, href, list_href,
                words::{StepRow, class_tone, shown, step_rows},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{self, Form, FormFaults},
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
    action: String,
    back: String,
    known: &'static [KnownServer],
    checked_on: &'static str,
    chosen: Option<&'static KnownServer>,
    transports: Vec<Choice>,
    steps: Vec<StepRow>,
    is_found: bool,
    found: Found,
    form: NewForm,
    faults: FormFaults,
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
    show(&ask, StatusCode::OK, form, FormFaults::default(), None).await
}

pub(super) async fn check(ask: OrgPage, Form(mut form): Form<NewForm>) -> PageResult {
    match servers::probe_tried(&ask.cx, &form.url, &form.transport, &form.tried()).await {
        Ok(probe) => {
            probe.draft.clone_into(&mut form.draft);
            if let Some(transport) = probe.transport {
                transport.as_str().clone_into(&mut form.transport);
            }
            if let (true, Some(name)) = (form.name.trim().is_empty(), &probe.declared.name) {
                form.name = name.chars().filter(|c| !c.is_control()).take(100).collect();
            }
            show(&ask, StatusCode::OK, form, FormFaults::default(), Some(&probe)).await
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            show(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults, None).await
        }
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
            show(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults, None).await
        }
    }
}

async fn show(
    ask: &OrgPage,
    status: StatusCode,
    form: NewForm,
    faults: FormFaults,
    probe: Option<&Probe>,
) -> PageResult {
    let back = list_href(ask);
    let mut shell = shell_of::org(ask, "Add a server").await?;
    shell.has_faults = !faults.is_empty();
    page_with(
        status,
        &NewPage {
            shell,
            crumbs: vec![crumb(ask)],
            action: format!("{back}/new"),
            back,
            known: known_servers(),
            checked_on: known_servers().first().map_or("", |known| known.checked_on),
            chosen: known_server(&form.known),
            transports: transports(&form.transport),
            steps: probe.map(|probe| step_rows(&probe.steps)).unwrap_or_default(),
            is_found: probe.is_some_and(Probe::is_ok),
            found: probe.map(found).unwrap_or_default(),
            form,
            faults,
        },
    )
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
