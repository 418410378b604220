//! Events of a stream, as far as one reader needs them: the name and the data (WHATWG HTML, section 9.2).

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// Cuts bytes into events as they come.
#[derive(Debug, Default)]
pub(super) struct Events {
    buffer: Vec<u8>,
    /// Up to where the buffer was searched for the end of a line.
    searched: usize,
    event: Event,
    has_data: bool,
    after_return: bool,
}

impl Events {
    /// Takes more bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes wait for the end of their event.
    pub(super) const fn waiting(&self) -> usize {
        self.buffer.len() + self.event.data.len()
    }

    /// The next whole event.
    pub(super) fn next(&mut self) -> Option<Event> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if std::mem::take(&mut self.has_data) {
                    return Some(event);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut self.event.name),
                "data" => {
                    if self.has_data {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                    self.has_data = true;
                }
                _ => {}
            }
        }
        None
    }

    /// The next whole line, without its end: LF, CR or both.
    fn line(&mut self) -> Option<String> {
        if self.after_return && !self.buffer.is_empty() {
            self.after_return = false;
            if self.buffer[0] == b'\n' {
                self.buffer.remove(0);
                self.searched = 0;
            }
        }
        let end = self.buffer[self.searched..].iter().position(|b| matches!(b, b'\n' | b'\r'));
        let Some(end) = end.map(|end| end + self.searched) else {
            self.searched = self.buffer.len();
            return None;
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        self.searched = 0;
        self.after_return = line[end] == b'\r';
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&str]) -> Vec<(String, String)> {
        let mut events = Events::default();
        let mut found = Vec::new();
        for chunk in chunks {
            events.push(chunk.as_bytes());
            while let Some(event) = events.next() {
                found.push((event.name, event.data));
            }
        }
        found
    }

    #[test]
    fn events_are_cut_wherever_their_bytes_are() {
        let text = ": hello\r\nevent: endpoint\r\ndata: /m?s=1\r\n\r\nid: 7\ndata: {\"a\":\ndata:1}\n\nretry: 5\n\ndata\r\r";
        let wanted = [("endpoint", "/m?s=1"), ("", "{\"a\":\n1}"), ("", "")]
            .map(|(name, data)| (name.to_owned(), data.to_owned()));
        assert_eq!(all(&[text]), wanted);
        for cut in 0..text.len() {
            assert_eq!(all(&[&text[..cut], &text[cut..]]), wanted, "{cut}");
        }
    }

    #[test]
    fn an_unfinished_event_waits() {
        assert_eq!(all(&["data: x\n"]), []);
        let mut events = Events::default();
        events.push(b"data: xyz");
        assert_eq!((events.next(), events.waiting()), (None, 9));
    }
}
