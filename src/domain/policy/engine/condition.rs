//! Whether a condition holds for a call.
//!
//! What is not there makes `exists: false` hold and nothing else; what is of another kind than a comparison is about makes
//! none hold. Texts are never numbers, and numbers are compared by all their digits.

use crate::{
    domain::policy::{
        document::{Bound, Condition, Order, Quantifier, Test, ValueType, address},
        engine::{
            facts::{Fact, Facts, Tool},
            subject::{Arguments, Subject, Truth},
        },
        literal::Literal,
        number::Number,
        path::{Field, Path, PathStep},
        pattern::fits,
    },
    protocol::mcp::{
        raw::{Kind, Raw},
        strict::folds_to,
    },
};

/// A value that a condition looks at.
#[derive(Clone, Copy)]
enum Value<'a> {
    Raw(Raw<'a>),
    Fact(Fact<'a>),
}

/// Whether conditions outside every document hold for a call. They do not where a key of the arguments differs from one that
/// they look at by its case alone.
pub fn hold(conditions: &[Condition], tool: Tool<'_>, arguments: Option<Raw<'_>>, facts: Facts<'_>) -> bool {
    let subject = Subject { tool, arguments: Arguments::Sent(arguments), facts };
    let varies = |condition: &Condition| has_case_variant(arguments, &condition.path);
    all_hold(conditions, &subject) == Truth::Yes && !conditions.iter().any(varies)
}

/// Whether all conditions hold.
pub(super) fn all_hold(conditions: &[Condition], subject: &Subject<'_>) -> Truth {
    let mut truth = Truth::Yes;
    for condition in conditions {
        match holds(condition, subject) {
            Truth::No => return Truth::No,
            Truth::Unknown => truth = Truth::Unknown,
            Truth::Yes => {}
        }
    }
    truth
}

/// Whether the condition holds.
pub(super) fn holds(condition: &Condition, subject: &Subject<'_>) -> Truth {
    let mut tally = Tally { condition, any: false, all: true, found: false };
    match (&condition.path, subject.arguments) {
        (Path::Args(_), Arguments::Unknown | Arguments::Worst | Arguments::Anything) => {
            return Truth::Unknown;
        }
        (
            Path::Fact(Field::Ip | Field::Time | Field::ClientName | Field::ClientVersion),
            Arguments::Anything,
        ) => return Truth::Unknown,
        (Path::Args(_), Arguments::Sent(None)) => {}
        (Path::Args(steps), Arguments::Sent(Some(args))) => {
            visit(args, steps, &mut |raw| match raw {
                Some(raw) => tally.see(Value::Raw(raw)),
                None => tally.misses(),
            });
        }
        (Path::Fact(field), _) => {
            let values = subject.facts.of(*field, &subject.tool);
            values.for_each(|fact| tally.see(Value::Fact(fact)));
        }
    }
    if tally.holds() { Truth::Yes } else { Truth::No }
}

/// The one value that a path without `[*]` leads to.
pub(super) fn find<'a>(args: Option<Raw<'a>>, path: &Path) -> Option<Raw<'a>> {
    let Path::Args(steps) = path else { return None };
    let mut found = None;
    visit(args?, steps, &mut |raw| found = raw);
    found
}

/// Shows every value that the steps lead to, and nothing for every way that ends before.
pub(super) fn visit<'a>(value: Raw<'a>, steps: &[PathStep], see: &mut impl FnMut(Option<Raw<'a>>)) {
    let Some((step, rest)) = steps.split_first() else { return see(Some(value)) };
    let next = match (step, value.kind()) {
        (PathStep::Key(key), Kind::Object) => value.get(key),
        (PathStep::At(index), Kind::Array) => value.elements().nth(*index),
        (PathStep::Each, Kind::Array) => {
            return value.elements().for_each(|element| visit(element, rest, see));
        }
        _ => None,
    };
    match next {
        Some(next) => visit(next, rest, see),
        None => see(None),
    }
}

/// Whether the arguments hold a key that only case tells apart from one that the path names: a server that ignores case
/// would act on a value that no rule has seen.
pub(super) fn has_case_variant(args: Option<Raw<'_>>, path: &Path) -> bool {
    match (args, path) {
        (Some(args), Path::Args(steps)) => varies(args, steps),
        _ => false,
    }
}

fn varies(value: Raw<'_>, steps: &[PathStep]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return false };
    match (step, value.kind()) {
        (PathStep::Key(wanted), Kind::Object) => value.members().any(|member| {
            let key = member.key.string().unwrap_or_default();
            if key == wanted.as_str() { varies(member.value, rest) } else { folds_to(&key, wanted) }
        }),
        (PathStep::At(index), Kind::Array) => {
            value.elements().nth(*index).is_some_and(|element| varies(element, rest))
        }
        (PathStep::Each, Kind::Array) => value.elements().any(|element| varies(element, rest)),
        _ => false,
    }
}

struct Tally<'c> {
    condition: &'c Condition,
    any: bool,
    all: bool,
    found: bool,
}

impl Tally<'_> {
    fn see(&mut self, value: Value<'_>) {
        self.found = true;
        let fits = value.passes(&self.condition.test);
        self.any |= fits;
        self.all &= fits;
    }

    /// A way ends before its value: nothing of it can be said of all.
    const fn misses(&mut self) {
        self.all = false;
    }

    fn holds(&self) -> bool {
        match (&self.condition.test, self.condition.quantifier) {
            (Test::Exists(is_there), _) => self.found == *is_there,
            (_, Quantifier::Any) => self.any,
            (_, Quantifier::All) => self.found && self.all,
        }
    }
}

