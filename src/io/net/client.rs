//! Requests, answers, and the client that carries them.

use std::{fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use rustls::ClientConfig;
use tokio::net::TcpStream;

use crate::io::net::{
    address::{AddressPolicy, Protection},
    body::{Home, ReplyBody},
    error::{EgressError, Part, Phase},
    pool::{KEEP, Link, Pool},
    resolve::{self, Cleared, Resolver, SystemResolver},
    target::{Target, TargetError},
    tls::{Authorities, Tls},
    wire::{self, Wire},
};

/// How large a document may usually be.
pub const DOCUMENT_CAP: usize = 10 * 1024 * 1024;
/// How long each step to a connection may take: looking up, connecting, agreeing on TLS.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long the head of an answer may take, unless the request says otherwise.
const FIRST_BYTE_WITHIN: Duration = Duration::from_secs(15);
/// How long a server may take before it begins to answer an agent's call, which may be long work.
const CALL_WITHIN: Duration = Duration::from_secs(300);
/// How long a body may pause, unless the request says otherwise.
const IDLE_WITHIN: Duration = Duration::from_secs(60);
/// How long a document may take as a whole.
const READ_WITHIN: Duration = Duration::from_secs(60);
/// A connection is given up so long before the server would do so.
const KEEP_MARGIN: Duration = Duration::from_secs(1);

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("portreeve/", env!("CARGO_PKG_VERSION")));
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Headers that concern one connection only (RFC 9110, section 7.6.1), or that we write ourselves: no caller sets them
/// and none is passed on.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    KEEP_ALIVE,
];

/// What is asked of a server.
pub struct Request {
    /// How.
    pub method: Method,
    /// Where.
    pub target: Target,
    /// What else is said. `Host`, `Content-Length` and whatever concerns the connection are written by the client.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long the head of the answer may take.
    pub first_byte_within: Duration,
    /// How long the body of the answer may pause; as long as it likes where this is `None`.
    pub idle_within: Option<Duration>,
}

impl Request {
    /// A request without headers and body, with the usual patience.
    pub fn new(method: Method, target: Target) -> Self {
        Self {
            method,
            target,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            first_byte_within: FIRST_BYTE_WITHIN,
            idle_within: Some(IDLE_WITHIN),
        }
    }

    fn into_outgoing(self) -> http::Request<Full<Bytes>> {
        let Self { method, target, mut headers, body, .. } = self;
        drop_headers_of_the_connection(&mut headers);
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::EXPECT);
        headers.insert(header::HOST, target.host_header());
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        let mut outgoing = http::Request::new(Full::new(body));
        *outgoing.method_mut() = method;
        *outgoing.uri_mut() = target.path();
        *outgoing.headers_mut() = headers;
        outgoing
    }
}

/// Headers and body may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// What a server answered; the body is still on its way.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers, but for those of the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: ReplyBody,
}

