//! The strict scan, the message and its params: what is accepted is JSON, and means what any reader takes it for.

use portreeve::protocol::mcp::{
    canonical::canonical,
    list::Listing,
    message::{self, Message, Outcome},
    method::ListKind,
    params::Params,
    raw::{Kind, Raw},
    schema::Tool,
    strict::{self, Limits},
};
use serde_json::Value;

pub(crate) fn envelope(input: &[u8]) {
    let limits = Limits::of(1 << 16);
    if let Ok(raw) = strict::check(input, &limits) {
        let text = std::str::from_utf8(input).expect("what passes is UTF-8");
        let value: Value = serde_json::from_str(text).expect("what passes is JSON");
        same(raw, &value, text);
        stays_canonical(raw, &value, &limits);
        if raw.kind() == Kind::Object {
            let _ = Tool::read(raw).map(|tool| (tool.mirrors(), tool.fingerprint_input()));
        }
    }
    match message::parse(input, &limits) {
        Ok(message) => {
            assert!(strict::check(input, &limits).is_ok(), "a message is a text");
            read(&message, input);
        }
        Err(malformed) => {
            assert!(!malformed.fault.code().is_empty());
            if let Some(id) = malformed.id {
                assert_eq!(&input[id.raw().place()], id.raw().text().as_bytes());
            }
        }
    }
    // Tighter bounds refuse more and never less.
    let tight = Limits { bytes: 64, depth: 3, key: 8, number: 4 };
    assert!(strict::check(input, &tight).is_err() || strict::check(input, &limits).is_ok());
}

/// The walk over the text and the value that another parser reads agree.
fn same(raw: Raw<'_>, value: &Value, whole: &str) {
    assert_eq!(&whole[raw.place()], raw.text());
    match value {
        Value::Null => assert_eq!(raw.kind(), Kind::Null),
        Value::Bool(is_true) => assert_eq!(raw.boolean(), Some(*is_true)),
        Value::Number(number) => {
            assert_eq!(raw.kind(), Kind::Number);
            if let (Some(read), Some(other)) = (raw.integer(), number.as_i64()) {
                assert_eq!(read, other);
            }
        }
        Value::String(text) => assert_eq!(raw.string().as_deref(), Some(text.as_str())),
        Value::Array(elements) => {
            assert_eq!(raw.elements().count(), elements.len());
            raw.elements().zip(elements).for_each(|(raw, value)| same(raw, value, whole));
        }
        Value::Object(members) => {
            // A key that came twice would be one member for the other parser.
            assert_eq!(raw.members().count(), members.len());
            for (member, (key, value)) in raw.members().zip(members) {
                assert!(member.key.says(key));
                same(member.value, value, whole);
            }
        }
    }
}

/// The canonical form says the same and is its own canonical form.
fn stays_canonical(raw: Raw<'_>, value: &Value, limits: &Limits) {
    let once = canonical(raw);
    let roomy = Limits { bytes: once.len(), key: 1 << 16, number: 1 << 16, ..*limits };
    let again = strict::check(&once, &roomy).expect("the canonical form is a text");
    assert_eq!(canonical(again), once);
    assert_eq!(serde_json::from_slice::<Value>(&once).ok().as_ref().map(kinds), Some(kinds(value)));
}

/// A value without the spelling of its numbers and the order of its members.
fn kinds(value: &Value) -> Value {
    match value {
        Value::Number(_) => Value::from(0),
        Value::Array(elements) => elements.iter().map(kinds).collect(),
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().map(|(key, value)| (key.clone(), kinds(value))).collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(sorted.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn read(message: &Message<'_>, input: &[u8]) {
    match message {
        Message::Request(request) => {
            assert_eq!(&input[request.id.raw().place()], request.id.raw().text().as_bytes());
            assert!(request.method_raw().says(request.method().name()));
            assert!(!request.id.key().is_empty());
            read_params(&request.params);
        }
        Message::Notification(notification) => read_params(&notification.params),
        Message::Response(response) => {
            let _ = (response.error_code(), response.error_data(), response.meta("a"));
            if let Outcome::Result(result) = response.outcome {
                for kind in [ListKind::Tools, ListKind::Prompts, ListKind::Resources, ListKind::Templates] {
                    let _ = Listing::read(kind, result)
                        .map(|list| (list.next_cursor(), list.ttl_ms(), list.cache_scope()));
                }
            }
        }
    }
}

fn read_params(params: &Params<'_>) {
    let _ = (params.name(), params.uri(), params.arguments(), params.cursor(), params.request_state());
    let _ = (params.input_responses(), params.task_id(), params.request_id(), params.progress_token());
    let _ = (params.protocol_version(), params.client(), params.raw());
    if let Some(raw) = params.raw() {
        for member in raw.members() {
            let key = member.key.string().expect("a key is a string");
            if let Some(value) = params.get(&key) {
                assert_eq!(value, member.value, "a member is what it says everywhere");
            }
        }
    }
}
