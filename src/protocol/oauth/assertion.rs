//! What a client signs where it shows no secret: its key, the public half that others read, and what it says of itself
//! in each request (RFC 7523).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::base::{
    crypto::{
        digest,
        ecdsa::{EcPublic, EcSignKey},
    },
    secret::Secret,
};

/// What kind of proof it is (section 2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How it is signed (RFC 7518, section 3.1).
pub const ALGORITHM: &str = "ES256";

/// For how many seconds it is good: as long as a request may take, and clocks may differ.
const LIVES: i64 = 60;

/// A key that a client signs with.
#[derive(Debug)]
pub struct ClientKey(EcSignKey);

/// What was kept is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was kept of a client is no key")]
pub struct NoClientKey;

impl ClientKey {
    /// One that was just made.
    pub const fn new(key: EcSignKey) -> Self {
        Self(key)
    }

    /// Takes one that was kept.
    ///
    /// # Errors
    /// [`NoClientKey`] where it is none.
    pub fn of_kept(text: &Secret<String>) -> Result<Self, NoClientKey> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.expose()).map_err(|_| NoClientKey)?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| NoClientKey)?;
        EcSignKey::from_bytes(&Secret::new(bytes)).map(Self).map_err(|_| NoClientKey)
    }

    /// The text that is kept, sealed.
    pub fn text(&self) -> Secret<String> {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0.to_bytes().expose()))
    }

    /// The half that others read.
    pub fn public(&self) -> EcPublic {
        self.0.public()
    }

    /// What shows in one request at `audience` that the client is the one; `chance` is never used twice.
    pub fn assertion(&self, client_id: &str, audience: &str, chance: [u8; 16], now: i64) -> Secret<String> {
        let header = json!({ "alg": ALGORITHM, "typ": "JWT", "kid": key_id(&self.public()) });
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": URL_SAFE_NO_PAD.encode(chance),
            "iat": now,
            "exp": now + LIVES,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        Secret::new(format!("{signed}.{signature}"))
    }
}

/// The name of a key, which is a digest of its public half (RFC 7638).
pub fn key_id(public: &EcPublic) -> String {
    let (x, y) = coordinates(public);
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::sha256(members.as_bytes()))
}

/// The document in which others read the public halves of a client's keys (RFC 7517, section 5).
pub fn key_set(keys: &[EcPublic]) -> Value {
    let key = |public: &EcPublic| {
        let (x, y) = coordinates(public);
        json!({
            "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": ALGORITHM, "kid": key_id(public),
        })
    };
    json!({ "keys": keys.iter().map(key).collect::<Vec<_>>() })
}

fn coordinates(public: &EcPublic) -> (String, String) {
    let (x, y) = public.split_at(32);
    (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crypto::ecdsa;

    fn key() -> ClientKey {
        // RFC 7515, appendix A.3.
        let text = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI".to_owned();
        ClientKey::of_kept(&Secret::new(text)).expect("a key")
    }

    fn read(part: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
    }

    #[test]
    fn an_assertion_is_verified_with_the_published_key_and_says_who_to_whom_and_until_when() {
        let (key, token) = (key(), "https://id.example/token");
        let said = key.assertion("client 1", token, [7; 16], 1_000);
        let (signed, signature) = said.expose().rsplit_once('.').expect("three parts");
        let (header, claims) = signed.split_once('.').expect("three parts");
        let published = &key_set(&[key.public()])["keys"][0];
        assert_eq!(read(header)["kid"], published["kid"]);
        assert_eq!(
            (&read(header)["alg"], &published["alg"], &published["use"]),
            (&json!("ES256"), &json!("ES256"), &json!("sig"))
        );
        assert_eq!(
            read(claims),
            json!({ "iss": "client 1", "sub": "client 1", "aud": token, "jti": "BwcHBwcHBwcHBwcHBwcHBw", "iat": 1_000,
                "exp": 1_060 })
        );
        let half =
            |name: &str| URL_SAFE_NO_PAD.decode(published[name].as_str().expect("text")).expect("base64");
        let public: EcPublic = [half("x"), half("y")].concat().try_into().expect("two coordinates");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let signature: [u8; 64] = signature.try_into().expect("two numbers");
        assert!(ecdsa::verify(&public, signed.as_bytes(), &signature));
        assert_ne!(key.assertion("client 1", token, [8; 16], 1_000).expose(), said.expose());
    }

    #[test]
    fn a_key_reads_back_and_shows_its_private_half_nowhere() {
        let key = key();
        let again = ClientKey::of_kept(&key.text()).expect("its own text");
        assert_eq!(again.public(), key.public());
        let shown = format!("{key:?} {} {}", key_set(&[key.public()]), key_id(&key.public()));
        assert!(!shown.contains(key.text().expose().as_str()), "{shown}");
        for text in ["", "AAAA", &"A".repeat(43), "not base64"] {
            assert!(ClientKey::of_kept(&Secret::new(text.to_owned())).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_named_by_the_digest_of_the_standard() {
        let members = r#"{"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
        let named = URL_SAFE_NO_PAD.encode(digest::sha256(members.as_bytes()));
        assert_eq!(key_id(&key().public()), named);
    }
}
