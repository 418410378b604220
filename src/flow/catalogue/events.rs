//! Events of a stream, as far as one reader needs them: the name and the data.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::protocol::mcp::sse::{EventTooLong, Splitter};

/// One event that carries data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: Vec<u8>,
}

/// Cuts bytes into events as they come.
#[derive(Debug)]
pub(super) struct Events {
    splitter: Splitter,
    ready: VecDeque<Event>,
}

impl Events {
    /// Events of at most so many bytes each.
    pub(super) fn of_at_most(bytes: usize) -> Self {
        Self { splitter: Splitter::new(bytes), ready: VecDeque::new() }
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// When an event is too long.
    pub(super) fn push(&mut self, mut bytes: Bytes) -> Result<(), EventTooLong> {
        while let Some(event) = self.splitter.next(&mut bytes)? {
            // Servers prime a stream with an event of no data, for the client to resume from; it is no message.
            if let Some(data) = event.data().filter(|data| !data.is_empty()) {
                let name = event.kind().map(|kind| String::from_utf8_lossy(kind).into_owned());
                self.ready.push_back(Event { name: name.unwrap_or_default(), data: data.into_owned() });
            }
        }
        Ok(())
    }

    /// The next whole event.
    pub(super) fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_with_data_are_given_out_with_their_names() {
        let mut events = Events::of_at_most(1000);
        for chunk in [
            ": hello\r\nevent: endpoint\r\nda",
            "ta: /m?s=1\r\n\r\nid: 7\ndata: \n\ndata: {\ndata:}\n\ndata: x",
        ] {
            events.push(Bytes::from(chunk)).expect("short");
        }
        let found: Vec<_> = std::iter::from_fn(|| events.next()).collect();
        let event = |name: &str, data: &[u8]| Event { name: name.to_owned(), data: data.to_vec() };
        assert_eq!(found, [event("endpoint", b"/m?s=1"), event("", b"{\n}")]);
        assert!(Events::of_at_most(5).push(Bytes::from("data: x\n\n")).is_err());
    }
}
