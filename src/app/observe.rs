//! Around every request: an id, a span, a log line, a count.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, Method};
use tracing::{Instrument, Span};

use crate::{app::metrics::Metrics, base::ids::RequestId};

/// The answer's header that names the request, as do the log and every error page.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id (an extension of type [`RequestId`]) and watches it to its end.
///
/// A caller's own id is not taken over: it could be anything. The path is never logged, only its template,
/// because a path may carry a one-time link.
pub async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let route =
        request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |m| m.as_str().to_owned());
    watch(&metrics, Spans::Whole, &route, request, |request| next.run(request)).await
}

/// What the span of a request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spans {
    /// Its id, method, route and status.
    Whole,
    /// Its id, as log lines repeat it. The rest costs an agent's call more than its judgment, and stands on record.
    Brief,
}

impl Spans {
    fn of(self, id: RequestId, method: &Method, route: &str) -> Span {
        match self {
            Self::Whole => tracing::info_span!(
                "request",
                request_id = %id,
                %method,
                route,
                status = tracing::field::Empty,
                otel.name = format!("{method} {route}"),
                otel.kind = "server",
            ),
            Self::Brief => tracing::info_span!("request", request_id = %id),
        }
    }
}

/// The same for a request that is answered by this.
pub async fn watch<F: Future<Output = Response>>(
    metrics: &Arc<Metrics>,
    spans: Spans,
    route: &str,
    mut request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let id = RequestId::fresh();
    request.extensions_mut().insert(id);
    let method = request.method().clone();
    let span = spans.of(id, &method, route);
    let _running = metrics.request_began();
    let began = Instant::now();
    let mut response = answer(request).instrument(span.clone()).await;
    let (took, status) = (began.elapsed(), response.status());
    if spans == Spans::Whole {
        span.record("status", status.as_u16());
    }
    metrics.request_answered(route, &method, status, took);
    span.in_scope(|| {
        let millis = took.as_secs_f64() * 1_000.0;
        // Probes, files and calls of agents, each of which is on record, would drown the rest.
        if route.starts_with("/mcp/")
            || route.starts_with("/static")
            || route == "/healthz"
            || route == "/readyz"
        {
            tracing::debug!(millis, "answered");
        } else {
            tracing::info!(millis, "answered");
        }
    });
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
