//! The digest of a wire object, independent of the order of its members and of white space.
//!
//! Canonical form: members in the order of their names' bytes, no white space, texts escaped one way, numbers
//! letter for letter as they came: a reader that rounds would let two different definitions share a digest.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::base::crypto::digest;

/// How deep a definition may be nested.
const DEEPEST: usize = 100;

/// SHA-256 of the canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

/// The text is not one JSON value with one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is no JSON, is nested too deeply, or names a member twice")]
pub struct NotCanonical;

impl Fingerprint {
    /// The digest of a JSON text.
    ///
    /// # Errors
    /// When the text is no JSON, is nested too deeply or names a member twice.
    pub fn of(json: &str) -> Result<Self, NotCanonical> {
        Ok(Self(digest::sha256(canonical(json)?.as_bytes())))
    }

    /// Reads what the database keeps; `None` for another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The first letters, for people to compare.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The canonical form of a JSON text.
///
/// # Errors
/// When the text is no JSON, is nested too deeply or names a member twice.
pub fn canonical(json: &str) -> Result<String, NotCanonical> {
    let mut out = String::with_capacity(json.len());
    write_value(json.trim_ascii(), DEEPEST, &mut out)?;
    Ok(out)
}

fn write_value(json: &str, depth: usize, out: &mut String) -> Result<(), NotCanonical> {
    let depth = depth.checked_sub(1).ok_or(NotCanonical)?;
    match json.as_bytes().first() {
        Some(b'{') => write_object(json, depth, out),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| NotCanonical)?;
            out.push('[');
            for (i, item) in items.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item.get(), depth, out)?;
            }
            out.push(']');
            Ok(())
        }
        Some(b'"') => {
            let text: Cow<'_, str> = serde_json::from_str::<Text<'_>>(json).map_err(|_| NotCanonical)?.0;
            write_text(&text, out)
        }
        _ => {
            // A number or a word: checked, and kept letter for letter.
            let raw: &RawValue = serde_json::from_str(json).map_err(|_| NotCanonical)?;
            out.push_str(raw.get());
            Ok(())
        }
    }
}

fn write_object(json: &str, depth: usize, out: &mut String) -> Result<(), NotCanonical> {
    let Members(mut members) = serde_json::from_str(json).map_err(|_| NotCanonical)?;
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(NotCanonical);
    }
    out.push('{');
    for (i, (name, value)) in members.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_text(&name, out)?;
        out.push(':');
        write_value(value.get(), depth, out)?;
    }
    out.push('}');
    Ok(())
}

fn write_text(text: &str, out: &mut String) -> Result<(), NotCanonical> {
    out.push_str(&serde_json::to_string(text).map_err(|_| NotCanonical)?);
    Ok(())
}

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object in the order in which they stand, doubles included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        d.deserialize_map(Walk).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_and_white_space_do_not_matter_and_numbers_do() {
        let a = r#"{"b":[1,2.0,{"y":null,"x":"\u0041\/"}],"a":true}"#;
        let b = "{ \"a\" : true,\n\"b\": [1, 2.0, {\"x\": \"A/\", \"y\": null}] }";
        assert_eq!(canonical(a).expect("JSON"), r#"{"a":true,"b":[1,2.0,{"x":"A/","y":null}]}"#);
        assert_eq!(Fingerprint::of(a), Fingerprint::of(b));
        for (one, other) in [
            ("[1]", "[1.0]"),
            ("[9007199254740993]", "[9007199254740992]"),
            ("[1,2]", "[2,1]"),
            (r#"{"a":1}"#, r#"{"A":1}"#),
        ] {
            assert_ne!(Fingerprint::of(one), Fingerprint::of(other), "{one} {other}");
        }
    }

    #[test]
    fn what_has_two_readings_or_none_has_no_digest() {
        for bad in ["", "{", r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, "[1]x", "01", "nul", r#""\ud800""#]
        {
            assert_eq!(canonical(bad), Err(NotCanonical), "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
        assert_eq!(canonical(&deep), Err(NotCanonical));
    }

    #[test]
    fn a_digest_reads_back_from_its_bytes() {
        let digest = Fingerprint::of("{}").expect("JSON");
        assert_eq!(Fingerprint::from_bytes(&digest.0), Some(digest));
        assert_eq!(Fingerprint::from_bytes(&[0; 31]), None);
        assert_eq!(digest.short(), "44136fa355b3");
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own(
            members in proptest::collection::hash_map(".{0,8}", (any::<i64>(), ".{0,8}", any::<bool>()), 0..8),
        ) {
            let json = serde_json::to_string(&members).expect("JSON");
            let once = canonical(&json).expect("canonical");
            prop_assert_eq!(canonical(&once).expect("canonical"), once);
        }

        #[test]
        fn reading_never_panics(text in ".{0,60}") {
            let _ = canonical(&text);
        }
    }
}
