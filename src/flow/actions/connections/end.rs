//! Ending a connection: here at once, at the provider where it can be.

use crate::{
    base::permission::Permission,
    domain::{
        audit::{self, Entry},
        connections::{
            Connection, HeldAccount, Provider, TELL_FOR,
            store::{
                self, accounts,
                endings::{self, Ending},
                held,
            },
        },
    },
    flow::{
        actions::connections::{about, seen},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        tokens::{Armed, Pair, UpstreamEnd, end_upstream},
    },
    io::db::OrgTx,
};

/// How long whoever asked is waited with before the provider is told again by itself.
const AGAIN: time::Duration = time::Duration::minutes(1);

/// A connection that was ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// As it is now.
    pub connection: Connection,
    /// Where it was.
    pub provider: Provider,
    /// What became of it at the provider.
    pub upstream: UpstreamEnd,
}

/// Ends a connection: no call is made with it any more. Then the provider is told; where it does not listen at once it is told
/// again for a day, for so long as the tokens are kept for that alone.
///
/// # Errors
/// `NotFound` for who is neither its owner nor may end those of others; `Changed` where its provider was changed meanwhile.
pub async fn disconnect(cx: &OrgCx, id: &str) -> ActionResult<Ended> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let sheet = seen(cx, &mut tx, id).await?;
    if !sheet.may_change {
        cx.require(Permission::ConnectionsWrite)?;
    }
    let (before, provider) = (sheet.connection, sheet.provider);
    // Else it could move between the two looks: what the one before gave would be shown to the other.
    if !store::is_version(&mut tx, provider.id, provider.version).await? {
        return Err(ActionError::Changed);
    }
    let held = held::one(&mut tx, before.id).await?;
    let upstream = upstream(cx, &mut tx, held.as_ref()).await?;
    if upstream.is_some() {
        endings::keep(&mut tx, Ending::One(before.id), cx.now() + AGAIN, cx.now() + TELL_FOR).await?;
    }
    if !accounts::end(&mut tx, before.id, "disconnected", cx.now()).await? {
        return Err(super::ended());
    }
    let entry = about(Entry::admin("connection.ended", &cx.who()), &before);
    audit::commit(tx, cx.now(), vec![entry]).await?;
    let end = match upstream {
        Some((armed, pair, held)) => {
            end_upstream(&cx.ports.egress, &armed, &pair, &held.facts, cx.now()).await
        }
        None => UpstreamEnd::ByHand,
    };
    let mut tx = cx.tx().await?;
    if end == UpstreamEnd::Ended {
        endings::forget(&mut tx, before.id, 0).await?;
    }
    let connection = accounts::find(&mut tx, before.id).await?.ok_or(ActionError::Changed)?;
    let entry = about(Entry::admin("connection.ended_upstream", &cx.who()), &connection).note(end.as_str());
    let entry = if end == UpstreamEnd::Failed { entry.failed() } else { entry };
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(Ended { connection, provider, upstream: end })
}

type Upstream<'h> = Option<(Armed, Pair, &'h HeldAccount)>;

/// What is needed to tell the provider, opened before it is gone.
async fn upstream<'h>(
    cx: &OrgCx,
    tx: &mut OrgTx,
    held: Option<&'h HeldAccount>,
) -> ActionResult<Upstream<'h>> {
    let Some((held, sealed)) = held.and_then(|held| Some((held, held.tokens.as_ref()?))) else {
        return Ok(None);
    };
    let Some(armed) = Armed::find(&cx.ports.vault, tx, held.provider).await? else { return Ok(None) };
    if !armed.template.can_revoke() {
        return Ok(None);
    }
    // What cannot be opened any more can still be ended here.
    let Ok(pair) = Pair::open(&cx.ports.vault, tx, held.id, sealed).await else { return Ok(None) };
    Ok(Some((armed, pair, held)))
}
