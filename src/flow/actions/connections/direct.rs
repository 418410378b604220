//! Accounts that are connected without anybody signing in at the provider: a token that the registered client asks for in its
//! own name, and a key that somebody made there and enters here.

use crate::{
    base::{permission::Permission, secret::Secret},
    domain::connections::{AccountLabel, Connection, Obtaining, parse_key},
    flow::{
        actions::connections::{
            arrived::Arrived,
            begin::{BeginInput, Offer, offer},
            unkept::Unkept,
            words,
        },
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        tokens::Armed,
    },
    io::db::Tx,
    protocol::oauth::{answer::Tokens, document::Facts},
};

/// Has the client of a provider ask for a token in its own name, and keeps that as a shared account.
///
/// # Errors
/// `NotFound` for another kind of provider; a refusal with the provider's words where it gives no token.
pub async fn connect_client(cx: &OrgCx, input: &BeginInput) -> ActionResult<Connection> {
    let by = cx.user().ok_or(ActionError::Forbidden(Permission::ConnectionsWrite))?;
    let Offer { provider, connection, scopes, owner, .. } = offered(cx, input, Obtaining::Client).await?;
    let name = provider.name.clone();
    let version = provider.version;
    let mut tx = cx.tx().await?;
    let armed = Armed::of(&cx.ports.vault, &mut tx, provider).await?.ok_or(ActionError::NotFound)?;
    tx.done().await?;
    let request = armed.template.client_credentials(&armed.proven(cx.now()), &scopes);
    let answer = armed.ask(&cx.ports.egress, &request).await;
    let answer = answer.map_err(|failure| words::failed(&name, &failure))?;
    // A client that can ask again has no use for a refresh token (RFC 6749, section 4.4.3).
    let tokens = Tokens { refresh: None, ..armed.tokens_of(&answer).clone() };
    let label = AccountLabel { id: armed.client.id.clone(), ..AccountLabel::default() };
    let facts = armed.template.facts(&answer.rest, &Facts::new());
    let unkept = Unkept::of(&armed, &label, &tokens, &facts);
    let arrived = Arrived {
        provider: &armed.provider,
        provider_version: version,
        owner,
        renewed: connection.map(|connection| connection.id),
        asked: &scopes,
        label,
        tokens: &tokens,
        facts,
        by,
    };
    let kept = unkept.unless_kept(cx, arrived.keep(cx).await).await;
    Ok(kept?.connection)
}

/// Keeps a key that somebody made at a provider.
///
/// # Errors
/// A fault of `key`; `NotFound` for another kind of provider.
pub async fn connect_key(cx: &OrgCx, input: &BeginInput, key: &Secret<String>) -> ActionResult<Connection> {
    let by = cx.user().ok_or(ActionError::Forbidden(Permission::ConnectionsWrite))?;
    let Offer { provider, connection, owner, .. } = offered(cx, input, Obtaining::Key).await?;
    let key = parse_key(key).map_err(|fault| ActionError::field("key", fault))?;
    let tokens =
        Tokens { access: key, refresh: None, expires_in: None, refresh_expires_in: None, scopes: None };
    let label = connection.as_ref().map(|connection| connection.label.clone()).unwrap_or_default();
    let arrived = Arrived {
        provider: &provider,
        provider_version: provider.version,
        owner,
        renewed: connection.map(|connection| connection.id),
        asked: &[],
        label,
        tokens: &tokens,
        facts: Facts::new(),
        by,
    };
    Ok(arrived.keep(cx).await?.connection)
}

async fn offered(cx: &OrgCx, input: &BeginInput, obtaining: Obtaining) -> ActionResult<Offer> {
    let offer = offer(cx, input).await?;
    if offer.provider.obtaining() == obtaining { Ok(offer) } else { Err(ActionError::NotFound) }
}
