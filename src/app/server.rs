//! Accepts connections and speaks HTTP/1.1 and HTTP/2 on them until told to stop.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::TcpStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{
    app::{
        metrics::Metrics,
        observe::{self, Spans},
    },
    web::mcp::Agents,
};

/// A client that has not sent its head by then is hung up on.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What is behind a listener.
#[derive(Clone)]
pub struct Behind {
    /// All routes.
    pub router: Router,
    /// The door of agents, past the router.
    pub agents: Option<Watched>,
}

/// The door of agents, and how its requests are watched.
#[derive(Clone)]
pub struct Watched {
    /// The door.
    pub agents: Agents,
    /// What its requests are counted in.
    pub metrics: Arc<Metrics>,
    /// What the spans of its requests say.
    pub spans: Spans,
}

impl Behind {
    async fn answer(self, request: Request<Incoming>) -> Result<Response, Infallible> {
        let request = request.map(Body::new);
        if let Some(Watched { agents, metrics, spans }) = &self.agents
            && let Some(place) = Agents::place(request.uri().path())
        {
            let route = place.route;
            let serve = |request| agents.serve(place, request);
            return Ok(observe::watch(metrics, *spans, route, request, serve).await);
        }
        self.router.oneshot(request).await
    }
}

/// Serves on a listener until `stopping`; then each connection ends after the request it is at.
///
/// # Errors
/// When the listener cannot be handed to the runtime.
pub async fn serve(
    listener: TcpListener,
    behind: Behind,
    connections: TaskTracker,
    stopping: CancellationToken,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => return Ok(()),
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = serve_connection(stream, peer, behind.clone(), stopping.clone());
                connections.spawn(connection);
            }
            Err(error) => {
                // One caller's bad luck, or no descriptors left: then others must end first.
                let is_callers = matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                );
                if !is_callers {
                    tracing::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, behind: Behind, stopping: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        behind.clone().answer(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(200)
        .max_header_list_size(64 * 1024);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error, "a connection ended early");
    }
}
