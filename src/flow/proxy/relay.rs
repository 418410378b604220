//! A server's answer on its way to the agent: passed on as it comes, counted, and its end put on record.
//!
//! Invariant: every call that was on record when its answer began is closed exactly once, also where the agent goes away.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    flow::proxy::{
        dispatch::{broken, ended},
        edit::Editor,
        looked::Looked,
        record::{Ending, OpenCall},
    },
    io::net::{
        body::ReplyBody,
        client::Reply,
        error::{EgressError, Part},
    },
    protocol::mcp::sse::Splitter,
};

/// A server's answer on its way.
#[derive(Debug)]
pub struct Relay {
    body: ReplyBody,
    open: Option<(OpenCall, Ending, u16)>,
    received: usize,
    way: Way,
    is_over: bool,
}

/// How the bytes are passed on.
#[derive(Debug)]
enum Way {
    /// As they come.
    Bytes,
    /// As they come, up to where something has to be changed.
    Looked(Looked),
    /// Event by event.
    Events(Events),
}

/// Events are passed on whole, so that what stands in them can be changed.
#[derive(Debug)]
struct Events {
    splitter: Option<Splitter>,
    editor: Editor,
    ready: VecDeque<Bytes>,
}

/// How large one event may be; a whole list may stand in one.
const MAX_EVENT: usize = 10 * 1024 * 1024;

impl Relay {
    /// Bytes as they come.
    pub fn of_bytes(reply: Reply, open: Option<OpenCall>) -> Self {
        Self::new(reply, open, Way::Bytes)
    }

    /// A long message as it comes, changed where something stands in it that the agent is not to see.
    pub fn of_message(reply: Reply, open: Option<OpenCall>, editor: Editor) -> Self {
        Self::new(reply, open, Way::Looked(Looked::new(editor)))
    }

    /// Events as they come.
    pub fn of_events(reply: Reply, open: Option<OpenCall>, editor: Editor) -> Self {
        let events = Events { splitter: Some(Splitter::new(MAX_EVENT)), editor, ready: VecDeque::new() };
        Self::new(reply, open, Way::Events(events))
    }

    fn new(reply: Reply, open: Option<OpenCall>, way: Way) -> Self {
        let status = reply.status;
        let open = open.map(|open| (open, ended(status), status.as_u16()));
        Self { body: reply.body, open, received: 0, way, is_over: false }
    }

    fn close(&mut self, ending: Option<Ending>) {
        if let Some((open, usual, status)) = self.open.take() {
            open.close(&ending.unwrap_or(usual), Some(status), self.received);
        }
    }

    fn pass(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        self.received += bytes.len();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn end(&mut self, ending: Option<Ending>) {
        self.is_over = true;
        self.close(ending);
    }

    fn break_off(&mut self, error: EgressError) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        self.end(Some(broken(&error)));
        Poll::Ready(Some(Err(error)))
    }

    /// What the events that are complete by now look like to the agent.
    fn take(events: &mut Events, mut bytes: Bytes) -> Result<(), EgressError> {
        let Some(splitter) = &mut events.splitter else { return Ok(()) };
        while let Some(event) = splitter.next(&mut bytes).map_err(|_| EgressError::TooLarge(Part::Body))? {
            // An event without data primes a stream that may be taken up again; it says nothing.
            let data = event.data().filter(|data| !data.is_empty());
            let edited = data.map_or(Ok(None), |data| events.editor.edit(&data));
            let shown = match edited.map_err(|_| EgressError::Protocol)? {
                Some(data) => event.with_data(&data).raw().clone(),
                None => event.raw().clone(),
            };
            events.ready.push_back(shown);
        }
        Ok(())
    }
}

/// The events of a stream that came as a whole, as the agent is to see them.
pub fn edited(editor: &Editor, mut body: Bytes) -> Bytes {
    let mut splitter = Splitter::new(MAX_EVENT);
    let mut shown = Vec::with_capacity(body.len());
    while let Ok(Some(event)) = splitter.next(&mut body) {
        let data = event.data().filter(|data| !data.is_empty());
        let edited = data.and_then(|data| editor.edit(&data).ok().flatten());
        match edited {
            Some(data) => shown.extend_from_slice(event.with_data(&data).raw()),
            None => shown.extend_from_slice(event.raw()),
        }
    }
    if let Some(rest) = splitter.finish() {
        shown.extend_from_slice(rest.raw());
    }
    Bytes::from(shown)
}

impl Body for Relay {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let this = self.get_mut();
        loop {
            if let Way::Events(events) = &mut this.way
                && let Some(bytes) = events.ready.pop_front()
            {
                return this.pass(bytes);
            }
            if this.is_over {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    let rest = match &mut this.way {
                        Way::Looked(looked) => looked.finish(),
                        // An event that was never finished is one that no reader takes in.
                        Way::Bytes | Way::Events(_) => Ok(Bytes::new()),
                    };
                    match rest {
                        Ok(rest) if rest.is_empty() => {
                            this.end(None);
                            return Poll::Ready(None);
                        }
                        Ok(rest) => {
                            let passed = this.pass(rest);
                            this.end(None);
                            return passed;
                        }
                        Err(error) => return this.break_off(error),
                    }
                }
                Poll::Ready(Some(Err(error))) => return this.break_off(error),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            let Ok(bytes) = frame.into_data() else { continue };
            let passed = match &mut this.way {
                Way::Bytes => Ok(bytes),
                Way::Looked(looked) => looked.take(bytes),
                Way::Events(events) => Self::take(events, bytes).map(|()| Bytes::new()),
            };
            match passed {
                Ok(passed) if passed.is_empty() => {}
                Ok(passed) => {
                    let passed = this.pass(passed);
                    // Where the length is known nobody asks for the end of it.
                    if matches!(this.way, Way::Bytes) && this.body.is_end_stream() {
                        this.end(None);
                    }
                    return passed;
                }
                Err(error) => return this.break_off(error),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over && !matches!(&self.way, Way::Events(events) if !events.ready.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self.way {
            Way::Bytes => self.body.size_hint(),
            Way::Looked(_) | Way::Events(_) => SizeHint::default(),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.close(Some(Ending::Abandoned));
    }
}
