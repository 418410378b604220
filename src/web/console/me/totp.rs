//! The authenticator app and the recovery codes.

use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::{
    base::secret::Secret,
    flow::actions::me::{factors, totp},
    web::{
        console::{
            me::{proof_then, with_session},
            shell_of,
        },
        kit::{
            ask::PersonPage,
            csrf::CsrfToken,
            flash::Toast,
            form::{self, Form, FormFaults},
            page::{PageResult, go, go_saying, page, page_with},
            parts::{Crumb, Qr},
            routes::{Access, Effect, Routes},
            shell::Shell,
        },
    },
};

const ENROLL: &str = "/me/security/totp";
const OFF: &str = "/me/security/totp/off";
const CODES: &str = "/me/security/recovery-codes";

pub(super) fn routes() -> Routes {
    let waits = Effect::Unrecorded("the secret opens no door until its first code, which is recorded");
    let me = Access::Person;
    Routes::default()
        .page(ENROLL, me, show)
        .form("/me/security/totp/start", me, waits, start)
        .form(ENROLL, me, Effect::Records(&["totp.enabled"]), confirm)
        .page(OFF, me, ask_off)
        .form(OFF, me, Effect::Records(&["totp.disabled"]), turn_off)
        .page(CODES, me, ask_codes)
        .form(CODES, me, Effect::Records(&["recovery_codes.made"]), regenerate)
}

#[derive(Template)]
#[template(path = "console/me/totp.html")]
struct EnrollPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    /// The secret that waits; none before one was made.
    waiting: Option<Waiting>,
    faults: FormFaults,
}

struct Waiting {
    qr: Option<Qr>,
    text: Secret<String>,
    uri: Secret<String>,
}

#[derive(Template)]
#[template(path = "console/me/codes.html")]
struct CodesPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    /// What came before: the app was turned on, or nothing.
    lead: &'static str,
    codes: Vec<String>,
    /// All of them as a text to copy, print or keep in a file.
    text: String,
}

#[derive(Template)]
#[template(path = "console/me/totp_off.html")]
struct OffPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    passkeys: usize,
    codes_left: i64,
    required_by: String,
}

#[derive(Template)]
#[template(path = "console/me/codes_new.html")]
struct RegeneratePage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    codes_left: i64,
}

