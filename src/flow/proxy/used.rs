//! When a secret was last sent: noted behind the call, at most once in some minutes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};
use tokio_util::task::TaskTracker;

use crate::{
    base::ids::SecretId,
    domain::{
        audit::{self, Unrecorded},
        secrets::store::secrets,
    },
    flow::{fault::ActionResult, proxy::admit::Admitted},
    io::db::{Db, OrgScope, OrgTx},
};

/// How often the use of a secret is noted at the most.
const EVERY: Duration = Duration::minutes(5);
/// How many secrets are kept in mind; beyond, all are forgotten, and some are noted once more than they need to be.
const MAX_KEPT: usize = 100_000;

/// Notes the use of secrets.
#[derive(Debug)]
pub struct Used {
    db: Db,
    tasks: TaskTracker,
    noted: Mutex<HashMap<SecretId, OffsetDateTime>>,
}

impl Used {
    /// Nothing was noted yet.
    pub fn new(db: Db, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { db, tasks, noted: Mutex::default() })
    }

    /// Notes a call that carries these, where their use was not noted within the last minutes.
    pub fn note(self: &Arc<Self>, admitted: &Admitted, secrets: &[SecretId]) {
        let due = self.due(secrets, admitted.now);
        if due.is_empty() {
            return;
        }
        let (used, scope, now) = (Arc::clone(self), admitted.snapshot.scope, admitted.now);
        self.tasks.spawn(async move {
            if let Err(error) = used.write(scope, &due, now).await {
                tracing::debug!(%error, "the use of a secret was not noted");
            }
        });
    }

    fn due(&self, secrets: &[SecretId], now: OffsetDateTime) -> Vec<SecretId> {
        if secrets.is_empty() {
            return Vec::new();
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= MAX_KEPT {
            noted.clear();
        }
        let is_due = |id: &&SecretId| noted.get(*id).is_none_or(|at| now - *at >= EVERY);
        let due: Vec<SecretId> = secrets.iter().filter(is_due).copied().collect();
        noted.extend(due.iter().map(|id| (*id, now)));
        due
    }

    async fn write(&self, scope: OrgScope, due: &[SecretId], now: OffsetDateTime) -> ActionResult<()> {
        let mut tx = OrgTx::begin(&self.db, scope).await?;
        // Other replicas note it too.
        secrets::touch(&mut tx, due, now, now - EVERY).await?;
        audit::commit_unrecorded(tx, Unrecorded::LastSeen).await?;
        Ok(())
    }
}
