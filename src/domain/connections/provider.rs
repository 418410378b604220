//! A provider as an organization has registered it.

use time::OffsetDateTime;
use url::Url;

use crate::{
    base::{
        ids::{DataKeyId, ProviderId, UserId},
        reference::Ref,
        slug::Slug,
    },
    domain::connections::{ClientParts, Template, TemplateParts},
    protocol::oauth::{client::ClientAuth, document::Facts},
};

/// A provider named by id or slug.
pub type ProviderRef = Ref<ProviderId>;

/// An OAuth application that an organization registered at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its short name.
    pub slug: Slug,
    /// Its name.
    pub name: String,
    /// Where it is and how it is spoken with.
    pub source: ProviderSource,
    /// How the client came to be known there.
    pub enrolment: Enrolment,
    /// The id in the address of the callback that its client was registered with, where that is not its own: it shares the
    /// client of another provider, or has moved to another authorization server since.
    pub callback: Option<ProviderId>,
    /// Another provider of the same authorization server with this client and this callback, the oldest where there are
    /// several; read, and never stored.
    pub shares_with: Option<ProviderId>,
    /// The client's id; empty where there is no client.
    pub client_id: String,
    /// The client's secret, or the private half of the key that it signs with; a public client has neither.
    pub secret: Option<SealedSecret>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What is asked for in the person's own name, where the provider tells the two apart.
    pub user_scopes: Vec<String>,
    /// Who registered it; nothing where a service account did.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// Since when nobody can connect through it.
    pub disabled_at: Option<OffsetDateTime>,
    /// Rises with every change.
    pub version: i64,
}

/// How a client came to be known at a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enrolment {
    /// Somebody registered it there, and entered it here.
    #[default]
    Entered,
    /// By a document of ours, at the address that is its id.
    Document,
    /// It registered by itself.
    Registered,
}

impl Enrolment {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Entered, Self::Document, Self::Registered];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Document => "document",
            Self::Registered => "registered",
        }
    }
}

impl std::str::FromStr for Enrolment {
    type Err = NoSuchEnrolment;

    fn from_str(text: &str) -> Result<Self, NoSuchEnrolment> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or(NoSuchEnrolment)
    }
}

/// A text names no way in which a client is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such way to be known at a provider")]
pub struct NoSuchEnrolment;

/// Where a provider is and how it is spoken with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderSource {
    /// As a preset says.
    Preset {
        /// Its short name.
        slug: String,
        /// Its version that was taken over; zero where it was not counted.
        version: i32,
        /// What fills its gaps.
        variables: Facts,
    },
    /// As somebody described it, or as it described itself.
    Own(Box<TemplateParts>),
    /// Its client asks for tokens in its own name (RFC 6749, section 4.4).
    Client(Box<ClientParts>),
    /// People make a key there and enter it here.
    Key {
        /// The page where they do so, where somebody said it.
        page: Option<Url>,
    },
}

/// How a token for an account is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obtaining {
    /// Somebody signs in at the provider and agrees.
    SignIn,
    /// The client asks for it in its own name, as often as it is needed.
    Client,
    /// Somebody makes it there and enters it.
    Key,
}

/// Where a provider is that no preset tells of; what it does not have is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places<'a> {
    /// Where people agree, or make a key.
    pub authorize: Option<&'a Url>,
    /// Where tokens are given.
    pub token: Option<&'a Url>,
    /// Where a token is ended.
    pub revoke: Option<&'a Url>,
    /// For whom tokens are asked for, in the provider's own word.
    pub audience: Option<&'a str>,
}

/// A client's secret, or its key, as the vault sealed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// The data key that opens it.
    pub key: DataKeyId,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
    /// Since when it is this one.
    pub changed_at: OffsetDateTime,
}

impl Provider {
    /// The id that stands in the address of its callback: that which its client was registered with.
    pub fn callback_id(&self) -> ProviderId {
        self.callback.unwrap_or(self.id)
    }

    /// How a token for an account there is come by.
    pub const fn obtaining(&self) -> Obtaining {
        match self.source {
            ProviderSource::Preset { .. } | ProviderSource::Own(_) => Obtaining::SignIn,
            ProviderSource::Client(_) => Obtaining::Client,
            ProviderSource::Key { .. } => Obtaining::Key,
        }
    }

    /// Whether its client signs with a key of ours in place of showing a secret.
    pub fn signs(&self) -> bool {
        self.template().is_some_and(|template| template.client_auth() == ClientAuth::PrivateKeyJwt)
    }

    /// The host that people are sent to, or whose tokens or keys are asked for; nothing where nobody said it.
    pub fn host(&self) -> Option<String> {
        let template = self.template();
        let endpoints = template.as_ref().map(Template::endpoints);
        let spoken_with = endpoints.and_then(|(authorize, token)| authorize.unwrap_or(token).host_str());
        let page = self.source.places().authorize.and_then(Url::host_str);
        spoken_with.or(page).map(str::to_owned)
    }

    /// The page there on which whoever agreed, or made a key, ends it; nothing where none is known.
    pub fn settings_page(&self) -> Option<String> {
        match &self.source {
            ProviderSource::Preset { .. } => self.template()?.settings().map(ToString::to_string),
            ProviderSource::Key { page } => page.as_ref().map(ToString::to_string),
            ProviderSource::Own(_) | ProviderSource::Client(_) => None,
        }
    }

    /// How to speak with it; nothing where its preset has gone or no longer admits what was entered, and where there is nobody
    /// to speak with.
    pub fn template(&self) -> Option<Template> {
        match &self.source {
            ProviderSource::Preset { variables, .. } => Template::of_preset(self.preset()?, variables).ok(),
            ProviderSource::Own(parts) => Some(Template::of_parts(parts)),
            ProviderSource::Client(parts) => Some(Template::of_client(parts)),
            ProviderSource::Key { .. } => None,
        }
    }
}

impl ProviderSource {
    /// Its name in the API and in the database.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Preset { .. } => "preset",
            Self::Own(parts) if parts.is_openid => "oidc",
            Self::Own(_) => "oauth2",
            Self::Client(_) => "client_credentials",
            Self::Key { .. } => "api_key",
        }
    }

    /// Where its own addresses lead, where no preset says it.
    pub const fn parts(&self) -> Option<&TemplateParts> {
        match self {
            Self::Own(parts) => Some(parts),
            Self::Preset { .. } | Self::Client(_) | Self::Key { .. } => None,
        }
    }

    /// Where it is, where no preset says it.
    pub fn places(&self) -> Places<'_> {
        match self {
            Self::Preset { .. } => Places::default(),
            Self::Own(parts) => Places {
                authorize: Some(&parts.authorize),
                token: Some(&parts.token),
                revoke: parts.revoke.as_ref(),
                audience: None,
            },
            Self::Client(parts) => Places {
                authorize: None,
                token: Some(&parts.token),
                revoke: parts.revoke.as_ref(),
                audience: parts.audience.as_deref(),
            },
            Self::Key { page } => Places { authorize: page.as_ref(), ..Places::default() },
        }
    }

    /// How its client authenticates, where no preset says it and there is one.
    pub const fn client_auth(&self) -> Option<ClientAuth> {
        match self {
            Self::Own(parts) => Some(parts.client_auth),
            Self::Client(parts) => Some(parts.client_auth),
            Self::Preset { .. } | Self::Key { .. } => None,
        }
    }

    /// The one resource that its tokens are for, where there is one.
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::Own(parts) => parts.resource.as_deref(),
            Self::Client(parts) => parts.resource.as_deref(),
            Self::Preset { .. } | Self::Key { .. } => None,
        }
    }
}
