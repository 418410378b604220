//! What a server asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1; RFC 6750, section 3; RFC 9728, section 5.1).

use url::Url;

use crate::protocol::oauth::{document::clean, metadata::address};

const LONGEST: usize = 16 * 1024;
const MOST_SCOPES: usize = 200;

/// A demand for a bearer token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where the resource says who gives tokens for it.
    pub resource_metadata: Option<Url>,
    /// Why the token that was sent does not do.
    pub error: Option<ChallengeError>,
    /// What was said about it.
    pub words: Option<String>,
    /// The scopes that are wanted.
    pub scopes: Vec<String>,
}

/// Why a token does not do (RFC 6750, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeError {
    /// It is over, ended or no token.
    InvalidToken,
    /// It is good and not for this.
    InsufficientScope,
    /// Anything else.
    Other,
}

impl Challenge {
    /// The first demand for a bearer token in the values of the header; nothing where there is none.
    pub fn read<'h>(values: impl IntoIterator<Item = &'h str>) -> Option<Self> {
        values.into_iter().filter(|value| value.len() <= LONGEST).find_map(|value| {
            let all = Reader { text: value.trim_start() }.challenges();
            all.into_iter()
                .find(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .map(|(_, pairs)| Self::of(&pairs))
        })
    }

    fn of(pairs: &[(String, String)]) -> Self {
        let get = |wanted: &str| {
            pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
        };
        let error = get("error").map(|error| match error {
            "invalid_token" => ChallengeError::InvalidToken,
            "insufficient_scope" => ChallengeError::InsufficientScope,
            _ => ChallengeError::Other,
        });
        let words = get("error_description").map(|words| clean(words, 300)).filter(|words| !words.is_empty());
        let scopes = get("scope").unwrap_or_default().split_ascii_whitespace().take(MOST_SCOPES);
        let is_scope = |scope: &&str| scope.bytes().all(|b| b.is_ascii_graphic());
        let scopes = scopes.filter(is_scope).map(str::to_owned).collect();
        Self { resource_metadata: get("resource_metadata").and_then(address), error, words, scopes }
    }
}

type Pairs = Vec<(String, String)>;

/// Goes through a value, which may hold several challenges with several parameters, all with commas between.
struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    /// Everything up to the first thing that makes no sense.
    fn challenges(mut self) -> Vec<(&'a str, Pairs)> {
        let mut found: Vec<(&str, Pairs)> = Vec::new();
        loop {
            self.skip(&[',', ' ', '\t']);
            let Some(name) = self.token() else { break };
            let before = self.text;
            self.skip(&[' ', '\t']);
            if let Some((_, pairs)) = found.last_mut()
                && let Some(value) = self.value()
            {
                pairs.push((name.to_owned(), value));
                continue;
            }
            // A scheme: after it come spaces and parameters, one text, or nothing.
            self.text = before;
            found.push((name, Vec::new()));
            self.skip(&[' ', '\t']);
            self.skip_token68();
        }
        found
    }

    fn skip(&mut self, skipped: &[char]) {
        self.text = self.text.trim_start_matches(skipped);
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.text.find(|c| !is_token(c)).unwrap_or(self.text.len());
        let (token, rest) = self.text.split_at(end);
        self.text = rest;
        (!token.is_empty()).then_some(token)
    }

    /// `=` and a value, with or without quotation marks; stays where it is if there is none.
    fn value(&mut self) -> Option<String> {
        let start = self.text;
        let value = self.equals().and_then(|()| match self.text.strip_prefix('"') {
            Some(inner) => self.quoted(inner),
            None => self.token().map(str::to_owned),
        });
        if value.is_none() {
            self.text = start;
        }
        value
    }

    fn equals(&mut self) -> Option<()> {
        self.text = self.text.strip_prefix('=')?;
        self.skip(&[' ', '\t']);
        Some(())
    }

    fn quoted(&mut self, inner: &'a str) -> Option<String> {
        let mut value = String::new();
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.text = &inner[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }

    /// The one text that some schemes have in place of parameters, such as `Negotiate YII=`.
    fn skip_token68(&mut self) {
        let is_it = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let rest = self.text.trim_start_matches(is_it);
        let rest = rest.trim_start_matches('=');
        if rest.len() < self.text.len() && (rest.is_empty() || rest.trim_start().starts_with(',')) {
            self.text = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str) -> Option<Challenge> {
        Challenge::read([value])
    }

    #[test]
    fn a_challenge_says_where_why_and_what() {
        let read = read(
            r#"Bearer realm="a, \"b\"", error="insufficient_scope", scope="a  b" , resource_metadata="https://a.example/.well-known/oauth-protected-resource/mcp", error_description="more\u202e""#,
        )
        .expect("a challenge");
        assert_eq!(read.error, Some(ChallengeError::InsufficientScope));
        assert_eq!(read.scopes, ["a", "b"]);
        assert!(read.resource_metadata.is_some_and(|url| url.path().ends_with("/mcp")));
    }

    #[test]
    fn it_is_found_among_others() {
        for value in [
            r#"Basic realm="x", Bearer error="invalid_token""#,
            r#"Negotiate YII==, Bearer error=invalid_token"#,
            r#"Negotiate, bearer error = "invalid_token", Digest nonce="n""#,
            r#", ,BEARER   error="invalid_token","#,
            r#"Custom a=b, c="d", Bearer error="invalid_token""#,
        ] {
            let read = read(value).unwrap_or_default();
            assert_eq!(read.error, Some(ChallengeError::InvalidToken), "{value}");
        }
        assert_eq!(Challenge::read(["Basic realm=x", "Bearer"]), Some(Challenge::default()));
        assert_eq!(read("Bearer"), Some(Challenge::default()));
    }

    #[test]
    fn what_makes_no_sense_is_no_challenge() {
        for value in ["", ",", "Basic realm=\"Bearer\"", "\"Bearer\"", "é", "Basic x=\"Bearer error=y"] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(read(&format!("Bearer scope=\"{}\"", "a ".repeat(LONGEST))), None);
        let odd = read(r#"Bearer resource_metadata="javascript:alert(1)""#).expect("a challenge");
        assert_eq!(odd.resource_metadata, None);
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_always_ends(value in "\\PC{0,80}", odd in "[a-zB=\", \\\\]{0,60}") {
            let _ = read(&value);
            let _ = read(&odd);
        }
    }
}
