//! Renewing what is due before anybody asks for it, so that no call waits and no refresh token lapses.

use time::Duration;

use crate::{
    domain::connections::{
        KEEP_ALIVE,
        store::{held, leases},
    },
    flow::{
        cx::Ports,
        jobs::JobError,
        tokens::due::{self, DueAccount, MOST},
    },
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
};

/// The kind of job that finds what is due; once a minute is right.
pub const RENEW_TOKENS: &str = "renew_tokens";
/// The kind of job that renews one connection's token.
pub const RENEW_TOKEN: &str = "renew_token";

/// How long before its end a token is renewed by itself: as long as the greatest margin, and a round of this job.
const AHEAD: Duration = Duration::minutes(6);

/// Leaves a job for every connection that is due.
///
/// # Errors
/// When the database is away.
pub async fn renew_due(ports: &Ports) -> Result<(), JobError> {
    let now = ports.clock.now();
    let mut tx = SystemTx::begin(&ports.db).await?;
    let found = leases::due(&mut tx, now + AHEAD, now - KEEP_ALIVE, now, MOST).await?;
    due::enqueue(ports, tx, RENEW_TOKEN, found).await
}

/// Renews one connection's token. An account that has to be connected again is no failed job.
///
/// # Errors
/// When the database or the vault is away.
pub async fn renew_one(ports: &Ports, due: DueAccount) -> Result<(), JobError> {
    let scope = OrgScope::proven(due.org);
    let now = ports.clock.now();
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let held = held::one(&mut tx, due.connection).await?;
    tx.done().await?;
    let Some(held) = held else { return Ok(()) };
    // Somebody may have renewed it since.
    if (held.is_idle(now) || held.is_due_by_itself(now)) && !held.is_resting(now) {
        // What came of it stands with the connection.
        let _ = ports.tokens.renewed(scope, held.id, held.token_version).await.map_err(JobError::again)?;
    }
    Ok(())
}
