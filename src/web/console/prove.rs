//! Confirm that it is you, before a sensitive act.

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;

use crate::{
    base::{crypto::token::Token, secret::Secret},
    flow::{
        actions::prove::{self, Ways},
        cx::PersonCx,
        fault::ActionError,
    },
    web::{
        console::{
            shell_of,
            sign_in::{Nothing, ReturnQuery, kept, onward, options, step_of, with_session, without_step},
        },
        kit::{
            ask::Visitor,
            faults::PageError,
            form::{self, Form, FormFaults},
            page::{PageResult, go, page_with},
            query::Query,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    let person = Access::Person;
    let proves = Effect::Records(&["session.proven", "session.proof_refused"]);
    Routes::default()
        .page("/prove", person, show)
        .form("/prove", person, proves, by_text)
        .form(
            "/prove/passkey/options",
            person,
            Effect::Unrecorded("a question; its answer is recorded"),
            ask_passkey,
        )
        .form("/prove/passkey", person, proves, by_passkey)
}

/// The ways to prove it.
#[derive(Template)]
#[template(path = "auth/prove.html")]
struct ProvePage {
    shell: Shell,
    name: String,
    email: String,
    return_to: String,
    ways: Ways,
    faults: FormFaults,
}

#[derive(Deserialize)]
struct ProveForm {
    #[serde(default)]
    password: Secret<String>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    way: String,
    #[serde(default)]
    return_to: String,
}

#[derive(Deserialize)]
struct PasskeyForm {
    #[serde(default)]
    credential: String,
    #[serde(default)]
    return_to: String,
}

fn person(visitor: &Visitor) -> Result<&PersonCx, PageError> {
    visitor.person.as_ref().ok_or_else(|| ActionError::NotSignedIn.into())
}

async fn show(visitor: Visitor, Query(query): Query<ReturnQuery>) -> PageResult {
    prove_page(&visitor, StatusCode::OK, &query.return_to, FormFaults::default()).await
}

async fn prove_page(
    visitor: &Visitor,
    status: StatusCode,
    return_to: &str,
    faults: FormFaults,
) -> PageResult {
    let person = person(visitor)?;
    let ways = prove::ways(person).await?;
    let mut shell = shell_of::open(visitor, "Confirm that it is you");
    shell.has_faults = !faults.is_empty();
    let (name, email) = (person.user.name.to_string(), person.user.email.to_string());
    page_with(status, &ProvePage { shell, name, email, return_to: kept(return_to), ways, faults })
}

async fn by_text(visitor: Visitor, Form(form): Form<ProveForm>) -> PageResult {
    let person = person(&visitor)?;
    let proven = match form.way.as_str() {
        "code" => prove::with_code(person, &form.code).await,
        _ => prove::with_password(person, form.password).await,
    };
    match proven {
        Ok(token) => Ok(proven_page(&visitor, &token, &form.return_to)),
        Err(error) => {
            let faults = form::faults_of(error)?;
            prove_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form.return_to, faults).await
        }
    }
}

async fn ask_passkey(visitor: Visitor, Form(Nothing {}): Form<Nothing>) -> Result<Response, PageError> {
    let person = person(&visitor)?;
    Ok(options(person, prove::passkey_options(person).await))
}

async fn by_passkey(visitor: Visitor, headers: HeaderMap, Form(form): Form<PasskeyForm>) -> PageResult {
    let person = person(&visitor)?;
    let step = step_of(&headers, person);
    match prove::with_passkey(person, step.as_ref(), &form.credential).await {
        Ok(token) => Ok(without_step(proven_page(&visitor, &token, &form.return_to), person)),
        Err(ActionError::Refused(refused)) => {
            let faults = form::faults_of(ActionError::field("", refused.sentence))?;
            prove_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form.return_to, faults).await
        }
        Err(other) => Err(other.into()),
    }
}

fn proven_page(visitor: &Visitor, token: &Token, return_to: &str) -> Response {
    with_session(go(&onward(return_to, "/".to_owned())), visitor, token)
}
