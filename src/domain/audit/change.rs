//! Before and after: what differs between two views, without secrets, in canonical form.

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// Texts outside before and after are cut here; names and notes are shorter by their own rules.
const MAX_TEXT: usize = 1000;
/// Deeper nesting is cut, so that every record can be read back within a JSON parser's own limit.
const MAX_DEPTH: usize = 32;
/// The largest whole number that every JSON reader keeps exactly (RFC 8785, section 3.2.2.3 and appendix
/// D).
const MAX_WHOLE: u64 = (1 << 53) - 1;
/// What stands where a carried secret stood.
const HIDDEN: &str = "***";

/// Words that make a field secret wherever they occur in its name.
const SECRET_WORDS: [&str; 16] = [
    "password",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "cookie",
    "authorization",
    "hash",
    "salt",
    "sealed",
    "private",
    "otp",
    "totp",
];
/// Names that are secret as a whole, though their words are innocent.
const SECRET_NAMES: [&str; 5] = ["key", "api_key", "code", "codes", "recovery_codes"];

/// A view in canonical form without its secret fields; nothing for an empty one.
pub(super) fn view(view: &impl Serialize) -> Option<Value> {
    serde_json::to_value(view).ok().and_then(present)
}

/// Only the fields that differ, on both sides.
pub(super) fn difference(before: Option<Value>, after: Option<Value>) -> (Option<Value>, Option<Value>) {
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => differing_fields(before, after),
        (before, after) if before == after => (None, None),
        sides => sides,
    }
}

/// A text without secrets of ours and without the zero byte that Postgres refuses, of bounded length.
pub(super) fn plain_text(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let text = hide_tokens(text);
    text.chars().take(MAX_TEXT).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Makes a text one that [`plain_text`] leaves as it is.
pub(super) fn make_plain(text: &mut String) {
    if !is_plain(text) {
        *text = plain_text(text);
    }
}

fn is_plain(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.contains('\0') && !looks_like_token(text)
}

/// The canonical form of a value: secrets dropped, members ordered, numbers whole, depth bounded.
fn present(value: Value) -> Option<Value> {
    match canonical(value, 0) {
        Value::Null => None,
        Value::Object(map) if map.is_empty() => None,
        value => Some(value),
    }
}

fn canonical(value: Value, depth: usize) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) if depth >= MAX_DEPTH => Value::String("…".to_owned()),
        Value::Object(map) => {
            let members = map.into_iter().filter(|(name, _)| !is_secret(name));
            Value::Object(in_key_order(
                members.map(|(name, value)| (hide_tokens(&name), canonical(value, depth + 1))).collect(),
            ))
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| canonical(item, depth + 1)).collect())
        }
        Value::Number(number) if !is_whole(&number) => Value::String(number.to_string()),
        Value::String(text) => Value::String(hide_tokens(&text)),
        other => other,
    }
}

/// Member names are ordered by UTF-16 code units (RFC 8785, section 3.2.3).
pub(super) fn key_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// Fractions and huge numbers are kept as text: readers disagree about their digits.
pub(super) fn is_whole(number: &Number) -> bool {
    number.as_u64().is_some_and(|n| n <= MAX_WHOLE)
        || number.as_i64().is_some_and(|n| n.unsigned_abs() <= MAX_WHOLE)
}

fn differing_fields(
    before: Map<String, Value>,
    mut after: Map<String, Value>,
) -> (Option<Value>, Option<Value>) {
    let mut was = Map::new();
    let mut is = Map::new();
    for (name, old) in before {
        match after.shift_remove(&name) {
            Some(new) if new == old => {}
            Some(new) => {
                let (old, new) = difference(Some(old), Some(new));
                was.extend(old.map(|old| (name.clone(), old)));
                is.extend(new.map(|new| (name, new)));
            }
            None => {
                was.insert(name, old);
            }
        }
    }
    is.extend(after);
    let side = |members: Map<String, Value>| {
        (!members.is_empty()).then(|| Value::Object(in_key_order(members.into_iter().collect())))
    };
    (side(was), side(is))
}

