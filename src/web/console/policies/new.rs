//! A new policy: its name, its server, and what to begin with.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::{
    base::permission::Permission,
    flow::{
        actions::policies::{self, NewPolicy, STARTERS, ServerChoice, starter},
        fault::ActionError,
    },
    web::{
        console::{
            policies::{crumb, href, list_href},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            flash::Toast,
            form::{Form, FormFaults, faults_of},
            page::{PageResult, go_saying, page_with},
            parts::{Choice, Crumb},
            query::Query,
            shell::Shell,
        },
    },
};

/// The form.
#[derive(Template)]
#[template(path = "console/policies/new.html")]
struct NewPolicyPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    back: String,
    servers: Vec<Choice>,
    starters: Vec<Choice>,
    form: NewPolicyForm,
    faults: FormFaults,
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct NewPolicyForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    server: String,
    #[serde(default)]
    starter: String,
}

#[derive(Deserialize)]
pub(super) struct NewPolicyQuery {
    #[serde(default)]
    starter: String,
    #[serde(default)]
    server: String,
}

pub(super) async fn new(ask: OrgPage, Query(query): Query<NewPolicyQuery>) -> PageResult {
    let chosen = starter(&query.starter).or(STARTERS.first()).map_or("", |starter| starter.word);
    let form = NewPolicyForm { starter: chosen.to_owned(), server: query.server, ..NewPolicyForm::default() };
    render(&ask, StatusCode::OK, form, FormFaults::default()).await
}

pub(super) async fn create(ask: OrgPage, Form(form): Form<NewPolicyForm>) -> PageResult {
    ask.cx.require(Permission::PoliciesWrite)?;
    let Some(chosen) = starter(&form.starter) else {
        let faults = faults_of(ActionError::field("starter", "choose what to begin with"))?;
        return render(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await;
    };
    let new = NewPolicy {
        name: form.name.clone(),
        slug: form.slug.clone(),
        description: form.description.clone(),
        server: Some(form.server.clone()),
        ..NewPolicy::default()
    };
    match policies::begin(&ask.cx, chosen, new).await {
        Ok(sheet) => {
            let toast = Toast::say(format!("{} is a draft now. Nothing is in force yet.", sheet.policy.name));
            Ok(go_saying(&href(&ask, &sheet.policy.slug), toast))
        }
        Err(error) => {
            let faults = faults_of(error)?;
            render(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn render(ask: &OrgPage, status: StatusCode, form: NewPolicyForm, faults: FormFaults) -> PageResult {
    let servers = policies::server_choices(&ask.cx).await?;
    let page = NewPolicyPage {
        shell: shell_of::org(ask, "New policy").await?.with_faults(!faults.is_empty()),
        crumbs: vec![crumb(ask)],
        back: list_href(ask),
        servers: choices(&servers, &form.server),
        starters: starters(&form.starter),
        form,
        faults,
    };
    page_with(status, &page)
}

/// The servers that a policy can be about, and none.
pub(super) fn choices(servers: &[ServerChoice], chosen: &str) -> Vec<Choice> {
    let none = Choice::new("", "Tools of any server");
    let all = servers.iter().map(|server| Choice::new(&server.slug, &server.name));
    std::iter::once(none).chain(all).map(|choice| choice.chosen_by(chosen)).collect()
}

fn starters(chosen: &str) -> Vec<Choice> {
    let choice = |word, name, about: &str| Choice::new(word, name).hint(about).chosen_by(chosen);
    STARTERS.iter().map(|starter| choice(starter.word, starter.name, starter.about)).collect()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |servers: usize, form: NewPolicyForm, faults| NewPolicyPage {
        shell: shell(Base::Organization, "New policy"),
        crumbs: vec![Crumb::to("Policies", "/o/acme/policies")],
        back: "/o/acme/policies".into(),
        servers: choices(&vec![ServerChoice { slug: "a".into(), name: LONG.into() }; servers], "a"),
        starters: starters("read-only"),
        form,
        faults,
    };
    let full = || NewPolicyForm {
        name: SHARP.into(),
        slug: LONG.into(),
        description: LONG.repeat(5),
        ..NewPolicyForm::default()
    };
    let all =
        faults(&[("name", "no"), ("slug", "no"), ("description", "no"), ("server", "no"), ("starter", "no")]);
    vec![
        sample("policy, new: empty", &page(0, NewPolicyForm::default(), FormFaults::default())),
        sample("policy, new", &page(200, full(), FormFaults::default())),
        sample("policy, new: refused", &page(1, full(), all)),
    ]
}
