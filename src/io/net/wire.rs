//! From cleared addresses to a connection that bytes go over.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use rustls::{ClientConfig, ProtocolVersion};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::io::net::{
    address::{AddressPolicy, Denial},
    error::{EgressError, Phase},
    resolve::Cleared,
    target::Target,
    tls::{self, TlsFault},
};

/// After so long without an answer the next address is tried besides (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// A connection, protected or not.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The version of its protection, such as `TLS 1.3`; empty where there is none.
    pub(super) fn version(&self) -> &'static str {
        let Self::Tls(stream) = self else { return "" };
        match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        }
    }
}

/// Connects to the first of the addresses that answers.
///
/// # Errors
/// What the last of them failed with; `Timeout` when none answers in time; `Refused` when we reached ourselves.
pub(super) async fn connect(
    cleared: &Cleared,
    policy: &AddressPolicy,
    within: Duration,
) -> Result<TcpStream, EgressError> {
    let raced = tokio::time::timeout(within, race(cleared.addresses())).await;
    let stream = raced
        .map_err(|_| EgressError::Timeout(Phase::Connect))?
        .map_err(|error| EgressError::of_connect(&error))?;
    let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
    let (local, peer) = ends.map_err(|error| EgressError::of_connect(&error))?;
    if policy.is_loop(local, peer) {
        return Err(EgressError::Refused(Denial::Ourselves));
    }
    stream.set_nodelay(true).map_err(|error| EgressError::of_connect(&error))?;
    Ok(stream)
}

async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match waiting.next() {
            Some(next) => running.push(TcpStream::connect(*next)),
            None if running.is_empty() => return Err(failed),
            None => {}
        }
        tokio::select! {
            Some(outcome) = running.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            },
            () = tokio::time::sleep(STAGGER), if waiting.len() > 0 => {}
        }
    }
}

/// Agrees on TLS.
///
/// # Errors
/// `Tls` with the cause, `Timeout`.
pub(super) async fn secure(
    stream: TcpStream,
    target: &Target,
    config: Arc<ClientConfig>,
    within: Duration,
) -> Result<Box<TlsStream<TcpStream>>, EgressError> {
    let agreeing = TlsConnector::from(config).connect(target.server_name(), stream);
    let agreed = tokio::time::timeout(within, agreeing).await;
    let agreed = agreed.map_err(|_| EgressError::Timeout(Phase::Handshake))?;
    agreed.map(Box::new).map_err(|error| EgressError::Tls(tls::fault_of(&error).unwrap_or(TlsFault::HungUp)))
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, from),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, from),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, from),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, from),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
