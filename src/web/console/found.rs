//! Founding another organization.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::{
    flow::actions::found::{self, OrgInput},
    web::{
        console::shell_of,
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let founds = Effect::Records(&["org.created", "member.added"]);
    Routes::default().page("/orgs/new", Access::Person, show).form(
        "/orgs/new",
        Access::Person,
        founds,
        create,
    )
}

/// The form.
#[derive(Template)]
#[template(path = "auth/found.html")]
struct FoundPage {
    shell: Shell,
    form: FoundForm,
    faults: FormFaults,
}

#[derive(Default, Deserialize)]
struct FoundForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
}

async fn show(ask: PersonPage) -> PageResult {
    found::require(&ask.cx).await?;
    found_page(&ask, StatusCode::OK, FoundForm::default(), FormFaults::default()).await
}

async fn found_page(ask: &PersonPage, status: StatusCode, form: FoundForm, faults: FormFaults) -> PageResult {
    let mut shell = shell_of::person(ask, "New organization").await?;
    shell.has_faults = !faults.is_empty();
    page_with(status, &FoundPage { shell, form, faults })
}

async fn create(ask: PersonPage, Form(form): Form<FoundForm>) -> PageResult {
    let input = OrgInput { name: form.name.clone(), slug: form.slug.clone() };
    match found::create(&ask.cx, &input).await {
        Ok(slug) => {
            let toast = Toast::say(format!(
                "{} was created, and you own it. Invite its people next.",
                form.name.trim()
            ));
            Ok(go_saying(&format!("/o/{slug}"), toast))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            found_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |name: &str, slug: &str, faults| FoundPage {
        shell: shell(Base::Open, "New organization"),
        form: FoundForm { name: name.into(), slug: slug.into() },
        faults,
    };
    vec![
        sample("found", &page("", "", FormFaults::default())),
        sample("found: refused", &page(LONG, SHARP, faults(&[("name", "too long"), ("slug", "taken")]))),
    ]
}
