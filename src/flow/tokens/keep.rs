//! Renewing what is due before anybody asks for it, so that no call waits and no refresh token lapses.

use serde::{Deserialize, Serialize};
use time::Duration;

use crate::{
    base::ids::{ConnectionId, OrgId},
    domain::{
        audit::{self, Unrecorded},
        connections::{
            KEEP_ALIVE,
            store::{held, leases},
        },
        jobs::{NewJob, store as jobs},
    },
    flow::{cx::Ports, jobs::JobError},
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
};

/// The kind of job that finds what is due; once a minute is right.
pub const RENEW_TOKENS: &str = "renew_tokens";
/// The kind of job that renews one connection's token.
pub const RENEW_TOKEN: &str = "renew_token";

/// How long before its end a token is renewed by itself: as long as the greatest margin, and a round of this job.
const AHEAD: Duration = Duration::minutes(6);
/// How many connections one round takes; the next round takes the rest.
const MOST: i64 = 500;

/// Which connection.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DueToken {
    org: OrgId,
    connection: ConnectionId,
}

/// Leaves a job for every connection that is due.
///
/// # Errors
/// When the database is away.
pub async fn renew_due(ports: &Ports) -> Result<(), JobError> {
    let now = ports.clock.now();
    let mut tx = SystemTx::begin(&ports.db).await?;
    for (org, connection) in leases::due(&mut tx, now + AHEAD, now - KEEP_ALIVE, now, MOST).await? {
        let job = NewJob {
            kind: RENEW_TOKEN,
            payload: DueToken { org, connection },
            dedup_key: Some(connection.to_string()),
            run_at: now,
        };
        jobs::enqueue(&mut tx, now, job).await?;
    }
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    ports.waker.wake();
    Ok(())
}

/// Renews one connection's token. An account that has to be connected again is no failed job.
///
/// # Errors
/// When the database or the vault is away.
pub async fn renew_one(ports: &Ports, due: DueToken) -> Result<(), JobError> {
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
