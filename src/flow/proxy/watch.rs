//! What passes by and tells that a server's catalogue is out of date: noted behind the call, at any rate safe.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::task::TaskTracker;

use crate::{
    base::{clock::Clock, ids::ServerId},
    flow::{
        catalogue::{refresh_soon, span_of},
        jobs::Waker,
    },
    io::db::{Db, OrgScope},
};

/// How many servers are kept in mind; beyond, all are forgotten, and some are asked for once more than they need to be.
const MAX_KEPT: usize = 10_000;

/// Follows what servers say of their catalogues.
pub struct Watch {
    db: Db,
    clock: Clock,
    waker: Waker,
    tasks: TaskTracker,
    /// For each server the span of time in which a reading was last asked for.
    asked: Mutex<HashMap<ServerId, i64>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// Nothing was seen yet.
    pub fn new(db: Db, clock: Clock, waker: Waker, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { db, clock, waker, tasks, asked: Mutex::default() })
    }

    /// A server said that what it offers has changed, or showed it: its catalogue is read soon.
    pub fn catalogue_changed(self: &Arc<Self>, scope: OrgScope, server: ServerId) {
        let (span, _) = span_of(self.clock.now());
        if !self.is_news(server, span) {
            return;
        }
        let watch = Arc::clone(self);
        self.tasks.spawn(async move {
            let asked = refresh_soon(&watch.db, &watch.clock, &watch.waker, scope, server).await;
            if let Err(error) = asked {
                tracing::warn!(%error, %server, "a server's catalogue changed, and nobody could be told to read it");
                watch.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&server);
            }
        });
    }

    fn is_news(&self, server: ServerId, span: i64) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= MAX_KEPT {
            asked.clear();
        }
        asked.insert(server, span) != Some(span)
    }
}