impl Reply {
    /// The whole body, of at most `cap` bytes.
    ///
    /// # Errors
    /// `TooLarge`, and whatever keeps the body from coming.
    pub async fn read(self, cap: usize) -> Result<Bytes, EgressError> {
        let whole = tokio::time::timeout(READ_WITHIN, read(self.body, cap)).await;
        whole.map_err(|_| EgressError::Timeout(Phase::Whole))?
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

async fn read(body: ReplyBody, cap: usize) -> Result<Bytes, EgressError> {
    let promised = body.size_hint().lower();
    if promised > cap as u64 {
        return Err(EgressError::TooLarge(Part::Body));
    }
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else { continue };
        if first.len() + whole.len() + chunk.len() > cap {
            return Err(EgressError::TooLarge(Part::Body));
        }
        // What comes in one piece is not copied.
        if first.is_empty() && whole.is_empty() {
            first = chunk;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// What the client is built from.
#[derive(Clone, Debug)]
pub struct EgressSettings {
    /// Where requests may go.
    pub policy: AddressPolicy,
    /// Who knows the addresses of names.
    pub resolver: Arc<dyn Resolver>,
    /// Who may vouch for servers.
    pub authorities: Authorities,
    /// How long each step to a connection may take.
    pub connect_within: Duration,
    /// How long a server may take before it begins to answer an agent's call.
    pub call_within: Duration,
}

impl EgressSettings {
    /// The usual ones.
    pub fn new(policy: AddressPolicy) -> Self {
        Self {
            policy,
            resolver: Arc::new(SystemResolver::default()),
            authorities: Authorities::default(),
            connect_within: CONNECT_WITHIN,
            call_within: CALL_WITHIN,
        }
    }
}

/// The one client for requests to others; clones share its connections.
#[derive(Clone, Debug)]
pub struct Egress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    policy: AddressPolicy,
    resolver: Arc<dyn Resolver>,
    tls: Tls,
    connect_within: Duration,
    call_within: Duration,
    pool: Arc<Pool>,
}

impl Egress {
    /// A client without connections yet.
    pub fn new(settings: EgressSettings) -> Self {
        let EgressSettings { policy, resolver, authorities, connect_within, call_within } = settings;
        let tls = Tls::new(authorities);
        let pool = Arc::default();
        Self(Arc::new(Inner { policy, resolver, tls, connect_within, call_within, pool }))
    }

    /// Where requests may go.
    pub fn policy(&self) -> &AddressPolicy {
        &self.0.policy
    }

    /// How long a server may take before it begins to answer an agent's call.
    pub fn call_within(&self) -> Duration {
        self.0.call_within
    }

    /// Reads a URL as a target of this client.
    ///
    /// # Errors
    /// Why it is none.
    pub fn target(&self, url: &str) -> Result<Target, TargetError> {
        Target::parse(url, &self.0.policy)
    }

    /// Sends a request and waits for the head of the answer. Dropped before, it closes the connection, and with it
    /// ends the request; so does a dropped body.
    ///
    /// # Errors
    /// Why there is no answer; [`EgressError::may_have_arrived`] tells whether the server may have acted.
    pub async fn send(&self, request: Request) -> Result<Reply, EgressError> {
        let target = request.target.clone();
        let patience = Patience::of(&request);
        let mut outgoing = request.into_outgoing();
        if let Some(mut link) = self.0.pool.take(target.origin()).await {
            match patience.first(link.ask(outgoing)).await? {
                Ok(answer) => return Ok(self.reply(answer, link, &target, patience).await),
                // The server closed the kept connection in this very moment: once more, over a fresh one.
                Err(unanswered) => match unanswered.unsent {
                    Some(unsent) => outgoing = *unsent,
                    None => return Err(unanswered.error),
                },
            }
        }
        let link = Link::open(self.open(&target).await?).await?;
        self.ask_fresh(link, outgoing, &target, patience).await
    }

    /// Sends a request over a connection that was made for it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn ask_over(&self, link: Link, request: Request) -> Result<Reply, EgressError> {
        let (target, patience) = (request.target.clone(), Patience::of(&request));
        self.ask_fresh(link, request.into_outgoing(), &target, patience).await
    }

    /// Closes connections that have rested too long; to be called now and then.
    pub fn sweep(&self) {
        self.0.pool.sweep();
    }

    async fn ask_fresh(
        &self,
        mut link: Link,
        outgoing: http::Request<Full<Bytes>>,
        target: &Target,
        patience: Patience,
    ) -> Result<Reply, EgressError> {
        match patience.first(link.ask(outgoing)).await? {
            Ok(answer) => Ok(self.reply(answer, link, target, patience).await),
            Err(unanswered) => Err(unanswered.error),
        }
    }

    async fn open(&self, target: &Target) -> Result<Wire, EgressError> {
        let stream = self.connect(&self.resolve(target).await?).await?;
        match target.protection() {
            Protection::Plain => Ok(Wire::Plain(stream)),
            Protection::Tls => self.secure(stream, target, self.0.tls.config()).await,
        }
    }

    pub(super) async fn resolve(&self, target: &Target) -> Result<Cleared, EgressError> {
        resolve::resolve(target, &self.0.policy, &*self.0.resolver, self.0.connect_within).await
    }

    pub(super) async fn connect(&self, cleared: &Cleared) -> Result<TcpStream, EgressError> {
        wire::connect(cleared, &self.0.policy, self.0.connect_within).await
    }

    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        target: &Target,
        config: Arc<ClientConfig>,
    ) -> Result<Wire, EgressError> {
        wire::secure(stream, target, config, self.0.connect_within).await.map(Wire::Tls)
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.0.tls
    }

    async fn reply(
        &self,
        answer: http::Response<Incoming>,
        link: Link,
        target: &Target,
        patience: Patience,
    ) -> Reply {
        let (head, incoming) = answer.into_parts();
        let mut headers = head.headers;
        let home =
            Home { pool: Arc::clone(&self.0.pool), origin: target.shared_origin(), keep: keep(&headers) };
        drop_headers_of_the_connection(&mut headers);
        let mut body = ReplyBody::new(incoming, link, home, patience.idle);
        poll_fn(|cx| {
            body.settle_if_ended(cx);
            Poll::Ready(())
        })
        .await;
        Reply { status: head.status, headers, body }
    }
}

/// How long to wait for what.
#[derive(Clone, Copy)]
struct Patience {
    first_byte: Duration,
    idle: Option<Duration>,
}

impl Patience {
    const fn of(request: &Request) -> Self {
        Self { first_byte: request.first_byte_within, idle: request.idle_within }
    }

