//! How much work a document may make of one call, counted in steps so that the same call always comes to the same.
//!
//! A step is a few nanoseconds of work: an argument passed by, a value compared, some bytes read. Every layer has a budget of its
//! own, so that the order of layers changes nothing, and what only observes has another, so that it stops nothing.
//!
//! Invariant: work is paid for before it is done, by what it takes at most.

use std::cell::Cell;

use crate::{
    domain::policy::{document::Test, literal::Literal},
    protocol::mcp::raw::{Kind, Raw},
};

/// How many steps the rules of one document may take for one call. Ordinary ones take some hundred.
pub(super) const STEPS: u64 = 2_000_000;

/// The steps that are left.
#[derive(Debug)]
pub(super) struct Budget(Cell<u64>);

/// There are no steps left for what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Budget {
    /// So many steps.
    pub(super) const fn of(steps: u64) -> Self {
        Self(Cell::new(steps))
    }

    /// Those of a document and a call.
    pub(super) const fn full() -> Self {
        Self::of(STEPS)
    }

    /// Takes steps.
    ///
    /// # Errors
    /// Where there are not so many; then none are left.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Exhausted> {
        let left = self.0.get().checked_sub(steps);
        self.0.set(left.unwrap_or_default());
        left.map(drop).ok_or(Exhausted)
    }
}

/// How much there is of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) kind: Kind,
    pub(super) bytes: u64,
    /// What of a text is escaped, and has to be put together letter by letter.
    escapes: u64,
}

impl Size {
    /// Of an argument.
    pub(super) fn of(raw: Raw<'_>) -> Self {
        let (kind, text) = (raw.kind(), raw.text());
        let is_escape = |byte: &&u8| **byte == b'\\';
        let escapes = if kind == Kind::String { text.as_bytes().iter().filter(is_escape).count() } else { 0 };
        Self { kind, bytes: text.len() as u64, escapes: escapes as u64 }
    }

    /// Of a text that is nowhere escaped.
    pub(super) const fn of_text(bytes: u64) -> Self {
        Self { kind: Kind::String, bytes, escapes: 0 }
    }

    /// To read it as a text.
    const fn to_tell(self) -> u64 {
        self.bytes / 8 + self.escapes * 2
    }

    /// To read it whole. Each level of a value is passed once more for every level that it lies below, of which there are at
    /// most 64.
    pub(super) const fn to_read(self) -> u64 {
        match self.kind {
            Kind::Array | Kind::Object => self.bytes.saturating_mul(8),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => self.to_tell() + PARSED,
        }
    }
}

/// To find where a value ends and the next begins: what is plain of a text is skipped by the word.
pub(super) fn to_pass(raw: Raw<'_>) -> u64 {
    let Size { kind, bytes, escapes } = Size::of(raw);
    2 + match kind {
        Kind::Array | Kind::Object => bytes / 8,
        Kind::Null | Kind::Bool | Kind::Number | Kind::String => bytes / 32 + escapes / 2,
    }
}

/// To compare names without regard to how they are written: those beyond ASCII are put together letter by letter.
pub(super) fn to_fold(name: &str) -> u64 {
    let bytes = name.len() as u64;
    1 + if name.is_ascii() { bytes / 8 } else { bytes * 8 }
}

/// To tell whether a value is as a condition says. What a schema takes besides is known only once the value is read.
pub(super) fn to_test(test: &Test, size: Size) -> u64 {
    let (text, bytes) = (size.to_tell(), size.bytes);
    4 + match test {
        Test::Exists(_) => 0,
        Test::Eq(literal) | Test::Neq(literal) => to_compare(literal, size),
        Test::In(_) | Test::NotIn(_) => size.to_read(),
        Test::Order(..) => text + PARSED,
        Test::Between(..) => 2 * (text + PARSED),
        Test::Regex(pattern) => text.saturating_add(pattern.steps(bytes)),
        Test::Contains(literal) if size.kind == Kind::Array => to_find(literal, bytes),
        Test::Contains(_) => text + bytes / 4,
        Test::StartsWith(_) | Test::EndsWith(_) => text,
        Test::Glob(glob) => text + (bytes + glob.len() as u64) / 4,
        Test::Length(..) => text + bytes / 4,
        Test::Type(types) => types.len() as u64 + PARSED,
        Test::Cidr(_) => text + 2 * PARSED,
        Test::Schema(_) => bytes.saturating_mul(2),
    }
}

/// To make a number, a moment or an address of a text.
const PARSED: u64 = 8;

fn to_compare(literal: &Literal, size: Size) -> u64 {
    let is_same = matches!(
        (literal, size.kind),
        (Literal::List(_), Kind::Array) | (Literal::Map(_), Kind::Object) | (_, Kind::String | Kind::Number)
    );
    if is_same { size.to_read() } else { 1 }
}

/// To look for an element: numbers are short, and each is parsed.
fn to_find(literal: &Literal, bytes: u64) -> u64 {
    match literal {
        Literal::Number(_) => bytes.saturating_mul(4),
        Literal::List(_) | Literal::Map(_) => bytes.saturating_mul(8),
        Literal::Null | Literal::Bool(_) | Literal::Text(_) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::strict::{self, Limits};

    #[test]
    fn what_is_escaped_takes_longer() {
        let size =
            |text: &str| Size::of(strict::check(text.as_bytes(), &Limits::of(text.len())).expect("JSON"));
        assert_eq!(size(r#""abcdefghij""#), Size::of_text(12));
        let escaped = size(r#""\n\n\n\n\n""#);
        assert_eq!((escaped.bytes, escaped.to_tell()), (12, 11));
        assert_eq!(size(r#"["\n"]"#).to_read(), 48);
    }

    #[test]
    fn what_is_spent_is_gone_and_too_much_takes_all() {
        let budget = Budget::of(10);
        assert_eq!((budget.spend(4), budget.spend(6), budget.spend(0)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(budget.spend(1), Err(Exhausted));
        let budget = Budget::of(10);
        assert_eq!((budget.spend(11), budget.spend(1)), (Err(Exhausted), Err(Exhausted)));
    }
}
