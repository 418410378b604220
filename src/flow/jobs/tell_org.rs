//! What the operator did to an organization, told in the organization's own record too.
//!
//! The change and its record in the instance's chain are one transaction; the organization's chain cannot be part of
//! it, so a job follows that is enqueued with them. It may run twice and tells once.

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        actor::{Actor, Origin},
        clock::Clock,
        ids::{OrgId, RequestId, SessionId, UserId},
        page::PageRequest,
    },
    domain::audit::{self, Entry, EventFilter, Who},
    flow::jobs::JobError,
    io::db::{Db, OrgScope, OrgTx, Tx},
};

/// What is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    org: OrgId,
    name: String,
    /// Why it was suspended; nothing where it was resumed.
    reason: Option<String>,
    user: UserId,
    session: SessionId,
    operator: String,
    request: RequestId,
    ip: Option<std::net::IpAddr>,
}

/// The handler of `TELL_ORG`.
///
/// # Errors
/// When the database is away.
pub(super) async fn handle(db: &Db, clock: &Clock, told: Told) -> Result<(), JobError> {
    let action = if told.reason.is_some() { "org.suspended" } else { "org.resumed" };
    let mut tx = OrgTx::begin(db, OrgScope::proven(told.org)).await?;
    let filter = EventFilter {
        action: Some(action.to_owned()),
        request: Some(told.request),
        ..EventFilter::default()
    };
    let known = audit::list(&mut tx, &filter, &PageRequest { limit: 1, after: None }).await?;
    if !known.items.is_empty() {
        return Ok(tx.done().await?);
    }
    let who = Who {
        actor: Actor::User { user: told.user, session: told.session },
        name: told.operator,
        origin: Some(Origin { request: told.request, ip: told.ip, user_agent: None }),
    };
    let mut entry = Entry::admin(action, &who).target("org", told.org, &told.name);
    if let Some(reason) = &told.reason {
        entry = entry.note(reason);
    }
    audit::commit(tx, clock.now(), vec![entry]).await?;
    Ok(())
}
