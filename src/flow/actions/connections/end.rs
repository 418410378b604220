//! Ending a connection: here at once, at the provider where it can be.

use std::time::Duration;

use crate::{
    base::permission::Permission,
    domain::{
        audit::{self, Entry},
        connections::{
            Account, Connection, HeldAccount,
            store::{accounts, held},
        },
    },
    flow::{
        actions::connections::{about, is_own, seen},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
        tokens::{Armed, Pair, send},
    },
    io::db::OrgTx,
};

/// How long the provider may take.
const WITHIN: Duration = Duration::from_secs(5);

/// What became of the account at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamEnd {
    /// The provider ended it.
    Ended,
    /// The provider has no way to do so from outside: the person does it on the provider's own page.
    ByHand,
    /// The provider did not do so.
    Failed,
}

impl UpstreamEnd {
    /// The name in the API and the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::ByHand => "by_hand",
            Self::Failed => "failed",
        }
    }
}

/// A connection that was ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// As it is now.
    pub connection: Connection,
    /// What became of it at the provider.
    pub upstream: UpstreamEnd,
}

/// Ends a connection: no call is made with it any more, and its tokens are gone, before the provider is told.
///
/// # Errors
/// `NotFound` for who is neither its owner nor may end those of others.
pub async fn disconnect(cx: &OrgCx, id: &str) -> ActionResult<Ended> {
    cx.require(Permission::ConnectionsOwn)?;
    let mut tx = cx.tx().await?;
    let before = seen(cx, &mut tx, id).await?.connection;
    if !is_own(cx, &before) {
        cx.require(Permission::ConnectionsWrite)?;
    }
    let held = held::one(&mut tx, before.id).await?;
    let upstream = upstream(cx, &mut tx, held.as_ref()).await?;
    if !accounts::end(&mut tx, before.id, "disconnected", cx.now()).await? {
        return Err(super::ended());
    }
    let entry = about(Entry::admin("connection.ended", &cx.who()), &before);
    audit::commit(tx, cx.now(), vec![entry]).await?;
    let end = match upstream {
        Some((armed, pair, held)) => revoke(cx, &armed, &pair, held).await,
        None => UpstreamEnd::ByHand,
    };
    let mut tx = cx.tx().await?;
    let connection = accounts::find(&mut tx, before.id).await?.ok_or(ActionError::Changed)?;
    let entry = about(Entry::admin("connection.ended_upstream", &cx.who()), &connection).note(end.as_str());
    let entry = if end == UpstreamEnd::Failed { entry.failed() } else { entry };
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(Ended { connection, upstream: end })
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

async fn revoke(cx: &OrgCx, armed: &Armed, pair: &Pair, held: &HeldAccount) -> UpstreamEnd {
    let account = Account {
        client: &armed.client,
        access: &pair.access,
        refresh: pair.refresh.as_ref(),
        facts: &held.facts,
    };
    let Ok(Some(request)) = armed.template.revoke(&account) else { return UpstreamEnd::Failed };
    match tokio::time::timeout(WITHIN, send(&cx.ports.egress, &request)).await {
        Ok(Ok((200..=299, _))) => UpstreamEnd::Ended,
        _ => UpstreamEnd::Failed,
    }
}