fn in_key_order(mut members: Vec<(String, Value)>) -> Map<String, Value> {
    members.sort_by(|(a, _), (b, _)| key_order(a, b));
    members.into_iter().collect()
}

fn is_secret(field: &str) -> bool {
    let words = snake_case(field);
    SECRET_NAMES.contains(&words.as_str()) || words.split('_').any(|word| SECRET_WORDS.contains(&word))
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    out
}

/// Replaces everything that has the form of a secret we hand out (see `base::crypto::token`), also inside a
/// URL.
fn hide_tokens(text: &str) -> String {
    if !looks_like_token(text) {
        return text.to_owned();
    }
    let in_token = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(in_token) {
        let end = rest[start..].find(|c| !in_token(c)).map_or(rest.len(), |length| start + length);
        out.push_str(&rest[..start]);
        out.push_str(if looks_like_token(&rest[start..end]) { HIDDEN } else { &rest[start..end] });
        rest = &rest[end..];
    }
    out + rest
}

/// `pr?_` and at least 256 bits of base32 or base62 behind it.
fn looks_like_token(word: &str) -> bool {
    word.match_indices("pr").any(|(at, _)| {
        let bytes = &word.as_bytes()[at..];
        bytes.len() >= 4 + 43 && bytes[3] == b'_' && bytes[4..].iter().take(43).all(u8::is_ascii_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{
        crypto::token::{Token, TokenKind},
        ids::InvitationId,
    };
    use serde_json::json;

    #[test]
    fn only_what_differs_is_kept() {
        let before = view(&json!({"name": "A", "slug": "a", "limits": {"calls": 1, "keys": 2}, "gone": 1}));
        let after = view(&json!({"name": "B", "slug": "a", "limits": {"calls": 1, "keys": 3}, "came": null}));
        let (before, after) = difference(before, after);
        assert_eq!(before, Some(json!({"gone": 1, "limits": {"keys": 2}, "name": "A"})));
        assert_eq!(after, Some(json!({"came": null, "limits": {"keys": 3}, "name": "B"})));
    }

    #[test]
    fn secret_fields_are_dropped_at_every_depth() {
        let seen = view(&json!({
            "name": "A", "password": "x", "tokenHash": "x", "api_key": "x", "client-secret": "x",
            "inner": [{"privateKey": "x", "recovery_codes": ["x"], "kind": "totally fine"}]
        }));
        assert_eq!(seen, Some(json!({"inner": [{"kind": "totally fine"}], "name": "A"})));
    }

    #[test]
    fn a_carried_secret_is_hidden_wherever_it_stands() {
        let token = Token::issue(TokenKind::Invitation, InvitationId::fresh());
        let url = format!("https://example.com/join/{}?x=1", token.text().expose());
        assert_eq!(view(&json!({ "url": url })), Some(json!({"url": "https://example.com/join/***?x=1"})));
        assert_eq!(plain_text(&url), "https://example.com/join/***?x=1");
        assert_eq!(plain_text(&format!("x_{}", token.text().expose())), "***");
        assert_eq!(plain_text("prose about proxies, prv_short"), "prose about proxies, prv_short");
    }

    #[test]
    fn numbers_that_readers_disagree_about_become_text() {
        assert_eq!(
            view(&json!({"a": 1.5, "b": u64::MAX, "c": -7})),
            Some(json!({"a": "1.5", "b": "18446744073709551615", "c": -7}))
        );
    }

    #[test]
    fn endless_depth_is_cut() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        let text = view(&json!({ "deep": deep })).expect("a view").to_string();
        assert_eq!(text.matches('[').count(), MAX_DEPTH - 1);
    }

    #[test]
    fn zero_bytes_and_endless_names_do_not_reach_the_database() {
        assert_eq!(plain_text("a\0b"), "a\u{fffd}b");
        assert_eq!(plain_text(&"é".repeat(5000)).chars().count(), MAX_TEXT);
    }
}
