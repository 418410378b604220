//! Reads the catalogue of a stored server and keeps what came of it.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    base::{crypto::random, ids::ServerId},
    domain::{
        audit::{self, Entry, Unrecorded, Who},
        servers::{
            CatalogueChange, Check, Checked, Server, ToolName,
            store::{catalogue, checks, credentials, servers, tools},
        },
        tenancy::store::orgs,
    },
    flow::{
        catalogue::{
            carried::Carried,
            due::REFRESH_SERVER,
            lent::lent,
            reading::{Reading, Spoken, read},
            steps::{Onlooker, StepReport},
        },
        cx::Ports,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgScope, OrgTx, Tx},
};

/// How long after a good reading the next one is due.
const EVERY: time::Duration = time::Duration::minutes(10);
/// How long after many failed readings the next one is due at the latest.
const AT_LATEST: time::Duration = time::Duration::hours(2);
/// How many names of tools a record holds.
const MOST_NAMES: usize = 50;

/// What came of reading the catalogue of a stored server.
#[derive(Debug)]
pub struct Refresh {
    /// The server as it is now.
    pub server: Server,
    /// Every step, also those that were not reached.
    pub steps: Vec<StepReport>,
    /// What changed; `None` where the catalogue could not be read.
    pub change: Option<CatalogueChange>,
    /// How many entries could not be kept.
    pub left_out: usize,
}

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// A person or script asked; that is recorded in any case.
    Asked,
    /// It was due; only what changed is recorded.
    Due,
}

/// Reads the catalogue of a server within the given time, and keeps what came of it; asked for by somebody who may.
///
/// # Errors
/// `NotFound`; `Changed` where the server was changed meanwhile, so that what was read may be another's.
pub async fn refresh(
    ports: &Ports,
    scope: OrgScope,
    server: ServerId,
    who: &Who,
    within: Duration,
    onlooker: Onlooker,
) -> ActionResult<Refresh> {
    run(ports, scope, server, who, Occasion::Asked, (within, onlooker)).await
}

/// Reads the catalogue of a server that was just added, while whoever added it waits; the adding itself was recorded.
///
/// # Errors
/// `NotFound`; `Changed` where the server was changed meanwhile.
pub async fn refresh_first(ports: &Ports, scope: OrgScope, server: ServerId) -> ActionResult<()> {
    let who = Who::system(REFRESH_SERVER);
    run(ports, scope, server, &who, Occasion::Due, (Duration::from_secs(30), Onlooker::default()))
        .await
        .map(drop)
}

pub(super) async fn run(
    ports: &Ports,
    scope: OrgScope,
    server: ServerId,
    who: &Who,
    occasion: Occasion,
    (within, onlooker): (Duration, Onlooker),
) -> ActionResult<Refresh> {
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let seen = servers::find(&mut tx, &server.into()).await?.ok_or(ActionError::NotFound)?;
    let stored = credentials::list(&mut tx, server).await?;
    tx.done().await?;
    // Whoever asks reads it with what serves them; a job reads it for nobody. No transaction is open while a provider is asked
    // for a token.
    let user = who.actor.user();
    let lent = lent(ports, scope, &seen.url, &stored, user).await?;
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let carried = Carried::opened(&ports.vault, &mut tx, &seen.url, &stored, user, &lent).await?;
    drop(lent);
    if occasion == Occasion::Due && carried.lacks_any() {
        // That it refuses a look without a person's value says nothing of how it does.
        servers::postpone(&mut tx, server, ports.clock.now() + EVERY + jitter()).await?;
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?;
        return Ok(Refresh { server: seen, steps: Vec::new(), change: None, left_out: 0 });
    }
    tx.done().await?;
    let reading = read(&ports.egress, &carried, Some(seen.transport), within, onlooker).await;
    drop(carried);
    keep(ports, scope, &seen, reading, who, occasion).await
}

