//! A client that registers by itself (RFC 7591), and the document by which one is known without (Client ID Metadata
//! Documents).

use serde_json::{Value, json};
use url::Url;

use crate::{
    base::secret::Secret,
    protocol::oauth::{
        assertion::ALGORITHM,
        client::ClientAuth,
        document::{Document, clean},
        request::{Method, Request},
    },
};

/// The standard's name for a client that signs with a key (OpenID Connect Core 1.0, section 9).
pub const KEY_AUTH: &str = "private_key_jwt";
const LONGEST_ID: usize = 500;
const LONGEST_SECRET: usize = 4_000;

/// What a client says of itself.
#[derive(Clone, Copy, Debug)]
pub struct ClientMetadata<'a> {
    /// Its name, which people see where they agree.
    pub name: &'a str,
    /// Where it is at home.
    pub home: &'a str,
    /// Where browsers come back to.
    pub redirect_uri: &'a str,
    /// How it authenticates.
    pub auth: ClientAuth,
    /// Where the public half of its key is, where it signs with one.
    pub keys: Option<&'a str>,
}

impl ClientMetadata<'_> {
    fn value(&self) -> Value {
        let mut value = json!({
            "client_name": self.name,
            "client_uri": self.home,
            "redirect_uris": [self.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": standard_name(self.auth),
            "application_type": "web",
        });
        if let Some(keys) = self.keys {
            value["jwks_uri"] = keys.into();
            value["token_endpoint_auth_signing_alg"] = ALGORITHM.into();
        }
        value
    }

    /// The request that registers it.
    pub fn request(&self, endpoint: &Url, scope: &str) -> Request {
        let mut value = self.value();
        if !scope.is_empty() {
            value["scope"] = scope.into();
        }
        let mut request = Request::new(Method::Post, Secret::new(endpoint.to_string()));
        request.set_json(&value);
        request
    }

    /// The document by which it is known at this address.
    pub fn document(&self, id: &str) -> Value {
        let mut value = self.value();
        value["client_id"] = id.into();
        value
    }
}

/// The standard's name for how a client authenticates (RFC 7591, section 2).
const fn standard_name(auth: ClientAuth) -> &'static str {
    match auth {
        ClientAuth::Post => "client_secret_post",
        ClientAuth::Basic | ClientAuth::SecretAsUser => "client_secret_basic",
        ClientAuth::PrivateKeyJwt => KEY_AUTH,
        ClientAuth::None => "none",
    }
}

/// A client that was registered.
#[derive(Debug)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// Its secret, where it was given one.
    pub secret: Option<Secret<String>>,
    /// How it authenticates, where the server said otherwise than was asked.
    pub auth: Option<ClientAuth>,
}

/// Why nothing was registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRegistered {
    /// The server said no, in these words.
    #[error("the authorization server registered nothing: {0}")]
    Refused(String),
    /// What it answered is no registration.
    #[error("the authorization server answered {0} and no registration")]
    Unreadable(u16),
}

impl Registered {
    /// Reads what came back.
    ///
    /// # Errors
    /// See [`NotRegistered`].
    pub fn read(status: u16, body: &[u8]) -> Result<Self, NotRegistered> {
        let document = Document::read(body).map_err(|_| NotRegistered::Unreadable(status))?;
        let value = document.value();
        let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if !(200..300).contains(&status) {
            let words = text("error_description").or_else(|| text("error"));
            return Err(words.map_or(NotRegistered::Unreadable(status), |words| {
                NotRegistered::Refused(clean(words, 300))
            }));
        }
        let is_plain = |text: &&str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        let id = text("client_id").filter(|id| id.len() <= LONGEST_ID).filter(is_plain);
        let secret = text("client_secret").filter(|secret| secret.len() <= LONGEST_SECRET).filter(is_plain);
        let auth = match text("token_endpoint_auth_method") {
            Some("client_secret_basic") => Some(ClientAuth::Basic),
            Some("client_secret_post") => Some(ClientAuth::Post),
            Some(KEY_AUTH) => Some(ClientAuth::PrivateKeyJwt),
            Some("none") => Some(ClientAuth::None),
            _ => None,
        };
        Ok(Self {
            id: id.ok_or(NotRegistered::Unreadable(status))?.to_owned(),
            secret: secret.map(|secret| Secret::new(secret.to_owned())),
            auth,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIENT: ClientMetadata<'_> = ClientMetadata {
        name: "Portreeve",
        home: "https://p.example",
        redirect_uri: "https://p.example/oauth/callback/prv_1",
        auth: ClientAuth::None,
        keys: None,
    };

    #[test]
    fn a_client_says_who_it_is_and_keeps_to_one_way_back() {
        let endpoint = Url::parse("https://as.example/register").expect("a URL");
        let request = CLIENT.request(&endpoint, "read write");
        let body: Value = serde_json::from_slice(request.body.expose()).expect("JSON");
        assert_eq!(body["redirect_uris"], json!([CLIENT.redirect_uri]));
        assert_eq!((&body["application_type"], &body["scope"]), (&json!("web"), &json!("read write")));
        assert_eq!(body["token_endpoint_auth_method"], "none");
        let known = CLIENT.document("https://p.example/oauth/clients/prv_1");
        assert_eq!(known["client_id"], "https://p.example/oauth/clients/prv_1");
        assert!(known.get("client_secret").is_none() && known.get("jwks_uri").is_none());
    }

    #[test]
    fn a_client_that_signs_says_where_its_keys_are() {
        let keys = "https://p.example/oauth/clients/prv_1/jwks.json";
        let client = ClientMetadata { auth: ClientAuth::PrivateKeyJwt, keys: Some(keys), ..CLIENT };
        let endpoint = Url::parse("https://as.example/register").expect("a URL");
        let request = client.request(&endpoint, "");
        let asked: Value = serde_json::from_slice(request.body.expose()).expect("JSON");
        for said in [asked, client.document("https://p.example/oauth/clients/prv_1")] {
            assert_eq!(said["token_endpoint_auth_method"], "private_key_jwt");
            assert_eq!(said["token_endpoint_auth_signing_alg"], "ES256");
            assert_eq!(said["jwks_uri"], keys);
        }
        let body = br#"{"client_id":"c","token_endpoint_auth_method":"private_key_jwt"}"#;
        let registered = Registered::read(201, body).expect("registered");
        assert_eq!((registered.auth, registered.secret.is_none()), (Some(ClientAuth::PrivateKeyJwt), true));
    }

    #[test]
    fn a_registration_is_read_and_a_refusal_is_told_in_its_words() {
        let body = br#"{"client_id":"c","client_secret":"s3cret","token_endpoint_auth_method":"client_secret_post"}"#;
        let registered = Registered::read(201, body).expect("registered");
        assert_eq!((registered.id.as_str(), registered.auth), ("c", Some(ClientAuth::Post)));
        assert!(registered.secret.is_some() && !format!("{registered:?}").contains("s3cret"));
        let refused = br#"{"error":"invalid_redirect_uri","error_description":"no <b>way</b>"}"#;
        let words = Registered::read(400, refused).expect_err("refused").to_string();
        assert!(words.contains("no <b>way</b>"), "{words}");
        for (status, body) in [(201, "{}"), (200, "<html>"), (500, "oops"), (201, r#"{"client_id":"a\nb"}"#)]
        {
            let read = Registered::read(status, body.as_bytes());
            assert_eq!(read.expect_err(body), NotRegistered::Unreadable(status));
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(status in 100..600_u16, text in "\\PC{0,200}") {
            let _ = Registered::read(status, text.as_bytes());
        }
    }
}
