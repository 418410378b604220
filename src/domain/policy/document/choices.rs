//! Lists of values that a condition compares with, made so that one look tells whether a value is among them.

use std::{collections::HashSet, net::IpAddr};

use crate::{
    domain::policy::{document::address, literal::Literal},
    protocol::mcp::raw::{Kind, Raw},
};

/// The values of `in` and `not_in`.
#[derive(Clone, Debug)]
pub struct Choices {
    values: Vec<Literal>,
    texts: HashSet<String>,
    /// Those that are no texts.
    others: HashSet<Literal>,
    /// Those of the texts that are addresses.
    addresses: HashSet<IpAddr>,
    /// Whether there are lists or objects among them.
    is_nested: bool,
}

impl Choices {
    /// These values, in this order.
    pub fn new(values: Vec<Literal>) -> Self {
        let texts: HashSet<String> = values.iter().filter_map(Literal::text).map(str::to_owned).collect();
        let addresses = texts.iter().filter_map(|text| address(text)).collect();
        let others = values.iter().filter(|value| value.text().is_none()).cloned().collect();
        let is_nested = values.iter().any(|value| matches!(value, Literal::List(_) | Literal::Map(_)));
        Self { values, texts, others, addresses, is_nested }
    }

    /// The values as they were written.
    pub fn values(&self) -> &[Literal] {
        &self.values
    }

    /// Whether an argument is one of them, as [`Literal::is`] has it.
    pub fn hold(&self, raw: Raw<'_>) -> bool {
        match raw.kind() {
            Kind::String => raw.string().is_some_and(|text| self.texts.contains(&*text)),
            Kind::Array | Kind::Object if !self.is_nested => false,
            _ => Literal::read(raw).is_ok_and(|value| self.others.contains(&value)),
        }
    }

    /// Whether a text is one of them.
    pub fn hold_text(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    /// Whether an address is one of them, in whichever form they write it.
    pub fn hold_address(&self, ip: IpAddr) -> bool {
        self.addresses.contains(&ip)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::protocol::mcp::strict::{self, Limits};

    fn raw(text: &str) -> Raw<'_> {
        strict::check(text.as_bytes(), &Limits::of(text.len())).expect("JSON")
    }

    /// Values as texts of JSON, so that numbers come in every form that they are written in.
    fn written() -> impl Strategy<Value = String> {
        let text = prop::sample::select(vec!["", "a", "A", "1", "é", "10.0.0.1", "::1", "\\"]);
        let leaf = prop_oneof![
            prop::sample::select(vec!["null", "true", "false", "0", "-0.0", "1", "1.0", "1e0", "10e-1"])
                .prop_map(str::to_owned),
            "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?([eE][+-]?[0-9])?",
            text.prop_map(|text| Value::from(text).to_string()),
            prop::sample::select(vec!["\"\\u0061\"", "\"\\u00e9\"", "\"\\/\""]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(|all| format!("[{}]", all.join(", "))),
                prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|map| {
                    // Backwards, for the order in which members are written tells nothing.
                    let members = map.iter().rev().map(|(key, value)| format!("\"{key}\" : {value}"));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn one_look_finds_what_looking_at_each_finds(
            list in prop::collection::vec(written(), 0..12), asked in prop::collection::vec(written(), 1..6),
        ) {
            let values: Vec<Literal> =
                list.iter().map(|text| Literal::read(raw(text)).expect("a literal")).collect();
            let choices = Choices::new(values.clone());
            prop_assert_eq!(choices.values(), values.as_slice());
            for text in asked.iter().chain(&list) {
                let asked = raw(text);
                let is_one = values.iter().any(|value| value.is(asked));
                prop_assert_eq!(choices.hold(asked), is_one, "{} in {:?}", text, &list);
                if let Some(text) = asked.string() {
                    prop_assert_eq!(choices.hold_text(&text), values.iter().any(|value| value.text() == Some(&*text)));
                }
            }
        }
    }

    #[test]
    fn addresses_are_found_in_every_form() {
        let values = ["::ffff:10.0.0.1", "::0001", "host"].map(|text| Literal::Text(text.to_owned()));
        let choices = Choices::new(values.to_vec());
        for (text, is_one) in [("10.0.0.1", true), ("::1", true), ("10.0.0.2", false)] {
            assert_eq!(choices.hold_address(text.parse().expect("an address")), is_one, "{text}");
        }
    }
}
