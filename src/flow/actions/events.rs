//! The audit log: what happened, in lists and one by one, with what can be shown of its integrity.

mod filter;

use time::OffsetDateTime;

use crate::{
    base::{
        faults::Faults,
        ids::EventId,
        page::{DEFAULT_LIMIT, Page, PageRequest},
        permission::Permission,
        unprinted::Unprinted,
    },
    domain::{
        audit::{
            self, ARGUMENTS, EventDetail, EventFilter, EventRow, Neighbors, Proof, SEALED_ARGUMENTS, Searched,
        },
        vault::{Cell, Sealed},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

pub(super) use filter::filter_of;

/// How many events a search for words looks through at a time.
const STRETCH: i64 = 100_000;

/// How long a value to search for may be.
pub const MAX_TEXT: usize = 200;

/// What a person asks of the log, as typed; what is left out does not narrow it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventInput {
    /// `admin`, `auth` or `call`.
    pub kind: Option<String>,
    /// The id of a person, agent or key, or a part of the name of the one who acted.
    pub person: Option<String>,
    /// How the action's name begins.
    pub action: Option<String>,
    /// The id of the thing it was done to, or a part of its name.
    pub target: Option<String>,
    /// A server's id or short name: what concerned it, or anything of it.
    pub server: Option<String>,
    /// The name of a tool, prompt or resource.
    pub tool: Option<String>,
    /// `allowed`, `done`, `refused`, `failed` or `unknown`.
    pub decision: Option<String>,
    /// A request's id.
    pub request: Option<String>,
    /// A moment, a day, or a span such as `24h` back from now.
    pub from: Option<String>,
    /// Likewise; a day counts to its end.
    pub to: Option<String>,
    /// A part of the name of the one who acted or of the thing it was done to.
    pub q: Option<String>,
    /// An address, or a network such as `10.0.0.0/8`.
    pub ip: Option<String>,
    /// Not this person's, as `person`.
    pub not_person: Option<String>,
    /// No action whose name begins so.
    pub not_action: Option<String>,
    /// Not done to this thing, as `target`.
    pub not_target: Option<String>,
    /// Not ended so.
    pub not_decision: Option<String>,
    /// Not from this address or network.
    pub not_ip: Option<String>,
}

/// The fields of [`EventInput`], as faults name them.
pub const FIELDS: [&str; 17] = [
    "kind",
    "person",
    "action",
    "target",
    "server",
    "tool",
    "decision",
    "request",
    "from",
    "to",
    "q",
    "ip",
    "not_person",
    "not_action",
    "not_target",
    "not_decision",
    "not_ip",
];

impl EventInput {
    /// The field of that name.
    pub fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "kind" => &mut self.kind,
            "person" => &mut self.person,
            "action" => &mut self.action,
            "target" => &mut self.target,
            "server" => &mut self.server,
            "tool" => &mut self.tool,
            "decision" => &mut self.decision,
            "request" => &mut self.request,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "q" => &mut self.q,
            "ip" => &mut self.ip,
            "not_person" => &mut self.not_person,
            "not_action" => &mut self.not_action,
            "not_target" => &mut self.not_target,
            "not_decision" => &mut self.not_decision,
            "not_ip" => &mut self.not_ip,
            _ => return None,
        })
    }

    /// Whether nothing narrows the log.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which page of the log.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// The newest events.
    First,
    /// Those before this place.
    Older(i64),
    /// Those after this place.
    Newer(i64),
}

/// A page of the log with the event that is looked at.
#[derive(Debug)]
pub struct Log {
    /// Newest first.
    pub rows: Vec<EventRow>,
    /// The cursor of the page before in time.
    pub older: Option<String>,
    /// The cursor of the page after in time.
    pub newer: Option<String>,
    /// The event that is looked at.
    pub seen: Option<Seen>,
    /// Filters that cannot be read and were left out.
    pub faults: Faults,
    /// How far back words were looked for, where the log goes on beyond it.
    pub reaches: Option<OffsetDateTime>,
    /// Where nothing matches: the filters without which something would.
    pub droppable: Vec<&'static str>,
}

/// One event with its proof and its neighbors.
#[derive(Debug)]
pub struct Seen {
    /// All that was recorded.
    pub detail: EventDetail,
    /// What can be shown of its integrity.
    pub proof: Proof,
    /// The events beside it.
    pub neighbors: Neighbors,
    /// The arguments of the call, where they are kept and may be shown, as JSON.
    pub arguments: Option<Unprinted<String>>,
}

