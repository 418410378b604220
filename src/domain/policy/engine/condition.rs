//! Whether a condition holds for a call.
//!
//! What is not there makes `exists: false` hold and nothing else; what is of another kind than a comparison is about makes
//! none hold. Texts are never numbers, and numbers are compared by all their digits.

use crate::{
    domain::policy::{
        document::{Bound, Choices, Condition, Order, Quantifier, Schema, Test, ValueType, address},
        engine::{
            budget::{Budget, Exhausted, Size, to_pass, to_test},
            facts::{Fact, Facts, Tool},
            guard::Guard,
            subject::{Arguments, Subject, Truth},
        },
        literal::Literal,
        number::Number,
        path::{Field, Path, PathStep},
        pattern::fits,
    },
    protocol::mcp::raw::{Kind, Raw},
};

/// How long an address or a moment is at most, as a text.
const MOST_OF_A_FACT: u64 = 45;

/// A value that a condition looks at.
#[derive(Clone, Copy)]
enum Value<'a> {
    Raw(Raw<'a>),
    Fact(Fact<'a>),
}

/// Whether conditions outside every document hold for a call. They do not where a key of the arguments is another form of one
/// that they look at, nor where the arguments are too large to tell.
pub fn hold(conditions: &[Condition], tool: Tool<'_>, arguments: Option<Raw<'_>>, facts: Facts<'_>) -> bool {
    let subject = Subject { tool, arguments: Arguments::Sent(arguments), facts };
    let budget = Budget::full();
    let is_plain = || match arguments {
        Some(arguments) => Guard::of_conditions(conditions).varied(arguments, &budget) == Ok(None),
        None => true,
    };
    all_hold(conditions, &subject, &budget) == Ok(Truth::Yes) && is_plain()
}

/// Whether all conditions hold.
///
/// # Errors
/// Where the steps do not suffice to tell.
pub(super) fn all_hold(
    conditions: &[Condition],
    subject: &Subject<'_>,
    budget: &Budget,
) -> Result<Truth, Exhausted> {
    let mut truth = Truth::Yes;
    for condition in conditions {
        match holds(condition, subject, budget)? {
            Truth::No => return Ok(Truth::No),
            Truth::Unknown => truth = Truth::Unknown,
            Truth::Yes => {}
        }
    }
    Ok(truth)
}

/// Whether the condition holds.
///
/// # Errors
/// Where the steps do not suffice to tell.
pub(super) fn holds(
    condition: &Condition,
    subject: &Subject<'_>,
    budget: &Budget,
) -> Result<Truth, Exhausted> {
    budget.spend(1)?;
    let mut tally = Tally { condition, budget, any: false, all: true, found: false };
    match (&condition.path, subject.arguments) {
        (Path::Args(_), Arguments::Unknown | Arguments::Worst | Arguments::Anything) => {
            return Ok(Truth::Unknown);
        }
        (
            Path::Fact(Field::Ip | Field::Time | Field::ClientName | Field::ClientVersion),
            Arguments::Anything,
        ) => return Ok(Truth::Unknown),
        (Path::Args(_), Arguments::Sent(None)) => {}
        (Path::Args(steps), Arguments::Sent(Some(args))) => {
            visit(args, steps, budget, &mut |raw| match raw {
                Some(raw) => tally.see(Value::Raw(raw)),
                None => {
                    tally.misses();
                    Ok(())
                }
            })?;
        }
        (Path::Fact(field), _) => {
            for fact in subject.facts.of(*field, &subject.tool) {
                tally.see(Value::Fact(fact))?;
            }
        }
    }
    Ok(if tally.holds() { Truth::Yes } else { Truth::No })
}

/// The one value that a path without `[*]` leads to.
///
/// # Errors
/// Where the steps do not suffice to find it.
pub(super) fn find<'a>(
    args: Option<Raw<'a>>,
    path: &Path,
    budget: &Budget,
) -> Result<Option<Raw<'a>>, Exhausted> {
    let (Some(args), Path::Args(steps)) = (args, path) else { return Ok(None) };
    let mut found = None;
    visit(args, steps, budget, &mut |raw| {
        found = raw;
        Ok(())
    })?;
    Ok(found)
}

/// Shows every value that the steps lead to, and nothing for every way that ends before.
///
/// # Errors
/// Where the budget does not suffice for the way, or what sees a value says so.
pub(super) fn visit<'a>(
    value: Raw<'a>,
    steps: &[PathStep],
    budget: &Budget,
    see: &mut impl FnMut(Option<Raw<'a>>) -> Result<(), Exhausted>,
) -> Result<(), Exhausted> {
    let Some((step, rest)) = steps.split_first() else { return see(Some(value)) };
    let next = match (step, value.kind()) {
        (PathStep::Key(key), Kind::Object) => member(value, key, budget)?,
        (PathStep::At(index), Kind::Array) => element(value, *index, budget)?,
        (PathStep::Each, Kind::Array) => {
            for element in value.elements() {
                budget.spend(to_pass(element))?;
                visit(element, rest, budget, see)?;
            }
            return Ok(());
        }
        _ => None,
    };
    match next {
        Some(next) => visit(next, rest, budget, see),
        None => see(None),
    }
}