    async fn first<T>(self, answer: impl Future<Output = T>) -> Result<T, EgressError> {
        let answered = tokio::time::timeout(self.first_byte, answer).await;
        answered.map_err(|_| EgressError::Timeout(Phase::FirstByte))
    }
}

fn drop_headers_of_the_connection(headers: &mut HeaderMap) {
    // Others may be named as such.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_THE_CONNECTION) {
        headers.remove(name);
    }
}

/// How long the server keeps the connection open for another request: what it says, or what is usual.
fn keep(headers: &HeaderMap) -> Option<Duration> {
    let Some(said) = headers.get(KEEP_ALIVE).and_then(|value| value.to_str().ok()) else {
        return Some(KEEP);
    };
    let timeout = said.split(',').find_map(|part| part.trim().strip_prefix("timeout="));
    let Some(seconds) = timeout.and_then(|seconds| seconds.trim().parse().ok()) else { return Some(KEEP) };
    Duration::from_secs(seconds).checked_sub(KEEP_MARGIN).map(|keep| keep.min(KEEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_connection_is_kept_a_little_shorter_than_the_server_does() {
        let kept = |text: &'static str| keep(&headers(&[("keep-alive", text)]));
        assert_eq!(keep(&HeaderMap::new()), Some(KEEP));
        assert_eq!(kept("timeout=5, max=100"), Some(Duration::from_secs(4)));
        assert_eq!(kept("max=7,timeout=600"), Some(KEEP));
        assert_eq!(kept("timeout=0"), None);
        assert_eq!(kept("nonsense"), Some(KEEP));
    }

    #[test]
    fn callers_do_not_write_the_headers_of_the_connection() {
        let target =
            Target::parse("https://mcp.example.com/mcp?x=1", &AddressPolicy::default()).expect("fit");
        let mut request = Request::new(Method::POST, target);
        request.headers = headers(&[
            ("host", "127.0.0.1"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic x"),
            ("accept", "text/event-stream"),
        ]);
        let outgoing = request.into_outgoing();
        let mut written: Vec<String> =
            outgoing.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        written.sort();
        let agent = format!("user-agent: \"portreeve/{}\"", env!("CARGO_PKG_VERSION"));
        assert_eq!(written, ["accept: \"text/event-stream\"", "host: \"mcp.example.com\"", &agent]);
        assert_eq!(outgoing.uri(), "/mcp?x=1");
    }

    #[test]
    fn debug_text_shows_neither_path_nor_headers() {
        let target = Target::parse("https://mcp.example.com/s3cret", &AddressPolicy::default()).expect("fit");
        let mut request = Request::new(Method::GET, target);
        request.headers = headers(&[("authorization", "Bearer s3cret")]);
        assert_eq!(
            format!("{request:?}"),
            r#"Request { method: GET, target: Target("https://mcp.example.com"), .. }"#
        );
    }
}
