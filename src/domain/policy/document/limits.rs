//! Limits and places to mask, as documents write them.

use crate::{
    domain::policy::{
        document::{
            Increment, Limit, Mode, OnExceed, Scope, Window, WindowKind,
            fault::{Place, meant},
            keys,
            read::{MODES, Reader},
            rules::{MAX_SECONDS, MOST, path},
        },
        number::Number,
        path::{NotAPath, Path},
        redact::Redaction,
    },
    protocol::mcp::raw::{Kind, Raw},
};

/// How many places a key may mask; each is looked for in every value of a call.
const MOST_REDACTIONS: usize = 100;

/// The limits of a list.
pub(super) fn limits(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Vec<Limit> {
    let all = reader.list(raw, place, "limits", MOST);
    let place = place.key("limits");
    let all = all.into_iter().enumerate();
    all.filter_map(|(at, one)| limit(reader, one, &place.at(at))).collect()
}

fn limit(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<Limit> {
    if !reader.object(raw, place) {
        return None;
    }
    reader.known(raw, place, &keys::LIMIT);
    let counter = reader.text(raw, place, "counter").unwrap_or_default();
    if counter.is_empty() || counter.chars().count() > 100 {
        reader.faults.add(&place.key("counter"), "A limit names its counter, in at most 100 characters.");
    }
    let window = window(reader, raw, place);
    let scope = scope(reader, raw, place);
    let max = amount(reader, raw, place, "max");
    let increment = increment(reader, raw, place);
    Some(Limit {
        counter,
        window: window?,
        kind: reader.choice(
            raw,
            place,
            "kind",
            &[("fixed", WindowKind::Fixed), ("sliding", WindowKind::Sliding)],
        ),
        max: max?,
        scope: scope?,
        increment,
        distinct: raw.get("distinct").and_then(|_| args_path(reader, raw, place, "distinct")),
        count_errors: count_errors(reader, raw, place),
        on_exceed: reader.choice(
            raw,
            place,
            "on_exceed",
            &[("deny", OnExceed::Deny), ("require_approval", OnExceed::RequireApproval)],
        ),
        mode: reader.choice(raw, place, "mode", &MODES),
        on_deny: reader.sentence(raw, place, "on_deny"),
    })
}

fn window(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<Window> {
    let reason = "The window is minute, hour, day, month, or a number of seconds such as 90s.";
    let Some(text) = reader.text(raw, place, "window") else {
        if raw.get("window").is_none() {
            reader.faults.add(place, reason);
        }
        return None;
    };
    let window = match text.as_str() {
        "minute" => Some(Window::Minute),
        "hour" => Some(Window::Hour),
        "day" => Some(Window::Day),
        "month" => Some(Window::Month),
        other => other
            .strip_suffix('s')
            .and_then(|count| count.parse().ok())
            .filter(|seconds| (1..=MAX_SECONDS).contains(seconds))
            .map(Window::Seconds),
    };
    if window.is_none() {
        let suggestion = meant(&text, ["minute", "hour", "day", "month"]);
        reader.faults.add_with(&place.key("window"), reason, suggestion);
    }
    window
}

fn scope(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<Scope> {
    let Some(text) = reader.text(raw, place, "scope") else {
        if raw.get("scope").is_none() {
            reader
                .faults
                .add(place, "A limit says by scope who shares it: grant, user, team, client, server or org.");
        }
        return None;
    };
    let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
    if scope.is_none() {
        let all = Scope::ALL.map(Scope::as_str);
        let reason = format!("This is one of: {}.", all.join(", "));
        reader.faults.add_with(&place.key("scope"), reason, meant(&text, all));
    }
    scope
}

impl Scope {
    /// All scopes, the narrowest first.
    pub const ALL: [Self; 6] = [Self::Grant, Self::User, Self::Team, Self::Client, Self::Server, Self::Org];

    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::User => "user",
            Self::Team => "team",
            Self::Client => "client",
            Self::Server => "server",
            Self::Org => "org",
        }
    }
}

/// A number that is not negative.
fn amount(reader: &mut Reader, raw: Raw<'_>, place: &Place, key: &str) -> Option<Number> {
    let Some(said) = raw.get(key) else {
        reader.faults.add(place, format!("The number {key} is missing."));
        return None;
    };
    let number = (said.kind() == Kind::Number).then(|| Number::parse(said.text()).ok()).flatten();
    let number = number.filter(|number| !number.is_negative());
    if number.is_none() {
        reader.faults.add(&place.key(key), "This has to be a number that is not negative.");
    }
    number
}

fn increment(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Increment {
    match (raw.get("increment"), raw.get("increment_from")) {
        (None, None) => Increment::By(Number::from(1)),
        (Some(_), None) => Increment::By(amount(reader, raw, place, "increment").unwrap_or(Number::ZERO)),
        (None, Some(_)) => args_path(reader, raw, place, "increment_from")
            .map_or(Increment::By(Number::ZERO), Increment::From),
        (Some(_), Some(_)) => {
            reader.faults.add(place, "Write either increment or increment_from.");
            Increment::By(Number::ZERO)
        }
    }
}

/// A path to one value in the arguments.
fn args_path(reader: &mut Reader, raw: Raw<'_>, place: &Place, key: &str) -> Option<Path> {
    let path = path(reader, raw, place, key)?;
    if matches!(path, Path::Args(_)) && !path.is_plural() {
        return Some(path);
    }
    reader.faults.add(&place.key(key), "This leads to one value in the arguments, such as args.amount.");
    None
}

fn count_errors(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> bool {
    let Some(said) = raw.get("count_errors") else { return true };
    said.boolean().unwrap_or_else(|| {
        reader.faults.add(&place.key("count_errors"), "This is true or false.");
        true
    })
}

/// The short form of a limit: so many calls of the grant in so many seconds.
pub(super) fn rate_limit(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Option<Limit> {
    if !reader.object(raw, place) {
        return None;
    }
    reader.known(raw, place, &keys::RATE_LIMIT);
    let max = amount(reader, raw, place, "max");
    let seconds = match raw.get("window") {
        Some(_) => reader.count(raw, place, "window", 1, MAX_SECONDS),
        None => {
            reader.faults.add(place, "The number window is missing: how many seconds.");
            None
        }
    };
    Some(Limit {
        counter: "rate_limit".to_owned(),
        window: Window::Seconds(seconds?),
        kind: WindowKind::Fixed,
        max: max?,
        scope: Scope::Grant,
        increment: Increment::By(Number::from(1)),
        distinct: None,
        count_errors: true,
        on_exceed: OnExceed::Deny,
        mode: Mode::Enforce,
        on_deny: None,
    })
}

/// Places that are masked: keys, indexes, `*` for any key or index and `**` for any depth, below `args` or `result`.
pub(super) fn redact(reader: &mut Reader, raw: Raw<'_>, place: &Place) -> Vec<Redaction> {
    let all = reader.list(raw, place, "redact", MOST_REDACTIONS);
    let place = place.key("redact");
    let mut places = Vec::new();
    for (at, one) in all.into_iter().enumerate() {
        let Some(text) = reader.text_of(one, &place.at(at)) else { continue };
        match Redaction::parse(&text) {
            Ok(redaction) => places.push(redaction),
            Err(NotAPath::Steps) => reader.faults.add(&place.at(at), "A place to mask has at most 32 steps."),
            Err(_) => {
                let reason =
                    "A place to mask begins with args. or result., such as args.token or result.**.email.";
                reader.faults.add(&place.at(at), reason);
            }
        }
    }
    places
}
