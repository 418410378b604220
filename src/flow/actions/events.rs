//! The audit log: what happened, in lists and one by one, with what can be shown of its integrity.

use time::{
    Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, format_description::well_known::Rfc3339,
    macros::format_description,
};

use crate::{
    base::{
        faults::Faults,
        ids::{EventId, RequestId, UserId},
        page::{self, DEFAULT_LIMIT, Page, PageRequest},
        permission::Permission,
    },
    domain::audit::{self, Decision, EventDetail, EventFilter, EventKind, EventRow, Neighbors, Proof},
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// How long a value to search for may be.
pub const MAX_TEXT: usize = 200;

/// What a person asks of the log, as typed; what is left out does not narrow it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventInput {
    /// `admin`, `auth` or `call`.
    pub kind: Option<String>,
    /// A person's id, or a part of the name of the one who acted.
    pub person: Option<String>,
    /// How the action's name begins.
    pub action: Option<String>,
    /// The id of the thing it was done to, or a part of its name.
    pub target: Option<String>,
    /// `done`, `refused` or `failed`.
    pub decision: Option<String>,
    /// A request's id.
    pub request: Option<String>,
    /// A moment, a day, or a span such as `24h` back from now.
    pub from: Option<String>,
    /// Likewise; a day counts to its end.
    pub to: Option<String>,
    /// A part of the name of the one who acted or of the thing it was done to.
    pub q: Option<String>,
}

/// The fields of [`EventInput`], as faults name them.
pub const FIELDS: [&str; 9] =
    ["kind", "person", "action", "target", "decision", "request", "from", "to", "q"];

impl EventInput {
    /// The field of that name.
    pub fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "kind" => &mut self.kind,
            "person" => &mut self.person,
            "action" => &mut self.action,
            "target" => &mut self.target,
            "decision" => &mut self.decision,
            "request" => &mut self.request,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "q" => &mut self.q,
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
}

/// The organization's events, newest first.
pub async fn list(cx: &OrgCx, input: &EventInput, page: &PageRequest<i64>) -> ActionResult<Page<EventRow>> {
    cx.require(Permission::AuditRead)?;
    let mut tx = cx.tx().await?;
    let filter = filter_of(cx, &mut tx, input).await?;
    let events = audit::list(&mut tx, &filter, page).await?;
    tx.done().await?;
    Ok(events)
}

/// A page of the log for reading; filters that cannot be read are left out and named.
pub async fn browse(cx: &OrgCx, input: &EventInput, turn: Turn, seen: Option<&str>) -> ActionResult<Log> {
    cx.require(Permission::AuditRead)?;
    let mut tx = cx.tx().await?;
    let (input, faults) = readable(cx, &mut tx, input).await?;
    let filter = filter_of(cx, &mut tx, &input).await?;
    let (rows, older, newer) = turned(&mut tx, &filter, turn).await?;
    let droppable = if rows.is_empty() { droppable(cx, &mut tx, &input).await? } else { Vec::new() };
    let seen = match seen.and_then(|id| id.parse().ok()) {
        Some(id) => look(&mut tx, id).await?,
        None => None,
    };
    tx.done().await?;
    Ok(Log { rows, older, newer, seen, faults, droppable })
}

/// One event.
pub async fn find(cx: &OrgCx, id: &str) -> ActionResult<Seen> {
    cx.require(Permission::AuditRead)?;
    let id = id.parse().map_err(|_| ActionError::NotFound)?;
    let mut tx = cx.tx().await?;
    let seen = look(&mut tx, id).await?;
    tx.done().await?;
    seen.ok_or(ActionError::NotFound)
}

async fn look(tx: &mut OrgTx, id: EventId) -> ActionResult<Option<Seen>> {
    let (Some(detail), Some(proof)) = (audit::find(tx, id).await?, audit::proof(tx, id).await?) else {
        return Ok(None);
    };
    let neighbors = audit::neighbors(tx, detail.row.seq).await?;
    Ok(Some(Seen { detail, proof, neighbors }))
}

