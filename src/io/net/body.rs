//! The body of an answer, passed on as it comes.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::io::net::{
    error::{EgressError, Moment, Phase},
    pool::{Link, Pool},
};

/// The body of an answer: frames as the server sends them, never more than a few hundred KiB of them in memory.
///
/// Dropped before its end, it closes the connection, and with it ends the request.
pub struct ReplyBody {
    incoming: Incoming,
    /// Until the body has ended or failed.
    held: Option<Held>,
    silence: Option<Silence>,
}

/// The connection that the body comes over, and where it goes afterwards.
struct Held {
    link: Link,
    home: Home,
}

/// Where a connection rests.
pub(super) struct Home {
    pub(super) pool: Arc<Pool>,
    pub(super) origin: Arc<str>,
    /// How long; not at all where the server wants to close it.
    pub(super) keep: Option<Duration>,
}

impl ReplyBody {
    pub(super) fn new(incoming: Incoming, link: Link, home: Home, idle: Option<Duration>) -> Self {
        let silence = idle.map(|allowed| Silence { allowed, since: Instant::now(), alarm: None });
        Self { incoming, held: Some(Held { link, home }), silence }
    }

    /// Gives the connection back where nothing more is to come.
    pub(super) fn settle_if_ended(&mut self, cx: &mut Context<'_>) {
        if self.incoming.is_end_stream() {
            self.settle(cx);
        }
    }

    fn settle(&mut self, cx: &mut Context<'_>) {
        if let Some(Held { mut link, home }) = self.held.take()
            && let Some(keep) = home.keep
            && link.is_free(cx)
        {
            home.pool.put(&home.origin, link, keep);
        }
    }

    /// The frame that is there, or whatever moving the connection along brings.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let Some(held) = &mut self.held else { return Poll::Ready(None) };
        let mut polled = Pin::new(&mut self.incoming).poll_frame(cx);
        let mut is_over = false;
        if polled.is_pending() {
            is_over = held.link.drive(cx);
            polled = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        let broken = || Poll::Ready(Some(Err(EgressError::Closed(Moment::MidBody))));
        match polled {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(EgressError::of_http(&error, Moment::MidBody))))
            }
            // A length was promised that has not come.
            Poll::Ready(None) if self.incoming.size_hint().lower() > 0 => broken(),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if is_over => broken(),
            Poll::Pending if self.silence.as_mut().is_some_and(|silence| silence.is_too_long(cx)) => {
                Poll::Ready(Some(Err(EgressError::Timeout(Phase::Idle))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = EgressError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EgressError>>> {
        let this = self.get_mut();
        let polled = this.next(cx);
        match &polled {
            Poll::Ready(Some(Ok(_))) => {
                if let Some(silence) = &mut this.silence {
                    silence.since = Instant::now();
                }
                this.settle_if_ended(cx);
            }
            Poll::Ready(Some(Err(_))) => this.held = None,
            Poll::Ready(None) => this.settle(cx),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyBody").finish_non_exhaustive()
    }
}

/// How long nothing has come.
struct Silence {
    allowed: Duration,
    since: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// The alarm is set once and looks, when it goes off, whether something has come since: setting it anew for every
    /// frame would cost more than passing the frame on.
    fn is_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let due = self.since + self.allowed;
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if alarm.as_mut().poll(cx).is_pending() {
                return false;
            }
            if Instant::now() >= due {
                return true;
            }
            alarm.as_mut().reset(due);
        }
    }
}
