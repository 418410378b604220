//! Accounts whose tokens end and cannot be renewed without their owners: told some days before, and given up once they have
//! ended, so that nobody learns of it from an agent first.

use time::OffsetDateTime;

use crate::{
    base::ids::ConnectionId,
    domain::{
        audit::{self, Unrecorded},
        connections::{
            Aftermath, HeldAccount,
            store::{accounts, held, lapses},
        },
    },
    flow::{
        cx::Ports,
        fault::ActionResult,
        jobs::JobError,
        letters::{AccountEnds, Letter, Line},
        tokens::{
            Tokens,
            due::{self, DueAccount, MOST},
            trouble::Told,
        },
    },
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
    protocol::oauth::failure::{FailureKind, TokenFailure},
};

/// The kind of job that finds what is due; once a minute is right.
pub const LAPSE_TOKENS: &str = "lapse_tokens";
/// The kind of job that sees to one account.
pub const LAPSE_TOKEN: &str = "lapse_token";

/// Why an account has to be connected again whose token has ended by itself.
const ENDED: &str = "token_ended";

/// Leaves a job for every account that is due.
///
/// # Errors
/// When the database is away.
pub async fn lapse_due(ports: &Ports) -> Result<(), JobError> {
    let now = ports.clock.now();
    let mut tx = SystemTx::begin(&ports.db).await?;
    let found = lapses::due(&mut tx, now, MOST).await?;
    due::enqueue(ports, tx, LAPSE_TOKEN, found).await
}

/// Gives one account up whose token has ended, or writes about an end that is near.
///
/// # Errors
/// When the database or the vault is away.
pub async fn lapse_one(ports: &Ports, due: DueAccount) -> Result<(), JobError> {
    let scope = OrgScope::proven(due.org);
    let now = ports.clock.now();
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let found = held::one(&mut tx, due.connection).await?;
    tx.done().await?;
    let Some(held) = found else { return Ok(()) };
    let done = match held.ending_to_tell(now) {
        Some(ends) => ports.tokens.tell_ending(scope, held.id, ends).await,
        None if held.has_ended(now) => ports.tokens.lapsed(scope, &held).await,
        None => Ok(()),
    };
    done.map_err(JobError::again)
}

impl Tokens {
    /// Gives an account up whose token has ended and cannot be renewed; not where it was connected again meanwhile.
    ///
    /// # Errors
    /// When the database or the vault is away.
    pub(super) async fn lapsed(&self, scope: OrgScope, held: &HeldAccount) -> ActionResult<()> {
        let code = Some(ENDED.to_owned());
        let failure = TokenFailure { kind: FailureKind::DeadGrant, code, ..TokenFailure::unsent() };
        self.fail(scope, held, Aftermath::Reauth, &failure).await.map(|_| ())
    }

    /// Writes to whoever connects an account again that it ends soon, once for each end.
    async fn tell_ending(&self, scope: OrgScope, id: ConnectionId, ends: OffsetDateTime) -> ActionResult<()> {
        let mut tx = OrgTx::begin(&self.parts().db, scope).await?;
        let Some(seen) = accounts::find(&mut tx, id).await? else { return Ok(tx.done().await?) };
        if !lapses::tell(&mut tx, id, ends).await? {
            return Ok(tx.done().await?);
        }
        let letter = |Told { org, page, is_admin }| {
            Letter::AccountEnds(AccountEnds {
                provider: Line::of(&seen.provider_name),
                account: Line::of(seen.title()),
                ends: ends.into(),
                org,
                page,
                is_admin,
            })
        };
        self.tell(&mut tx, &seen, letter).await?;
        Ok(audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?)
    }
}
