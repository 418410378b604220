//! Calls whose replica died before their outcome was on record: closed as unknown, by whoever finds them.

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        ids::{EventId, OrgId, ReplicaId},
        trace::{Finding, Fixer, Step, Trace},
    },
    domain::{
        audit::{self, CallEntry, CallPart, Decision, Entry, Who},
        instance,
    },
    flow::{cx::Ports, fault::ActionResult},
    io::db::{OrgScope, OrgTx, SystemTx, Tx},
};

/// The kind of job that does this; once a minute is right.
pub(super) const CLOSE_ABANDONED_CALLS: &str = "close_abandoned_calls";

/// A call that is younger may still be on its way to its record.
const GRACE: Duration = Duration::seconds(60);

/// Closes what replicas that are gone left open; says how many calls it were.
///
/// # Errors
/// When the database is away.
pub(super) async fn close_abandoned(ports: &Ports) -> ActionResult<usize> {
    let before = ports.clock.now() - GRACE;
    let mut tx = SystemTx::begin(&ports.db).await?;
    let orgs = audit::orgs_with_abandoned_calls(&mut tx, before).await?;
    let alive: Vec<ReplicaId> =
        instance::list_replicas(&mut tx).await?.into_iter().map(|replica| replica.id).collect();
    tx.done().await?;
    let mut closed = 0;
    for org in orgs {
        closed += close_in(ports, org, before, &alive).await?;
    }
    Ok(closed)
}

async fn close_in(
    ports: &Ports,
    org: OrgId,
    before: OffsetDateTime,
    alive: &[ReplicaId],
) -> ActionResult<usize> {
    let scope = OrgScope::proven(org);
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let left = audit::list_abandoned_calls(&mut tx, before, alive).await?;
    tx.done().await?;
    let count = left.len();
    if count > 0 {
        let calls = left.into_iter().map(|intent| unknown(intent, ports.clock.now())).collect();
        audit::record_calls(&ports.db, scope, ReplicaId::fresh(), calls).await?;
    }
    Ok(count)
}

fn unknown(intent: EventId, now: OffsetDateTime) -> CallEntry {
    let finding = Finding::new("the process that carried the call ended", "an answer", Fixer::Operator);
    let part = CallPart {
        code: Some("outcome_unknown".to_owned()),
        intent: Some(intent),
        ..CallPart::new(Trace::failed(Step::Outcome, finding))
    };
    let entry = Entry::call("call.unknown", &Who::system("call recovery"), part).ended(Decision::Unknown);
    // Whatever it held is free again; what it counted stays counted.
    CallEntry { closes: Some(intent), settles: Some(false), ..CallEntry::new(EventId::fresh(), now, entry) }
}
