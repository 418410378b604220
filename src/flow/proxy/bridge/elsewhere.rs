//! Calls that this replica makes and that their agents may call off at another: now and then it is looked whether they
//! did.
//!
//! Only agents with sessions send word of that, and of a call that is over within a moment nobody asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    base::{
        crypto::digest::Digest,
        ids::{GrantId, OrgId},
    },
    domain::approvals::store::waiting::MadeCall,
    flow::proxy::bridge::between::Between,
};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(2);
/// How long before it begins a call may have been called off: as long as judging it may have taken.
const BEFORE: Duration = Duration::from_secs(5);

/// The calls of each organization; while there are any, one task looks after them.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    by_org: Mutex<HashMap<OrgId, Vec<Made>>>,
}

/// A call that is being made.
#[derive(Clone, Debug)]
struct Made {
    grant: GrantId,
    /// Of the agent's session and the id that it gave the call.
    call: Digest,
    began: Instant,
    /// Fires when it is called off, and when it is over.
    off: CancellationToken,
}

impl Elsewhere {
    /// Looks after a call until what is returned is dropped.
    pub(super) fn watch(
        self: &Arc<Self>,
        between: &Between,
        grant: GrantId,
        call: Digest,
        off: CancellationToken,
    ) -> DropGuard {
        let made = Made { grant, call, began: Instant::now(), off: off.clone() };
        let is_first = {
            let mut by_org = self.lock();
            let is_first = !by_org.contains_key(&between.org());
            by_org.entry(between.org()).or_default().push(made);
            is_first
        };
        if is_first {
            let (elsewhere, between) = (Arc::clone(self), between.clone());
            let tasks = between.tasks.clone();
            tasks.spawn(async move { elsewhere.look(&between).await });
        }
        off.drop_guard()
    }

    /// Looks for as long as calls are under way.
    async fn look(&self, between: &Between) {
        loop {
            sleep(LOOK).await;
            let under_way = self.under_way(between.org());
            if under_way.is_empty() {
                return;
            }
            let calls: Vec<_> = under_way
                .iter()
                .map(|one| MadeCall { grant: one.grant, call: one.call, since: one.began.elapsed() + BEFORE })
                .collect();
            match between.called_off(&calls).await {
                Ok(places) => {
                    places.into_iter().filter_map(|at| under_way.get(at)).for_each(|one| one.off.cancel());
                }
                // The database may be there again at the next look.
                Err(error) => tracing::warn!(%error, "what agents call off at other replicas is not heard"),
            }
        }
    }

    /// The calls that are not over; where there are none, nobody looks any longer.
    fn under_way(&self, org: OrgId) -> Vec<Made> {
        let mut by_org = self.lock();
        let Some(made) = by_org.get_mut(&org) else { return Vec::new() };
        made.retain(|one| !one.off.is_cancelled());
        let under_way = made.clone();
        if under_way.is_empty() {
            by_org.remove(&org);
        }
        under_way
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrgId, Vec<Made>>> {
        self.by_org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
