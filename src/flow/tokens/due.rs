//! Accounts that something is due for: a job for each, so that one whose provider hangs holds up no other.

use serde::{Deserialize, Serialize};

use crate::{
    base::ids::{ConnectionId, OrgId},
    domain::{
        audit::{self, Unrecorded},
        jobs::{NewJob, store as jobs},
    },
    flow::{cx::Ports, jobs::JobError},
    io::db::SystemTx,
};

/// How many accounts one round takes; the next round takes the rest.
pub(super) const MOST: i64 = 500;

/// Which account: the payload of its job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DueAccount {
    pub(super) org: OrgId,
    pub(super) connection: ConnectionId,
}

/// Leaves a job of this kind for each, within the transaction that found them. One that is under way already gets no other.
pub(super) async fn enqueue(
    ports: &Ports,
    mut tx: SystemTx,
    kind: &str,
    due: Vec<(OrgId, ConnectionId)>,
) -> Result<(), JobError> {
    let now = ports.clock.now();
    for (org, connection) in due {
        let payload = DueAccount { org, connection };
        let job = NewJob { kind, payload, dedup_key: Some(connection.to_string()), run_at: now };
        jobs::enqueue(&mut tx, now, job).await?;
    }
    audit::commit_unrecorded(tx, Unrecorded::JobQueue).await?;
    ports.waker.wake();
    Ok(())
}
