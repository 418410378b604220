//! Making an account, and proving its address.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    base::secret::Secret,
    domain::instance::SignUp,
    flow::actions::sign_up::{self, SignUpInput},
    web::{
        console::{shell_of, sign_in::with_session},
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
    let asks = Effect::Records(&["account.sign_up_asked"]);
    let verifies = Effect::Records(&["account.verified", "session.started", "session.refused"]);
    Routes::default()
        .page("/signup", anyone, show)
        .form("/signup", anyone, asks, ask)
        .form(
            "/signup/resend",
            anyone,
            Effect::Unrecorded("a job writes the letter, where there is one"),
            resend,
        )
        .page("/verify/{token}", anyone, show_link)
        .form("/verify/{token}", anyone, verifies, verify)
}

/// The form, or why there is none.
#[derive(Template)]
#[template(path = "auth/sign_up.html")]
struct SignUpPage {
    shell: Shell,
    mode: SignUp,
    form: SignUpForm,
    faults: FormFaults,
}

/// Look into your mailbox.
#[derive(Template)]
#[template(path = "auth/letter_sent.html")]
struct SentPage {
    shell: Shell,
    email: String,
    sends_mail: bool,
}

/// The link of the letter.
#[derive(Template)]
#[template(path = "auth/verify.html")]
struct VerifyPage {
    shell: Shell,
    action: String,
    /// Empty where the link does not work.
    email: String,
    faults: FormFaults,
}

#[derive(Default, Deserialize)]
struct SignUpForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    password: Secret<String>,
}

#[derive(Deserialize)]
struct ResendForm {
    #[serde(default)]
    email: String,
}

async fn show(visitor: Visitor) -> PageResult {
    form_page(&visitor, StatusCode::OK, SignUpForm::default(), FormFaults::default()).await
}

async fn form_page(
    visitor: &Visitor,
    status: StatusCode,
    form: SignUpForm,
    faults: FormFaults,
) -> PageResult {
    let mode = sign_up::mode(&visitor.cx).await?;
    let mut shell = shell_of::open(visitor, "Create an account");
    shell.has_faults = !faults.is_empty();
    page_with(
        status,
        &SignUpPage { shell, mode, form: SignUpForm { password: String::new(), ..form }, faults },
    )
}

async fn ask(visitor: Visitor, Form(form): Form<SignUpForm>) -> PageResult {
    let password = Secret::new(form.password.clone());
    let input = SignUpInput { email: form.email.clone(), name: form.name.clone(), password };
    match sign_up::ask(&visitor.cx, &input).await {
        Ok(()) => sent(&visitor, form.email),
        Err(error) => {
            let faults = form::faults_of(error)?;
            form_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn resend(visitor: Visitor, Form(form): Form<ResendForm>) -> PageResult {
    sign_up::resend(&visitor.cx, &form.email).await?;
    sent(&visitor, form.email)
}

fn sent(visitor: &Visitor, email: String) -> PageResult {
    let sends_mail = visitor.cx.ports.site.sends_mail;
    page(&SentPage { shell: shell_of::open(visitor, "Look into your mailbox"), email, sends_mail })
}

/// Shows what the link would do: scanners of mail open links, so opening one must change nothing.
async fn show_link(visitor: Visitor, Path(token): Path<String>) -> PageResult {
    link_page(&visitor, StatusCode::OK, &token, FormFaults::default()).await
}

async fn link_page(visitor: &Visitor, status: StatusCode, token: &str, faults: FormFaults) -> PageResult {
    let found = sign_up::find(&visitor.cx, token).await?;
    let status = if found.is_some() { status } else { StatusCode::GONE };
    let email = found.map_or_else(String::new, |found| found.email.to_string());
    let title = if email.is_empty() { "This link does not work" } else { "Confirm your address" };
    let mut shell = shell_of::open(visitor, title);
    shell.has_faults = !faults.is_empty();
    page_with(status, &VerifyPage { shell, action: format!("/verify/{token}"), email, faults })
}

async fn verify(visitor: Visitor, Path(token): Path<String>, Form(form): Form<PasswordForm>) -> PageResult {
    match sign_up::verify(&visitor.cx, &token, form.password, visitor.person.as_ref()).await {
        Ok(session) => Ok(with_session(go("/"), &visitor, &session)),
        Err(error) => {
            let faults = form::faults_of(error)?;
            link_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &token, faults).await
        }
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let page = |mode, name: &str, faults| SignUpPage {
        shell: shell(Base::Open, "Create an account"),
        mode,
        form: SignUpForm { name: name.into(), ..SignUpForm::default() },
        faults,
    };
    let sent = |sends_mail| SentPage {
        shell: shell(Base::Open, "Look into your mail"),
        email: SHARP.into(),
        sends_mail,
    };
    let verify = |email: &str| VerifyPage {
        shell: shell(Base::Open, "Confirm your address"),
        action: "/verify/x".into(),
        email: email.into(),
        faults: FormFaults::default(),
    };
    vec![
        sample("sign-up", &page(SignUp::Open, "", FormFaults::default())),
        sample("sign-up: closed", &page(SignUp::Closed, "", FormFaults::default())),
        sample("sign-up: by invitation", &page(SignUp::Invitation, "", FormFaults::default())),
        sample("sign-up: refused", &page(SignUp::Open, LONG, faults(&[("email", "no"), ("name", "long")]))),
        sample("sign-up: sent", &sent(true)),
        sample("sign-up: held", &sent(false)),
        sample("verify", &verify("mara@acme.example")),
        sample("verify: dead link", &verify("")),
    ]
}
