//! What a person asks of the log, read into what the store can look for.

use std::net::IpAddr;

use ipnet::IpNet;
use time::{
    Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, format_description::well_known::Rfc3339,
    macros::format_description,
};

use crate::{
    base::{
        faults::Faults,
        ids::{RequestId, ServerId, UserId},
    },
    domain::{
        audit::{self, Decision, EventFilter, EventKind, Except},
        servers::{ServerRef, store as servers},
    },
    flow::{
        actions::events::{EventInput, MAX_TEXT},
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::OrgTx,
};

/// Reads the input; days and hours without a zone are those of the person's own clock.
pub(in crate::flow::actions) async fn filter_of(
    cx: &OrgCx,
    tx: &mut OrgTx,
    input: &EventInput,
) -> ActionResult<EventFilter> {
    let mut faults = Faults::default();
    let mut filter = side(&mut faults, input);
    filter.except = except(&mut faults, input);
    let now = cx.now();
    let from =
        read(&mut faults, "from", input.from.as_deref(), |text| When::parse(text, now, Side::From), WHEN);
    let to = read(&mut faults, "to", input.to.as_deref(), |text| When::parse(text, now, Side::To), WHEN);
    let server = input.server.as_deref().filter(|text| !text.is_empty());
    if let Some(server) = server {
        filter.server = server_of(tx, server).await?;
        if filter.server.is_none() {
            faults.add("server", "is the id or the short name of a server of this organization");
        }
    }
    faults.into_result(())?;
    filter.from = resolve(cx, tx, from).await?;
    filter.to = resolve(cx, tx, to).await?;
    Ok(filter)
}

const ACTION: &str = "is the beginning of an action's name, such as team. or member.removed";
const DECISION: &str = "is allowed, done, refused, failed or unknown";
const NETWORK: &str = "is an address such as 203.0.113.7, or a network such as 203.0.113.0/24";

/// A server by id or short name. One that was deleted is known by its id alone, for what the record holds of it.
async fn server_of(tx: &mut OrgTx, text: &str) -> ActionResult<Option<ServerId>> {
    let Some(named) = ServerRef::parse(text) else { return Ok(None) };
    if let ServerRef::Id(id) = named {
        return Ok(Some(id));
    }
    Ok(servers::servers::find(tx, &named).await?.map(|server| server.id))
}

/// What events must be, but for the time.
fn side(faults: &mut Faults, input: &EventInput) -> EventFilter {
    let Actor { user, actor, actor_name } = Actor::read(faults, "person", input.person.as_deref());
    short(faults, "target", input.target.as_deref());
    let (target, target_name) = thing(input.target.as_deref());
    short(faults, "tool", input.tool.as_deref());
    short(faults, "q", input.q.as_deref());
    let request = |text: &str| text.parse::<RequestId>().ok();
    EventFilter {
        kind: read(faults, "kind", input.kind.as_deref(), EventKind::parse, "is admin, auth or call"),
        decision: read(faults, "decision", input.decision.as_deref(), Decision::parse, DECISION),
        action: read(faults, "action", input.action.as_deref(), action, ACTION),
        request: read(
            faults,
            "request",
            input.request.as_deref(),
            request,
            "is the id of a request, which begins with req_",
        ),
        ip: read(faults, "ip", input.ip.as_deref(), network, NETWORK),
        user,
        actor,
        actor_name,
        target,
        target_name,
        tool: input.tool.clone(),
        text: input.q.clone(),
        ..EventFilter::default()
    }
}

/// What events must not be.
fn except(faults: &mut Faults, input: &EventInput) -> Except {
    let Actor { user, actor, actor_name } = Actor::read(faults, "not_person", input.not_person.as_deref());
    short(faults, "not_target", input.not_target.as_deref());
    let (target, target_name) = thing(input.not_target.as_deref());
    Except {
        action: read(faults, "not_action", input.not_action.as_deref(), action, ACTION),
        decision: read(faults, "not_decision", input.not_decision.as_deref(), Decision::parse, DECISION),
        ip: read(faults, "not_ip", input.not_ip.as_deref(), network, NETWORK),
        user,
        actor,
        actor_name,
        target,
        target_name,
    }
}

/// A person by id, an agent or key by id, or words within a name.
struct Actor {
    user: Option<UserId>,
    actor: Option<String>,
    actor_name: Option<String>,
}

impl Actor {
    fn read(faults: &mut Faults, name: &'static str, text: Option<&str>) -> Self {
        short(faults, name, text);
        let user = text.and_then(|text| text.parse().ok());
        let (actor, actor_name) = if user.is_some() { (None, None) } else { thing(text) };
        Self { user, actor, actor_name }
    }
}

/// A thing by id, or words within its name.
fn thing(text: Option<&str>) -> (Option<String>, Option<String>) {
    let (id, words) = (text.filter(|text| is_id(text)), text.filter(|text| !is_id(text)));
    (id.map(str::to_owned), words.map(str::to_owned))
}

fn short(faults: &mut Faults, name: &'static str, text: Option<&str>) {
    if text.is_some_and(|text| text.chars().count() > MAX_TEXT) {
        faults.add(name, format!("is longer than {MAX_TEXT} characters; a part of the name is enough"));
    }
}

/// An address, or a network by its prefix.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
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

    #[test]
    fn an_address_is_a_network_of_one() {
        assert_eq!(network("203.0.113.7").map(|net| net.to_string()).as_deref(), Some("203.0.113.7/32"));
        assert_eq!(network("10.0.0.0/8").map(|net| net.to_string()).as_deref(), Some("10.0.0.0/8"));
        assert_eq!(network("2001:db8::/32").map(|net| net.to_string()).as_deref(), Some("2001:db8::/32"));
        for bad in ["", "10", "10.0.0.0/33", "example.com"] {
            assert_eq!(network(bad), None, "{bad}");
        }
    }
}
