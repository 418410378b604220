//! Event streams: where events end, and nothing else.
//!
//! Owns the search for event boundaries by the grammar of the HTML standard ("Server-sent events"), a lazy look at the
//! fields of an event, and a writer. Deliberately lacks reassembly: an event is the very bytes that came.
//!
//! Invariants: the raw bytes of all events, and of the rest, are the stream; and they are the same however the stream
//! was cut into chunks.

mod event;
mod write;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

pub use crate::protocol::mcp::sse::{
    event::{Event, Field},
    write::{BadField, Frame, comment},
};

/// Cuts a stream into events, chunk by chunk.
#[derive(Debug)]
pub struct Splitter {
    /// What has come of an event whose end has not.
    held: BytesMut,
    state: State,
    /// How the line before this one ended.
    style: Style,
    limit: usize,
    is_first: bool,
}

/// Where the search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a line.
    Start,
    /// Inside a line.
    Inside,
    /// Behind the return that ended a line; a line feed would belong to it.
    Return,
    /// Behind the return that ended an empty line, where a line feed is expected.
    LastReturn,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Other,
    ReturnAndFeed,
}

/// An event longer than the bound. The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {limit} bytes")]
pub struct EventTooLong {
    /// The bound.
    pub limit: usize,
}

impl Splitter {
    /// Starts a stream whose events have at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { held: BytesMut::new(), state: State::Start, style: Style::Other, limit, is_first: true }
    }

    /// Takes the next event out of a chunk; to be called until there is none, which leaves the chunk empty.
    ///
    /// An event inside one chunk is a slice of it and is not copied.
    ///
    /// # Errors
    /// When the event is longer than the bound.
    pub fn next(&mut self, chunk: &mut Bytes) -> Result<Option<Event>, EventTooLong> {
        let end = self.end(chunk);
        let length = self.held.len() + end.unwrap_or(chunk.len());
        if length > self.limit {
            return Err(EventTooLong { limit: self.limit });
        }
        let Some(end) = end else {
            self.held.extend_from_slice(chunk);
            chunk.clear();
            return Ok(None);
        };
        let tail = chunk.split_to(end);
        let raw = if self.held.is_empty() {
            tail
        } else {
            self.held.extend_from_slice(&tail);
            self.held.split().freeze()
        };
        let is_first = std::mem::replace(&mut self.is_first, false);
        Ok(Some(Event::new(raw, is_first)))
    }

    /// Ends the stream and gives what is left: usually nothing, else an event that was never finished, which readers
    /// leave out but which belongs to the stream.
    pub fn finish(self) -> Option<Event> {
        (!self.held.is_empty()).then(|| Event::new(self.held.freeze(), self.is_first))
    }

    /// Whether everything that came has been given out.
    pub fn is_between_events(&self) -> bool {
        self.held.is_empty()
    }

    /// Where the event ends in these bytes, which continue what was looked at before.
    ///
    /// An empty line ends it. Where that line ends with a return, a line feed may follow that has not come yet. If the
    /// line before ended with both, so will this one, and the event waits for it; if not, the event ends at once, and
    /// the line feed, should it come, begins the next one.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match (self.state, byte) {
                (State::Start, b'\n') => {
                    self.style = Style::Other;
                    return Some(at + 1);
                }
                (State::Start, b'\r') if self.style == Style::ReturnAndFeed => {
                    self.state = State::LastReturn;
                    at += 1;
                }
                (State::Start, b'\r') => {
                    self.state = State::Return;
                    return Some(at + 1);
                }
                (State::Start, _) => self.state = State::Inside,
                (State::Inside, _) => at = self.end_of_line(bytes, at),
                (State::Return, b'\n') => {
                    (self.state, self.style) = (State::Start, Style::ReturnAndFeed);
                    at += 1;
                }
                (State::Return, _) => (self.state, self.style) = (State::Start, Style::Other),
                (State::LastReturn, b'\n') => {
                    self.state = State::Start;
                    return Some(at + 1);
                }
                (State::LastReturn, _) => {
                    (self.state, self.style) = (State::Start, Style::Other);
                    return Some(at);
                }
            }
        }
        None
    }

    /// Steps behind the line, or to the end of what there is of it.
    fn end_of_line(&mut self, bytes: &[u8], at: usize) -> usize {
        let Some(length) = memchr2(b'\n', b'\r', &bytes[at..]) else { return bytes.len() };
        let end = at + length;
        if bytes[end] == b'\n' {
            (self.state, self.style) = (State::Start, Style::Other);
        } else {
            self.state = State::Return;
        }
        end + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The raw bytes of the events of a stream that comes in these chunks; the last may be unfinished.
    fn split(chunks: &[&[u8]]) -> Vec<Bytes> {
        let mut splitter = Splitter::new(1 << 20);
        let mut events = Vec::new();
        for chunk in chunks {
            let mut chunk = Bytes::copy_from_slice(chunk);
            while let Some(event) = splitter.next(&mut chunk).unwrap() {
                events.push(event.raw().clone());
            }
            assert!(chunk.is_empty());
        }
        events.extend(splitter.finish().map(|event| event.raw().clone()));
        events
    }

    /// What a plain reader of the standard makes of a stream: data, event and id of each event that has data.
    fn dispatched(stream: &[u8]) -> Vec<(String, String, String)> {
        let text = String::from_utf8_lossy(stream).replace("\r\n", "\n").replace('\r', "\n");
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let (mut found, mut data, mut kind, mut id) = (Vec::new(), Vec::new(), String::new(), String::new());
        for line in text.split('\n').take(text.matches('\n').count()) {
            if line.is_empty() {
                if !data.is_empty() {
                    found.push((data.join("\n"), std::mem::take(&mut kind), id.clone()));
                }
                data.clear();
                kind.clear();
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "data" => data.push(value),
                "event" => kind = value,
                "id" if !value.contains('\0') => id = value,
                _ => {}
            }
        }
        found
    }

    fn stream() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("\n"),
            Just("\r"),
            Just("\r\n"),
            Just("\n\n"),
            Just("\r\n\r\n"),
            Just("\r\r"),
            Just("\u{feff}"),
            Just("data: a"),
            Just("data:"),
            Just("data"),
            Just("id: 7"),
            Just("event: message"),
            Just("retry: 10"),
            Just(": comment"),
            Just("é x"),
        ];
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn the_events_are_the_stream_however_it_is_cut(
            stream in stream(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = stream.as_bytes();
            let whole = split(&[bytes]);
            prop_assert_eq!(whole.concat(), bytes);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(&split(&chunks), &whole);
            let single: Vec<_> = bytes.chunks(1).collect();
            prop_assert_eq!(&split(&single), &whole);
        }

        #[test]
        fn the_events_say_what_a_plain_reader_hears(stream in stream()) {
            let mut splitter = Splitter::new(1 << 20);
            let mut chunk = Bytes::from(stream.clone());
            let mut events = Vec::new();
            while let Some(event) = splitter.next(&mut chunk).unwrap() {
                events.push(event);
            }
            // An event whose last return may still be followed by a line feed is complete all the same.
            events.extend(splitter.finish().filter(Event::is_complete));
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (mut heard, mut id) = (Vec::new(), String::new());
            for event in &events {
                id = event.id().map_or(id, text);
                if let Some(data) = event.data() {
                    heard.push((text(&data), event.kind().map(text).unwrap_or_default(), id.clone()));
                }
            }
            prop_assert_eq!(heard, dispatched(stream.as_bytes()), "{:?}", stream);
        }
    }

    #[test]
    fn an_event_waits_for_its_line_feed_only_where_one_is_due() {
        assert_eq!(split(&[b"data: 1\r\n\r\ndata: 2\r\n\r\n"]), ["data: 1\r\n\r\n", "data: 2\r\n\r\n"]);
        assert_eq!(split(&[b"data: 1\r\n\r", b"\ndata: 2\r\n\r\n"]), ["data: 1\r\n\r\n", "data: 2\r\n\r\n"]);
        assert_eq!(split(&[b"data: 1\r\rdata: 2\r\r"]), ["data: 1\r\r", "data: 2\r\r"]);
        let mut splitter = Splitter::new(100);
        let mut chunk = Bytes::from_static(b"data: 1\r\r");
        assert!(splitter.next(&mut chunk).unwrap().is_some(), "nothing else needs to come");
    }

    #[test]
    fn an_event_within_a_chunk_is_not_copied() {
        let mut chunk = Bytes::from_static(b": hello\n\ndata: 1\n\n");
        let start = chunk.as_ptr();
        let event = Splitter::new(100).next(&mut chunk).unwrap().unwrap();
        assert_eq!(event.raw().as_ptr(), start);
    }

    #[test]
    fn an_event_beyond_the_bound_is_refused_however_it_comes() {
        let event = b"data: 123\n\n";
        let outcome = |limit: usize, size: usize| {
            let mut splitter = Splitter::new(limit);
            event.chunks(size).try_for_each(|chunk| splitter.next(&mut Bytes::from_static(chunk)).map(drop))
        };
        for size in 1..=event.len() {
            assert_eq!(outcome(event.len(), size), Ok(()));
            assert_eq!(outcome(event.len() - 1, size), Err(EventTooLong { limit: event.len() - 1 }));
        }
    }
}
