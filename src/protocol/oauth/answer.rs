//! Reading an answer of a token endpoint, in the dialects that providers speak.
//!
//! Accepted beside what RFC 6749, section 5.1 says: a form in place of JSON, scopes as a list or between commas, a lifetime
//! as text or none at all, a second pair of tokens inside the answer, and a refusal under status 200.

use serde_json::{Map, Value};

use crate::{
    base::secret::Secret,
    protocol::oauth::{
        document::{Document, Path, take_secret, whole},
        failure::{TokenFailure, is_refusal},
    },
};

/// The longest token; some have 4 KB and more.
const LONGEST_TOKEN: usize = 16 * 1024;
/// No lifetime is longer than ten years.
const LONGEST_LIFE: u64 = 10 * 366 * 24 * 3_600;
const MOST_SCOPES: usize = 500;
const LONGEST_SCOPE: usize = 500;

/// What is particular about a provider's answers.
#[derive(Clone, Debug, Default)]
pub struct Dialect {
    /// Where a second pair of tokens stands, such as Slack's `authed_user`.
    pub nested: Option<Path>,
}

/// What a token endpoint gave.
#[derive(Clone, Debug)]
pub struct TokenAnswer {
    /// The token and what belongs to it.
    pub tokens: Tokens,
    /// The second pair, which belongs to the person where the first belongs to the app.
    pub second: Option<Tokens>,
    /// Who signed in, as a signed text (OpenID Connect).
    pub id_token: Option<Secret<String>>,
    /// What else the answer says; no token is in it.
    pub rest: Document,
}

/// A token and what belongs to it.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The token that is sent to the resource.
    pub access: Secret<String>,
    /// The token that the next one is fetched with.
    pub refresh: Option<Secret<String>>,
    /// For how many seconds the token is valid; nothing where the provider does not say.
    pub expires_in: Option<u64>,
    /// The same of the refresh token.
    pub refresh_expires_in: Option<u64>,
    /// What the token may be used for; nothing where the provider does not say, which means: what was asked.
    pub scopes: Option<Vec<String>>,
}

impl TokenAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// Why no token came, sorted.
    pub fn read(status: u16, body: &[u8], dialect: &Dialect) -> Result<Self, TokenFailure> {
        let document = Document::read_object(body).ok();
        if !(200..300).contains(&status) {
            return Err(TokenFailure::of(status, document.as_ref()));
        }
        let Some(mut rest) = document else {
            return Err(if is_page(body) {
                TokenFailure::page(status)
            } else {
                TokenFailure::unreadable(status)
            });
        };
        if is_refusal(rest.value()) {
            return Err(TokenFailure::of(status, Some(&rest)));
        }
        let unreadable = || TokenFailure::unreadable(status);
        let mut second = match dialect.nested.as_ref().and_then(|path| object_at(&mut rest, path)) {
            Some(object) => Tokens::take(object, status)?,
            None => None,
        };
        let object = rest.object_mut().ok_or_else(unreadable)?;
        let id_token = take_secret(object, "id_token").filter(is_token);
        let first = Tokens::take(object, status)?;
        // Where only the person's pair was asked for, it is the only one.
        let tokens = first.or_else(|| second.take()).ok_or_else(unreadable)?;
        Ok(Self { tokens, second, id_token, rest })
    }
}

/// Whether somebody who shows pages to people answered in the provider's place, as on its way or while it is being repaired.
fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

