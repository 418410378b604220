//! The server's side of a bridged call: requests in its dress, and the messages of its answer.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, StatusCode, header};
use http_body_util::BodyExt;

use crate::{
    flow::proxy::{bridge::old::Ear, dispatch, refusal},
    io::net::{
        body::ReplyBody,
        client::{Egress, Reply, Request},
        error::{EgressError, Part},
        target::Target,
    },
    protocol::mcp::sse::{Event, Splitter},
};

/// How long it may take to end a session.
const ENDED_WITHIN: Duration = Duration::from_secs(10);
/// How large a message of a server may be.
pub(super) const MAX_MESSAGE: usize = 10 * 1024 * 1024;

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// The way to a server, with what its requests carry.
pub(super) struct Line {
    pub(super) egress: Egress,
    pub(super) target: Target,
    /// The server's own credential, and the trace of the call.
    pub(super) carried: HeaderMap,
    /// Whether it speaks the transport of 2024.
    pub(super) is_old: bool,
}

/// Why a server gave no answer.
#[derive(Debug)]
pub(super) struct Silent {
    pub(super) code: &'static str,
    pub(super) sentence: String,
    pub(super) status: Option<StatusCode>,
    /// What the server says that it wants instead of what it was sent.
    pub(super) wanted: Option<Box<HeaderMap>>,
}

impl Silent {
    /// Without an answer of HTTP.
    pub(super) const fn of(code: &'static str, sentence: String) -> Self {
        Self { code, sentence, status: None, wanted: None }
    }

    /// By the status of an answer, and what stood in its head.
    pub(super) fn by_status(
        (code, sentence): (&'static str, String),
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Self {
        let wanted = headers.contains_key(header::WWW_AUTHENTICATE).then(|| {
            let told = headers.get_all(header::WWW_AUTHENTICATE).iter();
            Box::new(told.map(|value| (header::WWW_AUTHENTICATE, value.clone())).collect())
        });
        Self { code, sentence, status: Some(status), wanted }
    }
}

impl From<EgressError> for Silent {
    fn from(error: EgressError) -> Self {
        let (code, sentence) = refusal::failure(&error);
        Self::of(code, sentence)
    }
}

impl Line {
    /// Sends a message.
    pub(super) async fn post(&self, headers: &HeaderMap, body: Vec<u8>) -> Result<Reply, EgressError> {
        self.post_to(&self.target, headers, body).await
    }

    /// Sends a message to another address of the same server.
    pub(super) async fn post_to(
        &self,
        target: &Target,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, EgressError> {
        let mut request = self.request(Verb::POST, target, headers);
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accepted = HeaderValue::from_static("application/json, text/event-stream");
        request.headers.insert(header::ACCEPT, accepted);
        request.body = Bytes::from(body);
        self.egress.send(request).await
    }

    /// Asks for a stream, or for one that broke off, behind its last event.
    pub(super) async fn listen(
        &self,
        headers: &HeaderMap,
        last: Option<&HeaderValue>,
    ) -> Result<Reply, EgressError> {
        let mut request = self.request(Verb::GET, &self.target, headers);
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last) = last {
            request.headers.insert(LAST_EVENT, last.clone());
        }
        self.egress.send(request).await
    }

    /// Ends a session; a server that keeps its sessions answers that it does not, which is its right.
    pub(super) async fn end(&self, headers: &HeaderMap) -> Result<(), EgressError> {
        let mut request = self.request(Verb::DELETE, &self.target, headers);
        request.first_byte_within = ENDED_WITHIN;
        self.egress.send(request).await.map(drop)
    }

    fn request(&self, verb: Verb, target: &Target, headers: &HeaderMap) -> Request {
        let mut request = Request::new(verb, target.clone());
        request.headers.clone_from(&self.carried);
        request.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        request.first_byte_within = self.egress.call_within();
        request.idle_within = None;
        request
    }
}

/// The messages of an answer, one after the other.
pub(super) struct Messages {
    source: Source,
    /// Where a stream that broke off is taken up.
    pub(super) last: Option<HeaderValue>,
    /// How long to wait before that.
    pub(super) retry: Option<u64>,
}

enum Source {
    Whole(Option<Reply>),
    Heard(Ear),
    Events { body: ReplyBody, splitter: Splitter, ready: VecDeque<Event> },
}

impl Messages {
    /// Of an answer whose status is one that may be read.
    ///
    /// # Errors
    /// Where the status says that there is nothing for an agent in it.
    pub(super) fn of(reply: Reply) -> Result<Self, Silent> {
        if let Some(refused) = dispatch::refused_by_server(reply.status) {
            return Err(Silent::by_status(refused, reply.status, &reply.headers));
        }
        let source = if dispatch::is_event_stream(&reply.headers) {
            Source::Events { body: reply.body, splitter: Splitter::new(MAX_MESSAGE), ready: VecDeque::new() }
        } else {
            Source::Whole(Some(reply))
        };
        Ok(Self { source, last: None, retry: None })
    }

    /// Of what comes on the stream of a session.
    pub(super) const fn heard(ear: Ear) -> Self {
        Self { source: Source::Heard(ear), last: None, retry: None }
    }

    /// The next message; none where there is no more.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Silent> {
        match &mut self.source {
            Source::Heard(ear) => Ok(ear.next().await),
            Source::Whole(reply) => match reply.take() {
                Some(reply) => Ok(Some(whole(reply).await?)),
                None => Ok(None),
            },
            Source::Events { body, splitter, ready } => loop {
                while let Some(event) = ready.pop_front() {
                    if let Some(id) = event.id().and_then(|id| HeaderValue::from_bytes(id).ok()) {
                        self.last = Some(id);
                    }
                    self.retry = event.retry().or(self.retry);
                    if let Some(data) = event.data().filter(|data| !data.is_empty()) {
                        return Ok(Some(Bytes::from(data.into_owned())));
                    }
                }
                let Some(frame) = body.frame().await else { return Ok(None) };
                let Ok(mut bytes) = frame?.into_data() else { continue };
                while let Some(event) =
                    splitter.next(&mut bytes).map_err(|_| EgressError::TooLarge(Part::Body))?
                {
                    ready.push_back(event);
                }
            },
        }
    }
}

/// An answer that is one message; what is none is told by its status.
async fn whole(reply: Reply) -> Result<Bytes, Silent> {
    let status = reply.status;
    let body = reply.read(MAX_MESSAGE).await?;
    if body.trim_ascii_start().starts_with(b"{") {
        return Ok(body);
    }
    let refused = if status.is_success() {
        dispatch::invalid()
    } else {
        ("upstream_failed", format!("the server answered with HTTP {}", status.as_u16()))
    };
    Err(Silent::by_status(refused, status, &HeaderMap::new()))
}

/// The data of all events of a stream that has ended.
pub(super) fn events(body: &[u8]) -> Vec<Vec<u8>> {
    let (mut splitter, mut rest) = (Splitter::new(MAX_MESSAGE), Bytes::copy_from_slice(body));
    let next = || splitter.next(&mut rest).ok().flatten();
    std::iter::from_fn(next).filter_map(|event| event.data().map(std::borrow::Cow::into_owned)).collect()
}