#[derive(Deserialize)]
struct CodeForm {
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
struct Nothing {}

async fn start(ask: PersonPage, Form(_): Form<Nothing>) -> PageResult {
    match totp::start(&ask.cx).await {
        Ok(()) => Ok(go(ENROLL)),
        Err(error) => proof_then(ENROLL, error),
    }
}

async fn show(ask: PersonPage) -> PageResult {
    enroll_page(&ask, StatusCode::OK, FormFaults::default()).await
}

async fn confirm(ask: PersonPage, Form(form): Form<CodeForm>) -> PageResult {
    match totp::confirm(&ask.cx, &form.code).await {
        Ok(added) => {
            let lead = "Your account now asks for a code from the app. One thing is left:";
            let mut shell = shell_of::person(&ask, "Recovery codes").await?;
            // The cookie changes with this answer, and the forms on this page with it.
            shell.csrf = CsrfToken::derive(&added.token).as_str().to_owned();
            Ok(with_session(&ask, &added.token, codes_page(&ask, shell, lead, &added.codes)?))
        }
        Err(error) => {
            let faults = form::faults_of(error)?;
            enroll_page(&ask, StatusCode::UNPROCESSABLE_ENTITY, faults).await
        }
    }
}

async fn ask_off(ask: PersonPage) -> PageResult {
    ask.cx.require_proof()?;
    let factors = factors::overview(&ask.cx).await?;
    if factors.app_since.is_none() {
        return Ok(go("/me/security"));
    }
    let is_last = factors.passkeys.is_empty();
    page(&OffPage {
        shell: shell_of::person(&ask, "Turn off the authenticator app").await?,
        crumbs: crumbs(),
        passkeys: factors.passkeys.len(),
        codes_left: factors.codes_left,
        required_by: if is_last { factors.required_by.join(", ") } else { String::new() },
    })
}

async fn turn_off(ask: PersonPage, Form(_): Form<Nothing>) -> PageResult {
    match totp::turn_off(&ask.cx).await {
        Ok(()) => {
            let toast =
                Toast::say("The authenticator app is off. Its codes and the recovery codes no longer work.");
            Ok(go_saying("/me/security", toast))
        }
        Err(error) => proof_then(OFF, error),
    }
}

async fn ask_codes(ask: PersonPage) -> PageResult {
    ask.cx.require_proof()?;
    let factors = factors::overview(&ask.cx).await?;
    if factors.app_since.is_none() {
        return Ok(go("/me/security"));
    }
    let shell = shell_of::person(&ask, "New recovery codes").await?;
    page(&RegeneratePage { shell, crumbs: crumbs(), codes_left: factors.codes_left })
}

async fn regenerate(ask: PersonPage, Form(_): Form<Nothing>) -> PageResult {
    match totp::regenerate(&ask.cx).await {
        Ok(codes) => {
            let shell = shell_of::person(&ask, "Recovery codes").await?;
            codes_page(&ask, shell, "The earlier codes no longer work.", &codes)
        }
        Err(error) => proof_then(CODES, error),
    }
}

async fn enroll_page(ask: &PersonPage, status: StatusCode, faults: FormFaults) -> PageResult {
    let enrollment = totp::enrollment(&ask.cx).await?;
    let waiting = enrollment.map(|enrollment| Waiting {
        qr: Qr::new(enrollment.uri.expose()),
        text: enrollment.text,
        uri: enrollment.uri,
    });
    let mut shell = shell_of::person(ask, "Set up an authenticator app").await?;
    shell.has_faults = !faults.is_empty();
    page_with(status, &EnrollPage { shell, crumbs: crumbs(), waiting, faults })
}

fn codes_page(ask: &PersonPage, shell: Shell, lead: &'static str, codes: &[Secret<String>]) -> PageResult {
    let codes: Vec<String> = codes.iter().map(|code| code.expose().clone()).collect();
    let site = &ask.cx.ports.site;
    let text = format!(
        "Portreeve recovery codes\n{} at {}\nEach works once, in place of a code from the app.\n\n{}\n",
        ask.cx.user.email,
        site.host(),
        codes.join("\n")
    );
    page(&CodesPage { shell, crumbs: crumbs(), lead, codes, text })
}

fn crumbs() -> Vec<Crumb> {
    vec![Crumb::to("Password and passkeys", "/me/security")]
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{faults, sample, shell},
        shell::Base,
    };

    let crumbs = || vec![Crumb::to("Password and passkeys", "/me/security")];
    let uri = "otpauth://totp/Portreeve:mara@acme.example?secret=JBSWY3DPEHPK3PXP&issuer=Portreeve";
    let waiting = || Waiting {
        qr: Qr::new(uri),
        text: Secret::new("JBSW Y3DP EHPK 3PXP".to_owned()),
        uri: Secret::new(uri.to_owned()),
    };
    let enroll = |waiting, faults| EnrollPage {
        shell: shell(Base::Account, "Set up an app"),
        crumbs: crumbs(),
        waiting,
        faults,
    };
    let codes: Vec<String> = (0..10).map(|n| format!("k7d{n}-9x2m-4fq{n}-c8wt")).collect();
    let shown = CodesPage {
        shell: shell(Base::Account, "Your recovery codes"),
        crumbs: crumbs(),
        lead: "The app is on.",
        text: codes.join("\n"),
        codes,
    };
    let off = |required_by: &str| OffPage {
        shell: shell(Base::Account, "Turn the app off?"),
        crumbs: crumbs(),
        passkeys: 1,
        codes_left: 3,
        required_by: required_by.into(),
    };
    let anew =
        RegeneratePage { shell: shell(Base::Account, "Make new codes?"), crumbs: crumbs(), codes_left: 0 };
    vec![
        sample("app: nothing waits", &enroll(None, FormFaults::default())),
        sample("app", &enroll(Some(waiting()), FormFaults::default())),
        sample("app: refused", &enroll(Some(waiting()), faults(&[("code", "this is no code")]))),
        sample("codes", &shown),
        sample("app: off", &off("")),
        sample("app: required", &off("Acme")),
        sample("codes: anew", &anew),
    ]
}
