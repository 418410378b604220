//! Moving to another e-mail address.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    flow::actions::me::email,
    web::{
        console::shell_of,
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page, page_with},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .page("/me/email", Access::Person, show)
        .form("/me/email", Access::Person, Effect::Records(&["email.change_asked"]), ask_for)
        .page("/me/email/{link}", Access::Person, look)
        .form("/me/email/{link}", Access::Person, Effect::Records(&["email.changed"]), confirm)
}

#[derive(Template)]
#[template(path = "console/me/email.html")]
struct EmailPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    now: String,
    form: EmailForm,
    faults: FormFaults,
}

#[derive(Template)]
#[template(path = "console/me/email_confirm.html")]
struct ConfirmPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    now: String,
    email: String,
    action: String,
}

#[derive(Clone, Default, Deserialize)]
struct EmailForm {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct Nothing {}

async fn show(ask: PersonPage) -> PageResult {
    ask.cx.require_proof()?;
    email_page(&ask, StatusCode::OK, EmailForm::default(), FormFaults::default()).await
}

async fn ask_for(ask: PersonPage, Form(form): Form<EmailForm>) -> PageResult {
    match email::ask(&ask.cx, &form.email).await {
        Ok(email) => {
            let said = format!(
                "A letter is on its way to {email}. Its link works for 24 hours; until then nothing changes."
            );
            Ok(go_saying("/me/profile", Toast::say(said)))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            email_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn look(ask: PersonPage, Path(link): Path<String>) -> PageResult {
    let email = email::look(&ask.cx, &link).await?;
    page(&ConfirmPage {
        shell: shell_of::person(&ask, "Move to the new address").await?,
        crumbs: vec![Crumb::to("Profile", "/me/profile")],
        now: ask.cx.user.email.to_string(),
        email: email.to_string(),
        action: format!("/me/email/{link}"),
    })
}

async fn confirm(ask: PersonPage, Path(link): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    let email = email::confirm(&ask.cx, &link).await?;
    let toast = Toast::say(format!("You sign in with {email} from now on. We told your old address."));
    Ok(go_saying("/me/profile", toast))
}

async fn email_page(ask: &PersonPage, status: StatusCode, form: EmailForm, faults: FormFaults) -> PageResult {
    let mut shell = shell_of::person(ask, "Change e-mail address").await?;
    shell.has_faults = !faults.is_empty();
    let crumbs = vec![Crumb::to("Profile", "/me/profile")];
    page_with(status, &EmailPage { shell, crumbs, now: ask.cx.user.email.to_string(), form, faults })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |email: &str, faults| EmailPage {
        shell: shell(Base::Account, "Change your address"),
        crumbs: vec![Crumb::to("Profile", "/me/profile")],
        now: "mara@acme.example".into(),
        form: EmailForm { email: email.into() },
        faults,
    };
    let confirm = |email: &str| ConfirmPage {
        shell: shell(Base::Account, "Confirm your address"),
        crumbs: vec![Crumb::to("Profile", "/me/profile")],
        now: "mara@acme.example".into(),
        email: email.into(),
        action: "/me/email/x".into(),
    };
    vec![
        sample("e-mail", &page("", FormFaults::default())),
        sample("e-mail: refused", &page(SHARP, faults(&[("email", "this is no address")]))),
        sample("e-mail: confirm", &confirm("new@acme.example")),
        sample("e-mail: dead link", &confirm("")),
    ]
}
