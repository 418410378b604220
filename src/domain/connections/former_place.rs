//! Where a provider was before it moved, for ending what it gave there.

use url::Url;

use crate::{
    domain::connections::{Provider, ProviderSource, SealedSecret, SealedTokens},
    protocol::oauth::client::ClientAuth,
};

/// Where tokens of a provider were ended, and by which client, before it moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerPlace {
    /// The version of the provider then.
    pub version: i64,
    /// Where a token is ended (RFC 7009).
    pub revoke: Url,
    /// Where tokens were given, which is whom what a client signs was for; nothing where that was not kept.
    pub token: Option<Url>,
    /// How the client authenticates.
    pub client_auth: ClientAuth,
    /// The client's id.
    pub client_id: String,
    /// Its secret or its key, sealed for the provider.
    pub secret: Option<SealedTokens>,
}

impl FormerPlace {
    /// That of a provider as it stands; nothing where it has no way to end a token.
    pub fn of(provider: &Provider) -> Option<Self> {
        Some(Self {
            version: provider.version,
            revoke: provider.source.places().revoke?.clone(),
            token: provider.source.places().token.cloned(),
            client_auth: provider.source.client_auth()?,
            client_id: provider.client_id.clone(),
            secret: provider
                .secret
                .as_ref()
                .map(|secret| SealedTokens { key: secret.key, bytes: secret.bytes.clone() }),
        })
    }

    /// The provider as it was spoken with there, for ending tokens and nothing else.
    pub fn onto(&self, provider: Provider) -> Provider {
        let mut then = provider;
        match &mut then.source {
            ProviderSource::Own(parts) => {
                (parts.revoke, parts.client_auth) = (Some(self.revoke.clone()), self.client_auth);
                if let Some(token) = &self.token {
                    parts.token = token.clone();
                }
            }
            ProviderSource::Client(parts) => {
                (parts.revoke, parts.client_auth) = (Some(self.revoke.clone()), self.client_auth);
                if let Some(token) = &self.token {
                    parts.token = token.clone();
                }
            }
            ProviderSource::Preset { .. } | ProviderSource::Key { .. } => {}
        }
        self.client_id.clone_into(&mut then.client_id);
        then.secret = self.secret.as_ref().map(|secret| SealedSecret {
            key: secret.key,
            bytes: secret.bytes.clone(),
            changed_at: then.updated_at,
        });
        then
    }
}
