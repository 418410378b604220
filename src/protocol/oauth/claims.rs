//! What an id token says of who signed in.
//!
//! Its signature is not looked at: the token came straight from the token endpoint over TLS, which OpenID Connect Core 1.0,
//! section 3.1.3.7, number 6 lets stand for it. Deliberately lacks anything for tokens that came another way.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    base::{crypto::digest, secret::Secret},
    protocol::oauth::{
        document::{Document, whole},
        proof::State,
    },
};

/// How far two clocks may be apart, in seconds.
const SKEW: i64 = 120;

/// What an id token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who issued it; not compared where it is not known.
    pub issuer: Option<&'a str>,
    /// The client that it was made for.
    pub client_id: &'a str,
    /// What was sent along with the person.
    pub nonce: Option<&'a State>,
    /// The time in seconds since 1970.
    pub now: i64,
}

/// Why an id token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdToken {
    /// It cannot be read.
    #[error("the id token cannot be read")]
    Unreadable,
    /// Somebody else issued it.
    #[error("another issuer made the id token")]
    Issuer,
    /// It was made for another client.
    #[error("the id token was made for another client")]
    Audience,
    /// It answers another request.
    #[error("the id token answers another request")]
    Nonce,
    /// Its time is over, or has not come.
    #[error("the id token is not valid at this time")]
    Time,
}

/// Reads what an id token says.
///
/// # Errors
/// See [`BadIdToken`].
pub fn read(token: &Secret<String>, expected: &Expected<'_>) -> Result<Document, BadIdToken> {
    let mut parts = token.expose().split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(BadIdToken::Unreadable);
    };
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).map_err(|_| BadIdToken::Unreadable)?;
    let claims = Document::read(&bytes).map_err(|_| BadIdToken::Unreadable)?;
    check(claims.value(), expected)?;
    Ok(claims)
}

fn check(claims: &Value, expected: &Expected<'_>) -> Result<(), BadIdToken> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if expected.issuer.is_some_and(|issuer| text("iss") != Some(issuer)) {
        return Err(BadIdToken::Issuer);
    }
    if !is_for(claims.get("aud"), text("azp"), expected.client_id) {
        return Err(BadIdToken::Audience);
    }
    if let Some(nonce) = expected.nonce {
        let wanted = nonce.text().expose().as_bytes();
        if !text("nonce").is_some_and(|nonce| digest::same(nonce.as_bytes(), wanted)) {
            return Err(BadIdToken::Nonce);
        }
    }
    let seconds =
        |name: &str| claims.get(name).and_then(whole).and_then(|seconds| i64::try_from(seconds).ok());
    let is_over = seconds("exp").is_none_or(|until| until.saturating_add(SKEW) < expected.now);
    let is_early = seconds("nbf").is_some_and(|from| from.saturating_sub(SKEW) > expected.now);
    if is_over || is_early { Err(BadIdToken::Time) } else { Ok(()) }
}

/// Number 3 to 5 of the section: the client is in the audience, and where there are others, it is the one that asked.
fn is_for(audience: Option<&Value>, authorized: Option<&str>, client_id: &str) -> bool {
    if authorized.is_some_and(|authorized| authorized != client_id) {
        return false;
    }
    match audience {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(all)) => {
            let has_it = all.iter().any(|one| one.as_str() == Some(client_id));
            has_it && (all.len() == 1 || authorized.is_some())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Secret<String> {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
    }

    fn outcome(claims: &str) -> Result<(), BadIdToken> {
        let nonce = State::of_random([0; 32]);
        let expected =
            Expected { issuer: Some("https://i.example"), client_id: "c", nonce: Some(&nonce), now: 1_000 };
        let claims = claims.replace("NONCE", nonce.text().expose());
        read(&token(&claims), &expected).map(|_| ())
    }

    #[test]
    fn each_claim_is_compared() {
        let good = r#"{"iss":"https://i.example","aud":"c","nonce":"NONCE","exp":1200,"sub":"s"}"#;
        assert_eq!(outcome(good), Ok(()));
        for (from, to, wrong) in [
            ("https://i.example", "https://i.example/", BadIdToken::Issuer),
            (r#""aud":"c""#, r#""aud":"d""#, BadIdToken::Audience),
            (r#""aud":"c""#, r#""aud":["c","d"]"#, BadIdToken::Audience),
            (r#""aud":"c""#, r#""aud":"c","azp":"d""#, BadIdToken::Audience),
            (r#""aud":"c","#, "", BadIdToken::Audience),
            ("NONCE", "another", BadIdToken::Nonce),
            (r#""nonce":"NONCE","#, "", BadIdToken::Nonce),
            ("1200", "800", BadIdToken::Time),
            (r#""exp":1200,"#, "", BadIdToken::Time),
            (r#""exp":1200"#, r#""exp":1200,"nbf":1200"#, BadIdToken::Time),
        ] {
            assert_eq!(outcome(&good.replace(from, to)), Err(wrong), "{to}");
        }
        assert_eq!(outcome(&good.replace(r#""aud":"c""#, r#""aud":["c","d"],"azp":"c""#)), Ok(()));
        assert_eq!(outcome(&good.replace("1200", "900")), Ok(()), "clocks differ");
    }

    #[test]
    fn what_is_no_id_token_is_refused() {
        let expected = Expected { issuer: None, client_id: "c", nonce: None, now: 0 };
        for text in ["", "a.b", "a.b.c", "a..c", "a.e30.c.d", "a.!!.c"] {
            assert!(read(&Secret::new(text.to_owned()), &expected).is_err(), "{text}");
        }
    }
}
