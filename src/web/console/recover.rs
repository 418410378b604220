//! A lost password.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::secret::Secret,
    flow::actions::recover::{self, Others},
    web::{
        console::shell_of,
        kit::{
            ask::Visitor,
            form::{self, Form, FormFaults},
            page::{PageResult, go, page, page_with},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let anyone = Access::Anyone;
    let asks =
        Effect::Unrecorded("a job looks whether there is such a person, writes the letter and records it");
    Routes::default()
        .page("/forgot", anyone, show)
        .form("/forgot", anyone, asks, ask)
        .page("/reset/{token}", anyone, show_link)
        .form("/reset/{token}", anyone, Effect::Records(&["password.reset"]), reset)
}

/// Which address.
#[derive(Template)]
#[template(path = "auth/forgot.html")]
struct ForgotPage {
    shell: Shell,
    email: String,
    faults: FormFaults,
}

/// Look into your mailbox.
#[derive(Template)]
#[template(path = "auth/reset_sent.html")]
struct SentPage {
    shell: Shell,
    email: String,
    sends_mail: bool,
}

/// The new password.
#[derive(Template)]
#[template(path = "auth/reset.html")]
struct ResetPage {
    shell: Shell,
    action: String,
    /// Empty where the link does not work.
    email: String,
    end_others: bool,
    faults: FormFaults,
}

#[derive(Deserialize)]
struct ForgotForm {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct ResetForm {
    #[serde(default)]
    password: Secret<String>,
    #[serde(default)]
    end_others: String,
}

async fn show(visitor: Visitor) -> PageResult {
    page(&ForgotPage {
        shell: shell_of::open(&visitor, "Choose a new password"),
        email: String::new(),
        faults: FormFaults::default(),
    })
}

async fn ask(visitor: Visitor, Form(form): Form<ForgotForm>) -> PageResult {
    match recover::ask(&visitor.cx, &form.email).await {
        Ok(()) => {
            let sends_mail = visitor.cx.ports.site.sends_mail;
            let shell = shell_of::open(&visitor, "Look into your mailbox");
            page(&SentPage { shell, email: form.email, sends_mail })
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            let mut shell = shell_of::open(&visitor, "Choose a new password");
            shell.has_faults = true;
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &ForgotPage { shell, email: form.email, faults })
        }
    }
}

async fn show_link(visitor: Visitor, Path(token): Path<String>) -> PageResult {
    link_page(&visitor, StatusCode::OK, &token, true, FormFaults::default()).await
}

async fn link_page(
    visitor: &Visitor,
    status: StatusCode,
    token: &str,
    end_others: bool,
    faults: FormFaults,
) -> PageResult {
    let found = recover::find(&visitor.cx, token).await?;
    let status = if found.is_some() { status } else { StatusCode::GONE };
    let email = found.map_or_else(String::new, |found| found.email.to_string());
    let title = if email.is_empty() { "This link does not work" } else { "Choose a new password" };
    let mut shell = shell_of::open(visitor, title);
    shell.has_faults = !faults.is_empty();
    let action = format!("/reset/{token}");
    page_with(status, &ResetPage { shell, action, email, end_others, faults })
}

/// Sets the password and asks to sign in with it: the link proves the mailbox, not the person's second factor.
async fn reset(visitor: Visitor, Path(token): Path<String>, Form(form): Form<ResetForm>) -> PageResult {
    let others = if form.end_others == "on" { Others::End } else { Others::Stay };
    match recover::reset(&visitor.cx, &token, form.password, others).await {
        Ok(()) => Ok(go("/login?reset=done")),
        Err(error) => {
            let faults = form::faults_of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            link_page(&visitor, status, &token, others == Others::End, faults).await
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{SHARP, faults, sample, shell},
        shell::Base,
    };

    let shell = |title| shell(Base::Open, title);
    let forgot =
        |email: &str, faults| ForgotPage { shell: shell("Reset your password"), email: email.into(), faults };
    let sent = |sends_mail| SentPage { shell: shell("Look into your mail"), email: SHARP.into(), sends_mail };
    let reset = |email: &str, faults| ResetPage {
        shell: shell("New password"),
        action: "/reset/x".into(),
        email: email.into(),
        end_others: true,
        faults,
    };
    vec![
        sample("forgot", &forgot("", FormFaults::default())),
        sample("forgot: refused", &forgot(SHARP, faults(&[("email", "this is no address")]))),
        sample("forgot: sent", &sent(true)),
        sample("forgot: held", &sent(false)),
        sample("reset", &reset("mara@acme.example", FormFaults::default())),
        sample("reset: dead link", &reset("", FormFaults::default())),
        sample("reset: refused", &reset("mara@acme.example", faults(&[("password", "too common")]))),
    ]
}
