//! The gate: closing and opening the organization's emergency stop.

use serde::Serialize;

use crate::{
    base::{permission::Permission, update::Change},
    domain::{
        audit::{self, Entry},
        automation::{AutomationCount, store as automation},
        gate::{self, Gate, GateChange, GateState},
        tenancy::{PeopleCount, store},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionResult, settled},
    },
    io::db::Tx,
};

/// The gate and whom it stops.
#[derive(Clone, Debug)]
pub struct GateSheet {
    /// The gate.
    pub gate: Gate,
    /// People whose agents stand behind it.
    pub people: PeopleCount,
    /// Service accounts that stand behind it.
    pub automation: AutomationCount,
}

/// What the record keeps of a gate.
#[derive(Serialize)]
struct GateRecord<'a> {
    open: bool,
    reason: &'a str,
}

impl<'a> From<&'a Gate> for GateRecord<'a> {
    fn from(gate: &'a Gate) -> Self {
        Self { open: gate.is_open(), reason: &gate.reason }
    }
}

/// The gate.
pub async fn read(cx: &OrgCx) -> ActionResult<Gate> {
    cx.require(Permission::GateRead)?;
    let mut tx = cx.tx().await?;
    let gate = gate::find(&mut tx).await?;
    tx.done().await?;
    Ok(gate)
}

/// The gate with the counts of whom it stops.
pub async fn sheet(cx: &OrgCx) -> ActionResult<GateSheet> {
    cx.require(Permission::GateRead)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let gate = gate::find(&mut tx).await?;
    let people = store::glance::count(&mut tx, now, now).await?;
    let automation = automation::glance::count(&mut tx, now, now).await?;
    tx.done().await?;
    Ok(GateSheet { gate, people, automation })
}

/// Closes or opens the gate; from the next request on it is so for everybody, since the epoch rises with it.
///
/// # Errors
/// A fault of `reason` where it closes without one; `Changed` where someone else was faster.
pub async fn set(cx: &OrgCx, state: GateState, reason: &str, seen: Option<i64>) -> ActionResult<Gate> {
    cx.require(Permission::GateWrite)?;
    let change = GateChange::parse(state, reason)?;
    let mut tx = cx.tx().await?;
    let Change { before, after } = settled(gate::set(&mut tx, &change, cx.user(), seen, cx.now()).await?)?;
    let action = if after.is_open() { "gate.opened" } else { "gate.closed" };
    let mut entry = Entry::admin(action, &cx.who())
        .target("org", cx.id(), &cx.org.name)
        .changed(&GateRecord::from(&before), &GateRecord::from(&after));
    if !entry.has_change() {
        // It stood so already: asking twice is no second event and raises no epoch.
        tx.done().await?;
        return Ok(before);
    }
    if !after.reason.is_empty() {
        entry = entry.note(&after.reason);
    }
    audit::commit(tx, cx.now(), vec![entry]).await?;
    Ok(after)
}
