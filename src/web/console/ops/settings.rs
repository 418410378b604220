//! Who may sign up, and who runs the installation.

use askama::Template;
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;

use crate::{
    domain::instance::SignUp,
    flow::{actions::ops::settings, fault::ActionError},
    web::{
        console::shell_of,
        kit::{
            ask::OperatorPage,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go, go_saying, page_with},
            parts::Choice,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    let changes = Effect::Records(&["instance.sign_up_changed"]);
    let names = Effect::Records(&["operator.named"]);
    let removes = Effect::Records(&["operator.removed"]);
    Routes::default()
        .page("/ops/settings", Access::Operator, show)
        .form("/ops/settings/sign-up", Access::Operator, changes, set_sign_up)
        .form("/ops/settings/operators", Access::Operator, names, name_operator)
        .form("/ops/settings/operators/{user}/remove", Access::Operator, removes, remove_operator)
}

/// The page.
#[derive(Template)]
#[template(path = "console/ops/settings.html")]
struct SettingsPage {
    shell: Shell,
    modes: Vec<Choice>,
    version: String,
    operators: Vec<Operator>,
    email: String,
    faults: FormFaults,
}

/// One operator.
struct Operator {
    name: String,
    email: String,
    dialog: String,
    title: String,
    remove: String,
    is_self: bool,
    is_last: bool,
}

#[derive(Clone, Default, Deserialize)]
struct SignUpForm {
    #[serde(default)]
    sign_up: String,
    #[serde(default)]
    version: String,
}

#[derive(Clone, Default, Deserialize)]
struct OperatorForm {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct Nothing {}

async fn show(ask: OperatorPage) -> PageResult {
    settings_page(&ask, StatusCode::OK, None, String::new(), FormFaults::default()).await
}

async fn set_sign_up(ask: OperatorPage, Form(form): Form<SignUpForm>) -> PageResult {
    match settings::set_sign_up(&ask.cx, &form.sign_up, form::version(&form.version)).await {
        Ok(mode) => Ok(go_saying("/ops/settings", Toast::say(format!("Saved. {}", mode.meaning())))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            settings_page(&ask, status, Some(form.sign_up), String::new(), faults).await
        }
    }
}

async fn name_operator(ask: OperatorPage, Form(form): Form<OperatorForm>) -> PageResult {
    match settings::name_operator(&ask.cx, &form.email).await {
        Ok(user) => {
            let said =
                format!("{} is an operator now and finds these pages in their menu.", user.name.as_str());
            Ok(go_saying("/ops/settings", Toast::say(said)))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            settings_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, None, form.email, faults).await
        }
    }
}

async fn remove_operator(ask: OperatorPage, Path(user): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    let user = user.parse().map_err(|_| ActionError::NotFound)?;
    let removed = settings::remove_operator(&ask.cx, user).await?;
    if removed.id == ask.cx.id() {
        return Ok(go("/me/profile"));
    }
    let toast = Toast::say(format!("{} is no operator any more.", removed.name.as_str()));
    Ok(go_saying("/ops/settings", toast))
}

async fn settings_page(
    ask: &OperatorPage,
    status: StatusCode,
    chosen: Option<String>,
    email: String,
    faults: FormFaults,
) -> PageResult {
    let (instance, operators) = settings::look(&ask.cx).await?;
    let mut shell = shell_of::operator(ask, "Settings").await?;
    shell.has_faults = !faults.is_empty();
    let chosen = chosen.unwrap_or_else(|| instance.sign_up.as_str().to_owned());
    let label = |mode| match mode {
        SignUp::Closed => "Closed",
        SignUp::Invitation => "By invitation",
        SignUp::Open => "Open",
    };
    let modes = SignUp::ALL
        .into_iter()
        .map(|mode| Choice::new(mode.as_str(), label(mode)).hint(mode.meaning()).chosen_by(&chosen));
    let is_last = operators.len() == 1;
    let operators = operators.into_iter().enumerate().map(|(at, user)| Operator {
        dialog: format!("remove-{at}"),
        title: format!("Take the operator's rank from {}?", user.name.as_str()),
        remove: format!("/ops/settings/operators/{}/remove", user.id),
        is_self: user.id == ask.cx.id(),
        is_last,
        name: user.name.as_str().to_owned(),
        email: user.email.to_string(),
    });
    page_with(
        status,
        &SettingsPage {
            shell,
            modes: modes.collect(),
            version: instance.version.to_string(),
            operators: operators.collect(),
            email,
            faults,
        },
    )
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{LONG, SHARP, faults, sample, shell},
        shell::Base,
    };

    let operator = |n: usize| Operator {
        name: LONG.into(),
        email: "olga@acme.example".into(),
        dialog: format!("remove-{n}"),
        title: "Remove Olga?".into(),
        remove: "/x".into(),
        is_self: n == 0,
        is_last: false,
    };
    let page = |count: usize, email: &str, faults| SettingsPage {
        shell: shell(Base::Operator, "Settings"),
        modes: vec![Choice::new("closed", "Closed").chosen(true)],
        version: "1".into(),
        operators: (0..count).map(operator).collect(),
        email: email.into(),
        faults,
    };
    vec![
        sample("ops settings", &page(1, "", FormFaults::default())),
        sample("ops settings: refused", &page(20, SHARP, faults(&[("email", "nobody"), ("sign_up", "no")]))),
    ]
}
