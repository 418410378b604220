//! A provider with its client's secret or key opened, ready to be spoken with.

use time::OffsetDateTime;

use crate::{
    base::{crypto::random, ids::ProviderId, secret::Secret},
    domain::{
        connections::{Account, FormerPlace, Provider, ProviderRef, Template, store},
        vault::{Cell, Sealed, Vault},
    },
    flow::{
        fault::{ActionError, ActionResult},
        tokens::{LiveToken, send},
    },
    io::{db::OrgTx, net::client::Egress},
    protocol::oauth::{
        answer::{TokenAnswer, Tokens as Answered},
        assertion::ClientKey,
        client::{Client, ClientAuth},
        document::Facts,
        failure::TokenFailure,
        request::Request,
    },
};

/// A provider, ready to be spoken with.
#[derive(Debug)]
pub struct Armed {
    /// The provider.
    pub provider: Provider,
    /// How it is spoken with.
    pub template: Template,
    /// The client, with its secret where it has one.
    pub client: Client,
    /// The key that it signs with in place of showing a secret.
    key: Option<ClientKey>,
}

/// What a provider says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognized {
    /// It takes it.
    Taken,
    /// It answers with this status in place of whose account it is.
    Refused(u16),
    /// It does not answer.
    Silent,
    /// It has no place to ask at.
    Unasked,
}

impl Armed {
    /// Opens a provider; nothing where it is gone, or its preset is.
    ///
    /// # Errors
    /// When the database or the vault is away.
    pub async fn find(vault: &Vault, tx: &mut OrgTx, id: ProviderId) -> ActionResult<Option<Self>> {
        let found = store::find(tx, &ProviderRef::Id(id)).await?;
        let Some(provider) = found else { return Ok(None) };
        Self::of(vault, tx, provider).await
    }

    /// The same for ending tokens: where they came from, and by the client of then.
    ///
    /// # Errors
    /// As [`Armed::find`].
    pub async fn to_end(
        vault: &Vault,
        tx: &mut OrgTx,
        id: ProviderId,
        former: Option<&FormerPlace>,
    ) -> ActionResult<Option<Self>> {
        let found = store::find(tx, &ProviderRef::Id(id)).await?;
        let Some(provider) = found else { return Ok(None) };
        let provider = match former {
            Some(former) => former.onto(provider),
            None => provider,
        };
        Self::of(vault, tx, provider).await
    }

    /// The same of a provider that was read.
    ///
    /// # Errors
    /// As [`Armed::find`].
    pub async fn of(vault: &Vault, tx: &mut OrgTx, provider: Provider) -> ActionResult<Option<Self>> {
        let Some(template) = provider.template() else { return Ok(None) };
        let secret = match &provider.secret {
            Some(sealed) => {
                let (table, column) = store::SEALED_IN;
                let sealed = Sealed { key: sealed.key, bytes: sealed.bytes.clone() };
                let plain = vault.open(tx, Cell::new(table, column, provider.id), &sealed).await?;
                let text = String::from_utf8(plain.expose().clone()).map_err(ActionError::defect)?;
                Some(Secret::new(text))
            }
            None => None,
        };
        let (secret, key) = match secret {
            Some(text) if template.client_auth() == ClientAuth::PrivateKeyJwt => {
                (None, Some(ClientKey::of_kept(&text).map_err(ActionError::defect)?))
            }
            secret => (secret, None),
        };
        let client = Client { id: provider.client_id.clone(), secret };
        Ok(Some(Self { provider, template, client, key }))
    }

    /// The client as it shows itself in one request and no other: one that signs does so anew for each.
    pub fn proven(&self, now: OffsetDateTime) -> Client {
        let Some(key) = &self.key else { return self.client.clone() };
        let (id, audience) = (self.client.id.clone(), self.template.audience());
        let signed = key.assertion(&id, audience, random::bytes(), now.unix_timestamp());
        Client { id, secret: Some(signed) }
    }

    /// Sends a request for tokens and reads what came.
    ///
    /// # Errors
    /// Why no tokens came, sorted.
    pub async fn ask(&self, egress: &Egress, request: &Request) -> Result<TokenAnswer, TokenFailure> {
        let reply = send(egress, request).await?;
        self.template.read(reply.status, &reply.body).map_err(|failure| failure.after(reply.wait))
    }

    /// Whether the provider takes a token: asked at where it says whose account it is.
    pub async fn recognizes(&self, egress: &Egress, token: &LiveToken, facts: &Facts) -> Recognized {
        let account = Account { client: &self.client, access: &token.access, refresh: None, facts };
        let mut told = Recognized::Unasked;
        for request in self.template.account(&account).unwrap_or_default() {
            told = match send(egress, &request).await {
                Ok(reply) if reply.is_success() => Recognized::Taken,
                Ok(reply) => return Recognized::Refused(reply.status),
                Err(_) => return Recognized::Silent,
            };
        }
        told
    }

    /// The pair of an answer that is the person's, where the provider tells it from the app's.
    pub fn tokens_of<'a>(&self, answer: &'a TokenAnswer) -> &'a Answered {
        match (&answer.second, self.provider.user_scopes.is_empty()) {
            (Some(second), false) => second,
            _ => &answer.tokens,
        }
    }
}
