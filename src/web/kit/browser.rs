//! What a browser brings along: its session or visitor cookie, and a message from the page before.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};

use crate::{
    base::{
        crypto::token::{Token, TokenKind},
        ids::CeremonyId,
    },
    web::{
        Doors,
        kit::{
            cookies::{self, CookieName},
            csrf::{self, CsrfToken},
            flash::Toast,
        },
    },
};

/// The browser's own secrets, as far as a page may need them.
#[derive(Clone)]
pub struct Browser {
    /// Protects this browser's forms.
    pub csrf: CsrfToken,
    /// What the page before wanted to say.
    pub toast: Option<Toast>,
}

/// Put into a response's extensions: the next page says it.
#[derive(Clone)]
pub(super) struct SayNext(pub(super) Toast);

/// The session token in the request's cookie, if it has the shape of one.
pub fn session_token(headers: &HeaderMap, secure: bool) -> Option<Token> {
    Token::parse(TokenKind::Session, cookies::read(headers, CookieName::Session, secure)?)
}

/// Reads the cookies before the handler and writes them after it.
pub async fn remember(State(doors): State<Arc<Doors>>, mut request: Request, next: Next) -> Response {
    let secure = doors.ports.site.is_secure();
    let known = session_token(request.headers(), secure)
        .or_else(|| cookies::read(request.headers(), CookieName::Visitor, secure).and_then(csrf::visitor));
    let is_new = known.is_none();
    let basis = known.unwrap_or_else(|| Token::issue(TokenKind::Ceremony, CeremonyId::fresh()));
    let flash = cookies::read(request.headers(), CookieName::Flash, secure);
    let had_flash = flash.is_some();
    let key = csrf::flash_key(&basis);
    let toast = flash.and_then(|text| Toast::unpack(&key, text));
    let reads = request.method() == Method::GET;
    request.extensions_mut().insert(Browser { csrf: CsrfToken::derive(&basis), toast });

    let mut response = next.run(request).await;
    let say = response.extensions_mut().remove::<SayNext>();
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let headers = response.headers_mut();
    if is_new && is_page {
        headers.append(
            header::SET_COOKIE,
            cookies::set(CookieName::Visitor, basis.text().expose(), None, secure),
        );
    }
    if let Some(SayNext(toast)) = say {
        let lifetime = Some(time::Duration::minutes(5));
        headers
            .append(header::SET_COOKIE, cookies::set(CookieName::Flash, &toast.pack(&key), lifetime, secure));
    } else if had_flash && reads && is_page {
        headers.append(header::SET_COOKIE, cookies::clear(CookieName::Flash, secure));
    }
    response
}
