//! Rules and conditions, as documents write them.

use std::{cmp::Ordering, sync::Arc};

use ipnet::IpNet;
use time::{OffsetDateTime, Time, format_description::well_known::Rfc3339, macros::format_description};

use crate::{
    domain::policy::{
        document::{
            Approvers, Ask, AskRule, Bound, Choices, Condition, MAX_CONDITIONS, Networks, Order, Quantifier,
            Rule, Test, ValueType, address,
            fault::{Place, meant},
            keys::{self, OPERATORS, meant_operator},
            patterns::Unmade,
            read::{MODES, Reader, capital},
        },
        literal::Literal,
        number::Number,
        path::{Field, NotAPath, Path},
    },
    protocol::mcp::raw::Raw,
};

/// How many rules, limits or conditions one list may have.
pub(super) const MOST: usize = 1_000;
/// How many values a condition may compare with.
const MOST_VALUES: usize = 10_000;
/// The longest window, and the longest time to wait for somebody: a year, in seconds.
pub(super) const MAX_SECONDS: u32 = 366 * 24 * 3600;

/// The rules of a list.
pub(super) fn rules(reader: &mut Reader, raw: Raw<'_>, place: &Place, key: &str) -> Vec<Rule> {
    let all = reader.list(raw, place, key, MOST);
    let place = place.key(key);
    let all = all.into_iter().enumerate();
    all.filter_map(|(at, one)| rule(reader, one, &place.at(at), &keys::RULE)).collect()
}

