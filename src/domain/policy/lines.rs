//! In which line of a text a part of it stands, so that a fault can be found by whoever wrote it.

use crate::{
    domain::policy::document::MAX_BYTES,
    protocol::mcp::{
        raw::{Kind, Raw},
        strict::{self, Limits},
    },
};

/// Where the parts of a text stand.
pub struct Lines<'a> {
    text: &'a str,
    /// The value, or the byte at which it cannot be read.
    read: Result<Raw<'a>, usize>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Looks at a text, which may be broken.
    pub fn of(text: &'a str) -> Self {
        let read = strict::check(text.as_bytes(), &Limits::of(MAX_BYTES)).map_err(|fault| fault.at);
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, read, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// The line, counted from one, of the part that a JSON pointer (RFC 6901) names; that of what holds it where the part
    /// is not there, and of the fault where the text cannot be read.
    pub fn line(&self, pointer: &str) -> usize {
        let at = match &self.read {
            Err(at) => *at,
            Ok(root) => self.place(*root, pointer),
        };
        self.line_at(at.min(self.text.len()))
    }

    fn place(&self, root: Raw<'a>, pointer: &str) -> usize {
        let (mut value, mut at) = (root, root.place().start);
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let found = match value.kind() {
                Kind::Object => {
                    let member = value.members().find(|member| member.key.says(&step));
                    member.map(|member| (member.value, member.key.place().start))
                }
                Kind::Array => {
                    let element = step.parse().ok().and_then(|index: usize| value.elements().nth(index));
                    element.map(|element| (element, element.place().start))
                }
                _ => None,
            };
            let Some(found) = found else { break };
            (value, at) = found;
        }
        at
    }

    fn line_at(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_the_line_of_its_part() {
        let text = "{\n  \"version\": \"1\",\n  \"tools\": {\n    \"a/b\": {\n      \"deny_if\": [\n        {},\n        {\"x\": 1}\n      ]\n    }\n  }\n}";
        let lines = Lines::of(text);
        for (pointer, line) in [
            ("", 1),
            ("/version", 2),
            ("/tools/a~1b", 4),
            ("/tools/a~1b/deny_if/1", 7),
            ("/tools/a~1b/deny_if/1/x", 7),
            ("/tools/a~1b/nothing/there", 4),
            ("/tools/a~1b/deny_if/2", 5),
            ("/version/0", 2),
        ] {
            assert_eq!(lines.line(pointer), line, "{pointer}");
        }
        assert_eq!(Lines::of("[\n1,\n2\n]").line("/1"), 3);
    }

    #[test]
    fn a_broken_text_has_the_line_of_its_fault() {
        assert_eq!(Lines::of("{\n\"a\": 1,\n}").line(""), 3);
        assert_eq!(Lines::of("").line("/a"), 1);
        // A text may not go on in the next line; the fault is in the one that it ought to end in.
        assert_eq!(Lines::of("{\"a\": \"x\ny\"}").line(""), 1);
        assert_eq!(Lines::of("{\n\"a\":").line(""), 2);
    }
}
