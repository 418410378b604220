//! Values that a document compares with: read once, and compared with arguments as they came over the wire.

use std::fmt::Write;

use crate::{
    domain::policy::number::Number,
    protocol::mcp::raw::{Kind, Raw},
};

/// A value in a document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exactly.
    Number(Number),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Literal>),
    /// An object, by key.
    Map(Vec<(String, Literal)>),
}

/// The value holds a number that is too long, or a text that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value holds a number of more than 200 digits or an unreadable text")]
pub struct NotALiteral;

impl Literal {
    /// Reads a value.
    ///
    /// # Errors
    /// Where a number in it is too long to be compared.
    pub fn read(raw: Raw<'_>) -> Result<Self, NotALiteral> {
        Ok(match raw.kind() {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Bool(raw.boolean().ok_or(NotALiteral)?),
            Kind::Number => Self::Number(Number::parse(raw.text()).map_err(|_| NotALiteral)?),
            Kind::String => Self::Text(raw.string().ok_or(NotALiteral)?.into_owned()),
            Kind::Array => Self::List(raw.elements().map(Self::read).collect::<Result<_, _>>()?),
            Kind::Object => {
                let member = |key: Option<std::borrow::Cow<'_, str>>, value| {
                    Ok((key.ok_or(NotALiteral)?.into_owned(), Self::read(value)?))
                };
                let mut members: Vec<(String, Self)> = raw
                    .members()
                    .map(|one| member(one.key.string(), one.value))
                    .collect::<Result<_, NotALiteral>>()?;
                members.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Map(members)
            }
        })
    }

    /// Whether an argument is this value. A whole number is equal to the same number with a fraction of zeros; nothing
    /// else is equal to what is of another kind.
    pub fn is(&self, raw: Raw<'_>) -> bool {
        match (self, raw.kind()) {
            (Self::Null, Kind::Null) => true,
            (Self::Bool(value), Kind::Bool) => raw.boolean() == Some(*value),
            (Self::Number(value), Kind::Number) => Number::parse(raw.text()).as_ref() == Ok(value),
            (Self::Text(value), Kind::String) => raw.string().is_some_and(|text| text == value.as_str()),
            (Self::List(values), Kind::Array) => {
                let mut elements = raw.elements();
                values.iter().all(|value| elements.next().is_some_and(|element| value.is(element)))
                    && elements.next().is_none()
            }
            // In the order of their keys, for to look each up would take the square of their number.
            (Self::Map(_), Kind::Object) => Self::read(raw).is_ok_and(|read| read == *self),
            _ => false,
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The values of a list; one value stands for itself.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            one => std::slice::from_ref(one),
        }
    }

    /// The values of a list; nothing else has any.
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            _ => &[],
        }
    }

    /// As canonical JSON.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(value) => drop(write!(out, "{value}")),
            Self::Text(text) => write_text(text, out),
            Self::List(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    value.write(out);
                }
                out.push(']');
            }
            Self::Map(values) => {
                out.push('{');
                for (at, (key, value)) in values.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// A text as JSON.
pub fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::mcp::strict::{self, Limits};

    fn raw(text: &str) -> Raw<'_> {
        strict::check(text.as_bytes(), &Limits::of(text.len())).expect("JSON")
    }

    fn literal(text: &str) -> Literal {
        Literal::read(raw(text)).expect("a literal")
    }

    #[test]
    fn values_are_equal_by_what_they_mean_and_of_one_kind_only() {
        for (one, other) in [
            ("1", "1.00"),
            (r#""\u0061""#, r#""a""#),
            (r#"{"a":1,"b":[true,null]}"#, r#"{ "b" : [ true , null ], "a" : 1e0 }"#),
        ] {
            assert!(literal(one).is(raw(other)), "{one} {other}");
        }
        for (one, other) in [
            ("1", r#""1""#),
            ("0", "false"),
            ("null", r#""""#),
            ("[1]", "[1,2]"),
            ("[1,2]", "[1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"c":2}"#),
            ("[]", "{}"),
        ] {
            assert!(!literal(one).is(raw(other)), "{one} {other}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[a-z\"\\\\é\n]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-c]{1,2}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(value in json()) {
            let text = value.to_string();
            let read = literal(&text);
            prop_assert!(read.is(raw(&text)));
            let mut written = String::new();
            read.write(&mut written);
            prop_assert_eq!(literal(&written), read);
        }
    }
}
