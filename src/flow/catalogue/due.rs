//! Catalogues that are due: found by a round, each read by a job of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        clock::Clock,
        ids::{OrgId, ServerId},
    },
    domain::{
        audit::{self, Unrecorded, Who},
        jobs::{NewJob, store as jobs},
        servers::store::servers,
    },
    flow::{
        catalogue::{
            refresh::{Occasion, run},
            steps::Onlooker,
        },
        cx::Ports,
        fault::ActionError,
        jobs::{JobError, Waker},
    },
    io::db::{Db, DbResult, OrgScope, OrgTx, SystemTx},
};

/// The kind of job that finds what is due; once a minute is right.
pub const REFRESH_SERVERS: &str = "refresh_servers";
/// The kind of job that reads one server's catalogue.
pub const REFRESH_SERVER: &str = "refresh_server";

/// How many servers one round takes; the next round takes the rest.
const MOST: i64 = 500;
/// How long one reading may take where nobody waits.
const WITHIN: Duration = Duration::from_secs(60);
/// How long wishes for a reading are gathered.
const SPAN: time::Duration = time::Duration::seconds(5);

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
    match run(ports, scope, due.server, &who, Occasion::Due, (WITHIN, Onlooker::default())).await {
        // Whoever changed the server meanwhile made it due again.
        Ok(_) | Err(ActionError::NotFound | ActionError::Changed) => Ok(()),
        Err(error) => Err(JobError::again(error)),
    }
}

/// Has a server's catalogue read soon, such as after it said that its tools changed. Safe to call at any rate: what is
/// asked for within the same few seconds, on whichever replica, is answered by one reading after them.
///
/// # Errors
/// When the database is away.
pub async fn refresh_soon(
    db: &Db,
    clock: &Clock,
    waker: &Waker,
    scope: OrgScope,
    server: ServerId,
) -> DbResult<()> {
    let due = DueServer { org: scope.org(), server };
    let (span, run_at) = span_of(clock.now());
    // Not the key of a server that is due: such a reading may be under way and have seen what has changed since.
    let dedup_key = Some(format!("{server}/{span}"));
    let mut tx = OrgTx::begin(db, scope).await?;
    jobs::enqueue(&mut tx, clock.now(), NewJob { kind: REFRESH_SERVER, payload: due, dedup_key, run_at })
        .await?;
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    waker.wake();
    Ok(())
}

/// The number of the span of time that a moment falls in, and when it ends.
pub fn span_of(now: OffsetDateTime) -> (i64, OffsetDateTime) {
    let seconds = SPAN.whole_seconds();
    let number = now.unix_timestamp().div_euclid(seconds);
    let ends = OffsetDateTime::from_unix_timestamp((number + 1) * seconds).unwrap_or(now);
    (number, ends)
}

/// Leaves the job within a transaction that makes the server due.
///
/// # Errors
/// When the database is away.
pub async fn enqueue(tx: &mut OrgTx, server: ServerId, now: OffsetDateTime) -> DbResult<()> {
    let due = DueServer { org: tx.org(), server };
    jobs::enqueue(tx, now, job(due, now)).await?;
    Ok(())
}

fn job(due: DueServer, now: OffsetDateTime) -> NewJob<'static, DueServer> {
    NewJob { kind: REFRESH_SERVER, payload: due, dedup_key: Some(due.server.to_string()), run_at: now }
}
