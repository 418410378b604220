//! What the scan accepts and refuses, also compared with another reader of JSON.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::protocol::mcp::strict::{Fault, Limits, Reason, check, role::Role, scan};

fn refusal(text: &str) -> Option<(Reason, usize)> {
    scan(text.as_bytes(), &Limits::default()).err().map(|Fault { reason, at }| (reason, at))
}

#[test]
fn each_kind_of_bad_text_is_refused_with_its_reason_and_place() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(64), "]".repeat(64));
    let cases = [
        ("", Reason::Incomplete, 0),
        ("  ", Reason::Incomplete, 2),
        ("{\"a\":1", Reason::Incomplete, 6),
        ("{\"a\":\"x", Reason::Incomplete, 7),
        ("{\"a\":tru", Reason::Incomplete, 8),
        ("{\"a\":trux}", Reason::Syntax, 8),
        ("{\"a\":1,}", Reason::Syntax, 7),
        ("{\"a\" 1}", Reason::Syntax, 5),
        ("{a:1}", Reason::Syntax, 1),
        ("{'a':1}", Reason::Syntax, 1),
        ("{\"a\":[1,]}", Reason::Syntax, 8),
        ("{\"a\":01}", Reason::Syntax, 6),
        ("{\"a\":+1}", Reason::Syntax, 5),
        ("{\"a\":.5}", Reason::Syntax, 5),
        ("{\"a\":1.}", Reason::Syntax, 7),
        ("{\"a\":1e}", Reason::Syntax, 7),
        ("{\"a\":NaN}", Reason::Syntax, 5),
        ("{\"a\":-Infinity}", Reason::Syntax, 6),
        ("{\"a\":\"\u{1}\"}", Reason::Syntax, 6),
        ("{\"a\":\"\\x\"}", Reason::Syntax, 7),
        ("{\"a\":\"\\u12g4\"}", Reason::Syntax, 7),
        ("\u{feff}{}", Reason::Syntax, 0),
        ("{} {}", Reason::Trailing, 3),
        ("{}\0", Reason::Trailing, 2),
        ("[]", Reason::Batch, 0),
        (" [{\"jsonrpc\":\"2.0\"}]", Reason::Batch, 1),
        ("{\"a\":1e999}", Reason::NumberRange, 5),
        ("{\"a\":-1e999}", Reason::NumberRange, 5),
        ("{\"a\":\"\\ud800\"}", Reason::LoneSurrogate, 6),
        ("{\"a\":\"\\udc00\"}", Reason::LoneSurrogate, 6),
        ("{\"a\":\"\\ud800\\u0041\"}", Reason::LoneSurrogate, 6),
        ("{\"a\":\"\\ud800\\n\"}", Reason::LoneSurrogate, 6),
        ("{\"\\ud800\":1}", Reason::LoneSurrogate, 2),
        (&deep, Reason::TooDeep, 68),
    ];
    for (text, reason, at) in cases {
        assert_eq!(refusal(text), Some((reason, at)), "{text}");
    }
}

