//! A row that says: this replica lives. Operators see it, and jobs of the dead are taken over by it.

use std::{sync::Arc, time::Duration};

use crate::{
    app::serve::App,
    domain::{
        audit::{self, Unrecorded},
        instance::{self, Replica},
    },
    io::db::{DbResult, SystemTx},
};

const BEAT: Duration = Duration::from_secs(instance::HEARTBEAT.whole_seconds().unsigned_abs());

/// Writes the row every few seconds until we stop, then removes it.
pub async fn keep_alive(app: Arc<App>) {
    let started_at = app.clock.now();
    let replica = Replica {
        id: app.replica,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listen: app.bound.to_string(),
        started_at,
        seen_at: started_at,
    };
    let mut is_known_away = false;
    while !app.stopping.is_cancelled() {
        match beat(&app, &replica).await {
            Ok(()) => is_known_away = false,
            Err(error) if !is_known_away => {
                is_known_away = true;
                tracing::warn!(%error, "this replica's row cannot be written; it is tried again");
            }
            Err(_) => {}
        }
        let _ = tokio::time::timeout(BEAT, app.stopping.cancelled()).await;
    }
    if leave(&app).await.is_err() {
        tracing::debug!("this replica's row stays until it is forgotten");
    }
}

async fn beat(app: &App, replica: &Replica) -> DbResult<()> {
    let now = app.clock.now();
    let mut tx = SystemTx::begin(&app.db).await?;
    if !instance::mark_seen(&mut tx, replica.id, now).await? {
        instance::insert_replica(&mut tx, &Replica { seen_at: now, ..replica.clone() }).await?;
    }
    instance::delete_stale_replicas(&mut tx, now).await?;
    audit::commit_unrecorded(tx, Unrecorded::Replica).await
}

async fn leave(app: &App) -> DbResult<()> {
    let mut tx = SystemTx::begin(&app.db).await?;
    instance::delete_replica(&mut tx, app.replica).await?;
    audit::commit_unrecorded(tx, Unrecorded::Replica).await
}