fn member<'a>(object: Raw<'a>, key: &str, budget: &Budget) -> Result<Option<Raw<'a>>, Exhausted> {
    for member in object.members() {
        budget.spend(to_pass(member.key) + to_pass(member.value))?;
        if member.key.says(key) {
            return Ok(Some(member.value));
        }
    }
    Ok(None)
}

fn element<'a>(array: Raw<'a>, index: usize, budget: &Budget) -> Result<Option<Raw<'a>>, Exhausted> {
    for (at, element) in array.elements().enumerate() {
        budget.spend(to_pass(element))?;
        if at == index {
            return Ok(Some(element));
        }
    }
    Ok(None)
}

struct Tally<'c> {
    condition: &'c Condition,
    budget: &'c Budget,
    any: bool,
    all: bool,
    found: bool,
}

impl Tally<'_> {
    fn see(&mut self, value: Value<'_>) -> Result<(), Exhausted> {
        self.found = true;
        self.budget.spend(to_test(&self.condition.test, value.size()))?;
        let fits = value.passes(&self.condition.test, self.budget)?;
        self.any |= fits;
        self.all &= fits;
        Ok(())
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
    fn size(&self) -> Size {
        match self {
            Self::Raw(raw) => Size::of(*raw),
            Self::Fact(Fact::Text(text)) => Size::of_text(text.len() as u64),
            Self::Fact(Fact::Ip(_) | Fact::Moment(_)) => Size::of_text(MOST_OF_A_FACT),
        }
    }

    fn passes(&self, test: &Test, budget: &Budget) -> Result<bool, Exhausted> {
        Ok(match test {
            Test::Eq(literal) => self.is(literal),
            Test::Neq(literal) => !self.is(literal),
            Test::In(choices) => self.is_one_of(choices),
            Test::NotIn(choices) => !self.is_one_of(choices),
            Test::Order(order, bound) => self.compare(bound).is_some_and(|found| order.allows(found)),
            Test::Between(low, high) => {
                let (low, high) = (self.compare(low), self.compare(high));
                low.zip(high).is_some_and(|(low, high)| low.is_ge() && high.is_le())
            }
            Test::Regex(regex) => self.text(|text| regex.is_in(text)),
            Test::Contains(literal) => self.contains(literal),
            Test::Exists(_) => true,
            Test::StartsWith(start) => self.text(|text| text.starts_with(start.as_str())),
            Test::EndsWith(end) => self.text(|text| text.ends_with(end.as_str())),
            Test::Glob(glob) => self.text(|text| fits(glob, text)),
            Test::Length(least, greatest) => {
                self.length().is_some_and(|length| *least <= length && length <= *greatest)
            }
            Test::Type(types) => types.iter().any(|kind| self.is_a(*kind)),
            Test::Cidr(networks) => self.address().is_some_and(|ip| networks.contain(ip)),
            Test::Schema(schema) => self.is_taken(schema, budget)?,
        })
    }

    fn is_taken(&self, schema: &Schema, budget: &Budget) -> Result<bool, Exhausted> {
        let value = match self {
            Self::Raw(raw) => serde_json::from_str(raw.text()).ok(),
            Self::Fact(Fact::Text(text)) => Some(serde_json::Value::from(*text)),
            Self::Fact(_) => None,
        };
        let Some(value) = value else { return Ok(false) };
        budget.spend(schema.steps(values(&value), self.size().bytes))?;
        Ok(schema.takes(&value))
    }

    fn is_one_of(&self, choices: &Choices) -> bool {
        match self {
            Self::Raw(raw) => choices.hold(*raw),
            Self::Fact(Fact::Text(text)) => choices.hold_text(text),
            Self::Fact(Fact::Ip(ip)) => choices.hold_address(*ip),
            Self::Fact(Fact::Moment(_)) => false,
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

/// How many values there are in a value, itself among them.
fn values(value: &serde_json::Value) -> u64 {
    use serde_json::Value::{Array, Object};
    1 + match value {
        Array(all) => all.iter().map(values).sum::<u64>(),
        Object(all) => all.iter().map(|(_, value)| values(value)).sum::<u64>(),
        _ => 0,
    }
}

/// The key under which different values of an argument are counted apart: their canonical form, so that one value has one.
///
/// # Errors
/// Where the steps do not suffice to read it.
pub(super) fn key_of(raw: Raw<'_>, budget: &Budget) -> Result<Option<String>, Exhausted> {
    budget.spend(Size::of(raw).to_read())?;
    let mut key = String::new();
    Ok(Literal::read(raw).ok().map(|value| {
        value.write(&mut key);
        key
    }))
}
