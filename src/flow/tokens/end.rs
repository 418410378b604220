//! Telling providers of accounts that were ended here: at once where somebody waits for it, and again for a day where a
//! provider does not listen, so that also those of people who left are ended there.

use std::time::Duration;

use time::OffsetDateTime;

use crate::{
    base::ids::ConnectionId,
    domain::{
        audit::{self, Entry, Unrecorded, Who},
        connections::{Account, TokenEnding, store::endings, until_told_again},
    },
    flow::{
        cx::Ports,
        fault::ActionResult,
        jobs::JobError,
        tokens::{
            Armed, Pair,
            due::{self, DueAccount, MOST},
            send,
        },
    },
    io::{
        db::{OrgScope, OrgTx, SystemTx, Tx},
        net::client::Egress,
    },
    protocol::oauth::document::Facts,
};

/// The kind of job that finds what is due; once a minute is right.
pub const END_TOKENS: &str = "end_tokens";
/// The kind of job that tells one provider of one account.
pub const END_TOKEN: &str = "end_token";

/// How long a provider may take.
const WITHIN: Duration = Duration::from_secs(5);
/// What ends them by itself, in the record.
const WHO: &str = "account ending";

/// What became of an account at its provider.
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

/// Tells a provider to end the tokens of an account.
pub async fn end_upstream(
    egress: &Egress,
    armed: &Armed,
    pair: &Pair,
    facts: &Facts,
    now: OffsetDateTime,
) -> UpstreamEnd {
    let client = armed.proven(now);
    let account = Account { client: &client, access: &pair.access, refresh: pair.refresh.as_ref(), facts };
    let Ok(Some(request)) = armed.template.revoke(&account) else { return UpstreamEnd::Failed };
    match tokio::time::timeout(WITHIN, send(egress, &request)).await {
        Ok(Ok(reply)) if reply.is_success() => UpstreamEnd::Ended,
        _ => UpstreamEnd::Failed,
    }
}

/// Leaves a job for every account that is due.
///
/// # Errors
/// When the database is away.
pub async fn end_due(ports: &Ports) -> Result<(), JobError> {
    let now = ports.clock.now();
    let mut tx = SystemTx::begin(&ports.db).await?;
    let found = endings::due(&mut tx, now, MOST).await?;
    due::enqueue(ports, tx, END_TOKEN, found).await
}

/// Tells one provider of one account. One that does not listen is no failed job: it is told again later.
///
/// # Errors
/// When the database or the vault is away.
pub async fn end_one(ports: &Ports, due: DueAccount) -> Result<(), JobError> {
    told(ports, OrgScope::proven(due.org), due.connection).await.map_err(JobError::again)
}

async fn told(ports: &Ports, scope: OrgScope, id: ConnectionId) -> ActionResult<()> {
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let Some(ending) = endings::find(&mut tx, id).await? else { return Ok(tx.done().await?) };
    let armed = Armed::to_end(&ports.vault, &mut tx, ending.provider, ending.former.as_ref()).await?;
    let armed = armed.filter(|armed| armed.template.can_revoke());
    // What cannot be opened any more cannot be ended there either.
    let pair = Pair::open(&ports.vault, &mut tx, id, &ending.tokens).await.ok();
    tx.done().await?;
    let end = match armed.zip(pair) {
        Some((armed, pair)) => {
            end_upstream(&ports.egress, &armed, &pair, &ending.facts, ports.clock.now()).await
        }
        None => UpstreamEnd::ByHand,
    };
    let now = ports.clock.now();
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    if end == UpstreamEnd::Failed && now < ending.until {
        endings::put_off(&mut tx, &ending, now + until_told_again(ending.attempts)).await?;
        return Ok(audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?);
    }
    if endings::forget(&mut tx, id, ending.former_version()).await? {
        audit::commit(tx, now, vec![entry(&ending, end)]).await?;
    }
    Ok(())
}

fn entry(ending: &TokenEnding, end: UpstreamEnd) -> Entry {
    let entry = Entry::admin("connection.ended_upstream", &Who::system(WHO))
        .target("connection", ending.id, &ending.title)
        .note(end.as_str());
    let entry = match ending.user {
        Some(user) => entry.about(user),
        None => entry,
    };
    if end == UpstreamEnd::Failed { entry.failed() } else { entry }
}