#[test]
fn the_same_key_twice_is_refused_at_every_depth_however_it_is_written() {
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"x":[{"y":{"a":1,"b":2,"a":3}}]}"#,
        r#"{"params":{"arguments":{"path":"/tmp","path":"/etc"}}}"#,
        r#"{"method":"a","meth\u006fd":"b"}"#,
        r#"{"x":{"\u00e9":1,"é":2}}"#,
        r#"{"x":{"\ud83d\ude00":1,"😀":2}}"#,
        r#"{"x":{"":1,"":2}}"#,
        r#"{"params":{"_meta":{"a":1,"b":{"a":1},"a":1}}}"#,
    ] {
        assert_eq!(refusal(text).map(|(reason, _)| reason), Some(Reason::DuplicateKey), "{text}");
    }
    assert_eq!(refusal(r#"{"a":{"b":1},"b":{"a":1},"c":[{"a":1},{"a":2}]}"#), None);
}

#[test]
fn a_key_that_only_case_tells_apart_from_a_named_one_is_refused() {
    for text in [
        r#"{"Method":"tools/call"}"#,
        r#"{"method":"a","METHOD":"b"}"#,
        r#"{"\u004dethod":"b"}"#,
        r#"{"paramſ":{}}"#,
        r#"{"params":{"Name":"x"}}"#,
        r#"{"params":{"tasKId":"x"}}"#,
        r#"{"params":{"task\u212aId":1,"ta\u017f\u212aid":"x"}}"#,
        r#"{"params":{"_Meta":{}}}"#,
        r#"{"params":{"_meta":{"io.modelcontextprotocol/ProtocolVersion":"x"}}}"#,
        r#"{"params":{"arguments":{"path":"a","Path":"b"}}}"#,
        r#"{"params":{"arguments":{"path":"a","pa\u0054h":"b"}}}"#,
        r#"{"params":{"arguments":{"kelvin":"a","Kelvin":"b"}}}"#,
        r#"{"params":{"arguments":{"é":1,"É":2}}}"#,
        r#"{"params":{"ref":{"Uri":"a"}}}"#,
        r#"{"params":{"notifications":{"resourcesubscriptions":[]}}}"#,
        r#"{"result":{"Tools":[]}}"#,
        r#"{"error":{"Code":1}}"#,
    ] {
        assert_eq!(refusal(text).map(|(reason, _)| reason), Some(Reason::CaseVariant), "{text}");
    }
    for text in [
        r#"{"params":{"arguments":{"Name":"x","deep":{"a":1,"A":2}},"other":{"Method":1}}}"#,
        r#"{"params":{"arguments":{"é":1,"È":2}}}"#,
        r#"{"result":{"structuredContent":{"a":1,"A":2}}}"#,
    ] {
        assert_eq!(refusal(text), None, "{text}");
    }
}

#[test]
fn a_key_that_readers_take_for_an_order_is_refused() {
    // With these, serde_json reads the text inside the string in place of the object that everybody else sees.
    for text in [
        r#"{"$serde_json::private::RawValue":"{\"readOnlyHint\":true}"}"#,
        r#"{"params":{"arguments":{"a":{"$serde_json::private::RawValue":"1"}}}}"#,
        r#"{"x":{"a":1,"$serde_json::private::Number":"1"}}"#,
        r#"{"\u0024serde_json::private\u003a:RawValue":"1"}"#,
    ] {
        assert_eq!(refusal(text).map(|(reason, _)| reason), Some(Reason::ReservedKey), "{text}");
    }
    assert_eq!(refusal(r#"{"$serde_json":{"$schema":"$serde_json::private::RawValue"}}"#), None);
}

#[test]
fn bounds_hold_to_the_byte() {
    let limits = Limits { bytes: 40, depth: 3, key: 4, number: 5 };
    let refusal = |text: &str| scan(text.as_bytes(), &limits).err().map(|fault| fault.reason);
    assert_eq!(refusal(&format!("{{\"a\":\"{}\"}}", "x".repeat(32))), None);
    assert_eq!(refusal(&format!("{{\"a\":\"{}\"}}", "x".repeat(33))), Some(Reason::TooLong));
    assert_eq!(refusal(r#"{"a":[{}]}"#), None);
    assert_eq!(refusal(r#"{"a":[{"b":[]}]}"#), Some(Reason::TooDeep));
    assert_eq!(refusal(r#"{"abcd":12345}"#), None);
    assert_eq!(refusal(r#"{"abcde":1}"#), Some(Reason::LongKey));
    assert_eq!(refusal(r#"{"a":123456}"#), Some(Reason::LongNumber));
    assert_eq!(check(b"\xff", &limits).err(), Some(Fault { reason: Reason::NotUtf8, at: 0 }));
    assert_eq!(check(b"{\"a\":\"\xed\xa0\x80\"}", &limits).err().map(|f| f.reason), Some(Reason::NotUtf8));
}

#[test]
fn an_object_of_many_keys_is_compared_too() {
    let keys = |count: usize, last: &str| {
        let members: Vec<_> =
            (0..count).map(|n| format!("\"key{n}\":{n}")).chain([last.to_owned()]).collect();
        members.join(",")
    };
    for count in [1, 23, 24, 25, 26, 5_000] {
        for (open, close) in [("{", "}"), ("{\"params\":{", "}}"), ("{\"params\":{\"arguments\":{", "}}}")] {
            let text = |last: &str| format!("{open}{}{close}", keys(count, last));
            assert_eq!(refusal(&text("\"other\":1")), None);
            let twice = refusal(&text("\"k\\u0065y0\":1"));
            assert_eq!(twice.map(|(reason, _)| reason), Some(Reason::DuplicateKey), "{count} {open}");
        }
        let variant = refusal(&format!("{{\"params\":{{\"arguments\":{{{}}}}}}}", keys(count, "\"KEY0\":1")));
        assert_eq!(variant.map(|(reason, _)| reason), Some(Reason::CaseVariant), "{count}");
    }
}

#[test]
fn the_outline_knows_the_members_by_role_and_their_places() {
    let text = r#" {"jsonrpc":"2.0","params":{"name":"a","_meta":{"name":"b","m":[1]},"arguments":{"name":"c"}},"id":7} "#;
    let outline = scan(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(outline.root().text(), text.trim());
    assert_eq!(outline.get(Role::Params, "name").unwrap().text(), "\"a\"");
    assert_eq!(outline.get(Role::Meta, "name").unwrap().text(), "\"b\"");
    assert_eq!(outline.get(Role::Meta, "m").unwrap().text(), "[1]");
    assert_eq!(outline.get(Role::Params, "arguments").unwrap().text(), "{\"name\":\"c\"}");
    assert_eq!(outline.get(Role::Arguments, "name"), None);
    assert_eq!(outline.get(Role::Envelope, "name"), None);
    let id = outline.get(Role::Envelope, "id").unwrap();
    assert_eq!(&text[id.place()], "7");
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Whether some object of the text has a key twice, as an independent reader sees it.
fn has_duplicates(text: &str) -> bool {
    struct Keys;
    impl<'de> serde::de::DeserializeSeed<'de> for Keys {
        type Value = bool;
        fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
            reader.deserialize_any(self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = bool;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a value")
        }
        fn visit_unit<E>(self) -> Result<bool, E> {
            Ok(false)
        }
        fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
            Ok(false)
        }
        fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
            Ok(false)
        }
        fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
            Ok(false)
        }
        fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
            Ok(false)
        }
        fn visit_str<E>(self, _: &str) -> Result<bool, E> {
            Ok(false)
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
            let mut found = false;
            while let Some(inner) = seq.next_element_seed(Keys)? {
                found |= inner;
            }
            Ok(found)
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let (mut found, mut seen) = (false, HashMap::new());
            while let Some(key) = map.next_key::<String>()? {
                found |= seen.insert(key, ()).is_some();
                found |= map.next_value_seed(Keys)?;
            }
            Ok(found)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    serde::de::DeserializeSeed::deserialize(Keys, &mut reader).unwrap_or(false)
}

proptest! {
    #[test]
    fn what_another_writer_writes_is_accepted_and_reads_back(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let raw = check(text.as_bytes(), &Limits::default()).unwrap();
        // The other reader rounds a float once more, so both sides are read from text.
        let value = serde_json::from_str::<Value>(&text).unwrap();
        prop_assert_eq!(raw.text(), text.as_str());
        prop_assert_eq!(raw.members().count(), value.as_object().map_or(0, Map::len));
        for member in raw.members() {
            let wanted = &value[&*member.key.string().unwrap()];
            prop_assert_eq!(&serde_json::from_str::<Value>(member.value.text()).unwrap(), wanted);
        }
        for (element, wanted) in raw.elements().zip(value.as_array().into_iter().flatten()) {
            prop_assert_eq!(&serde_json::from_str::<Value>(element.text()).unwrap(), wanted);
        }
    }

    #[test]
    fn it_accepts_what_another_reader_accepts_but_for_the_named_refusals(
        value in json(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            "[\\[\\]{}:,\"\\\\ \\n0-9.eE+-]", "null", "true", "\"a\":1,", "\\\\ud83d", "\\\\ude00", "\\\\u00e9", ".",
        ]), 0..4),
    ) {
        let mut text = serde_json::to_string(&value).unwrap();
        for (place, insert) in edits {
            let mut at = place.index(text.len() + 1);
            while !text.is_char_boundary(at) { at -= 1; }
            text.insert_str(at, &insert);
        }
        let theirs = serde_json::from_str::<Value>(&text).is_ok();
        match check(text.as_bytes(), &Limits::default()) {
            Ok(_) => prop_assert!(theirs && !has_duplicates(&text), "accepted {}", text),
            Err(Fault { reason: Reason::DuplicateKey, .. }) => prop_assert!(!theirs || has_duplicates(&text)),
            Err(Fault { reason: Reason::LongNumber | Reason::LongKey | Reason::TooDeep, .. }) => {}
            Err(fault) => prop_assert!(!theirs, "refused {}: {}", text, fault),
        }
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(outline) = scan(&bytes, &Limits::default()) {
            prop_assert!(outline.root().members().count() < 200);
        }
    }

    #[test]
    fn any_soup_of_json_marks_gives_an_answer(text in "[\\[\\]{}:,\"\\\\ua0-2.eE-]{0,60}") {
        let theirs = serde_json::from_str::<Value>(&text).is_ok();
        match check(text.as_bytes(), &Limits::default()) {
            Ok(_) => prop_assert!(theirs),
            Err(Fault { reason: Reason::DuplicateKey, .. }) => {}
            Err(fault) => prop_assert!(!theirs, "refused {}: {}", text, fault),
        }
    }
}
