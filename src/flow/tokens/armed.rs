//! A provider with its client's secret opened, ready to be spoken with.

use crate::{
    base::{ids::ProviderId, secret::Secret},
    domain::{
        connections::{Provider, ProviderRef, Template, store},
        vault::{Cell, Sealed, Vault},
    },
    flow::fault::{ActionError, ActionResult},
    io::db::OrgTx,
    protocol::oauth::{
        answer::{TokenAnswer, Tokens as Answered},
        client::Client,
    },
};

/// A provider, ready to be spoken with.
#[derive(Debug)]
pub struct Armed {
    /// The provider.
    pub provider: Provider,
    /// How it is spoken with.
    pub template: Template,
    /// The client, with its secret.
    pub client: Client,
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
        let client = Client { id: provider.client_id.clone(), secret };
        Ok(Some(Self { provider, template, client }))
    }

    /// The pair of an answer that is the person's, where the provider tells it from the app's.
    pub fn tokens_of<'a>(&self, answer: &'a TokenAnswer) -> &'a Answered {
        match (&answer.second, self.provider.user_scopes.is_empty()) {
            (Some(second), false) => second,
            _ => &answer.tokens,
        }
    }
}
