//! The queue of background work, without what the jobs carry.

use crate::{
    base::{
        ids::JobId,
        page::{Page, PageRequest},
    },
    domain::{
        audit::{self, Entry},
        jobs::{JobCount, JobFilter, JobRow, store},
    },
    flow::{
        cx::OperatorCx,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// Jobs, newest first, and how many there are of each kind in each state.
pub async fn list(
    cx: &OperatorCx,
    filter: &JobFilter,
    page: &PageRequest<JobId>,
) -> ActionResult<(Page<JobRow>, Vec<JobCount>)> {
    let mut tx = cx.system_tx().await?;
    let jobs = store::list(&mut tx, filter, page).await?;
    let counts = store::count(&mut tx).await?;
    tx.done().await?;
    Ok((jobs, counts))
}

/// Lets a failed job run again.
///
/// # Errors
/// A refusal where it has not failed, or where the same work already waits.
pub async fn retry(cx: &OperatorCx, job: JobId) -> ActionResult<()> {
    let now = cx.now();
    let mut tx = cx.system_tx().await?;
    if !store::retry(&mut tx, now, job).await? {
        tx.done().await?;
        return Err(ActionError::refused(
            "job_not_failed",
            "This job is not among the failed ones any more, or the same work already waits. Look at the list again.",
        ));
    }
    let entry = Entry::admin("job.retried", &cx.who()).target("job", job, job.to_string());
    audit::commit(tx, now, vec![entry]).await?;
    cx.ports.waker.wake();
    Ok(())
}