/// The organization's events, newest first.
pub async fn list(cx: &OrgCx, input: &EventInput, page: &PageRequest<i64>) -> ActionResult<Page<EventRow>> {
    cx.require(Permission::AuditRead)?;
    let mut tx = cx.tx().await?;
    let filter = filter_of(cx, &mut tx, input).await?;
    let events = audit::search(&mut tx, &filter, page, STRETCH).await?;
    tx.done().await?;
    Ok(events.page)
}

/// A page of the log for reading; filters that cannot be read are left out and named.
pub async fn browse(cx: &OrgCx, input: &EventInput, turn: Turn, seen: Option<&str>) -> ActionResult<Log> {
    cx.require(Permission::AuditRead)?;
    let mut tx = cx.tx().await?;
    let (input, faults) = readable(cx, &mut tx, input).await?;
    let filter = filter_of(cx, &mut tx, &input).await?;
    let Searched { page, newer, reaches } = turned(&mut tx, &filter, turn).await?;
    let is_over = page.items.is_empty() && page.next.is_none() && newer.is_none();
    let droppable = if is_over { droppable(cx, &mut tx, &input).await? } else { Vec::new() };
    let seen = match seen.and_then(|id| id.parse().ok()) {
        Some(id) => look(cx, &mut tx, id).await?,
        None => None,
    };
    tx.done().await?;
    Ok(Log { rows: page.items, older: page.next, newer, seen, faults, reaches, droppable })
}

/// One event.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<Seen> {
    cx.require(Permission::AuditRead)?;
    let id = id.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = cx.tx().await?;
    let seen = look(cx, &mut tx, id).await?;
    tx.done().await?;
    seen.ok_or(ActionError::NotFound)
}

async fn look(cx: &OrgCx, tx: &mut OrgTx, id: EventId) -> ActionResult<Option<Seen>> {
    let (Some(detail), Some(proof)) = (audit::find(tx, id).await?, audit::proof(tx, id).await?) else {
        return Ok(None);
    };
    let neighbors = audit::neighbors(tx, detail.row.seq).await?;
    let arguments = arguments(cx, tx, &detail).await?;
    Ok(Some(Seen { detail, proof, neighbors, arguments }))
}

/// The arguments of a call, for whoever may take the record away with them.
async fn arguments(
    cx: &OrgCx,
    tx: &mut OrgTx,
    detail: &EventDetail,
) -> ActionResult<Option<Unprinted<String>>> {
    let call = detail.record.as_ref().and_then(|record| record.call.as_ref());
    let Some(call) = call.filter(|_| cx.may(Permission::AuditExport)) else { return Ok(None) };
    let intent = call.intent.unwrap_or(detail.row.id);
    let Some(kept) = audit::find_arguments(tx, intent, cx.now()).await? else { return Ok(None) };
    let cell = Cell::new(ARGUMENTS, SEALED_ARGUMENTS, intent);
    let sealed = Sealed { key: kept.key, bytes: kept.bytes };
    let plain = cx.ports.vault.open(tx, cell, &sealed).await?;
    Ok(Some(String::from_utf8_lossy(plain.expose()).into_owned().into()))
}

async fn turned(tx: &mut OrgTx, filter: &EventFilter, turn: Turn) -> ActionResult<Searched> {
    if let Turn::Newer(after) = turn
        && let Some(found) = audit::search_newer(tx, filter, after, DEFAULT_LIMIT, STRETCH).await?
    {
        return Ok(found);
    }
    let after = if let Turn::Older(before) = turn { Some(before) } else { None };
    Ok(audit::search(tx, filter, &PageRequest { limit: DEFAULT_LIMIT, after }, STRETCH).await?)
}

/// The same input without what cannot be read.
async fn readable(cx: &OrgCx, tx: &mut OrgTx, input: &EventInput) -> ActionResult<(EventInput, Faults)> {
    let mut good = input.clone();
    match filter_of(cx, tx, input).await {
        Err(ActionError::Fields(faults)) => {
            for fault in &faults {
                if let Some(field) = good.field(fault.field) {
                    *field = None;
                }
            }
            Ok((good, faults))
        }
        other => other.map(|_| (good, Faults::default())),
    }
}

async fn droppable(cx: &OrgCx, tx: &mut OrgTx, input: &EventInput) -> ActionResult<Vec<&'static str>> {
    let mut droppable = Vec::new();
    for name in FIELDS {
        let mut less = input.clone();
        if less.field(name).and_then(Option::take).is_none() {
            continue;
        }
        let filter = filter_of(cx, tx, &less).await?;
        let page = audit::search(tx, &filter, &PageRequest { limit: 1, after: None }, STRETCH).await?.page;
        if !page.items.is_empty() {
            droppable.push(name);
        }
    }
    Ok(droppable)
}