impl Tokens {
    /// Takes the tokens out of an object; what is left holds none.
    fn take(object: &mut Map<String, Value>, status: u16) -> Result<Option<Self>, TokenFailure> {
        let access = take_secret(object, "access_token");
        let refresh = take_secret(object, "refresh_token");
        let Some(access) = access else { return Ok(None) };
        if !is_token(&access) || refresh.as_ref().is_some_and(|refresh| !is_token(refresh)) {
            return Err(TokenFailure::unreadable(status));
        }
        // A token that has to be proven or signed with is of no use as a bearer's (RFC 9449; RFC 6749, section 7.1).
        let kind = object.get("token_type").and_then(Value::as_str).unwrap_or_default();
        if ["mac", "dpop", "pop", "n_a"].contains(&kind.to_ascii_lowercase().as_str()) {
            return Err(TokenFailure::unusable(status));
        }
        let life = |keys: &[&str]| {
            let seconds = keys.iter().find_map(|key| whole(object.get(*key)?));
            // Nought stands for "does not expire" with those who send it.
            seconds.filter(|seconds| *seconds > 0).map(|seconds| seconds.min(LONGEST_LIFE))
        };
        let expires_in = life(&["expires_in"]);
        let refresh_expires_in =
            life(&["refresh_token_expires_in", "x_refresh_token_expires_in", "refresh_expires_in"]);
        let scopes = object.get("scope").or_else(|| object.get("scopes")).and_then(scopes);
        Ok(Some(Self { access, refresh, expires_in, refresh_expires_in, scopes }))
    }
}

