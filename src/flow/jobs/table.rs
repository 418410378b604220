//! Which handler does which kind of job, and what comes round by itself.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{tenancy::TELL_ORG, vault::REWRAP_KEYS},
    flow::{
        catalogue::{REFRESH_SERVER, REFRESH_SERVERS, refresh_due, refresh_one},
        cx::Ports,
        jobs::{
            DELETE_ORGS, JobError, MIRROR_AUTH_EVENT, Registry, SEND_ACCOUNT_LETTER, SWEEP_EXPIRED,
            SWEEP_JOBS,
            abandoned_calls::{CLOSE_ABANDONED_CALLS, close_abandoned},
            account_letters, delete_orgs, mirror, rewrap, sweep_expired, sweep_jobs, tell_org,
        },
        letters::{DELIVER_LETTERS, SWEEP_LETTERS},
        sealing::{CHECKPOINT_CHAINS, checkpoint_chains},
        tokens::{
            END_TOKEN, END_TOKENS, LAPSE_TOKEN, LAPSE_TOKENS, RENEW_TOKEN, RENEW_TOKENS, end_due, end_one,
            lapse_due, lapse_one, renew_due, renew_one,
        },
    },
};

/// Every kind of job there is.
pub fn registry() -> Registry<Arc<Ports>> {
    Registry::default()
        .every(Duration::from_secs(10 * 60), DELETE_ORGS, async |ports: Arc<Ports>, _| {
            delete_orgs(&ports).await
        })
        .every(Duration::from_secs(60), CLOSE_ABANDONED_CALLS, async |ports: Arc<Ports>, _| {
            let closed = close_abandoned(&ports).await.map_err(JobError::again)?;
            if closed > 0 {
                tracing::warn!(closed, "calls of replicas that are gone were closed as unknown");
            }
            Ok(())
        })
        .on(MIRROR_AUTH_EVENT, mirror::mirror)
        .on(SEND_ACCOUNT_LETTER, account_letters::send)
        .every(Duration::from_secs(60), CHECKPOINT_CHAINS, async |ports: Arc<Ports>, run| {
            checkpoint_chains(&ports, &run.stop).await.map_err(JobError::again)
        })
        .every(Duration::from_secs(5 * 60), DELIVER_LETTERS, async |ports: Arc<Ports>, run| {
            ports.post.deliver(&run.stop).await.map_err(JobError::again)
        })
        .every(Duration::from_secs(60 * 60), SWEEP_LETTERS, async |ports: Arc<Ports>, _| {
            ports.post.sweep().await.map_err(JobError::again)
        })
        .every(Duration::from_secs(60 * 60), SWEEP_JOBS, async |ports: Arc<Ports>, _| {
            sweep_jobs(&ports.db, &ports.clock).await
        })
        .every(Duration::from_secs(60 * 60), SWEEP_EXPIRED, async |ports: Arc<Ports>, _| {
            sweep_expired(&ports.db, &ports.clock, &ports.limits).await
        })
        .on(REWRAP_KEYS, async |ports: Arc<Ports>, run| {
            rewrap::handle(&ports.db, &ports.clock, &ports.vault, &run.stop).await
        })
        .every(Duration::from_secs(60), REFRESH_SERVERS, async |ports: Arc<Ports>, _| {
            refresh_due(&ports).await
        })
        .on(REFRESH_SERVER, async |ports: Arc<Ports>, run| refresh_one(&ports, run.payload()?).await)
        .every(Duration::from_secs(60), RENEW_TOKENS, async |ports: Arc<Ports>, _| renew_due(&ports).await)
        .every(Duration::from_secs(60), END_TOKENS, async |ports: Arc<Ports>, _| end_due(&ports).await)
        .on(END_TOKEN, async |ports: Arc<Ports>, run| end_one(&ports, run.payload()?).await)
        .every(Duration::from_secs(60), LAPSE_TOKENS, async |ports: Arc<Ports>, _| lapse_due(&ports).await)
        .on(LAPSE_TOKEN, async |ports: Arc<Ports>, run| lapse_one(&ports, run.payload()?).await)
        .on(RENEW_TOKEN, async |ports: Arc<Ports>, run| renew_one(&ports, run.payload()?).await)
        .on(TELL_ORG, async |ports: Arc<Ports>, run| {
            tell_org::handle(&ports.db, &ports.clock, run.payload()?).await
        })
}
