//! Connections: one request at a time on each, and kept for the next where the server agrees.
//!
//! Nothing runs in the background: whoever waits for an answer moves its connection along. So whoever stops waiting
//! closes it at once, a slow reader slows the server down, and no task switch stands between a byte and its reader.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;

use crate::io::net::{
    error::{ConnectFault, EgressError, Moment},
    wire::Wire,
};

/// The headers of an answer, in bytes at the most.
const HEADER_CAP: usize = 64 * 1024;
/// The buffer of a connection, in bytes at the most; a body passes through in parts of at most twice that.
const BUFFER: usize = 128 * 1024;
/// Connections kept for one origin, and for all of them.
const PER_ORIGIN: usize = 64;
const IN_ALL: usize = 1024;
/// How long a connection is kept where the server does not say: a little less than what usual proxies allow.
pub(super) const KEEP: Duration = Duration::from_secs(55);

type Driver = http1::Connection<TokioIo<Wire>, Full<Bytes>>;
type Outgoing = Request<Full<Bytes>>;

/// One connection that speaks HTTP/1.1.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    driver: Box<Driver>,
    is_over: bool,
}

/// A request without an answer.
pub(super) struct Unanswered {
    pub(super) error: EgressError,
    /// The request, where not a byte of it was written.
    pub(super) unsent: Option<Box<Outgoing>>,
}

impl Link {
    /// Over a fresh connection.
    ///
    /// # Errors
    /// When it is not one any more.
    pub(super) async fn open(wire: Wire) -> Result<Self, EgressError> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER).max_header_size(HEADER_CAP);
        let agreed = builder.handshake(TokioIo::new(wire)).await;
        let (sender, driver) = agreed.map_err(|_| EgressError::Connect(ConnectFault::HungUp))?;
        Ok(Self { sender, driver: Box::new(driver), is_over: false })
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// Why there is none, with the request where it was not sent.
    pub(super) async fn ask(&mut self, request: Outgoing) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let (driver, is_over) = (&mut self.driver, &mut self.is_over);
        let answered = poll_fn(|cx| {
            drive(driver, is_over, cx);
            answer.as_mut().poll(cx)
        });
        answered.await.map_err(|mut failed| {
            let unsent = failed.take_message().map(Box::new);
            let error = match unsent {
                Some(_) => EgressError::Connect(ConnectFault::HungUp),
                None => EgressError::of_http(failed.error(), Moment::BeforeAnswer),
            };
            Unanswered { error, unsent }
        })
    }

    /// Moves the connection along; says whether it has come to its end.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        drive(&mut self.driver, &mut self.is_over, cx);
        self.is_over
    }

    /// Whether another request may be sent, after all of the last answer was read.
    pub(super) fn is_free(&mut self, cx: &mut Context<'_>) -> bool {
        !self.drive(cx) && self.sender.is_ready()
    }
}

fn drive(driver: &mut Driver, is_over: &mut bool, cx: &mut Context<'_>) {
    // What it ends with reaches whoever waits for the answer or its body; beyond that it says nothing new.
    if !*is_over && Pin::new(driver).poll(cx).is_ready() {
        *is_over = true;
    }
}

/// Where connections rest between requests.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Shelves>);

#[derive(Default)]
struct Shelves {
    by_origin: HashMap<Arc<str>, Vec<Resting>>,
    count: usize,
}

struct Resting {
    link: Link,
    until: Instant,
}

impl Pool {
    /// The connection to an origin that was used last and is still open.
    pub(super) async fn take(&self, origin: &str) -> Option<Link> {
        while let Some(Resting { mut link, until }) = self.pop(origin) {
            // A server that hung up meanwhile is noticed here, before anything is written.
            let is_free = poll_fn(|cx| Poll::Ready(link.is_free(cx))).await;
            if is_free && until > Instant::now() {
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection for so long.
    pub(super) fn put(&self, origin: &Arc<str>, link: Link, keep: Duration) {
        let resting = Resting { link, until: Instant::now() + keep };
        let mut shelves = self.lock();
        if shelves.count >= IN_ALL {
            return;
        }
        let shelf = match shelves.by_origin.get_mut(origin) {
            Some(shelf) => shelf,
            None => shelves.by_origin.entry(Arc::clone(origin)).or_default(),
        };
        if shelf.len() < PER_ORIGIN {
            shelf.push(resting);
            shelves.count += 1;
        }
    }

    /// Closes what has rested too long.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut stale = Vec::new();
        let mut shelves = self.lock();
        for shelf in shelves.by_origin.values_mut() {
            stale.extend(shelf.extract_if(.., |resting| resting.until <= now));
        }
        shelves.by_origin.retain(|_, shelf| !shelf.is_empty());
        shelves.count -= stale.len();
    }

    fn pop(&self, origin: &str) -> Option<Resting> {
        let mut shelves = self.lock();
        let resting = shelves.by_origin.get_mut(origin)?.pop()?;
        shelves.count -= 1;
        Some(resting)
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shelves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelves").field("count", &self.count).finish_non_exhaustive()
    }
}
