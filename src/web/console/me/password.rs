//! Setting a password.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::{
    base::secret::Secret,
    flow::actions::me::password::{self, PasswordInput},
    web::{
        console::{me::with_session, shell_of},
        kit::{
            ask::PersonPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page_with},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default().page("/me/security/password", Access::Person, show).form(
        "/me/security/password",
        Access::Person,
        Effect::Records(&["password.changed"]),
        change,
    )
}

#[derive(Template)]
#[template(path = "console/me/password.html")]
struct PasswordPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    email: String,
    end_others: bool,
    verb: &'static str,
    faults: FormFaults,
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default = "empty")]
    password: Secret<String>,
    #[serde(default = "empty")]
    again: Secret<String>,
    #[serde(default)]
    end_others: String,
}

fn empty() -> Secret<String> {
    Secret::new(String::new())
}

async fn show(ask: PersonPage) -> PageResult {
    ask.cx.require_proof()?;
    password_page(&ask, StatusCode::OK, true, FormFaults::default()).await
}

async fn change(ask: PersonPage, Form(form): Form<PasswordForm>) -> PageResult {
    let end_others = form.end_others == "on";
    let input = PasswordInput { password: form.password, again: form.again, end_others };
    match password::set(&ask.cx, input).await {
        Ok(set) => {
            let said = match set.ended {
                0 => "Your password was changed.",
                _ => "Your password was changed, and every other session has ended.",
            };
            Ok(with_session(&ask, &set.token, go_saying("/me/security", Toast::say(said))))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            password_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, end_others, faults).await
        }
    }
}

async fn password_page(
    ask: &PersonPage,
    status: StatusCode,
    end_others: bool,
    faults: FormFaults,
) -> PageResult {
    let has_one = ask.cx.user.has_password;
    let mut shell = shell_of::person(ask, if has_one { "Change password" } else { "Set a password" }).await?;
    shell.has_faults = !faults.is_empty();
    let verb = if has_one { "Change password" } else { "Set password" };
    let crumbs = vec![Crumb::to("Password and passkeys", "/me/security")];
    let email = ask.cx.user.email.to_string();
    page_with(status, &PasswordPage { shell, crumbs, email, end_others, verb, faults })
}
