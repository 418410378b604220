//! Why a request failed, as far as callers act on it.
//!
//! Invariant: every sentence can be shown to whoever entered the URL; none repeats a part of the URL, of a header or
//! of a body, nor the address that a name stands for.

use std::{error::Error, io};

use crate::io::net::{
    address::Denial,
    target::TargetError,
    tls::{self, TlsFault},
};

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The URL is no target.
    #[error("{0}")]
    Target(TargetError),
    /// The policy.
    #[error("the address may not be called: {0}")]
    Refused(Denial),
    /// The name has no address, or no name server says so.
    #[error("no address was found for the host name")]
    Lookup,
    /// No connection came about.
    #[error("{0}")]
    Connect(ConnectFault),
    /// It took too long.
    #[error("{0}")]
    Timeout(Phase),
    /// No protected connection came about.
    #[error("{0}")]
    Tls(TlsFault),
    /// What came back is not HTTP/1.1.
    #[error("the server's answer does not follow HTTP")]
    Protocol,
    /// What came back is larger than allowed.
    #[error("{0}")]
    TooLarge(Part),
    /// The server hung up.
    #[error("{0}")]
    Closed(Moment),
}

/// Why no connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFault {
    /// Nothing listens there.
    #[error("the server refuses connections: nothing listens on that port")]
    Refused,
    /// No way leads there.
    #[error("the server's network cannot be reached from here")]
    Unreachable,
    /// The server hung up before the request was sent.
    #[error("the server hung up before the request was sent")]
    HungUp,
    /// Something here is in the way.
    #[error("no connection could be opened on this machine")]
    Here,
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Phase {
    /// Looking up the name.
    #[error("looking up the host name took too long")]
    Lookup,
    /// Connecting.
    #[error("the server did not accept the connection in time")]
    Connect,
    /// Agreeing on TLS.
    #[error("the server did not agree on TLS in time")]
    Handshake,
    /// The head of the answer.
    #[error("the server did not begin to answer in time")]
    FirstByte,
    /// The next part of a body.
    #[error("the server stopped sending in the middle of its answer")]
    Idle,
    /// The whole body of a document.
    #[error("the server's answer took too long as a whole")]
    Whole,
}

/// What was too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Part {
    /// The headers.
    #[error("the headers of the server's answer are larger than allowed")]
    Headers,
    /// The body.
    #[error("the server's answer is larger than allowed")]
    Body,
}

/// When the server hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Moment {
    /// After the request, before the head of the answer was complete.
    #[error("the server hung up without an answer")]
    BeforeAnswer,
    /// In the middle of the body.
    #[error("the server hung up in the middle of its answer")]
    MidBody,
}

impl EgressError {
    /// Whether the server may have seen the request: where it may not, nothing has happened there.
    pub const fn may_have_arrived(&self) -> bool {
        match self {
            Self::Target(_) | Self::Refused(_) | Self::Lookup | Self::Connect(_) => false,
            Self::Timeout(phase) => matches!(phase, Phase::FirstByte | Phase::Idle | Phase::Whole),
            // In TLS 1.3 a server may refuse us after the first bytes of the request are on their way.
            Self::Tls(fault) => matches!(fault, TlsFault::Refused),
            Self::Protocol | Self::TooLarge(_) | Self::Closed(_) => true,
        }
    }

    pub(super) fn of_connect(error: &io::Error) -> Self {
        Self::Connect(match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectFault::Refused,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ConnectFault::Unreachable,
            io::ErrorKind::TimedOut => return Self::Timeout(Phase::Connect),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ConnectFault::HungUp,
            _ => ConnectFault::Here,
        })
    }

    /// Of a conversation that broke before or within the answer.
    pub(super) fn of_http(error: &hyper::Error, moment: Moment) -> Self {
        if error.is_parse_too_large() {
            return Self::TooLarge(Part::Headers);
        }
        if error.is_parse() {
            return Self::Protocol;
        }
        let mut source: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                return Self::of_stream(io, moment);
            }
            source = cause.source();
        }
        Self::Closed(moment)
    }

    fn of_stream(error: &io::Error, moment: Moment) -> Self {
        if let Some(fault) = tls::fault_of(error) {
            return Self::Tls(fault);
        }
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Protocol,
            _ => Self::Closed(moment),
        }
    }
}

impl From<TargetError> for EgressError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Refused(denial) => Self::Refused(denial),
            other => Self::Target(other),
        }
    }
}
