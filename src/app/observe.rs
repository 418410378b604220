//! Around every request: an id, a span, a log line, a count.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue};
use tracing::Instrument;

use crate::{app::metrics::Metrics, base::ids::RequestId};

/// The answer's header that names the request, as do the log and every error page.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id (an extension of type [`RequestId`]) and watches it to its end.
///
/// A caller's own id is not taken over: it could be anything. The path is never logged, only its template,
/// because a path may carry a one-time link.
pub async fn observe(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::fresh();
    request.extensions_mut().insert(id);
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or("none".to_owned(), |m| m.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        request_id = %id,
        %method,
        route,
        status = tracing::field::Empty,
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
    );
    let _running = metrics.request_began();
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let (took, status) = (began.elapsed(), response.status());
    span.record("status", status.as_u16());
    metrics.request_answered(&route, &method, status, took);
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
