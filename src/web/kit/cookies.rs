//! Reading and writing cookies.
//!
//! Over https every name carries the `__Host-` prefix, so that no sibling host can set it. Over plain http, which
//! only a trial on this machine uses, browsers refuse the prefix and names go without.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, header};
use time::Duration;

/// The cookies we set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieName {
    /// The signed-in session.
    Session,
    /// A visitor before sign-in; protects their forms.
    Visitor,
    /// A sign-in between its steps.
    Ceremony,
    /// A message for the next page.
    Flash,
    /// The way back from a sign-in, where it is a secret.
    Return,
}

impl CookieName {
    const fn plain(self) -> &'static str {
        match self {
            Self::Session => "portreeve_session",
            Self::Visitor => "portreeve_visitor",
            Self::Ceremony => "portreeve_step",
            Self::Flash => "portreeve_flash",
            Self::Return => "portreeve_return",
        }
    }

    fn full(self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        format!("{prefix}{}", self.plain())
    }
}

/// Reads one cookie; the first of several counts.
pub fn read(headers: &HeaderMap, name: CookieName, secure: bool) -> Option<&str> {
    let full = name.full(secure);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == full)
        .map(|(_, value)| value)
}

/// What an answer sets one of our cookies to; empty where it takes the cookie away.
pub fn given(headers: &HeaderMap, name: CookieName, secure: bool) -> Option<&str> {
    let full = name.full(secure);
    let lines = headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.filter_map(|line| line.split(';').next()?.split_once('='));
    pairs.filter(|(key, _)| *key == full).map(|(_, value)| value).next_back()
}

/// A `Set-Cookie` line; without a lifetime the cookie ends with the browser.
pub fn set(name: CookieName, value: &str, lifetime: Option<Duration>, secure: bool) -> HeaderValue {
    let mut line = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", name.full(secure));
    if secure {
        line.push_str("; Secure");
    }
    if let Some(lifetime) = lifetime {
        let _ = write!(line, "; Max-Age={}", lifetime.whole_seconds());
    }
    let mut header = HeaderValue::from_str(&line).expect("cookie values are our own base32 and base64 texts");
    header.set_sensitive(true);
    header
}

/// A `Set-Cookie` line that takes the cookie away.
pub fn clear(name: CookieName, secure: bool) -> HeaderValue {
    set(name, "", Some(Duration::ZERO), secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_reads_back_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; __Host-portreeve_session=x; c=d"));
        assert_eq!(read(&headers, CookieName::Session, true), Some("x"));
        assert_eq!(read(&headers, CookieName::Session, false), None);
    }

    #[test]
    fn an_https_cookie_is_bound_to_the_host() {
        let line = set(CookieName::Session, "x", None, true);
        let line = line.to_str().expect("text");
        assert_eq!(line, "__Host-portreeve_session=x; Path=/; HttpOnly; SameSite=Lax; Secure");
    }
}
