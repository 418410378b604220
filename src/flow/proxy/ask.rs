//! What an agent asks, and what it is answered.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;

use crate::{
    base::{
        actor::Origin,
        ids::{ApprovalId, ServerId},
    },
    flow::proxy::handles::Session,
    io::net::error::EgressError,
};

/// How long a message of an agent may be.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// The method of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A message.
    Post,
    /// The stream of a session.
    Get,
    /// The end of a session.
    Delete,
}

/// Which endpoint was called, as the path names it; nothing in it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/mcp/{org}`: all that the grant covers.
    All {
        /// The organization's slug or id.
        org: String,
    },
    /// `/mcp/{org}/{server}`.
    Server {
        /// The organization's slug or id.
        org: String,
        /// The server's slug or id.
        server: String,
    },
    /// `/mcp/{server-id}`.
    ServerById {
        /// The server's id.
        server: String,
    },
    /// One server behind the merged endpoint; no path leads here.
    Within {
        /// The server.
        server: ServerId,
        /// The server that its list goes on with, where a list is asked for and there is another.
        then: Option<ServerId>,
        /// The merged endpoint's session, where the agent has one.
        session: Option<Box<Session>>,
    },
}

impl Endpoint {
    /// The organization that the path names.
    pub fn org(&self) -> Option<&str> {
        match self {
            Self::All { org } | Self::Server { org, .. } => Some(org),
            Self::ServerById { .. } | Self::Within { .. } => None,
        }
    }
}

/// One request of an agent.
#[derive(Clone)]
pub struct Ask {
    /// The method of HTTP.
    pub verb: Verb,
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// All headers, of which few are ever looked at.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub body: Bytes,
    /// From where, and under which id.
    pub origin: Origin,
    /// The approval for which it waited as a task; none where an agent makes the call itself.
    pub waited: Option<ApprovalId>,
}

impl Ask {
    /// The one value of a header; none where it is absent, repeated or no plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }

    /// The id of a request, told apart from those of the grant's other sessions.
    pub fn names(&self, id: &str) -> String {
        format!("{}/{id}", self.header("mcp-session-id").unwrap_or_default())
    }

    /// Whether the agent takes a stream of events for an answer.
    pub fn takes_events(&self) -> bool {
        let lines = self.headers.get_all("accept").iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|kind| {
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
        })
    }

    /// The carried token.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

/// Headers and body may hold secrets.
impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("verb", &self.verb)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// What an agent is answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
}

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// What the upstream sends, as it comes.
    Stream(UnsyncBoxBody<Bytes, EgressError>),
}

impl AnswerBody {
    /// What comes piece by piece.
    pub fn stream(body: impl Body<Data = Bytes, Error = EgressError> + Send + 'static) -> Self {
        Self::Stream(UnsyncBoxBody::new(body))
    }
}
