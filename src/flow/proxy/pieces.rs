//! What an agent is answered piece by piece: one answer, or a stream that ends with it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::{Body, Frame as BodyFrame};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, interval_at},
};

use crate::{
    flow::proxy::{
        ask::{Answer, AnswerBody},
        record::{Ending, OpenCall},
        reply,
    },
    io::net::error::EgressError,
    protocol::mcp::sse::Frame,
};

/// A piece of what an agent is answered.
#[derive(Debug)]
pub enum Piece {
    /// A message on the way.
    Told(Vec<u8>),
    /// Bytes of a stream that are events already.
    Events(Bytes),
    /// Nothing but that the stream is still there.
    Quiet,
    /// The last message, and the status where it is the only one.
    Ended(StatusCode, Vec<u8>),
    /// The server wants more than it was sent; what is to be said of it is for whoever waits for the first piece.
    Challenged(Box<Challenged>),
}

/// A call that its server refused with a challenge, and that is still open on record.
#[derive(Debug)]
pub struct Challenged {
    /// What the server said.
    pub headers: HeaderMap,
    /// The record.
    pub open: Option<OpenCall>,
    /// How the call ends where nothing more is to be said of it.
    pub ending: Ending,
    /// The server's status.
    pub status: StatusCode,
    /// What the agent is answered then, and with which status.
    pub answer: (StatusCode, Vec<u8>),
}

impl Challenged {
    /// Ends the call so on record.
    pub fn close(&mut self, ending: &Ending) {
        if let Some(open) = self.open.take() {
            open.close(ending, Some(self.status.as_u16()), 0);
        }
    }

    /// Ends it as any other that failed, and gives what the agent is answered.
    pub fn failed(mut self) -> (StatusCode, Vec<u8>) {
        let ending = self.ending.clone();
        self.close(&ending);
        self.answer
    }
}

/// The member of a message that says to which subscription it belongs.
pub const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// How long a stream without an end of its own lasts; whoever wants more begins another, which is judged anew.
pub const LASTS: Duration = Duration::from_secs(3600);
/// How often a silent stream says that it is still there.
const HUM: Duration = Duration::from_secs(25);
/// How many pieces may wait for a slow agent before the server is read no further.
const AHEAD: usize = 16;

/// When a silent stream is to say that it is still there.
pub fn humming() -> Interval {
    interval_at(Instant::now() + HUM, HUM)
}

/// Both ends of the way to an agent.
pub fn channel() -> (mpsc::Sender<Piece>, mpsc::Receiver<Piece>) {
    mpsc::channel(AHEAD)
}

/// Waits for the first piece: where it is the last too, it is the whole answer.
pub async fn answer(mut pieces: mpsc::Receiver<Piece>) -> Answer {
    let first = pieces.recv().await;
    begun_with(first, pieces)
}

/// The answer that begins with this piece.
pub fn begun_with(first: Option<Piece>, pieces: mpsc::Receiver<Piece>) -> Answer {
    match first {
        Some(Piece::Ended(status, body)) => reply::json_answer(status, body),
        Some(Piece::Challenged(challenged)) => {
            let (status, body) = challenged.failed();
            reply::json_answer(status, body)
        }
        Some(first @ (Piece::Told(_) | Piece::Events(_) | Piece::Quiet)) => stream(Some(first), pieces),
        // Whoever called has called it off, and nobody reads this.
        None => reply::accepted(),
    }
}

/// A stream from the beginning, also where nothing is to be told yet.
pub fn stream(first: Option<Piece>, pieces: mpsc::Receiver<Piece>) -> Answer {
    let mut answer = reply::json_answer(StatusCode::OK, Vec::new());
    answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Answer { body: AnswerBody::stream(Stream { first, pieces: Some(pieces) }), ..answer }
}

struct Stream {
    first: Option<Piece>,
    pieces: Option<mpsc::Receiver<Piece>>,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, EgressError>>> {
        let first = self.first.take();
        let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
        let piece = match first {
            Some(first) => Some(first),
            None => std::task::ready!(pieces.poll_recv(cx)),
        };
        let data = match piece {
            None => return Poll::Ready(None),
            Some(Piece::Quiet) => {
                return Poll::Ready(Some(Ok(BodyFrame::data(Bytes::from_static(b":\n\n")))));
            }
            Some(Piece::Events(data)) => return Poll::Ready(Some(Ok(BodyFrame::data(data)))),
            Some(Piece::Told(data)) => data,
            Some(Piece::Ended(_, data)) => {
                self.pieces = None;
                data
            }
            Some(Piece::Challenged(challenged)) => {
                self.pieces = None;
                challenged.failed().1
            }
        };
        let event = Frame { kind: Some("message"), data: &data, ..Frame::default() }.write();
        Poll::Ready(Some(event.map(|event| BodyFrame::data(event.into())).map_err(|_| EgressError::Protocol)))
    }
}
