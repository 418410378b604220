//! Protection of forms against being posted by another site.
//!
//! Three locks on every unsafe request with a cookie: `Sec-Fetch-Site`, `Origin`, and a token in the form that is
//! derived from the secret in the caller's own cookie.

use axum::http::{HeaderMap, header};
use data_encoding::BASE32_DNSCURVE;

use crate::base::crypto::{
    digest::{self, Digest},
    token::{Token, TokenKind},
};

/// The token for the forms of one session or visitor.
#[derive(Clone)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// Derives it from the secret in the caller's cookie.
    pub fn derive(cookie: &Token) -> Self {
        Self(BASE32_DNSCURVE.encode(&cookie.derive("csrf")[..20]))
    }

    /// The text for the hidden field.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a posted text is this token.
    pub fn matches(&self, posted: &str) -> bool {
        digest::same(self.0.as_bytes(), posted.as_bytes())
    }
}

/// The key that signs messages to the caller's own next page.
pub fn flash_key(cookie: &Token) -> Digest {
    cookie.derive("flash")
}

/// The visitor cookie's token, if the text is one of ours.
pub fn visitor(text: &str) -> Option<Token> {
    Token::parse(TokenKind::Ceremony, text)
}

/// Whether the browser itself says that the request comes from our own pages.
///
/// A browser that sends neither header is refused: every browser of the last years sends `Origin` on a POST.
pub fn same_site(headers: &HeaderMap, base_origin: &str) -> bool {
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or("?"));
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    let origin = text(header::ORIGIN);
    let site_ok = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    let origin_ok = match origin {
        Some(origin) => origin == base_origin || (origin == "null" && site == Some("same-origin")),
        None => site.is_some(),
    };
    site_ok && origin_ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(site: Option<&'static str>, origin: Option<&'static str>) -> HeaderMap {
        let mut map = HeaderMap::new();
        if let Some(site) = site {
            map.insert("sec-fetch-site", HeaderValue::from_static(site));
        }
        if let Some(origin) = origin {
            map.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        map
    }

    #[test]
    fn only_our_own_pages_pass() {
        let ours = "https://p.example";
        for (site, origin, passes) in [
            (Some("same-origin"), Some("https://p.example"), true),
            (None, Some("https://p.example"), true),
            (Some("same-origin"), Some("null"), true),
            (Some("none"), None, true),
            (None, None, false),
            (Some("cross-site"), Some("https://p.example"), false),
            (Some("same-site"), Some("https://p.example"), false),
            (Some("same-origin"), Some("https://evil.example"), false),
            (None, Some("null"), false),
            (None, Some("http://p.example"), false),
        ] {
            assert_eq!(same_site(&headers(site, origin), ours), passes, "{site:?} {origin:?}");
        }
    }
}
