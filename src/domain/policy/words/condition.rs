//! Conditions in words.

use crate::domain::policy::{
    document::{Bound, Condition, Order, Quantifier, Test},
    literal::Literal,
    path::Path,
    words::Phrase,
};

/// The comparisons with their words, for a form that chooses one.
pub const OPERATOR_WORDS: [(&str, &str); 19] = [
    ("eq", "is"),
    ("neq", "is not"),
    ("in", "is one of"),
    ("not_in", "is none of"),
    ("lt", "is below"),
    ("lte", "is at most"),
    ("gt", "is above"),
    ("gte", "is at least"),
    ("between", "is between"),
    ("contains", "contains"),
    ("starts_with", "begins with"),
    ("ends_with", "ends with"),
    ("glob", "fits"),
    ("regex", "fits the pattern"),
    ("exists", "is given"),
    ("length", "has the length"),
    ("type", "is of the kind"),
    ("cidr", "is within"),
    ("matches_schema", "fits the schema"),
];

/// Conditions that hold together.
pub fn conditions(all: &[Condition]) -> Phrase {
    let mut phrase = Phrase::default();
    for (at, condition) in all.iter().enumerate() {
        phrase = if at == 0 { phrase } else { phrase.say(" and ") };
        phrase = phrase.and(one(condition));
    }
    phrase
}

fn one(condition: &Condition) -> Phrase {
    let every = if condition.quantifier == Quantifier::All { "every " } else { "" };
    let phrase = if every.is_empty() { Phrase::default() } else { Phrase::of(every) };
    let phrase = phrase.code(place(&condition.path)).say(" ");
    said(phrase, &condition.test)
}

/// A place, without the root that most of them have.
pub(super) fn place(path: &Path) -> String {
    let text = path.to_string();
    text.strip_prefix("args.").map(str::to_owned).unwrap_or(text)
}

fn said(phrase: Phrase, test: &Test) -> Phrase {
    let (op, written) = test.written();
    let words = OPERATOR_WORDS.iter().find(|(name, _)| *name == op).map_or(op, |(_, words)| words);
    match test {
        Test::Exists(true) => phrase.say("is given"),
        Test::Exists(false) => phrase.say("is missing"),
        Test::In(choices) | Test::NotIn(choices) => list(phrase.say(format!("{words} ")), choices.values()),
        Test::Eq(value) | Test::Neq(value) | Test::Contains(value) => {
            phrase.say(format!("{words} ")).code(shown(value))
        }
        Test::Order(order, bound) => phrase.say(format!("{} ", compared(*order, bound))).code(end(bound)),
        Test::Between(low, high) => phrase.say("is between ").code(end(low)).say(" and ").code(end(high)),
        Test::Regex(regex) => phrase.say(format!("{words} ")).code(regex.as_str()),
        Test::StartsWith(text) | Test::EndsWith(text) | Test::Glob(text) => {
            phrase.say(format!("{words} ")).code(text.clone())
        }
        Test::Length(least, greatest) if least == greatest => {
            phrase.say(format!("{words} ")).code(least.to_string())
        }
        Test::Length(least, greatest) => {
            phrase.say("has a length from ").code(least.to_string()).say(" to ").code(greatest.to_string())
        }
        Test::Type(kinds) => {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            phrase.say(format!("{words} {}", kinds.join(" or ")))
        }
        Test::Cidr(networks) => {
            let mut phrase = phrase.say(format!("{words} "));
            for (at, network) in networks.networks().iter().enumerate() {
                phrase = if at == 0 { phrase } else { phrase.say(", ") };
                phrase = phrase.code(network.to_string());
            }
            phrase
        }
        Test::Schema(_) => phrase.say(format!("{words} ")).code(written),
    }
}

/// Moments and times of the day come before and after one another; numbers are below and above.
const fn compared(order: Order, bound: &Bound) -> &'static str {
    match (order, bound) {
        (Order::Lt, Bound::Number(_)) => "is below",
        (Order::Lte, Bound::Number(_)) => "is at most",
        (Order::Gt, Bound::Number(_)) => "is above",
        (Order::Gte, Bound::Number(_)) => "is at least",
        (Order::Lt, _) => "is before",
        (Order::Lte, _) => "is not after",
        (Order::Gt, _) => "is after",
        (Order::Gte, _) => "is not before",
    }
}

fn end(bound: &Bound) -> String {
    let (_, text) = Test::Order(Order::Lt, bound.clone()).written();
    text.trim_matches('"').to_owned()
}

fn list(mut phrase: Phrase, values: &[Literal]) -> Phrase {
    if values.is_empty() {
        return phrase.say("nothing");
    }
    for (at, value) in values.iter().enumerate() {
        phrase = if at == 0 { phrase } else { phrase.say(", ") };
        phrase = phrase.code(shown(value));
    }
    phrase
}

/// A value: a text without its quotes where it cannot be taken for something else.
fn shown(value: &Literal) -> String {
    let mut written = String::new();
    value.write(&mut written);
    let Some(text) = value.text() else { return written };
    let is_plain = !text.is_empty()
        && text.trim() == text
        && !text.contains(|c: char| c.is_control() || c == '"')
        && serde_json::from_str::<serde_json::Value>(text).is_err();
    if is_plain { text.to_owned() } else { written }
}