/// Keeps a reading, unless the server was changed while it was made.
async fn keep(
    ports: &Ports,
    scope: OrgScope,
    seen: &Server,
    reading: Reading,
    who: &Who,
    occasion: Occasion,
) -> ActionResult<Refresh> {
    let now = ports.clock.now();
    let mut tx = OrgTx::begin(&ports.db, scope).await?;
    let server = servers::lock(&mut tx, seen.id).await?.ok_or(ActionError::NotFound)?;
    if server.version != seen.version {
        return Err(ActionError::Changed);
    }
    checks::record(&mut tx, server.id, &check(&reading, now)).await?;
    let (mut change, mut left_out, mut varying) = (None, 0, Vec::new());
    if let Some(Spoken { snapshot, left_out: dropped, .. }) = &reading.found {
        left_out = *dropped;
        change = catalogue::apply(&mut tx, server.id, snapshot, now + EVERY + jitter(), now).await?;
        if change.as_ref().is_some_and(|change| change.is_decisive) {
            orgs::bump_epoch(&mut tx).await?;
        }
        varying = tools::settle_variants(&mut tx, server.id, seen.refreshed.at).await?;
    } else {
        let due = now + patience(server.refreshed.failures) + jitter();
        servers::note_failure(&mut tx, server.id, &cause(&reading), due, now).await?;
    }
    let mut entries = Vec::from_iter(entry(&server, change.as_ref(), &reading, who, occasion));
    entries.extend(alarm(&server, &varying));
    let server = servers::find(&mut tx, &seen.id.into()).await?.ok_or(ActionError::NotFound)?;
    if entries.is_empty() {
        audit::commit_unrecorded(tx, Unrecorded::Housekeeping).await?;
    } else {
        audit::commit(tx, now, entries).await?;
    }
    Ok(Refresh { server, steps: reading.steps, change, left_out })
}

/// What the record keeps of a reading.
#[derive(Serialize)]
struct RefreshRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    new: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restored: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gone: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
}

impl<'a> RefreshRecord<'a> {
    fn of(change: Option<&'a CatalogueChange>, reading: &Reading) -> Self {
        let nothing: &[ToolName] = &[];
        let lists = change.map_or([nothing; 4], |c| [&c.new[..], &c.changed, &c.restored, &c.gone]);
        let names = |list: &'a [ToolName]| list.iter().take(MOST_NAMES).map(ToolName::as_str).collect();
        let more: usize = lists.iter().map(|list| list.len().saturating_sub(MOST_NAMES)).sum();
        Self {
            failed_at: reading.failure().map(|step| step.name.as_str()),
            new: names(lists[0]),
            changed: names(lists[1]),
            restored: names(lists[2]),
            gone: names(lists[3]),
            more: (more > 0).then_some(more),
        }
    }
}

fn entry(
    server: &Server,
    change: Option<&CatalogueChange>,
    reading: &Reading,
    who: &Who,
    occasion: Occasion,
) -> Option<Entry> {
    let is_news = change.is_some_and(CatalogueChange::is_worth_telling);
    let action = match occasion {
        Occasion::Asked => "server.refreshed",
        Occasion::Due if is_news => "server.catalogue_changed",
        Occasion::Due => return None,
    };
    let entry = Entry::admin(action, who)
        .target("server", server.id, &server.name)
        .after(&RefreshRecord::of(change, reading));
    let failed = occasion == Occasion::Asked && change.is_none();
    Some(if failed { entry.note(cause(reading)).failed() } else { entry })
}

/// What the record says of tools that agents were shown otherwise than the catalogue, which was read since, holds them.
fn alarm(server: &Server, varying: &[ToolName]) -> Option<Entry> {
    #[derive(Serialize)]
    struct Varying<'a> {
        tools: Vec<&'a str>,
    }
    let tools: Vec<&str> = varying.iter().take(MOST_NAMES).map(ToolName::as_str).collect();
    (!tools.is_empty()).then(|| {
        Entry::admin("server.definitions_vary", &Who::system(REFRESH_SERVER))
            .target("server", server.id, &server.name)
            .after(&Varying { tools })
    })
}

fn check(reading: &Reading, at: OffsetDateTime) -> Check {
    let outcome = match reading.failure() {
        None => Checked::Well,
        Some(step) => Checked::Failed {
            step: step.name.as_str().to_owned(),
            cause: step.cause.clone().unwrap_or_default(),
        },
    };
    Check { at, latency_ms: i32::try_from(reading.latency.as_millis()).unwrap_or(i32::MAX), outcome }
}

fn cause(reading: &Reading) -> String {
    reading
        .failure()
        .and_then(|step| step.cause.clone())
        .unwrap_or_else(|| "It ended without a word.".to_owned())
}

/// How long to wait after so many failures before this one: each time twice as long.
fn patience(failures: i32) -> time::Duration {
    let doublings = u32::try_from(failures).unwrap_or_default().min(10);
    (EVERY * 2i32.pow(doublings)).min(AT_LATEST)
}

/// Up to a minute, so that servers added together are not looked at together for ever.
fn jitter() -> time::Duration {
    time::Duration::milliseconds(i64::from(u16::from_be_bytes(random::bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_to_two_hours() {
        let minutes: Vec<_> = (-1..7).map(|n| patience(n).whole_minutes()).collect();
        assert_eq!(minutes, [10, 10, 20, 40, 80, 120, 120, 120]);
        assert_eq!(patience(i32::MAX), AT_LATEST);
        assert!(jitter() < time::Duration::seconds(66));
    }
}
