//! Trying a connection: is there a token, and does the provider know whose it is?

use crate::{
    base::permission::Permission,
    domain::{
        audit::{self, Unrecorded},
        connections::{
            Connection,
            store::{accounts, held, noted},
        },
    },
    flow::{
        actions::connections::changeable,
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        tokens::{Armed, NoToken, Recognized},
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
    /// Whether the provider was asked, and takes the token; not every one can be asked.
    pub is_taken: bool,
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
    let held = held::one(&mut tx, seen.id).await?;
    let armed = Armed::find(&cx.ports.vault, &mut tx, seen.provider).await?;
    tx.done().await?;
    let held = held.ok_or(ActionError::NotFound)?;
    let token = match is_forced && held.has_refresh {
        true => cx.ports.tokens.renewed(cx.scope, held.id, held.token_version).await?,
        false => cx.ports.tokens.live(cx.scope, &held).await?,
    };
    let mut told = Recognized::Unasked;
    let fault = match token {
        Err(none) => Some(words(&seen.provider_name, &none)),
        Ok(token) => {
            let name = &seen.provider_name;
            // Where there is nobody to ask, as of a key, that there is one is all that can be said.
            if let Some(armed) = armed {
                told = armed.recognizes(&cx.ports.egress, &token, &held.facts).await;
            }
            match told {
                Recognized::Taken | Recognized::Unasked => None,
                Recognized::Refused(401) => Some(format!("{name} does not take the token any more.")),
                Recognized::Refused(status) => Some(format!("{name} answers with status {status}.")),
                Recognized::Silent => Some(format!("{name} cannot be reached.")),
            }
        }
    };
    let mut tx = cx.tx().await?;
    if told == Recognized::Taken {
        noted::note_ok(&mut tx, held.id, cx.now()).await?;
    }
    let connection = accounts::find(&mut tx, held.id).await?.ok_or(ActionError::NotFound)?;
    audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
    Ok(Probed { connection, fault, is_taken: told == Recognized::Taken })
}

fn words(provider: &str, none: &NoToken) -> String {
    match none {
        NoToken::Reauth => format!("{provider} gives no new token any more: connect the account again."),
        NoToken::Away => format!("{provider} gives no new token for now; it is tried again by itself."),
        NoToken::Broken => {
            format!("{provider} refuses the registered client: an admin checks it on the provider's page.")
        }
        NoToken::Barred => format!(
            "The rules of this installation keep {provider} from being called: its operator decides about addresses."
        ),
        NoToken::Off => "The account is switched off.".to_owned(),
        NoToken::Gone => "The account is not connected any more.".to_owned(),
    }
}
