//! The way back from a sign-in: in the address as a rule, in a cookie where it carries a secret.
//!
//! The link of an invitation is a secret. In the query of another address it would stand in the logs of proxies, in the
//! browser's history and in what pages tell of where one came from; so the address names [`PATH`] in its place.

use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::Duration;

use crate::{
    base::crypto::token::TokenKind,
    web::kit::{
        cookies::{self, CookieName},
        page::{go, safe_return},
    },
};

/// Leads on to what the cookie holds.
pub const PATH: &str = "/return";
/// Long enough to sign in, a forgotten password included.
const TTL: Duration = Duration::hours(1);

/// On to `path`, a step after which the person comes back `here`.
pub fn go_and_return(path: &str, here: &str, secure: bool) -> Response {
    if !is_secret(here) {
        return go(&with_return(path, here));
    }
    kept(go(&with_return(path, PATH)), here, secure)
}

/// The answer, with which the browser keeps the way back that [`PATH`] stands for.
pub fn kept(mut response: Response, here: &str, secure: bool) -> Response {
    let line = cookies::set(CookieName::Return, &URL_SAFE_NO_PAD.encode(here), Some(TTL), secure);
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}

/// The answer, after which the browser keeps nothing.
pub fn forgotten(mut response: Response, secure: bool) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookies::clear(CookieName::Return, secure));
    response
}

/// The way back that the browser kept, where it is one of ours.
pub fn read(headers: &HeaderMap, secure: bool) -> Option<String> {
    let text = URL_SAFE_NO_PAD.decode(cookies::read(headers, CookieName::Return, secure)?).ok()?;
    let path = String::from_utf8(text).ok()?;
    safe_return(&path).filter(|path| *path != PATH).map(str::to_owned)
}

/// Adds the way back to an address; the start needs none.
pub fn with_return(path: &str, here: &str) -> String {
    if here.is_empty() || here == "/" {
        return path.to_owned();
    }
    let query = serde_urlencoded::to_string([("return_to", here)]).unwrap_or_default();
    format!("{path}?{query}")
}

/// Whether there is a token of ours in a path.
fn is_secret(path: &str) -> bool {
    TokenKind::ALL.iter().any(|kind| path.contains(kind.prefix()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_link_goes_into_the_cookie_and_a_page_into_the_address() {
        let plain = go_and_return("/login", "/o/acme/teams?q=a", true);
        assert_eq!(plain.headers()[header::LOCATION], "/login?return_to=%2Fo%2Facme%2Fteams%3Fq%3Da");
        assert!(!plain.headers().contains_key(header::SET_COOKIE));

        let secret = go_and_return("/login", "/invite/pri_abc", true);
        assert_eq!(secret.headers()[header::LOCATION], "/login?return_to=%2Freturn");
        let line = secret.headers()[header::SET_COOKIE].to_str().expect("text");
        assert!(
            line.contains("HttpOnly") && line.contains("Max-Age=3600") && !line.contains("pri_"),
            "{line}"
        );
        let mut headers = HeaderMap::new();
        let pair = line.split(';').next().unwrap_or_default();
        headers.insert(header::COOKIE, HeaderValue::from_str(pair).expect("a cookie"));
        assert_eq!(read(&headers, true).as_deref(), Some("/invite/pri_abc"));
        assert_eq!(read(&headers, false), None);
    }

    #[test]
    fn nobody_elses_address_and_no_ring_is_read() {
        for bad in ["https://evil.example", "//evil.example", PATH] {
            let pair = format!("portreeve_return={}", URL_SAFE_NO_PAD.encode(bad));
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(&pair).expect("a cookie"));
            assert_eq!(read(&headers, false), None, "{bad}");
        }
    }
}