/// Scopes between spaces or commas, or as a list; each once.
fn scopes(value: &Value) -> Option<Vec<String>> {
    let said: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let mut scopes: Vec<String> = Vec::new();
    let split = said.iter().flat_map(|text| text.split([' ', ',', '\t', '\n']));
    let is_scope = |scope: &&str| {
        !scope.is_empty() && scope.len() <= LONGEST_SCOPE && scope.bytes().all(|b| b.is_ascii_graphic())
    };
    for scope in split.filter(is_scope).take(MOST_SCOPES) {
        if !scopes.iter().any(|there| there == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Some(scopes)
}

/// Whether it may stand in a header.
fn is_token(token: &Secret<String>) -> bool {
    let text = token.expose();
    text.len() <= LONGEST_TOKEN && text.bytes().all(|b| b.is_ascii_graphic())
}

fn object_at<'d>(document: &'d mut Document, path: &Path) -> Option<&'d mut Map<String, Value>> {
    let there = path.find(document.value())?.is_object();
    let key = path.to_string();
    // A pair stands one member down; deeper ones would need a provider that has them.
    there.then(|| document.object_mut()?.get_mut(&key)?.as_object_mut()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::oauth::failure::FailureKind;

    fn read(body: &str) -> Result<TokenAnswer, TokenFailure> {
        TokenAnswer::read(200, body.as_bytes(), &Dialect { nested: "authed_user".parse().ok() })
    }

    fn tokens(body: &str) -> Tokens {
        read(body).expect("tokens").tokens
    }

    #[test]
    fn lifetimes_come_as_numbers_as_texts_or_not_at_all() {
        for (said, seconds) in [
            (r#","expires_in":3600"#, Some(3600)),
            (r#","expires_in":"3600""#, Some(3600)),
            (r#","expires_in":3599.7"#, Some(3599)),
            (r#","expires_in":0"#, None),
            (r#","expires_in":-1"#, None),
            (r#","expires_in":null"#, None),
            (r#","expires_in":"soon""#, None),
            (r#","expires_in":1e300"#, None),
            (r#","expires_in":99999999999"#, Some(LONGEST_LIFE)),
            ("", None),
        ] {
            let read = tokens(&format!(r#"{{"access_token":"a"{said}}}"#));
            assert_eq!(read.expires_in, seconds, "{said}");
        }
        let intuit = tokens(r#"{"access_token":"a","x_refresh_token_expires_in":8726400}"#);
        assert_eq!(intuit.refresh_expires_in, Some(8_726_400));
    }

    #[test]
    fn scopes_come_in_three_shapes() {
        for (said, wanted) in [
            (r#""scope":"a b  a""#, &["a", "b"][..]),
            (r#""scope":"a,b""#, &["a", "b"]),
            (r#""scope":["a","b"]"#, &["a", "b"]),
            (r#""scopes":["a b"]"#, &["a", "b"]),
            (r#""scope":"""#, &[]),
        ] {
            let read = tokens(&format!(r#"{{"access_token":"a",{said}}}"#)).scopes.expect("said");
            assert_eq!(read, wanted, "{said}");
        }
        assert_eq!(tokens(r#"{"access_token":"a"}"#).scopes, None);
    }

    #[test]
    fn a_form_is_read_as_json_is() {
        let read = tokens("access_token=gho_1&scope=repo%2Cgist&token_type=bearer");
        assert_eq!(read.access.expose(), "gho_1");
        assert_eq!(read.scopes, Some(vec!["repo".to_owned(), "gist".to_owned()]));
    }

    #[test]
    fn the_persons_pair_stands_beside_the_apps_or_alone() {
        let both = read(
            r#"{"ok":true,"access_token":"xoxb","refresh_token":"r1","authed_user":{"id":"U1","access_token":"xoxp","refresh_token":"r2","scope":"search"}}"#,
        )
        .expect("two pairs");
        assert_eq!(
            (both.tokens.access.expose().as_str(), both.second.as_ref().map(|t| t.access.expose().as_str())),
            ("xoxb", Some("xoxp"))
        );
        assert_eq!(both.rest.text(&"authed_user.id".parse().expect("a path")).as_deref(), Some("U1"));
        let alone = read(r#"{"ok":true,"authed_user":{"access_token":"xoxp"}}"#).expect("one pair");
        assert!(alone.tokens.access.expose() == "xoxp" && alone.second.is_none());
        let none = read(r#"{"ok":true,"authed_user":{"id":"U1"}}"#).expect_err("no token");
        assert_eq!(none.kind, FailureKind::Unknown);
    }

    #[test]
    fn no_token_is_left_in_what_else_was_said() {
        let answer =
            read(r#"{"access_token":"t0ken","refresh_token":"t0ken","id_token":"t0ken","team":{"id":"T1"}}"#)
                .expect("tokens");
        assert!(!answer.rest.value().to_string().contains("t0ken") && answer.id_token.is_some());
        assert!(!format!("{answer:?}").contains("t0ken"));
    }

    #[test]
    fn long_tokens_are_taken_and_odd_ones_are_not() {
        assert_eq!(
            tokens(&format!(r#"{{"access_token":"{}"}}"#, "a".repeat(4_500))).access.expose().len(),
            4_500
        );
        for token in ["a\\nb", "a b", "é", &"a".repeat(LONGEST_TOKEN + 1)] {
            assert_eq!(
                read(&format!(r#"{{"access_token":"{token}"}}"#)).expect_err("odd").kind,
                FailureKind::Unknown
            );
        }
        let bound = read(r#"{"access_token":"a","token_type":"DPoP"}"#).expect_err("bound");
        assert_eq!(bound.kind, FailureKind::BrokenClient);
        for page in ["<html>", "\r\n <!doctype html>"] {
            assert_eq!(read(page).expect_err(page).kind, FailureKind::Transient, "{page}");
        }
        for body in ["", "[]", "null", "html", "{}", r#"{"access_token":7}"#, r#"{"access_token":""}"#] {
            assert_eq!(read(body).expect_err(body).kind, FailureKind::Unknown, "{body}");
        }
    }

    #[test]
    fn a_refusal_under_status_200_is_one() {
        for body in
            [r#"{"ok":false}"#, r#"{"error":"x","access_token":"a"}"#, r#"{"error":{"code":1}}"#, "error=x"]
        {
            assert!(read(body).is_err(), "{body}");
        }
        for body in [r#"{"error":null,"access_token":"a"}"#, r#"{"error":"","access_token":"a"}"#] {
            assert!(read(body).is_ok(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 100u16..600, body in "\\PC{0,200}", json in r#"\{"(access_token|error|scope|ok|authed_user)":("[a-z ]{0,5}"|true|false|null|[0-9]{1,3}|\[\]|\{\})\}"#) {
            for body in [body, json] {
                let _ = TokenAnswer::read(status, body.as_bytes(), &Dialect { nested: "authed_user".parse().ok() });
            }
        }
    }
}
