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
    let session = session_token(request.headers(), secure);
    let visitor = cookies::read(request.headers(), CookieName::Visitor, secure).and_then(csrf::visitor);
    let is_new = visitor.is_none();
    let visitor = visitor.unwrap_or_else(|| Token::issue(TokenKind::Ceremony, CeremonyId::fresh()));
    let basis = session.as_ref().unwrap_or(&visitor);
    let flash = cookies::read(request.headers(), CookieName::Flash, secure);
    let had_flash = flash.is_some();
    let toast = flash.and_then(|text| Toast::unpack(&csrf::flash_key(basis), text));
    let reads = request.method() == Method::GET;
    request.extensions_mut().insert(Browser { csrf: CsrfToken::derive(basis), toast: toast.clone() });

    let mut response = next.run(request).await;
    let said = response.extensions_mut().remove::<SayNext>().map(|SayNext(toast)| toast);
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    // The next request reads its message with the cookies that this answer leaves behind.
    let given = cookies::given(response.headers(), CookieName::Session, secure);
    let is_given = given.is_some();
    let session = given.map_or(session, |text| Token::parse(TokenKind::Session, text));
    let say = said.or_else(|| toast.filter(|_| is_given && !is_page));
    let headers = response.headers_mut();
    if session.is_none() && is_new && (is_page || say.is_some()) {
        let line = cookies::set(CookieName::Visitor, visitor.text().expose(), None, secure);
        headers.append(header::SET_COOKIE, line);
    }
    if let Some(toast) = say {
        let packed = toast.pack(&csrf::flash_key(session.as_ref().unwrap_or(&visitor)));
        let lifetime = Some(time::Duration::minutes(5));
        headers.append(header::SET_COOKIE, cookies::set(CookieName::Flash, &packed, lifetime, secure));
    } else if had_flash && reads && is_page {
        headers.append(header::SET_COOKIE, cookies::clear(CookieName::Flash, secure));
    }
    response
}
