//! A JSON value as it stands in a checked text: its bytes, its place, and a way further in.
//!
//! Invariant: a [`Raw`] is cut out of a text that passed the strict scan, so walking it needs no second check.

use std::{borrow::Cow, ops::Range};

use crate::protocol::mcp::strict::chars::{plain_end, unescape};

/// One JSON value inside a checked text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a> {
    text: &'a str,
    at: usize,
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number of any form.
    Number,
    /// A text in quotation marks.
    String,
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key, with its quotation marks.
    pub key: Raw<'a>,
    /// The value.
    pub value: Raw<'a>,
}

impl<'a> Raw<'a> {
    /// A value that the scan has just found; `text` is all of it and begins at byte `at` of the whole.
    pub(in crate::protocol::mcp) const fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// The text, byte for byte.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Which bytes of the whole text it takes.
    pub const fn place(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// What kind of value it is.
    pub fn kind(&self) -> Kind {
        match self.text.as_bytes().first() {
            Some(b'"') => Kind::String,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// What the string says, or nothing where it is none.
    pub fn string(&self) -> Option<Cow<'a, str>> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        Some(if inner.contains('\\') { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) })
    }

    /// Whether it is a string that says exactly this.
    pub fn says(&self, wanted: &str) -> bool {
        self.string().is_some_and(|said| said == wanted)
    }

    /// Whether it is a number without fraction and exponent, of any size.
    pub fn is_integer(&self) -> bool {
        self.kind() == Kind::Number && self.text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
    }

    /// The integer, or nothing where it is none or does not fit.
    pub fn integer(&self) -> Option<i64> {
        if self.is_integer() { self.text.parse().ok() } else { None }
    }

    /// The truth value, or nothing where it is none.
    pub fn boolean(&self) -> Option<bool> {
        match self.text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The members of an object in the order written; none of anything else.
    pub fn members(&self) -> Members<'a> {
        Members(Walk::into(*self, Kind::Object))
    }

    /// The elements of an array; none of anything else.
    pub fn elements(&self) -> Elements<'a> {
        Elements(Walk::into(*self, Kind::Array))
    }

    /// The member of an object with this key.
    pub fn get(&self, key: &str) -> Option<Raw<'a>> {
        self.members().find(|member| member.key.says(key)).map(|member| member.value)
    }

    /// The value reached by these keys, one object after the other.
    pub fn reach<S: AsRef<str>>(&self, path: &[S]) -> Option<Raw<'a>> {
        path.iter().try_fold(*self, |value, key| value.get(key.as_ref()))
    }
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'a>(Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let key = self.0.value()?;
        let value = self.0.value()?;
        Some(Member { key, value })
    }
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a>(Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.0.value()
    }
}

/// Steps from value to value inside one container whose grammar has been checked.
#[derive(Clone, Debug)]
struct Walk<'a> {
    whole: Raw<'a>,
    next: usize,
}

impl<'a> Walk<'a> {
    fn into(whole: Raw<'a>, kind: Kind) -> Self {
        let next = if whole.kind() == kind { 1 } else { whole.text.len() };
        Self { whole, next }
    }

    /// The next value: separators and spaces before it need no look, their grammar being known.
    fn value(&mut self) -> Option<Raw<'a>> {
        let bytes = self.whole.text.as_bytes();
        let skipped = bytes.get(self.next..)?.iter().position(|b| !b" \t\r\n,:".contains(b))?;
        let start = self.next + skipped;
        if matches!(bytes[start], b']' | b'}') {
            self.next = bytes.len();
            return None;
        }
        self.next = end_of_value(bytes, start);
        Some(Raw::new(self.whole.text.get(start..self.next)?, self.whole.at + start))
    }
}

/// Where the value that starts here ends.
fn end_of_value(bytes: &[u8], start: usize) -> usize {
    match bytes[start] {
        b'"' => end_of_string(bytes, start),
        b'{' | b'[' => end_of_container(bytes, start),
        _ => {
            let ends = |b: &u8| matches!(b, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n');
            bytes[start..].iter().position(ends).map_or(bytes.len(), |length| start + length)
        }
    }
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = plain_end(bytes, start + 1);
    while bytes.get(at).is_some_and(|b| *b != b'"') {
        at = plain_end(bytes, at + 2);
    }
    (at + 1).min(bytes.len())
}

fn end_of_container(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use crate::protocol::mcp::{
        raw::{Kind, Raw},
        strict::{Limits, check},
    };

    fn raw(text: &str) -> Raw<'_> {
        check(text.as_bytes(), &Limits::default()).expect("a good text")
    }

    #[test]
    fn members_and_elements_come_in_order_with_their_places() {
        let text = r#" { "a" : [ 1 , "x,\"]" , {} , [ ] ] , "b\u0063":-2.5e3 ,"d":{"e":null} } "#;
        let whole = raw(text);
        let members: Vec<_> = whole.members().map(|m| (m.key.string().unwrap(), m.value.text())).collect();
        let wanted = [("a", r#"[ 1 , "x,\"]" , {} , [ ] ]"#), ("bc", "-2.5e3"), ("d", r#"{"e":null}"#)];
        assert_eq!(members, wanted.map(|(key, value)| (key.into(), value)));
        let elements: Vec<_> = whole.get("a").unwrap().elements().collect();
        assert_eq!(elements.iter().map(Raw::text).collect::<Vec<_>>(), ["1", r#""x,\"]""#, "{}", "[ ]"]);
        for value in elements {
            assert_eq!(&text[value.place()], value.text());
        }
        assert_eq!(whole.reach(&["d", "e"]).unwrap().kind(), Kind::Null);
        assert_eq!(whole.reach(&["d", "f"]), None);
    }

    #[test]
    fn a_value_of_another_kind_has_no_members_no_text_and_no_number() {
        for text in ["null", "true", "3", "\"x\"", "[{\"a\":1}]"] {
            assert_eq!(raw(text).members().count(), 0, "{text}");
        }
        assert_eq!(raw("{\"a\":1}").elements().count(), 0);
        assert_eq!(raw("3").string(), None);
        assert_eq!(raw("\"3\"").integer(), None);
        assert_eq!(raw("1.0").integer(), None);
        assert_eq!(raw("1e2").integer(), None);
        assert_eq!(raw("-7").integer(), Some(-7));
        assert_eq!(raw("99999999999999999999").integer(), None);
        assert!(raw("99999999999999999999").is_integer());
        assert_eq!(raw("\"true\"").boolean(), None);
    }
}
