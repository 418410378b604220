//! Why a call ended as it did, for the person it belongs to and for whoever may read the log.

use crate::{
    base::{
        ids::RequestId,
        page::PageRequest,
        permission::{Permission, Role},
    },
    domain::{
        audit::{self, EventDetail, EventFilter, EventKind},
        servers::{ServerRef, store as servers},
    },
    flow::{
        actions::frame,
        cx::{OrgCx, PersonCx},
        enter,
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

/// One call, explained.
#[derive(Debug)]
pub struct Explained {
    /// The organization's name.
    pub org: String,
    /// Its short name.
    pub slug: String,
    /// The reader's role in it.
    pub role: Role,
    /// What was decided before the call left, or why it did not.
    pub intent: EventDetail,
    /// How it ended; none where it was refused, or has not ended.
    pub outcome: Option<EventDetail>,
    /// The name of the server that it was for, where that is still there.
    pub server: Option<String>,
    /// Whether it was an agent of the reader's own.
    pub is_theirs: bool,
    /// Whether the reader may open it in the log.
    pub may_read_log: bool,
}

/// The call that a request made.
///
/// # Errors
/// `NotFound` where no organization of the person knows of it, or it is somebody else's and the log is not theirs to read.
pub async fn explain(cx: &PersonCx, request: RequestId) -> ActionResult<Explained> {
    for place in frame::of_person(cx).await? {
        let Some(org) = enter::if_let_in(cx, &place).await? else { continue };
        if let Some(explained) = within(&org, request).await? {
            return Ok(explained);
        }
    }
    Err(ActionError::NotFound)
}

async fn within(cx: &OrgCx, request: RequestId) -> ActionResult<Option<Explained>> {
    let filter =
        EventFilter { kind: Some(EventKind::Call), request: Some(request), ..EventFilter::default() };
    let mut tx = cx.tx().await?;
    let events = audit::list(&mut tx, &filter, &PageRequest { limit: 10, after: None }).await?.items;
    let mut details = Vec::new();
    // Oldest first: a request makes one intent and at most one outcome.
    for event in events.iter().rev() {
        details.extend(audit::find(&mut tx, event.id).await?);
    }
    let may_read_log = cx.may(Permission::AuditRead);
    let is_theirs = |detail: &EventDetail| detail.row.user.is_some() && detail.row.user == cx.user();
    let mut details = details.into_iter().filter(|detail| may_read_log || is_theirs(detail));
    let Some(intent) = details.next() else {
        tx.done().await?;
        return Ok(None);
    };
    let called = intent.record.as_ref().and_then(|record| record.call.as_ref()?.server);
    let server = match called {
        Some(server) => servers::servers::find(&mut tx, &ServerRef::Id(server))
            .await?
            .map(|server| server.name.to_string()),
        None => None,
    };
    tx.done().await?;
    Ok(Some(Explained {
        server,
        is_theirs: is_theirs(&intent),
        org: cx.org.name.clone(),
        slug: cx.org.slug.as_str().to_owned(),
        role: cx.role,
        intent,
        outcome: details.next(),
        may_read_log,
    }))
}