impl Value<'_> {
    fn passes(&self, test: &Test) -> bool {
        match test {
            Test::Eq(literal) => self.is(literal),
            Test::Neq(literal) => !self.is(literal),
            Test::In(literals) => literals.iter().any(|literal| self.is(literal)),
            Test::NotIn(literals) => !literals.iter().any(|literal| self.is(literal)),
            Test::Order(order, bound) => self.compare(bound).is_some_and(|found| order.allows(found)),
            Test::Between(low, high) => {
                let (low, high) = (self.compare(low), self.compare(high));
                low.zip(high).is_some_and(|(low, high)| low.is_ge() && high.is_le())
            }
            Test::Regex(regex) => self.text(|text| regex.is_match(text)),
            Test::Contains(literal) => self.contains(literal),
            Test::Exists(_) => true,
            Test::StartsWith(start) => self.text(|text| text.starts_with(start.as_str())),
            Test::EndsWith(end) => self.text(|text| text.ends_with(end.as_str())),
            Test::Glob(glob) => self.text(|text| fits(glob, text)),
            Test::Length(least, greatest) => {
                self.length().is_some_and(|length| *least <= length && length <= *greatest)
            }
            Test::Type(types) => types.iter().any(|kind| self.is_a(*kind)),
            Test::Cidr(networks) => {
                self.address().is_some_and(|ip| networks.iter().any(|network| network.contains(&ip)))
            }
            Test::Schema(schema) => match self {
                Self::Raw(raw) => serde_json::from_str(raw.text())
                    .is_ok_and(|value: serde_json::Value| schema.validator.is_valid(&value)),
                Self::Fact(Fact::Text(text)) => schema.validator.is_valid(&serde_json::Value::from(*text)),
                Self::Fact(_) => false,
            },
        }
    }

    fn is(&self, literal: &Literal) -> bool {
        match self {
            Self::Raw(raw) => literal.is(*raw),
            Self::Fact(Fact::Text(text)) => literal.text() == Some(text),
            Self::Fact(Fact::Ip(ip)) => literal.text().and_then(address) == Some(*ip),
            Self::Fact(Fact::Moment(_)) => false,
        }
    }

    fn text(&self, test: impl FnOnce(&str) -> bool) -> bool {
        match self {
            Self::Raw(raw) => raw.string().is_some_and(|text| test(&text)),
            Self::Fact(Fact::Text(text)) => test(text),
            Self::Fact(Fact::Ip(ip)) => test(&ip.to_string()),
            Self::Fact(Fact::Moment(_)) => false,
        }
    }

    fn compare(&self, bound: &Bound) -> Option<std::cmp::Ordering> {
        match (self, bound) {
            // What is of another kind does not read as a number.
            (Self::Raw(raw), Bound::Number(number)) => Some(Number::parse(raw.text()).ok()?.cmp(number)),
            (Self::Raw(raw), Bound::Moment(moment)) => {
                let text = raw.string()?;
                let format = &time::format_description::well_known::Rfc3339;
                Some(time::OffsetDateTime::parse(&text, format).ok()?.cmp(moment))
            }
            (Self::Fact(Fact::Moment(now)), Bound::Moment(moment)) => Some(now.cmp(moment)),
            (Self::Fact(Fact::Moment(now)), Bound::TimeOfDay(time)) => {
                // To the minute, so that a day's bound belongs to it.
                let now = now.to_offset(time::UtcOffset::UTC).time();
                Some((now.hour(), now.minute()).cmp(&(time.hour(), time.minute())))
            }
            _ => None,
        }
    }

    fn contains(&self, literal: &Literal) -> bool {
        match self {
            Self::Raw(raw) if raw.kind() == Kind::Array => raw.elements().any(|element| literal.is(element)),
            _ => literal.text().is_some_and(|part| self.text(|text| text.contains(part))),
        }
    }

    fn length(&self) -> Option<Number> {
        let length = match self {
            Self::Raw(raw) => match raw.kind() {
                Kind::String => raw.string()?.chars().count(),
                Kind::Array => raw.elements().count(),
                Kind::Object => raw.members().count(),
                Kind::Null | Kind::Bool | Kind::Number => return None,
            },
            Self::Fact(Fact::Text(text)) => text.chars().count(),
            Self::Fact(_) => return None,
        };
        Some(Number::from(u32::try_from(length).unwrap_or(u32::MAX)))
    }

    fn is_a(&self, kind: ValueType) -> bool {
        let Self::Raw(raw) = self else { return kind == ValueType::String };
        match kind {
            ValueType::Null => raw.kind() == Kind::Null,
            ValueType::Boolean => raw.kind() == Kind::Bool,
            ValueType::Number => raw.kind() == Kind::Number,
            ValueType::Integer => Number::parse(raw.text()).is_ok_and(|number| number.is_whole()),
            ValueType::String => raw.kind() == Kind::String,
            ValueType::Array => raw.kind() == Kind::Array,
            ValueType::Object => raw.kind() == Kind::Object,
        }
    }

    fn address(&self) -> Option<std::net::IpAddr> {
        match self {
            Self::Raw(raw) => address(&raw.string()?),
            Self::Fact(Fact::Text(text)) => address(text),
            Self::Fact(Fact::Ip(ip)) => Some(*ip),
            Self::Fact(Fact::Moment(_)) => None,
        }
    }
}

impl Order {
    const fn allows(self, found: std::cmp::Ordering) -> bool {
        match self {
            Self::Lt => found.is_lt(),
            Self::Lte => found.is_le(),
            Self::Gt => found.is_gt(),
            Self::Gte => found.is_ge(),
        }
    }
}

/// The key under which different values of an argument are counted apart: their canonical form, so that one value has one.
pub(super) fn key_of(raw: Raw<'_>) -> Option<String> {
    let mut key = String::new();
    Literal::read(raw).ok()?.write(&mut key);
    Some(key)
}