type Turned = (Vec<EventRow>, Option<String>, Option<String>);

async fn turned(tx: &mut OrgTx, filter: &EventFilter, turn: Turn) -> ActionResult<Turned> {
    if let Turn::Newer(after) = turn
        && let Some(rows) = audit::list_newer(tx, filter, after, DEFAULT_LIMIT).await?
    {
        let (older, newer) = (rows.last().map(|row| row.seq), rows.first().map(|row| row.seq));
        return Ok((rows, older.map(|seq| page::cursor(&seq)), newer.map(|seq| page::cursor(&seq))));
    }
    let after = if let Turn::Older(before) = turn { Some(before) } else { None };
    let page = audit::list(tx, filter, &PageRequest { limit: DEFAULT_LIMIT, after }).await?;
    // Going on from a place means that something newer stands before it.
    let newer = after.and(page.items.first().map(|row| page::cursor(&row.seq)));
    Ok((page.items, page.next, newer))
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
        let page = audit::list(tx, &filter, &PageRequest { limit: 1, after: None }).await?;
        if !page.items.is_empty() {
            droppable.push(name);
        }
    }
    Ok(droppable)
}

/// Reads the input; days and hours without a zone are those of the person's own clock.
pub(super) async fn filter_of(cx: &OrgCx, tx: &mut OrgTx, input: &EventInput) -> ActionResult<EventFilter> {
    let mut faults = Faults::default();
    for (name, value) in [("person", &input.person), ("target", &input.target), ("q", &input.q)] {
        if value.as_ref().is_some_and(|value| value.chars().count() > MAX_TEXT) {
            faults.add(name, format!("is longer than {MAX_TEXT} characters; a part of the name is enough"));
        }
    }
    let person = input.person.as_deref().map(Named::parse::<UserId>);
    let target =
        input.target.as_deref().map(|text| if is_id(text) { Named::Id(text) } else { Named::Text(text) });
    let mut filter = EventFilter {
        kind: read(&mut faults, "kind", input.kind.as_deref(), EventKind::parse, "is admin, auth or call"),
        decision: read(
            &mut faults,
            "decision",
            input.decision.as_deref(),
            Decision::parse,
            "is done, refused or failed",
        ),
        action: read(
            &mut faults,
            "action",
            input.action.as_deref(),
            action,
            "is the beginning of an action's name, such as team. or member.removed",
        ),
        request: read(
            &mut faults,
            "request",
            input.request.as_deref(),
            |text| text.parse::<RequestId>().ok(),
            "is the id of a request, which begins with req_",
        ),
        user: person.as_ref().and_then(Named::id),
        actor_name: person.as_ref().and_then(Named::text),
        target: target.as_ref().and_then(Named::id).map(str::to_owned),
        target_name: target.as_ref().and_then(Named::text),
        text: input.q.clone(),
        ..EventFilter::default()
    };
    let now = cx.now();
    let from =
        read(&mut faults, "from", input.from.as_deref(), |text| When::parse(text, now, Side::From), WHEN);
    let to = read(&mut faults, "to", input.to.as_deref(), |text| When::parse(text, now, Side::To), WHEN);
    faults.into_result(())?;
    filter.from = resolve(cx, tx, from).await?;
    filter.to = resolve(cx, tx, to).await?;
    Ok(filter)
}

/// An id, or a part of a name.
enum Named<'a, I> {
    Id(I),
    Text(&'a str),
}

impl<'a> Named<'a, ()> {
    fn parse<I: std::str::FromStr>(text: &'a str) -> Named<'a, I> {
        text.parse().map_or(Named::Text(text), Named::Id)
    }
}

impl<I: Copy> Named<'_, I> {
    const fn id(&self) -> Option<I> {
        if let Self::Id(id) = self { Some(*id) } else { None }
    }

    fn text(&self) -> Option<String> {
        if let Self::Text(text) = self { Some((*text).to_owned()) } else { None }
    }
}

