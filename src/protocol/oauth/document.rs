//! What a provider answered, and paths into it such as `data.viewer.name`, `[0].id` and `emails[primary].value`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde_json::{Map, Value};

use crate::base::secret::Secret;

/// A document is read only up to this length.
pub const LONGEST: usize = 256 * 1024;
/// A text taken out of a document is at most so long.
const LONGEST_TEXT: usize = 1_000;
const MOST_STEPS: usize = 12;

/// Texts by name, such as a tenant's id, that came with an answer or a callback.
pub type Facts = BTreeMap<String, String>;

/// A JSON document of somebody else's, of which only single texts are taken.
#[derive(Clone, Default)]
pub struct Document(Value);

/// The bytes are no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no JSON document within bounds")]
pub struct NotADocument;

impl Document {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`NotADocument`], also for one that is too long or too deep.
    pub fn read(bytes: &[u8]) -> Result<Self, NotADocument> {
        if bytes.len() > LONGEST {
            return Err(NotADocument);
        }
        serde_json::from_slice(bytes).map(Self).map_err(|_| NotADocument)
    }

    /// Reads an object that is written as JSON, or as a form by providers that answer so.
    ///
    /// # Errors
    /// [`NotADocument`].
    pub fn read_object(bytes: &[u8]) -> Result<Self, NotADocument> {
        match Self::read(bytes) {
            Ok(Self(object @ Value::Object(_))) => Ok(Self(object)),
            Ok(_) => Err(NotADocument),
            Err(_) => Self::read_form(bytes).ok_or(NotADocument),
        }
    }

    fn read_form(bytes: &[u8]) -> Option<Self> {
        let is_form = |b: &u8| b.is_ascii_graphic() && !b"<>{}\"".contains(b);
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() || bytes.len() > LONGEST || !bytes.contains(&b'=') || !bytes.iter().all(is_form) {
            return None;
        }
        let pairs = url::form_urlencoded::parse(bytes);
        Some(Self(Value::Object(pairs.map(|(name, value)| (name.into_owned(), value.into())).collect())))
    }

    pub(super) const fn value(&self) -> &Value {
        &self.0
    }

    pub(super) fn object_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.0.as_object_mut()
    }

    /// The text, number or truth value at a path, cleaned of what could not be shown; nothing where there is none.
    pub fn text(&self, path: &Path) -> Option<String> {
        scalar(path.find(&self.0)?)
    }

    /// The texts at these paths, each under its path.
    pub fn facts(&self, paths: &[Path]) -> Facts {
        paths.iter().filter_map(|path| Some((path.to_string(), self.text(path)?))).collect()
    }
}

/// It may hold what nobody should read.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(***)")
    }
}

/// Takes a text out of an object, so that only the secret holds it.
pub(super) fn take_secret(object: &mut Map<String, Value>, key: &str) -> Option<Secret<String>> {
    match object.remove(key)? {
        Value::String(text) if !text.is_empty() => Some(Secret::new(text)),
        _ => None,
    }
}

/// The whole number of a number, or of a text that says one.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        // Some count in fractions of a second.
        Value::Number(number) => number.as_u64().or_else(|| {
            let number = number.as_f64().filter(|number| (0.0..1e15).contains(number))?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range was checked"
            )]
            Some(number as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => clean(text, LONGEST_TEXT),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A text without control characters, marks that turn the direction of writing, and doubled spaces; cut to a length.
pub(super) fn clean(text: &str, longest: usize) -> String {
    let is_unseen = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let seen = |c: char| if c.is_control() || is_unseen(c) { ' ' } else { c };
    let text: String = text.chars().take(longest).map(seen).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where in a document something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A member of an object.
    Key(String),
    /// An element of an array.
    At(usize),
    /// The first element in which this member is true.
    Where(String),
}

/// A text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path is written as in data.name, [0].id or emails[primary].value")]
pub struct NotAPath;

impl Path {
    pub(super) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::At(index) => value.get(index),
            Step::Where(key) => {
                value.as_array()?.iter().find(|one| one.get(key).and_then(Value::as_bool) == Some(true))
            }
        })
    }

    /// Whether what stands there carries a secret by its name.
    pub fn is_of_secret(&self) -> bool {
        matches!(self.0.last(), Some(Step::Key(key)) if key.contains("token") || key.contains("secret"))
    }
}

