//! Sorting what kept a token from coming, by what is to be done about it.

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::protocol::oauth::document::{Document, clean};

/// What a failure means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The grant is gone: only its owner can help, by connecting again. Whether a sibling has stored a newer refresh token
    /// meanwhile is to be looked up first.
    DeadGrant,
    /// The client or what it asks for is wrong: only who registered it can help.
    BrokenClient,
    /// It will pass; a token that is still valid stays in use.
    Transient,
    /// The provider may have acted and its answer is lost, and a rotated token with it.
    Unknown,
}

impl FailureKind {
    /// Its name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadGrant => "dead_grant",
            Self::BrokenClient => "broken_client",
            Self::Transient => "transient",
            Self::Unknown => "unknown_outcome",
        }
    }
}

/// Why no token came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFailure {
    /// What it means.
    pub kind: FailureKind,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// The provider's name for it, where there was one that can be shown.
    pub code: Option<String>,
    /// The provider's own words, cleaned and without anything that looks like a token.
    pub words: Option<String>,
    /// How long the provider asks to be left alone, where it cannot answer now and says so.
    pub wait: Option<Duration>,
}

/// Codes that say that the grant, the code or the refresh token is of no use any more.
const DEAD: [&str; 19] = [
    "invalid_grant",
    "invalid_refresh_token",
    "bad_refresh_token",
    "token_revoked",
    "token_expired",
    "expired_token",
    "account_inactive",
    "user_is_deactivated",
    "interaction_required",
    "login_required",
    "consent_required",
    "access_denied",
    "invalid_code",
    "code_expired",
    "code_already_used",
    "bad_verification_code",
    "bad_auth_code",
    "unverified_user_email",
    "invalid_auth",
];

/// Codes that say that it will pass.
const PASSING: [&str; 12] = [
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "authorization_pending",
    "ratelimited",
    "rate_limited",
    "rate_limit_exceeded",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
];

/// Where providers put the name of an error, beside the standard's `error`.
const CODE_KEYS: [&str; 6] = ["error", "error_code", "errorCode", "code", "type", "status"];
/// Where they put words about it.
const WORD_KEYS: [&str; 5] = ["error_description", "error_message", "message", "detail", "reason"];

impl TokenFailure {
    const fn plain(kind: FailureKind, status: Option<u16>) -> Self {
        Self { kind, status, code: None, words: None, wait: None }
    }

    /// The same, of a provider that asks to be left alone for so long. What does not pass is not waited for.
    #[must_use]
    pub fn after(self, wait: Option<Duration>) -> Self {
        let wait = wait.filter(|_| self.kind == FailureKind::Transient);
        Self { wait, ..self }
    }

    /// The request never left, or nothing at all came back before it was sent.
    pub const fn unsent() -> Self {
        Self::plain(FailureKind::Transient, None)
    }

    /// The request was sent and the answer was lost.
    pub const fn lost() -> Self {
        Self::plain(FailureKind::Unknown, None)
    }

    /// An answer that says that all is well and holds no token that can be used.
    pub(super) const fn unreadable(status: u16) -> Self {
        Self::plain(FailureKind::Unknown, Some(status))
    }

    /// A page for people in place of an answer.
    pub(super) const fn page(status: u16) -> Self {
        Self::plain(FailureKind::Transient, Some(status))
    }

    /// Tokens of a kind that cannot be sent to anybody.
    pub(super) fn unusable(status: u16) -> Self {
        let code = Some("unsupported_token_type".to_owned());
        Self { code, ..Self::plain(FailureKind::BrokenClient, Some(status)) }
    }

    /// An answer that refuses.
    pub(super) fn of(status: u16, answer: Option<&Document>) -> Self {
        let (code, words) = answer.map_or((None, None), |answer| told(answer.value()));
        let kind = sort(status, code.as_deref());
        Self { code, words, ..Self::plain(kind, Some(status)) }
    }
}

/// Whether an answer refuses, whatever its status says.
pub(super) fn is_refusal(answer: &Value) -> bool {
    let says = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    answer.get("error").is_some_and(says) || answer.get("ok") == Some(&Value::Bool(false))
}

fn sort(status: u16, code: Option<&str>) -> FailureKind {
    match status {
        408 | 409 | 423 | 425 | 429 | 500.. => return FailureKind::Transient,
        // Nothing of ours has moved; the address is wrong.
        300..400 | 404 | 405 | 410 | 415 if code.is_none() => return FailureKind::BrokenClient,
        _ => {}
    }
    match code {
        Some(code) if DEAD.contains(&code) => FailureKind::DeadGrant,
        Some(code) if PASSING.contains(&code) => FailureKind::Transient,
        Some(_) => FailureKind::BrokenClient,
        // A page of whatever stands before the provider says nothing about client or grant.
        None if status == 401 || status == 400 => FailureKind::BrokenClient,
        None => FailureKind::Transient,
    }
}

