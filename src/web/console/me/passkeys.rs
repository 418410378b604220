//! Adding, renaming and removing passkeys.

use askama::Template;
use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    flow::{
        actions::me::passkeys::{self, NewPasskey},
        fault::ActionError,
    },
    web::{
        console::{
            me::{ceremony, proof_then, with_session},
            shell_of,
        },
        kit::{
            ask::PersonPage,
            cookies::{self, CookieName},
            faults::{Fault, PageError},
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go_saying, page, page_with},
            parts::Crumb,
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

const NEW: &str = "/me/security/passkeys/new";

pub(super) fn routes() -> Routes {
    let waits = Effect::Unrecorded("a ceremony begins; its end is recorded");
    let (me, one) = (Access::Person, "/me/security/passkeys/{passkey}");
    Routes::default()
        .page(NEW, me, new)
        .form("/me/security/passkeys/options", me, waits, options)
        .form(NEW, me, Effect::Records(&["passkey.added"]), add)
        .page(one, me, show)
        .form(one, me, Effect::Records(&["passkey.renamed"]), rename)
        .page("/me/security/passkeys/{passkey}/remove", me, ask_remove)
        .form("/me/security/passkeys/{passkey}/remove", me, Effect::Records(&["passkey.removed"]), remove)
}

#[derive(Template)]
#[template(path = "console/me/passkey_new.html")]
struct NewPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    form: PasskeyForm,
    faults: FormFaults,
}

#[derive(Template)]
#[template(path = "console/me/passkey.html")]
struct PasskeyPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    created_at: OffsetDateTime,
    last_used_at: Option<OffsetDateTime>,
    called: String,
    faults: FormFaults,
}

#[derive(Template)]
#[template(path = "console/me/passkey_remove.html")]
struct RemovePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
}

#[derive(Clone, Default, Deserialize)]
struct PasskeyForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    credential: String,
}

#[derive(Deserialize)]
struct Nothing {}

async fn new(ask: PersonPage) -> PageResult {
    ask.cx.require_proof()?;
    new_page(&ask, StatusCode::OK, PasskeyForm::default(), FormFaults::default()).await
}

/// Answers the page's script; a refusal is told in words that it can show.
async fn options(ask: PersonPage, Form(_): Form<Nothing>) -> Result<Response, PageError> {
    let (options, token) = match passkeys::start(&ask.cx).await {
        Ok(started) => started,
        Err(ActionError::NeedsProof) => {
            return Ok(refusal(
                StatusCode::FORBIDDEN,
                "Too much time has passed. Reload the page and confirm that it is you.",
            ));
        }
        Err(error @ ActionError::Refused(_)) => {
            let fault = Fault::Action(error);
            return Ok(refusal(fault.status(), &fault.detail()));
        }
        Err(error) => return Err(error.into()),
    };
    let mut response = Json(options).into_response();
    let secure = ask.cx.ports.site.is_secure();
    let cookie = cookies::set(CookieName::Ceremony, token.text().expose(), None, secure);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

fn refusal(status: StatusCode, detail: &str) -> Response {
    (status, Json(serde_json::json!({ "detail": detail }))).into_response()
}

async fn add(ask: PersonPage, headers: HeaderMap, Form(form): Form<PasskeyForm>) -> PageResult {
    let new = NewPasskey { name: &form.name, answer: &form.credential, ceremony: ceremony(&ask, &headers) };
    match passkeys::finish(&ask.cx, new).await {
        Ok(token) => {
            let said = Toast::say("The passkey was added. You can sign in with it from now on.");
            let mut response = go_saying("/me/security", said);
            let spent = cookies::clear(CookieName::Ceremony, ask.cx.ports.site.is_secure());
            response.headers_mut().append(header::SET_COOKIE, spent);
            Ok(with_session(&ask, &token, response))
        }
        Err(ActionError::NeedsProof) => proof_then(NEW, ActionError::NeedsProof),
        Err(error) => {
            let faults = form::faults_of(error)?;
            // The answer was for one try; another needs the device again.
            let form = PasskeyForm { credential: String::new(), ..form };
            new_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, form, faults).await
        }
    }
}

async fn show(ask: PersonPage, Path(id): Path<String>) -> PageResult {
    passkey_page(&ask, StatusCode::OK, &id, None, FormFaults::default()).await
}

async fn rename(ask: PersonPage, Path(id): Path<String>, Form(form): Form<PasskeyForm>) -> PageResult {
    match passkeys::rename(&ask.cx, &id, &form.name).await {
        Ok(()) => Ok(go_saying("/me/security", Toast::say("Saved."))),
        Err(error) => {
            let faults = form::faults_of(error)?;
            passkey_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, &id, Some(form.name), faults).await
        }
    }
}

async fn ask_remove(ask: PersonPage, Path(id): Path<String>) -> PageResult {
    ask.cx.require_proof()?;
    let passkey = passkeys::find(&ask.cx, &id).await?;
    let href = format!("/me/security/passkeys/{}", passkey.id);
    page(&RemovePage {
        shell: shell_of::person(&ask, format!("Remove {}?", passkey.name)).await?,
        crumbs: vec![security(), Crumb::to(passkey.name, href.clone())],
        href,
    })
}

async fn remove(ask: PersonPage, Path(id): Path<String>, Form(_): Form<Nothing>) -> PageResult {
    match passkeys::remove(&ask.cx, &id).await {
        Ok(name) => {
            let toast = Toast::say(format!("The passkey {name} was removed. Delete it on your device too."));
            Ok(go_saying("/me/security", toast))
        }
        Err(error) => proof_then("/me/security", error),
    }
}

async fn new_page(ask: &PersonPage, status: StatusCode, form: PasskeyForm, faults: FormFaults) -> PageResult {
    let mut shell = shell_of::person(ask, "Add a passkey").await?;
    shell.has_faults = !faults.is_empty();
    page_with(status, &NewPage { shell, crumbs: vec![security()], form, faults })
}

async fn passkey_page(
    ask: &PersonPage,
    status: StatusCode,
    id: &str,
    typed: Option<String>,
    faults: FormFaults,
) -> PageResult {
    let passkey = passkeys::find(&ask.cx, id).await?;
    let mut shell = shell_of::person(ask, passkey.name.clone()).await?;
    shell.has_faults = !faults.is_empty();
    let page = PasskeyPage {
        shell,
        crumbs: vec![security()],
        href: format!("/me/security/passkeys/{}", passkey.id),
        created_at: passkey.created_at,
        last_used_at: passkey.last_used_at,
        called: typed.unwrap_or(passkey.name),
        faults,
    };
    page_with(status, &page)
}

fn security() -> Crumb {
    Crumb::to("Password and passkeys", "/me/security")
}
