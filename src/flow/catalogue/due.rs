//! Catalogues that are due: found by a round, each read by a job of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    base::ids::{OrgId, ServerId},
    domain::{
        audit::{self, Unrecorded, Who},
        jobs::{NewJob, store as jobs},
        servers::store::servers,
    },
    flow::{
        catalogue::refresh::{Occasion, run},
        cx::Ports,
        fault::ActionError,
        jobs::JobError,
    },
    io::db::{DbResult, OrgScope, OrgTx, SystemTx},
};

/// The kind of job that finds what is due; once a minute is right.
pub const REFRESH_SERVERS: &str = "refresh_servers";
/// The kind of job that reads one server's catalogue.
pub const REFRESH_SERVER: &str = "refresh_server";

/// How many servers one round takes; the next round takes the rest.
const MOST: i64 = 500;
/// How long one reading may take where nobody waits.
const WITHIN: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DueServer {
    org: OrgId,
    server: ServerId,
}

/// Leaves a job for every server that is due.
///
/// # Errors
/// When the database is away.
pub async fn refresh_due(ports: &Ports) -> Result<(), JobError> {
    let now = ports.clock.now();
    let mut tx = SystemTx::begin(&ports.db).await?;
    let due = servers::list_due(&mut tx, now, MOST).await?;
    for (org, server) in due {
        jobs::enqueue(&mut tx, now, job(DueServer { org, server }, now)).await?;
    }
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    ports.waker.wake();
    Ok(())
}

/// Reads one server's catalogue. A server that failed is no failed job: it is due again later.
///
/// # Errors
/// When the database or the vault is away.
pub async fn refresh_one(ports: &Ports, due: DueServer) -> Result<(), JobError> {
    let who = Who::system(REFRESH_SERVER);
    let scope = OrgScope::proven(due.org);
    match run(ports, scope, due.server, &who, Occasion::Due, WITHIN).await {
        // Whoever changed the server meanwhile made it due again.
        Ok(_) | Err(ActionError::NotFound | ActionError::Changed) => Ok(()),
        Err(error) => Err(JobError::again(error)),
    }
}

/// Has a server's catalogue read soon, such as after it said that its tools changed. Safe to call at any rate: while
/// a reading waits, no other is added.
///
/// # Errors
/// When the database is away.
pub async fn refresh_soon(ports: &Ports, scope: OrgScope, server: ServerId) -> DbResult<()> {
    let now = ports.clock.now();
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    enqueue(&mut tx, server, now).await?;
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    ports.waker.wake();
    Ok(())
}

/// Leaves the job within a transaction that makes the server due.
///
/// # Errors
/// When the database is away.
pub async fn enqueue(tx: &mut OrgTx, server: ServerId, now: time::OffsetDateTime) -> DbResult<()> {
    let due = DueServer { org: tx.org(), server };
    jobs::enqueue(tx, now, job(due, now)).await?;
    Ok(())
}

fn job(due: DueServer, now: time::OffsetDateTime) -> NewJob<'static, DueServer> {
    NewJob { kind: REFRESH_SERVER, payload: due, dedup_key: Some(due.server.to_string()), run_at: now }
}
