//! The first run, by the link that stands in the terminal.

use askama::Template;
use axum::{extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;

use crate::{
    base::{email::Email, secret::Secret},
    flow::actions::{
        found,
        set_up::{self, SetUpInput, Standing},
    },
    web::{
        console::{shell_of, sign_in::with_session},
        kit::{
            ask::Visitor,
            faults::PageError,
            form::{self, Form, FormFaults},
            page::{PageResult, go, page, page_with},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let records = Effect::Records(&["instance.set_up", "session.started", "org.created", "member.added"]);
    Routes::default().page("/setup", Access::Anyone, hint).page("/setup/{token}", Access::Anyone, show).form(
        "/setup/{token}",
        Access::Anyone,
        records,
        finish,
    )
}

/// Where the link is, and what became of it.
#[derive(Template)]
#[template(path = "auth/set_up_hint.html")]
struct HintPage {
    shell: Shell,
    is_done: bool,
    is_other: bool,
}

/// The form.
#[derive(Template)]
#[template(path = "auth/set_up.html")]
struct SetUpPage {
    shell: Shell,
    action: String,
    form: SetUpForm,
    faults: FormFaults,
}

#[derive(Default, Deserialize)]
struct SetUpForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    org: String,
}

async fn hint(visitor: Visitor) -> PageResult {
    let is_done = set_up::is_done(&visitor.cx).await?;
    hint_page(&visitor, StatusCode::OK, is_done, false)
}

fn hint_page(visitor: &Visitor, status: StatusCode, is_done: bool, is_other: bool) -> PageResult {
    let title = if is_done { "Portreeve is set up" } else { "Set up Portreeve" };
    page_with(status, &HintPage { shell: shell_of::open(visitor, title), is_done, is_other })
}

async fn show(visitor: Visitor, Path(token): Path<String>) -> PageResult {
    match set_up::standing(&visitor.cx, &token).await? {
        Standing::Open => page(&SetUpPage {
            shell: shell_of::open(&visitor, "Set up Portreeve"),
            action: format!("/setup/{token}"),
            form: SetUpForm::default(),
            faults: FormFaults::default(),
        }),
        Standing::OtherLink => hint_page(&visitor, StatusCode::NOT_FOUND, false, true),
        Standing::Done => hint_page(&visitor, StatusCode::GONE, true, false),
    }
}

async fn finish(
    visitor: Visitor,
    Path(token): Path<String>,
    Form(form): Form<SetUpForm>,
) -> Result<Response, PageError> {
    let password = Secret::new(form.password.clone());
    let input = SetUpInput { email: form.email.clone(), password, org: form.org.clone() };
    match set_up::finish(&visitor.cx, &token, &input).await {
        Ok(first) => Ok(with_session(go(&first.home), &visitor, &first.token)),
        Err(error) => {
            let faults = form::faults_of(error)?;
            let mut shell = shell_of::open(&visitor, "Set up Portreeve");
            shell.has_faults = true;
            let form = prefilled(form);
            let action = format!("/setup/{token}");
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &SetUpPage { shell, action, form, faults })
        }
    }
}

/// What was typed, with a name for the organization; a password is never sent back.
fn prefilled(mut form: SetUpForm) -> SetUpForm {
    form.password = String::new();
    if let (true, Ok(email)) = (form.org.trim().is_empty(), form.email.parse::<Email>()) {
        form.org = found::suggest_name(&email);
    }
    form
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{SHARP, faults, sample, shell},
        shell::Base,
    };

    let hint = |is_done, is_other| HintPage { shell: shell(Base::Open, "Set up"), is_done, is_other };
    let page = |email: &str, faults| SetUpPage {
        shell: shell(Base::Open, "Set up Portreeve"),
        action: "/setup/x".into(),
        form: SetUpForm { email: email.into(), ..SetUpForm::default() },
        faults,
    };
    vec![
        sample("set-up: hint", &hint(false, false)),
        sample("set-up: done", &hint(true, false)),
        sample("set-up: another link", &hint(false, true)),
        sample("set-up", &page("", FormFaults::default())),
        sample("set-up: refused", &page(SHARP, faults(&[("email", "no"), ("password", "too short")]))),
    ]
}