/// The name of an error and the words about it.
fn told(answer: &Value) -> (Option<String>, Option<String>) {
    let inner = ["error", "errors"].iter().find_map(|key| match answer.get(key)? {
        Value::Array(all) => all.first().filter(|first| first.is_object()),
        object @ Value::Object(_) => Some(object),
        _ => None,
    });
    let texts = |keys: &'static [&'static str]| {
        let of = move |value: &Value| keys.iter().find_map(|key| value.get(key)?.as_str().map(str::to_owned));
        inner.and_then(of).or_else(|| of(answer))
    };
    let code = texts(&CODE_KEYS).map(|code| code.to_ascii_lowercase()).filter(|code| is_code(code));
    (code, texts(&WORD_KEYS).map(|words| without_tokens(&words)).filter(|words| !words.is_empty()))
}

fn is_code(code: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
    (1..=60).contains(&code.len()) && code.bytes().all(is_plain)
}

/// Some providers repeat what they were sent.
fn without_tokens(words: &str) -> String {
    let is_token = |word: &str| word.len() >= 20 && word.bytes().any(|b| b.is_ascii_digit());
    let words = clean(words, 300);
    let hidden = words.split(' ').map(|word| if is_token(word) || word.len() > 40 { "…" } else { word });
    hidden.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for TokenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FailureKind::DeadGrant => f.write_str("the provider no longer accepts this connection")?,
            FailureKind::BrokenClient => f.write_str("the provider does not accept the client")?,
            FailureKind::Transient => f.write_str("the provider cannot answer now")?,
            FailureKind::Unknown => f.write_str("the provider's answer was lost")?,
        }
        match (&self.code, self.status) {
            (Some(code), _) => write!(f, " ({code})"),
            (None, Some(status)) => write!(f, " (HTTP {status})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for TokenFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(status: u16, body: &str) -> (FailureKind, Option<String>) {
        let answer = Document::read_object(body.as_bytes()).ok();
        let failure = TokenFailure::of(status, answer.as_ref());
        (failure.kind, failure.code)
    }

    #[test]
    fn failures_are_sorted_by_what_is_to_be_done() {
        use FailureKind::{BrokenClient, DeadGrant, Transient};
        for (status, body, kind, code) in [
            (400, r#"{"error":"invalid_grant"}"#, DeadGrant, Some("invalid_grant")),
            (400, r#"{"error":"INVALID_GRANT"}"#, DeadGrant, Some("invalid_grant")),
            (200, r#"{"error":"bad_refresh_token"}"#, DeadGrant, Some("bad_refresh_token")),
            (200, r#"{"ok":false,"error":"token_revoked"}"#, DeadGrant, Some("token_revoked")),
            (
                200,
                "error=bad_verification_code&error_description=x",
                DeadGrant,
                Some("bad_verification_code"),
            ),
            (400, r#"{"status":"BAD_AUTH_CODE","message":"no"}"#, DeadGrant, Some("bad_auth_code")),
            (
                400,
                r#"{"error":{"type":"OAuthException","message":"x","code":190}}"#,
                BrokenClient,
                Some("oauthexception"),
            ),
            (401, r#"{"error":"invalid_client"}"#, BrokenClient, Some("invalid_client")),
            (
                200,
                r#"{"error":"incorrect_client_credentials"}"#,
                BrokenClient,
                Some("incorrect_client_credentials"),
            ),
            (400, r#"{"error":"invalid_scope"}"#, BrokenClient, Some("invalid_scope")),
            (
                400,
                r#"{"errors":[{"code":"unauthorized_client"}]}"#,
                BrokenClient,
                Some("unauthorized_client"),
            ),
            (401, "", BrokenClient, None),
            (404, "<html>", BrokenClient, None),
            (302, "", BrokenClient, None),
            (403, "<html>blocked</html>", Transient, None),
            (429, r#"{"error":"invalid_grant"}"#, Transient, Some("invalid_grant")),
            (503, "", Transient, None),
            (400, r#"{"error":"temporarily_unavailable"}"#, Transient, Some("temporarily_unavailable")),
            (400, r#"{"error":"a very long sentence is no code"}"#, BrokenClient, None),
        ] {
            assert_eq!(sorted(status, body), (kind, code.map(str::to_owned)), "{status} {body}");
        }
        assert_eq!(TokenFailure::lost().kind, FailureKind::Unknown);
    }

    #[test]
    fn the_providers_words_are_kept_without_what_it_repeats() {
        let body = r#"{"error":"invalid_grant","error_description":"Token prr_0123456789abcdefghij is\u202e gone\u0000."}"#;
        let answer = Document::read(body.as_bytes()).expect("JSON");
        let failure = TokenFailure::of(400, Some(&answer));
        assert_eq!(failure.words.as_deref(), Some("Token … is gone ."));
        assert_eq!(failure.to_string(), "the provider no longer accepts this connection (invalid_grant)");
    }
}