impl FromStr for Path {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (inner, behind) = inner.split_once(']').ok_or(NotAPath)?;
                let is_index = !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit());
                steps.push(if is_index {
                    Step::At(inner.parse().map_err(|_| NotAPath)?)
                } else {
                    Step::Where(key(inner)?)
                });
                rest = behind;
                if rest.is_empty() || rest.starts_with('[') {
                    continue;
                }
                rest = rest.strip_prefix('.').filter(|rest| !rest.is_empty()).ok_or(NotAPath)?;
                continue;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::Key(key(&rest[..end])?));
            rest = &rest[end..];
            if let Some(behind) = rest.strip_prefix('.') {
                rest =
                    Some(behind).filter(|rest| !rest.is_empty() && !rest.starts_with('[')).ok_or(NotAPath)?;
            }
        }
        if steps.is_empty() || steps.len() > MOST_STEPS { Err(NotAPath) } else { Ok(Self(steps)) }
    }
}

fn key(text: &str) -> Result<String, NotAPath> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_good = !text.is_empty() && text.len() <= 100 && text.chars().all(is_key);
    if is_good { Ok(text.to_owned()) } else { Err(NotAPath) }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::At(index) => write!(f, "[{index}]")?,
                Step::Where(key) => write!(f, "[{key}]")?,
            }
        }
        Ok(())
    }
}

impl<'de> serde::Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(json: &str, path: &str) -> Option<String> {
        Document::read(json.as_bytes()).expect("JSON").text(&path.parse().expect("a path"))
    }

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        assert_eq!(text(r#"{"data":{"me":{"name":" Ada  L "}}}"#, "data.me.name").as_deref(), Some("Ada L"));
        assert_eq!(text(r#"[{"id":7}]"#, "[0].id").as_deref(), Some("7"));
        assert_eq!(text(r#"[[1,2]]"#, "[0][1]").as_deref(), Some("2"));
        let emails = r#"{"emails":[{"value":"a@x"},{"value":"b@x","primary":true}]}"#;
        assert_eq!(text(emails, "emails[primary].value").as_deref(), Some("b@x"));
        assert_eq!(text(emails, "emails[verified].value"), None);
        for (json, path) in [
            ("{}", "a"),
            (r#"{"a":{}}"#, "a"),
            (r#"{"a":null}"#, "a"),
            (r#"{"a":" \n"}"#, "a"),
            ("[]", "[0]"),
        ] {
            assert_eq!(text(json, path), None, "{json}");
        }
    }

    #[test]
    fn what_could_not_be_shown_is_taken_out() {
        assert_eq!(text(r#"{"a":"x\u0000\u202ey\nz"}"#, "a").as_deref(), Some("x y z"));
        assert_eq!(
            text(&format!(r#"{{"a":"{}"}}"#, "é".repeat(5_000)), "a").map(|t| t.chars().count()),
            Some(1_000)
        );
    }

    #[test]
    fn texts_that_are_no_paths_are_refused() {
        for text in
            ["", ".", "a.", ".a", "a..b", "[", "[]", "[0", "a.[0]", "[0].", "[0]a", "a b", "a[-1]x", "é"]
        {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
        assert!("a.b".parse::<Path>().is_ok_and(|path| path.to_string() == "a.b"));
        assert!("a.access_token".parse::<Path>().is_ok_and(|path| path.is_of_secret()));
    }

    #[test]
    fn forms_are_objects_and_pages_are_not() {
        let form = Document::read_object(b"access_token=a%2Fb&scope=x%2Cy").expect("a form");
        assert_eq!(form.text(&"access_token".parse().expect("a path")).as_deref(), Some("a/b"));
        for bytes in [&b"<html><a href=\"x=y\">"[..], b"", b"[1]", b"\"x\"", b"nothing", b"a=b\0", b"{\"a\":"]
        {
            assert!(Document::read_object(bytes).is_err(), "{bytes:?}");
        }
        assert!(Document::read(&vec![b' '; LONGEST + 1]).is_err());
        assert!(Document::read("[".repeat(100_000).as_bytes()).is_err(), "too deep");
    }

    proptest! {
        #[test]
        fn a_path_reads_back(text in "[a-z.\\[\\]0-9_-]{0,30}") {
            if let Ok(path) = text.parse::<Path>() {
                prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path));
            }
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Document::read_object(&bytes);
        }
    }
}
