//! Events of our own.

use memchr::memchr2;

/// An event to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame<'a> {
    /// Where a reader may go on from.
    pub id: Option<&'a str>,
    /// The type.
    pub kind: Option<&'a str>,
    /// Milliseconds to wait before connecting again.
    pub retry: Option<u64>,
    /// The data, of any number of lines.
    pub data: &'a [u8],
}

/// A value that cannot stand in one line of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {field} of an event must be one line without null characters")]
pub struct BadField {
    /// Which field.
    pub field: &'static str,
}

impl Frame<'_> {
    /// Writes it, with the empty line that ends it.
    ///
    /// # Errors
    /// When id or type could not stand in one line.
    pub fn write(&self) -> Result<Vec<u8>, BadField> {
        let mut out = Vec::with_capacity(self.data.len() + 64);
        for (name, value) in [("event", self.kind), ("id", self.id)] {
            if let Some(value) = value {
                check(name, value)?;
                line(&mut out, name, value.as_bytes(), b"\n");
            }
        }
        if let Some(retry) = self.retry {
            line(&mut out, "retry", retry.to_string().as_bytes(), b"\n");
        }
        data(&mut out, self.data, b"\n");
        out.push(b'\n');
        Ok(out)
    }
}

/// Writes a comment, which keeps a connection open and says nothing.
///
/// # Errors
/// When the text could not stand in one line.
pub fn comment(text: &str) -> Result<Vec<u8>, BadField> {
    check("comment", text)?;
    Ok(format!(": {text}\n\n").into_bytes())
}

/// Writes the lines of the data, each with this ending.
pub(super) fn data(out: &mut Vec<u8>, data: &[u8], ending: &[u8]) {
    let mut rest = data;
    while let Some(end) = memchr2(b'\n', b'\r', rest) {
        line(out, "data", &rest[..end], ending);
        let length = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + length..];
    }
    line(out, "data", rest, ending);
}

pub(super) fn check(field: &'static str, value: &str) -> Result<(), BadField> {
    let is_good = !value.bytes().any(|b| matches!(b, b'\n' | b'\r' | 0));
    if is_good { Ok(()) } else { Err(BadField { field }) }
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8], ending: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(ending);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::sse::Splitter;
    use bytes::Bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_one_event_and_reads_back(
            data in "[a-z \n\r:é]{0,40}",
            id in proptest::option::of("[a-z0-9: ]{0,8}"),
            retry in any::<Option<u64>>(),
        ) {
            let frame = Frame { id: id.as_deref(), kind: Some("message"), retry, data: data.as_bytes() };
            let mut chunk = Bytes::from(frame.write().unwrap());
            let mut splitter = Splitter::new(1000);
            let event = splitter.next(&mut chunk).unwrap().unwrap();
            prop_assert!(chunk.is_empty());
            prop_assert_eq!(event.id().map(<[u8]>::to_vec), id.map(String::into_bytes));
            prop_assert_eq!(event.retry(), retry);
            prop_assert_eq!(event.kind(), Some(&b"message"[..]));
            let lines = data.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(event.data().unwrap().into_owned(), lines.into_bytes());
        }
    }

    #[test]
    fn nothing_can_break_out_of_its_line() {
        let frame = Frame { id: Some("1\ndata: x"), ..Frame::default() };
        assert_eq!(frame.write(), Err(BadField { field: "id" }));
        assert!(Frame { kind: Some("a\rb"), ..Frame::default() }.write().is_err());
        assert!(comment("a\n\ndata: x").is_err());
        assert_eq!(comment("").unwrap(), b": \n\n");
    }
}
