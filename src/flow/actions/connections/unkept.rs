//! Tokens that came and are not kept: ended where they came from, unless that would end somebody's account along with them.

use crate::{
    domain::connections::{AccountLabel, store::reach},
    flow::{
        cx::OrgCx,
        fault::ActionResult,
        tokens::{Armed, Pair, UpstreamEnd, end_upstream},
    },
    io::db::{OrgTx, Tx},
    protocol::oauth::{answer::Tokens, document::Facts},
};

/// Tokens that may turn out not to be kept.
pub(super) struct Unkept<'a> {
    armed: &'a Armed,
    account: String,
    pair: Pair,
    facts: Facts,
}

/// What became of them where they came from.
pub(super) enum UnkeptEnd {
    /// They cannot be ended from outside.
    ByThemselves,
    /// The account is connected here, and some providers end all its tokens at once.
    Spared,
    /// The provider was told.
    Told(UpstreamEnd),
}

impl<'a> Unkept<'a> {
    /// Of what came.
    pub(super) fn of(armed: &'a Armed, label: &AccountLabel, tokens: &Tokens, facts: &Facts) -> Self {
        let (account, pair) = (label.id.clone(), Pair::of(tokens, None));
        Self { armed, account, pair, facts: facts.clone() }
    }

    /// Ends them.
    ///
    /// # Errors
    /// When the database is away.
    pub(super) async fn end(&self, cx: &OrgCx) -> ActionResult<UnkeptEnd> {
        if !self.armed.template.can_revoke() {
            return Ok(UnkeptEnd::ByThemselves);
        }
        let mut tx: OrgTx = cx.tx().await?;
        let client = &self.armed.provider.client_id;
        let is_connected = reach::is_connected(&mut tx, client, &self.account).await?;
        tx.done().await?;
        if is_connected {
            return Ok(UnkeptEnd::Spared);
        }
        let told = end_upstream(&cx.ports.egress, self.armed, &self.pair, &self.facts, cx.now()).await;
        Ok(UnkeptEnd::Told(told))
    }

    /// Ends them where they were not kept, and gives back what came of keeping them.
    pub(super) async fn unless_kept<T>(self, cx: &OrgCx, kept: ActionResult<T>) -> ActionResult<T> {
        if kept.is_err()
            && let Err(error) = self.end(cx).await
        {
            tracing::warn!(%error, provider = %self.armed.provider.id, "tokens that were not kept cannot be ended");
        }
        kept
    }
}