/// Whether a text has the form of our ids, of whatever kind.
fn is_id(text: &str) -> bool {
    text.split_once('_').is_some_and(|(kind, digits)| {
        kind.len() == 3 && digits.len() == 26 && digits.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

fn read<T>(
    faults: &mut Faults,
    name: &'static str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    must: &str,
) -> Option<T> {
    let text = text?;
    let value = parse(text);
    if value.is_none() {
        faults.add(name, must);
    }
    value
}

fn action(text: &str) -> Option<String> {
    let text = text.strip_suffix('*').unwrap_or(text);
    let is_name = text.len() <= 80
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.".contains(&b));
    (is_name && !text.is_empty()).then(|| text.to_owned())
}

const WHEN: &str = "is a day such as 2026-11-21, a moment such as 2026-11-21T14:30, or a span back from now such as 30m, 24h or 7d";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    From,
    To,
}

/// A moment, or what a clock on the wall shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Moment(OffsetDateTime),
    Wall(PrimitiveDateTime),
}

impl When {
    fn parse(text: &str, now: OffsetDateTime, side: Side) -> Option<Self> {
        let day = format_description!("[year]-[month]-[day]");
        let minute = format_description!("[year]-[month]-[day]T[hour]:[minute]");
        let second = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        if let Ok(day) = Date::parse(text, day) {
            // A day that bounds the end counts to its end.
            let day = if side == Side::To { day.next_day()? } else { day };
            return Some(Self::Wall(PrimitiveDateTime::new(day, Time::MIDNIGHT)));
        }
        let wall = PrimitiveDateTime::parse(text, minute).or_else(|_| PrimitiveDateTime::parse(text, second));
        if let Ok(wall) = wall {
            return Some(Self::Wall(wall));
        }
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            return Some(Self::Moment(moment));
        }
        let unit = match text.chars().last()? {
            'm' => Duration::MINUTE,
            'h' => Duration::HOUR,
            'd' => Duration::DAY,
            'w' => Duration::WEEK,
            _ => return None,
        };
        let count: u16 = text[..text.len() - 1].parse().ok()?;
        now.checked_sub(unit * i32::from(count)).map(Self::Moment)
    }
}

async fn resolve(cx: &OrgCx, tx: &mut OrgTx, when: Option<When>) -> ActionResult<Option<OffsetDateTime>> {
    Ok(match when {
        None => None,
        Some(When::Moment(moment)) => Some(moment),
        Some(When::Wall(wall)) => {
            let zone = cx.person.as_ref().map_or("UTC", |person| person.user.time_zone.as_str());
            Some(audit::moment_in_zone(tx, wall, zone).await?)
        }
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    #[test]
    fn days_moments_and_spans_are_read() {
        let from = |text| When::parse(text, NOW, Side::From);
        assert_eq!(from("2026-11-20"), Some(When::Wall(datetime!(2026-11-20 0:00))));
        assert_eq!(When::parse("2026-11-20", NOW, Side::To), Some(When::Wall(datetime!(2026-11-21 0:00))));
        assert_eq!(from("2026-11-20T14:30"), Some(When::Wall(datetime!(2026-11-20 14:30))));
        assert_eq!(from("2026-11-20T14:30:05"), Some(When::Wall(datetime!(2026-11-20 14:30:05))));
        assert_eq!(from("2026-11-20T14:30:00+02:00"), Some(When::Moment(datetime!(2026-11-20 12:30 UTC))));
        assert_eq!(from("24h"), Some(When::Moment(datetime!(2026-11-20 12:00 UTC))));
        assert_eq!(from("7d"), Some(When::Moment(datetime!(2026-11-14 12:00 UTC))));
        for bad in ["", "h", "-1h", "99999999d", "2026-13-01", "yesterday", "7é", "é"] {
            assert_eq!(from(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_action_is_a_beginning_of_a_name() {
        assert_eq!(action("team.*").as_deref(), Some("team."));
        assert_eq!(action("team.created").as_deref(), Some("team.created"));
        assert_eq!(action("*"), None);
        assert_eq!(action("Team"), None);
    }
}
