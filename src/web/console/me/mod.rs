//! A person's own pages: profile, security, sessions, organizations, activity, and stopping everything.

mod access;
mod accounts;
mod activity;
mod email;
mod grants;
mod orgs;
mod passkeys;
mod password;
mod profile;
mod requests;
mod secrets;
mod security;
mod sessions;
mod stop;
mod totp;

pub(super) use access::address as ask_for_access;

use axum::{
    http::{HeaderMap, header},
    response::Response,
};

use crate::{
    base::crypto::token::Token,
    flow::fault::ActionError,
    web::kit::{
        ask::PersonPage,
        cookies::{self, CookieName},
        faults::PageError,
        page::{PageResult, go},
        routes::{Access, Routes},
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .page("/me", Access::Person, start)
        .and(access::routes())
        .and(accounts::routes())
        .and(activity::routes())
        .and(email::routes())
        .and(grants::routes())
        .and(orgs::routes())
        .and(passkeys::routes())
        .and(password::routes())
        .and(profile::routes())
        .and(requests::routes())
        .and(secrets::routes())
        .and(security::routes())
        .and(sessions::routes())
        .and(stop::routes())
        .and(totp::routes())
}

async fn start(_: PersonPage) -> PageResult {
    Ok(go("/me/agents"))
}

/// The answer, with the session's new token for the cookie.
fn with_session(ask: &PersonPage, token: &Token, mut response: Response) -> Response {
    let secure = ask.cx.ports.site.is_secure();
    let cookie = cookies::set(CookieName::Session, token.text().expose(), None, secure);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// The token of the ceremony under way, as the cookie carries it.
fn ceremony<'a>(ask: &PersonPage, headers: &'a HeaderMap) -> Option<&'a str> {
    cookies::read(headers, CookieName::Ceremony, ask.cx.ports.site.is_secure())
}

/// Where a proof is missing, on to the proof and then to `page`, which offers the step again.
fn proof_then(page: &str, error: ActionError) -> PageResult {
    match error {
        ActionError::NeedsProof => {
            let query = serde_urlencoded::to_string([("return_to", page)]).map_err(PageError::defect)?;
            Ok(go(&format!("/prove?{query}")))
        }
        other => Err(PageError::from(other)),
    }
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    let files = [
        access::samples,
        accounts::samples,
        activity::samples,
        email::samples,
        grants::samples,
        orgs::samples,
        passkeys::samples,
        password::samples,
        profile::samples,
        requests::samples,
        secrets::samples,
        security::samples,
        sessions::samples,
        stop::samples,
        totp::samples,
    ];
    files.iter().flat_map(|samples| samples()).collect()
}
