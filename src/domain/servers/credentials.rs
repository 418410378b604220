//! What requests to a server carry besides the caller's message: headers and query parameters with sealed values.

use std::str::FromStr;

use url::Url;

use crate::{
    base::{
        ids::{CredentialId, DataKeyId, ProviderId},
        secret::Secret,
    },
    protocol::oauth::metadata::covers,
};

/// Where a template puts the value.
pub(super) const SLOT: &str = "{value}";

/// Where in a request a credential stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialTarget {
    /// A header field.
    Header,
    /// A query parameter.
    Query,
    /// A variable of a child process's environment.
    Env,
}

impl CredentialTarget {
    /// All places.
    pub const ALL: [Self; 3] = [Self::Header, Self::Query, Self::Env];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Env => "env",
        }
    }
}

/// The text names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose header or query")]
pub struct NotATarget;

impl FromStr for CredentialTarget {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        Self::ALL.into_iter().find(|target| target.as_str() == text).ok_or(NotATarget)
    }
}

/// Where a credential's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialSource {
    /// The value that was typed here.
    Static,
    /// A person's connected account.
    Oauth,
    /// A secret of the organization.
    OrgSecret,
    /// A secret of a team.
    TeamSecret,
    /// A secret of the person who calls.
    UserSecret,
}

impl CredentialSource {
    /// All sources.
    pub const ALL: [Self; 5] =
        [Self::Static, Self::Oauth, Self::OrgSecret, Self::TeamSecret, Self::UserSecret];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Oauth => "oauth",
            Self::OrgSecret => "org_secret",
            Self::TeamSecret => "team_secret",
            Self::UserSecret => "user_secret",
        }
    }

    /// Whether the value is that of a secret, which is named.
    pub const fn is_secret(self) -> bool {
        match self {
            Self::Static | Self::Oauth => false,
            Self::OrgSecret | Self::TeamSecret | Self::UserSecret => true,
        }
    }
}

/// The text names no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose static, oauth, org_secret, team_secret or user_secret")]
pub struct NotASource;

impl FromStr for CredentialSource {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        Self::ALL.into_iter().find(|source| source.as_str() == text).ok_or(NotASource)
    }
}

/// A value as the vault sealed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedValue {
    /// The data key that opens it.
    pub key: DataKeyId,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// A provider at which whoever calls has an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProvider {
    /// Its id.
    pub id: ProviderId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The one resource that its tokens are for; none where they are good wherever they are taken.
    pub resource: Option<String>,
    /// Whether its client is given tokens in its own name, so that people cannot connect accounts of their own.
    pub is_shared_only: bool,
    /// Whether it says what a token may be used for; a key that somebody made says nothing.
    pub tells_scopes: bool,
}

impl NamedProvider {
    /// Whether its tokens may be sent to an address. An address or a resource that cannot be read gets none.
    pub fn is_for(&self, address: &str) -> bool {
        let Some(resource) = &self.resource else { return true };
        let read = Url::parse(resource).and_then(|resource| Ok((resource, Url::parse(address)?)));
        read.is_ok_and(|(resource, address)| covers(&resource, &address))
    }
}

/// A credential as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its id; the sealed value is bound to it.
    pub id: CredentialId,
    /// Where in a request it stands.
    pub target: CredentialTarget,
    /// The header's or parameter's name.
    pub name: String,
    /// Where the value comes from.
    pub source: CredentialSource,
    /// The provider, for a connected account.
    pub provider: Option<NamedProvider>,
    /// The secret's name, for a secret.
    pub secret: Option<String>,
    /// The text around the value.
    pub template: String,
    /// The value, for a static one.
    pub value: Option<SealedValue>,
}

impl Credential {
    /// The whole text that goes out, once the value is opened.
    pub fn filled(&self, value: &Secret<String>) -> Secret<String> {
        fill(&self.template, value)
    }
}

/// The whole text of a template and a value.
pub(super) fn fill(template: &str, value: &Secret<String>) -> Secret<String> {
    Secret::new(template.replacen(SLOT, value.expose(), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for target in CredentialTarget::ALL {
            assert_eq!(target.as_str().parse(), Ok(target));
        }
        for source in CredentialSource::ALL {
            assert_eq!(source.as_str().parse(), Ok(source));
        }
    }
}
