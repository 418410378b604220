//! One way of writing for each JSON value, so that equal values have equal bytes.
//!
//! Members stand in the order of their keys' UTF-8, without spaces; strings are escaped in one way. Numbers keep their
//! text: `1` and `1.0` differ, since a reader may tell them apart.

use std::borrow::Cow;

use crate::protocol::mcp::{
    error::write_string,
    raw::{Kind, Raw},
};

/// Writes a value canonically.
pub fn canonical(raw: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.text().len());
    write(&mut out, raw);
    out
}

/// Writes an object canonically, without some of its own members.
pub fn canonical_without(raw: Raw<'_>, left_out: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.text().len());
    write_members(&mut out, raw, |key| !left_out.contains(&key));
    out
}

/// The depth is that of the text, which the scan has bounded.
fn write(out: &mut Vec<u8>, raw: Raw<'_>) {
    match raw.kind() {
        Kind::Object => write_members(out, raw, |_| true),
        Kind::Array => {
            out.push(b'[');
            for (at, element) in raw.elements().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(out, element);
            }
            out.push(b']');
        }
        Kind::String => write_string(out, &raw.string().unwrap_or_default()),
        Kind::Null | Kind::Bool | Kind::Number => out.extend_from_slice(raw.text().as_bytes()),
    }
}

fn write_members(out: &mut Vec<u8>, raw: Raw<'_>, is_written: impl Fn(&str) -> bool) {
    let read = |key: Raw<'_>| key.string().map(Cow::into_owned).unwrap_or_default();
    let mut members: Vec<_> = raw.members().map(|member| (read(member.key), member.value)).collect();
    members.retain(|(key, _)| is_written(key));
    members.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    out.push(b'{');
    for (at, (key, value)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(out, &key);
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::strict::{Limits, check};
    use proptest::prelude::*;
    use serde_json::Value;

    fn text(json: &str) -> String {
        let raw = check(json.as_bytes(), &Limits::default()).expect("good JSON");
        String::from_utf8(canonical(raw)).expect("UTF-8")
    }

    #[test]
    fn spaces_order_and_escapes_do_not_matter_but_numbers_keep_their_text() {
        let json = r#" { "b" : [ 1.0 , 10e1 ] , "\u0061" : "\u00e9\/\n\u001F\"" , "é" : { } , "" : null } "#;
        assert_eq!(text(json), "{\"\":null,\"a\":\"é/\\n\\u001f\\\"\",\"b\":[1.0,10e1],\"é\":{}}");
    }

    #[test]
    fn a_member_that_is_left_out_is_left_out_however_it_is_written_and_not_further_down() {
        let json = br#"{"b":{"_meta":1},"\u005fmeta":{"progressToken":7},"a":1}"#;
        let raw = check(json, &Limits::default()).expect("good JSON");
        assert_eq!(canonical_without(raw, &["_meta"]), br#"{"a":1,"b":{"_meta":1}}"#);
    }

    /// The same value, its members in another order and its letters escaped.
    fn disguised(value: &Value, out: &mut String) {
        match value {
            Value::Object(members) => {
                let mut texts = Vec::new();
                for (key, value) in members.iter().rev() {
                    let mut text = String::new();
                    disguised(&Value::from(key.as_str()), &mut text);
                    text.push_str(" :\n");
                    disguised(value, &mut text);
                    texts.push(text);
                }
                *out += &format!("{{\t{}}}", texts.join(" , "));
            }
            Value::Array(elements) => {
                let mut texts = Vec::new();
                for element in elements {
                    let mut text = String::new();
                    disguised(element, &mut text);
                    texts.push(text);
                }
                *out += &format!("[ {} ]", texts.join("\r,"));
            }
            Value::String(text) => {
                out.push('"');
                for unit in text.encode_utf16() {
                    *out += &format!("\\u{unit:04X}");
                }
                out.push('"');
            }
            other => *out += &other.to_string(),
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::from(members.into_iter().collect::<serde_json::Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn two_texts_of_one_value_are_written_alike(value in json()) {
            let plain = serde_json::to_string(&value).unwrap();
            let mut other = String::new();
            disguised(&value, &mut other);
            let canonical = text(&plain);
            prop_assert_eq!(&text(&other), &canonical);
            prop_assert_eq!(&text(&canonical), &canonical);
            prop_assert_eq!(serde_json::from_str::<Value>(&canonical).unwrap(), value);
        }

        #[test]
        fn two_values_are_written_differently(one in json(), other in json()) {
            prop_assume!(one != other);
            prop_assert_ne!(text(&one.to_string()), text(&other.to_string()));
        }
    }
}
