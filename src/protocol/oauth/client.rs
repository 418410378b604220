//! The client, and how it shows that it is the one.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    base::secret::Secret,
    protocol::oauth::{
        assertion::ASSERTION_TYPE,
        request::{BodyForm, Request},
    },
};

/// An application as it was registered at a provider.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret, or what it signed in its place for one request; a public client has none.
    pub secret: Option<Secret<String>>,
}

/// How a client authenticates at the token endpoint (RFC 6749, section 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Id and secret stand in the body.
    #[default]
    Post,
    /// Id and secret stand in the `Authorization` header.
    Basic,
    /// What its key signed stands in the body (RFC 7523, section 2.2).
    PrivateKeyJwt,
    /// Only the id is sent.
    None,
    /// The secret stands in the header in place of the id, and the id nowhere; for one provider's keys.
    SecretAsUser,
}

impl ClientAuth {
    /// Those that somebody can choose.
    pub const ALL: [Self; 4] = [Self::Post, Self::Basic, Self::PrivateKeyJwt, Self::None];

    /// Its name in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Basic => "basic",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
            Self::SecretAsUser => "secret_as_user",
        }
    }

    /// Whether it shows a secret that the provider gave it.
    pub const fn shows_secret(self) -> bool {
        match self {
            Self::Post | Self::Basic | Self::SecretAsUser => true,
            Self::PrivateKeyJwt | Self::None => false,
        }
    }
}

impl std::str::FromStr for ClientAuth {
    type Err = NoSuchAuth;

    fn from_str(text: &str) -> Result<Self, NoSuchAuth> {
        Self::ALL.into_iter().find(|auth| auth.as_str() == text).ok_or(NoSuchAuth)
    }
}

/// A text names no way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose post, basic, private_key_jwt or none")]
pub struct NoSuchAuth;

/// Writes fields and the client's proof into a request.
pub(super) fn sign<'a>(
    request: &mut Request,
    client: &'a Client,
    auth: ClientAuth,
    form: BodyForm,
    mut fields: Vec<(&'a str, &'a str)>,
) {
    match (auth, &client.secret) {
        (ClientAuth::Basic, Some(secret)) => request.set_header("authorization", basic(&client.id, secret)),
        (ClientAuth::Post, Some(secret)) => {
            fields.extend([("client_id", client.id.as_str()), ("client_secret", secret.expose().as_str())]);
        }
        (ClientAuth::PrivateKeyJwt, Some(signed)) => fields.extend([
            ("client_id", client.id.as_str()),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", signed.expose().as_str()),
        ]),
        (ClientAuth::SecretAsUser, Some(secret)) => {
            request.set_header("authorization", basic(secret.expose(), &Secret::default()));
        }
        (_, None) | (ClientAuth::None, _) => fields.push(("client_id", &client.id)),
    }
    request.set_fields(form, &fields);
}

/// The header of a client (RFC 6749, section 2.3.1: both halves are encoded as in a form first).
pub(super) fn basic(id: &str, secret: &Secret<String>) -> Secret<String> {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Secret::new(format!("{}:{}", encoded(id), encoded(secret.expose())));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}

/// The header of whoever bears a token (RFC 6750, section 2.1).
pub(super) fn bearer(token: &Secret<String>) -> Secret<String> {
    Secret::new(format!("Bearer {}", token.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_encoded_before_they_are_joined() {
        let header = basic("a:b", &Secret::new("p% w/+".to_owned()));
        let encoded = header.expose().strip_prefix("Basic ").expect("basic");
        assert_eq!(STANDARD.decode(encoded).expect("base64"), b"a%3Ab:p%25+w%2F%2B");
    }

    #[test]
    fn names_read_back() {
        for auth in ClientAuth::ALL {
            assert_eq!(auth.as_str().parse(), Ok(auth));
        }
        assert!("Basic".parse::<ClientAuth>().is_err());
    }
}
