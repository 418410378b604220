//! One event as it came, and a look at its fields.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use crate::protocol::mcp::sse::write::{self, BadField};

/// One event, or a comment, with the empty line that ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    raw: Bytes,
    is_first: bool,
}

/// One field of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name; a comment has none.
    pub name: &'a [u8],
    /// Its value, without the one space that may come before it.
    pub value: &'a [u8],
    /// Where the value stands in the event.
    place: Range<usize>,
    /// Where the line stands in the event, with its end.
    line: Range<usize>,
}

impl Event {
    pub(super) const fn new(raw: Bytes, is_first: bool) -> Self {
        Self { raw, is_first }
    }

    /// The bytes as they came.
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Whether the empty line that ends an event has come.
    pub fn is_complete(&self) -> bool {
        let ends = |ending: &[u8]| self.raw.ends_with(ending);
        let is_blank = self.raw.iter().all(|b| matches!(b, b'\r' | b'\n'));
        is_blank || ends(b"\n\n") || ends(b"\r\r") || ends(b"\n\r") || ends(b"\n\r\n") || ends(b"\r\r\n")
    }

    /// The fields in the order written, comments included.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let has_mark = self.is_first && self.raw.starts_with("\u{feff}".as_bytes());
        let mut at = if has_mark { 3 } else { 0 };
        std::iter::from_fn(move || {
            let (text, line) = next_line(&self.raw, at)?;
            at = line.end;
            Some((text, line))
        })
        .filter(|(text, _)| !text.is_empty())
        .map(|(text, line)| Field::read(&self.raw, text, line))
    }

    /// The data: one line as it stands, several joined by line feeds, nothing where there is no such field.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        let mut lines = self.fields().filter(|field| field.name == b"data").map(|field| field.value);
        let first = lines.next()?;
        let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
        let mut data = [first, b"\n", second].concat();
        for line in lines {
            data.push(b'\n');
            data.extend_from_slice(line);
        }
        Some(Cow::Owned(data))
    }

    /// The id that it sets; one with a null character sets none.
    pub fn id(&self) -> Option<&[u8]> {
        self.last(b"id", |id| !id.contains(&0))
    }

    /// The type of the event, where it names one.
    pub fn kind(&self) -> Option<&[u8]> {
        self.last(b"event", |_| true)
    }

    /// How many milliseconds to wait before connecting again.
    pub fn retry(&self) -> Option<u64> {
        let digits =
            self.last(b"retry", |value| !value.is_empty() && value.iter().all(u8::is_ascii_digit))?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The event with another value in its field `id`, and every other byte as it came; without that field, unchanged.
    ///
    /// # Errors
    /// When the id could not stand in one line.
    pub fn with_id(&self, id: &str) -> Result<Self, BadField> {
        write::check("id", id)?;
        let fields = self.fields().filter(|field| field.name == b"id");
        Ok(self.rewritten(fields.map(|field| {
            // A name without a colon has an empty value, too.
            let is_bare = field.line.start + field.name.len() == field.place.end;
            let value = if is_bare { format!(": {id}") } else { id.to_owned() };
            (field.place, Cow::Owned(value.into_bytes()))
        })))
    }

    /// The event with other data, and every other byte as it came; without that field, unchanged.
    #[must_use]
    pub fn with_data(&self, data: &[u8]) -> Self {
        let mut lines = Vec::with_capacity(data.len() + 8);
        let places = self.fields().filter(|field| field.name == b"data");
        self.rewritten(places.enumerate().map(|(at, field)| {
            if at == 0 {
                let has_both = self.raw[field.line.clone()].ends_with(b"\r\n");
                write::data(&mut lines, data, if has_both { b"\r\n" } else { b"\n" });
            }
            (field.line, Cow::Owned(std::mem::take(&mut lines)))
        }))
    }

    fn last(&self, name: &[u8], is_good: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        let fields = self.fields().filter(|field| field.name == name && is_good(field.value));
        fields.last().map(|field| field.value)
    }

    /// The event with these places, which come in order, written anew.
    fn rewritten<'b>(&self, places: impl Iterator<Item = (Range<usize>, Cow<'b, [u8]>)>) -> Self {
        let (mut out, mut at) = (Vec::with_capacity(self.raw.len()), 0);
        for (place, with) in places {
            out.extend_from_slice(&self.raw[at..place.start]);
            out.extend_from_slice(&with);
            // A return before a line that goes and a line feed behind it must not become the ending of one line.
            if with.is_empty() && out.ends_with(b"\r") && self.raw[place.end..].starts_with(b"\n") {
                out.extend_from_slice(b":\n");
            }
            at = place.end;
        }
        out.extend_from_slice(&self.raw[at..]);
        Self { raw: Bytes::from(out), is_first: self.is_first }
    }
}