/// The rules under which a human is asked.
pub(super) fn ask_rules(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Vec<AskRule> {
    let all = reader.list(raw, place, "require_approval_if", MOST);
    let place = place.key("require_approval_if");
    let mut rules = Vec::new();
    for (at, one) in all.into_iter().enumerate() {
        let place = place.at(at);
        if let Some(rule) = rule(reader, one, &place, &keys::ASK_RULE) {
            rules.push(AskRule { rule, ask: ask(reader, one, &place) });
        }
    }
    rules
}

fn ask(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Ask {
    let usual = Ask::default();
    Ask {
        approvers: approvers(reader, raw, place).unwrap_or(usual.approvers),
        quorum: reader.count(raw, place, "quorum", 1, 10).unwrap_or(usual.quorum),
        within: within(reader, raw, place).unwrap_or(usual.within),
    }
}

fn approvers(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<Approvers> {
    let text = reader.text(raw, place, "approvers")?;
    let named = text.split_once(':').filter(|(_, name)| !name.is_empty() && name.chars().count() <= 200);
    let approvers = named.and_then(|(kind, name)| match kind {
        "team" => Some(Approvers::Team(name.to_owned())),
        "role" => Some(Approvers::Role(name.to_owned())),
        "user" => Some(Approvers::User(name.to_owned())),
        _ => None,
    });
    if approvers.is_none() {
        reader.faults.add(&place.key("approvers"), "Approvers are team:…, role:… or user:….");
    }
    approvers
}

/// A time such as `30m`.
fn within(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<u32> {
    let text = reader.text(raw, place, "within")?;
    let seconds = seconds(&text).filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
    if seconds.is_none() {
        reader.faults.add(&place.key("within"), "This is a time such as 90s, 30m, 8h or 2d.");
    }
    seconds
}

fn seconds(text: &str) -> Option<u32> {
    let unit = text.chars().last()?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return None,
    };
    count.checked_mul(each)
}

fn rule(reader: &mut Reader, raw: Raw<'_>, place: &Place, known: &[&str]) -> Option<Rule> {
    if !reader.object(raw, place) {
        return None;
    }
    reader.known(raw, place, known);
    if raw.get("conditions").is_none() {
        reader.faults.add(place, "A rule has conditions; with an empty list it always holds.");
    }
    let all = reader.list(raw, place, "conditions", MOST);
    let within = place.key("conditions");
    let all = all.into_iter().enumerate();
    let conditions = all.filter_map(|(at, one)| condition(reader, one, &within.at(at))).collect();
    Some(Rule {
        name: reader.sentence(raw, place, "name"),
        mode: reader.choice(raw, place, "mode", &MODES),
        conditions,
        on_deny: reader.sentence(raw, place, "on_deny"),
    })
}

fn condition(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<Condition> {
    reader.conditions += 1;
    if reader.conditions > MAX_CONDITIONS {
        if reader.conditions == MAX_CONDITIONS + 1 {
            reader.faults.add(place, format!("A policy has at most {MAX_CONDITIONS} conditions."));
        }
        return None;
    }
    if !reader.object(raw, place) {
        return None;
    }
    reader.known(raw, place, &keys::CONDITION);
    let quantifier =
        reader.choice(raw, place, "quantifier", &[("any", Quantifier::Any), ("all", Quantifier::All)]);
    let path = path(reader, raw, place, "path");
    if path.is_none() && raw.get("path").is_none() {
        reader.faults.add(place, "A condition says by path what it looks at.");
    }
    let test = test(reader, raw, place);
    Some(Condition { path: path?, test: test?, quantifier })
}

pub(super) fn path(reader: &mut Reader, raw: Raw<'_>, place: &Place, key: &str) -> Option<Path> {
    let text = reader.text(raw, place, key)?;
    match Path::parse(&text) {
        Ok(path) => Some(path),
        Err(bad) => {
            let suggestion = match bad {
                NotAPath::Field(_) | NotAPath::Root => meant(&text, Field::ALL.iter().map(|(path, _)| *path)),
                NotAPath::Form | NotAPath::Steps => None,
            };
            reader.faults.add_with(&place.key(key), format!("{}.", capital(&bad.to_string())), suggestion);
            None
        }
    }
}

fn test(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<Test> {
    let Some(op) = reader.text(raw, place, "op") else {
        if raw.get("op").is_none() {
            reader.faults.add(place, "A condition says by op how it compares.");
        }
        return None;
    };
    let Some(value) = raw.get("value") else {
        if op == "exists" {
            return Some(Test::Exists(true));
        }
        if OPERATORS.contains(&op.as_str()) {
            reader.faults.add(&place.key("value"), format!("This key is missing: {op} needs a value."));
        } else {
            unknown_operator(reader, place, &op);
        }
        return None;
    };
    let literal = match Literal::read(value) {
        Ok(literal) => literal,
        Err(bad) => {
            reader.faults.add(&place.key("value"), format!("{}.", capital(&bad.to_string())));
            return None;
        }
    };
    let made = match op.as_str() {
        "regex" => reader.patterns.text(&literal).map(Test::Regex),
        "matches_schema" => reader.patterns.schema(&literal, value).map(Test::Schema),
        op => {
            let Some(made) = compiled(op, &literal) else {
                unknown_operator(reader, place, op);
                return None;
            };
            made.map_err(Unmade::Wrong)
        }
    };
    match made {
        Ok(test) => Some(test),
        Err(Unmade::Wrong(reason)) => {
            reader.faults.add(&place.key("value"), reason);
            None
        }
        Err(Unmade::Beyond) => None,
    }
}

fn unknown_operator(reader: &mut Reader, place: &Place, op: &str) {
    reader.faults.add_with(&place.key("op"), "There is no such comparison.", meant_operator(op));
}

/// The test that an operator and a value make, where it is made of them alone; nothing where there is no such operator.
fn compiled(op: &str, value: &Literal) -> Option<Result<Test, String>> {
    let text = |make: fn(String) -> Test| {
        value.text().map(|text| make(text.to_owned())).ok_or_else(|| "The value has to be a text.".to_owned())
    };
    let order =
        |order| bound(value).map(|bound| Test::Order(order, bound)).ok_or_else(|| NEEDS_BOUND.to_owned());
    Some(match op {
        "eq" => Ok(Test::Eq(value.clone())),
        "neq" => Ok(Test::Neq(value.clone())),
        "in" => several(value).map(Test::In),
        "not_in" => several(value).map(Test::NotIn),
        "lt" => order(Order::Lt),
        "lte" => order(Order::Lte),
        "gt" => order(Order::Gt),
        "gte" => order(Order::Gte),
        "between" => between(value),
        "contains" => Ok(Test::Contains(value.clone())),
        "exists" => match value {
            Literal::Bool(is_there) => Ok(Test::Exists(*is_there)),
            _ => Err("The value has to be true or false.".to_owned()),
        },
        "starts_with" => text(Test::StartsWith),
        "ends_with" => text(Test::EndsWith),
        "glob" => text(Test::Glob),
        "length" => length(value),
        "type" => types(value),
        "cidr" => networks(value),
        _ => return None,
    })
}

const NEEDS_BOUND: &str = "The value has to be a number, a moment such as 2026-01-31T08:00:00Z, or a time of the day \
                           such as 08:30.";

const BACKWARDS: &str = "The lowest has to stand first. A span over midnight takes two rules: one from its beginning, one \
                         until its end.";

fn bound(value: &Literal) -> Option<Bound> {
    match value {
        Literal::Number(number) => Some(Bound::Number(number.clone())),
        Literal::Text(text) => moment(text),
        _ => None,
    }
}

fn moment(text: &str) -> Option<Bound> {
    let of_day = Time::parse(text, format_description!("[hour]:[minute]"));
    let moment = || OffsetDateTime::parse(text, &Rfc3339).ok();
    of_day.ok().map(Bound::TimeOfDay).or_else(|| moment().map(Bound::Moment))
}

fn between(value: &Literal) -> Result<Test, String> {
    let (Literal::List(values), reason) =
        (value, "The value has to be a list of two of one kind: the lowest and the highest.")
    else {
        return Err("The value has to be a list of two: the lowest and the highest.".to_owned());
    };
    let [low, high] = values.as_slice() else { return Err(reason.to_owned()) };
    match (bound(low), bound(high)) {
        // What nothing lies between would be a rule that never holds.
        (Some(low), Some(high)) => match low.compare(&high) {
            Some(Ordering::Greater) => Err(BACKWARDS.to_owned()),
            Some(_) => Ok(Test::Between(low, high)),
            None => Err(reason.to_owned()),
        },
        _ => Err(reason.to_owned()),
    }
}

impl Bound {
    /// How it stands to another of its kind.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => Some(one.cmp(other)),
            (Self::Moment(one), Self::Moment(other)) => Some(one.cmp(other)),
            (Self::TimeOfDay(one), Self::TimeOfDay(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

fn several(value: &Literal) -> Result<Arc<Choices>, String> {
    match value {
        Literal::List(values) if values.len() <= MOST_VALUES => Ok(Arc::new(Choices::new(values.clone()))),
        Literal::List(_) => Err(format!("The list has at most {MOST_VALUES} values.")),
        _ => Err("The value has to be a list.".to_owned()),
    }
}

fn length(value: &Literal) -> Result<Test, String> {
    let reason = "The value has to be a length, or a list of the least and the greatest.";
    let count = |value: &Literal| match value {
        Literal::Number(number) => number.to_count().map(Number::from).ok_or(reason),
        _ => Err(reason),
    };
    match value {
        Literal::List(values) => match values.as_slice() {
            [least, greatest] => match (count(least)?, count(greatest)?) {
                (least, greatest) if least > greatest => Err("The least has to stand first.".to_owned()),
                (least, greatest) => Ok(Test::Length(least, greatest)),
            },
            _ => Err(reason.to_owned()),
        },
        one => Ok(Test::Length(count(one)?, count(one)?)),
    }
}

fn types(value: &Literal) -> Result<Test, String> {
    let one = |value: &Literal| {
        let word = value.text().unwrap_or_default();
        ValueType::ALL.into_iter().find(|kind| kind.as_str() == word)
    };
    let types: Option<Vec<ValueType>> = value.each().iter().map(one).collect();
    types.filter(|types| !types.is_empty()).map(Test::Type).ok_or_else(|| {
        let all = ValueType::ALL.map(ValueType::as_str).join(", ");
        format!("The value has to be one or more of: {all}.")
    })
}

fn networks(value: &Literal) -> Result<Test, String> {
    let one = |value: &Literal| {
        let text = value.text()?;
        text.parse::<IpNet>().ok().or_else(|| address(text).map(IpNet::from)).map(plain)
    };
    let networks: Option<Vec<IpNet>> = value.each().iter().map(one).collect();
    networks
        .filter(|networks| !networks.is_empty() && networks.len() <= MOST_VALUES)
        .map(|networks| Test::Cidr(Arc::new(Networks::new(networks))))
        .ok_or_else(|| "The value has to be a network such as 10.0.0.0/8, or a list of them.".to_owned())
}

/// The network as addresses are compared with it: one of IPv4 that is written as IPv6 is one of IPv4.
fn plain(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(net) => net.network().to_ipv4_mapped().zip(net.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(ip, length)| IpNet::new(ip.into(), length).ok()).unwrap_or(network).trunc()
}

impl ValueType {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Null, Self::Boolean, Self::Integer, Self::Number, Self::String, Self::Array, Self::Object];

    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}
