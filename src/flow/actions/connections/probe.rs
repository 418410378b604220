//! Trying a connection: is there a token, and does the provider know whose it is?

use crate::{
    base::permission::Permission,
    domain::{
        audit::{self, Unrecorded},
        connections::{
            Account, Connection,
            store::{accounts, accounts::Holders},
        },
    },
    flow::{
        actions::connections::changeable,
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        tokens::{Armed, NoToken, send},
    },
    io::db::Tx,
};

/// What a trial came to.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The connection as it is after it.
    pub connection: Connection,
    /// What went wrong; none where all is well.
    pub fault: Option<String>,
}

/// Tries a connection: fetches a new token where its own has ended, and asks the provider whose it is, where it says so.
/// With `is_forced`, a new token is fetched in any case.
///
/// # Errors
/// `NotFound` where the caller may not change it.
pub async fn probe(cx: &OrgCx, id: &str, is_forced: bool) -> ActionResult<Probed> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let seen = changeable(cx, &mut tx, id).await?.connection;
    let held = accounts::held(&mut tx, Holders::One(seen.id)).await?.into_iter().next();
    let armed = Armed::find(&cx.ports.vault, &mut tx, seen.provider).await?;
    tx.done().await?;
    let (held, armed) = held.zip(armed).ok_or(ActionError::NotFound)?;
    let token = match is_forced && held.has_refresh {
        true => cx.ports.tokens.renewed(cx.scope, held.id, held.token_version).await?,
        false => cx.ports.tokens.live(cx.scope, &held).await?,
    };
    let fault = match token {
        Err(none) => Some(words(&armed.provider.name, &none)),
        Ok(token) => {
            let account =
                Account { client: &armed.client, access: &token.access, refresh: None, facts: &held.facts };
            let mut fault = None;
            for request in armed.template.account(&account).unwrap_or_default() {
                fault = match send(&cx.ports.egress, &request).await {
                    Ok((200..=299, _)) => None,
                    Ok((401, _)) => {
                        Some(format!("{} does not take the token any more.", armed.provider.name))
                    }
                    Ok((status, _)) => Some(format!("{} answers with status {status}.", armed.provider.name)),
                    Err(_) => Some(format!("{} cannot be reached.", armed.provider.name)),
                };
                if fault.is_some() {
                    break;
                }
            }
            fault
        }
    };
    let mut tx = cx.tx().await?;
    if fault.is_none() {
        accounts::note_ok(&mut tx, held.id, cx.now()).await?;
    }
    let connection = accounts::find(&mut tx, held.id).await?.ok_or(ActionError::NotFound)?;
    audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
    Ok(Probed { connection, fault })
}

fn words(provider: &str, none: &NoToken) -> String {
    match none {
        NoToken::Reauth => format!("{provider} gives no new token any more: connect the account again."),
        NoToken::Away => format!("{provider} gives no new token for now; it is tried again by itself."),
        NoToken::Broken => {
            format!("{provider} refuses the registered client: an admin checks it on the provider's page.")
        }
        NoToken::Gone => "The account is not connected any more.".to_owned(),
    }
}