impl<'a> Field<'a> {
    fn read(raw: &'a [u8], text: Range<usize>, line: Range<usize>) -> Self {
        let whole = &raw[text.clone()];
        let colon = whole.iter().position(|b| *b == b':').unwrap_or(whole.len());
        let rest = whole.get(colon + 1..).unwrap_or_default();
        let value = rest.strip_prefix(b" ").unwrap_or(rest);
        let place = text.end - value.len()..text.end;
        Self { name: &whole[..colon], value, place, line }
    }
}

/// The places of the line that begins at `at`: of its text, and of the text with what ends it.
fn next_line(raw: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let rest = raw.get(at..).filter(|rest| !rest.is_empty())?;
    let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
        return Some((at..raw.len(), at..raw.len()));
    };
    let ending = if rest[length..].starts_with(b"\r\n") { 2 } else { 1 };
    Some((at..at + length, at..at + length + ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(raw: &'static str) -> Event {
        Event::new(Bytes::from_static(raw.as_bytes()), true)
    }

    #[test]
    fn fields_are_read_by_the_standard() {
        let event = event(
            "\u{feff}:hi\nid: 1\nid:2\r\ndata\rdata:  x\ndata:y:z\nevent: a\nretry: 20\nretry: -1\nother\n\n",
        );
        assert_eq!(event.id(), Some(&b"2"[..]));
        assert_eq!(event.kind(), Some(&b"a"[..]));
        assert_eq!(event.retry(), Some(20));
        assert_eq!(event.data().as_deref(), Some(&b"\n x\ny:z"[..]));
        let names: Vec<_> = event.fields().map(|field| field.name).collect();
        assert_eq!(
            names,
            [&b""[..], b"id", b"id", b"data", b"data", b"data", b"event", b"retry", b"retry", b"other"]
        );
    }

    #[test]
    fn data_of_one_line_is_not_copied_and_no_data_is_not_empty_data() {
        assert!(matches!(event("data: x\n\n").data(), Some(Cow::Borrowed(b"x"))));
        assert_eq!(event(": keep-alive\n\n").data(), None);
        assert_eq!(event("id: 1\ndata:\n\n").data().as_deref(), Some(&b""[..]));
        assert_eq!(event("id: a\0b\n\n").id(), None);
    }

    #[test]
    fn an_event_is_rewritten_only_where_asked() {
        let event = event(":c\r\nid:7\r\nx: 1\r\ndata: {\r\ndata: }\r\nretry: 3\r\n\r\n");
        let with_id = event.with_id("sealed").unwrap();
        assert_eq!(with_id.raw(), ":c\r\nid:sealed\r\nx: 1\r\ndata: {\r\ndata: }\r\nretry: 3\r\n\r\n");
        assert_eq!(event.with_data(b"[1]").raw(), ":c\r\nid:7\r\nx: 1\r\ndata: [1]\r\nretry: 3\r\n\r\n");
        assert!(event.with_id("a\nb").is_err());
        assert_eq!(self::event("data: 1\n\n").with_id("x").unwrap().raw(), "data: 1\n\n");
    }

    #[test]
    fn an_id_without_a_colon_is_rewritten_too() {
        let event = event("id\ndata: 1\n\n").with_id("x").unwrap();
        assert_eq!(event.raw(), "id: x\ndata: 1\n\n");
        assert_eq!(event.id(), Some(&b"x"[..]));
    }

    #[test]
    fn a_line_that_goes_does_not_take_the_empty_line_with_it() {
        for (raw, wanted) in [
            ("data: 1\rdata: 2\n\n", "data: x\n\n"),
            ("data: 1\n:c\rdata: 2\ndata: 3\n\n", "data: x\n:c\r:\n\n"),
        ] {
            let event = event(raw).with_data(b"x");
            assert_eq!(event.raw(), wanted);
            assert!(event.is_complete());
        }
    }
}
