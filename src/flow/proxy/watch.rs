//! What passes by and tells that a server's catalogue is out of date: noted behind the call, at any rate safe.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::task::TaskTracker;

use crate::{
    base::{clock::Clock, ids::ServerId},
    domain::{
        audit::{self, Unrecorded},
        servers::{Fingerprint, ToolName, store::tools},
    },
    flow::{
        catalogue::{refresh_soon, span_of},
        jobs::Waker,
        proxy::lists::Otherwise,
    },
    io::db::{Db, DbResult, OrgScope, OrgTx},
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
    /// What was shown otherwise than it was reviewed, and is noted.
    shown: Mutex<HashSet<(ServerId, ToolName, Fingerprint)>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// Nothing was seen yet.
    pub fn new(db: Db, clock: Clock, waker: Waker, tasks: TaskTracker) -> Arc<Self> {
        Arc::new(Self { db, clock, waker, tasks, asked: Mutex::default(), shown: Mutex::default() })
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

    /// A server showed an agent tools otherwise than they were reviewed. Its catalogue is read soon: what it shows there
    /// too has changed, and what it does not was for this agent alone.
    pub fn shown_otherwise(self: &Arc<Self>, scope: OrgScope, server: ServerId, mut tools: Otherwise) {
        {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            if shown.len() >= MAX_KEPT {
                shown.clear();
            }
            tools.retain(|(tool, print)| shown.insert((server, tool.clone(), *print)));
        }
        if tools.is_empty() {
            return;
        }
        let watch = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = watch.note(scope, server, &tools).await {
                tracing::warn!(%error, %server, "tools were shown otherwise than reviewed, which is not noted");
                let mut shown = watch.shown.lock().unwrap_or_else(PoisonError::into_inner);
                tools.into_iter().for_each(|(tool, print)| {
                    shown.remove(&(server, tool, print));
                });
            }
        });
    }

    async fn note(&self, scope: OrgScope, server: ServerId, tools: &Otherwise) -> DbResult<()> {
        let mut tx = OrgTx::begin(&self.db, scope).await?;
        for (tool, shown) in tools {
            tools::note_variant(&mut tx, server, tool, *shown, self.clock.now()).await?;
        }
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?;
        refresh_soon(&self.db, &self.clock, &self.waker, scope, server).await
    }

    fn is_news(&self, server: ServerId, span: i64) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= MAX_KEPT {
            asked.clear();
        }
        asked.insert(server, span) != Some(span)
    }
}
