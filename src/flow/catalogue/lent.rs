//! Tokens of connected accounts, lent for reading a catalogue.

use std::collections::HashMap;

use crate::{
    base::{
        ids::{ProviderId, UserId},
        secret::Secret,
    },
    domain::{
        connections::store::held::{self, Holders},
        servers::Credential,
    },
    flow::{cx::Ports, fault::ActionResult},
    io::db::{OrgScope, OrgTx, Tx},
};

/// The token of each provider that lends one.
pub(super) type Lent = HashMap<ProviderId, Secret<String>>;

/// Tokens of the accounts that credentials of a server at an address ask for: of those that serve this person, without one of everybody's. A provider
/// whose account is not there, or gives no token, lends none.
///
/// # Errors
/// When the database or the vault is away.
pub(super) async fn lent(
    ports: &Ports,
    scope: OrgScope,
    url: &str,
    credentials: &[Credential],
    user: Option<UserId>,
) -> ActionResult<Lent> {
    let mut lent = Lent::new();
    let named = credentials.iter().filter_map(|credential| credential.provider.as_ref());
    for provider in named.filter(|provider| provider.is_for(url)).map(|provider| provider.id) {
        if lent.contains_key(&provider) {
            continue;
        }
        let mut tx = OrgTx::begin(&ports.db, scope).await?;
        let account = held::serving(&mut tx, provider, Holders::Member(user)).await?.into_iter().next();
        tx.done().await?;
        let Some(account) = account else { continue };
        if let Ok(token) = ports.tokens.live(scope, &account).await? {
            lent.insert(provider, token.access);
        }
    }
    Ok(lent)
}
