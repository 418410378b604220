//! The door that agents use: `/mcp/…`. Reads one request, hands it to the proxy, passes the answer on.
//!
//! Lacks on purpose: cookies, forms and compression; and every decision, which is the proxy's.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{
    base::ids::ServerId,
    flow::proxy::{
        self,
        ask::{Answer, AnswerBody, Ask, Endpoint, MAX_BODY, Verb},
    },
    protocol::mcp::{
        error::{self, Code},
        version::Era,
    },
    web::{
        Doors,
        kit::{
            origin,
            routes::{Effect, Routes},
        },
    },
};

const RECORDS: Effect = Effect::Records(&[
    "call.allowed",
    "call.refused",
    "call.answered",
    "call.failed",
    "call.abandoned",
    "call.unknown",
]);

/// The routes.
pub fn routes() -> Routes {
    Routes::default().agent("/mcp/{endpoint}", RECORDS, one).agent("/mcp/{endpoint}/{server}", RECORDS, two)
}

/// The router. It has no layers: each would cost an agent's call more than all that is done for it here.
pub fn router() -> Router<Arc<Doors>> {
    routes().into_router()
}

async fn one(State(doors): State<Arc<Doors>>, Path(named): Path<String>, request: Request) -> Response {
    let is_server = named.parse::<ServerId>().is_ok();
    let endpoint =
        if is_server { Endpoint::ServerById { server: named } } else { Endpoint::All { org: named } };
    serve(&doors, endpoint, request).await
}

async fn two(
    State(doors): State<Arc<Doors>>,
    Path((org, server)): Path<(String, String)>,
    request: Request,
) -> Response {
    serve(&doors, Endpoint::Server { org, server }, request).await
}

async fn serve(doors: &Doors, endpoint: Endpoint, request: Request) -> Response {
    // Boxed, for what an exchange holds is large, and whoever passes it on would copy it.
    let answered = AssertUnwindSafe(Box::pin(exchange(doors, endpoint, request))).catch_unwind().await;
    answered
        .unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side."))
}

async fn exchange(doors: &Doors, endpoint: Endpoint, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let verb = match parts.method {
        Method::POST => Verb::Post,
        Method::GET => Verb::Get,
        Method::DELETE => Verb::Delete,
        _ => return refuse(StatusCode::METHOD_NOT_ALLOWED, "This address takes POST, GET and DELETE."),
    };
    let from = origin::of(doors, &parts.extensions, &parts.headers);
    if let Some(refused) = check(doors, &parts.headers, &parts.method) {
        return refused;
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let ask = Ask { verb, endpoint, headers: parts.headers, body, origin: from, waited: None };
    respond(proxy::serve(&doors.gateway, ask).await)
}

/// What a request must be, whoever sends it: for us, by no page of somebody else's, and of the protocol's own form.
fn check(doors: &Doors, headers: &HeaderMap, method: &Method) -> Option<Response> {
    // A name that leads here by a trick of DNS, or a page of another site, speaks with the browser's address and not
    // with its own right (MCP, transports, security).
    if !doors.hosts.are_ours(headers) {
        return Some(refuse(StatusCode::FORBIDDEN, "This host name is not served here."));
    }
    if !doors.hosts.may_come_from(headers) {
        return Some(refuse(StatusCode::FORBIDDEN, "Requests of other sites' pages are not served."));
    }
    if *method == Method::POST && !is_json(headers) {
        let message = "Send one JSON message as application/json.";
        return Some(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let accepted: &[&str] = match *method {
        Method::POST => &["application/json", "text/event-stream", "application/*", "text/*", "*/*"],
        Method::GET => &["text/event-stream", "text/*", "*/*"],
        _ => return None,
    };
    if accepts(headers, accepted) {
        return None;
    }
    let message = "Say in Accept that you take application/json and text/event-stream.";
    Some(refuse(StatusCode::NOT_ACCEPTABLE, message))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn accepts(headers: &HeaderMap, any: &[&str]) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds =
        lines.flat_map(|line| line.split(',')).map(|kind| kind.split(';').next().unwrap_or(kind).trim());
    kinds.any(|kind| any.iter().any(|one| one.eq_ignore_ascii_case(kind)))
}

async fn read(body: Body) -> Result<Bytes, Response> {
    let whole = Limited::new(body, MAX_BODY).collect().await;
    whole.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            refuse(StatusCode::PAYLOAD_TOO_LARGE, "A message has at most 4 MiB.")
        } else {
            refuse(StatusCode::BAD_REQUEST, "The message broke off.")
        }
    })
}

/// An answer before anybody is known, in the protocol's own form.
fn refuse(status: StatusCode, message: &str) -> Response {
    let body = error::error(Era::Modern, None, Code::InvalidRequest, message, None);
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body)
        .into_response()
}

fn respond(answer: Answer) -> Response {
    let body = match answer.body {
        AnswerBody::Whole(bytes) => Body::from(bytes),
        AnswerBody::Stream(relay) => Body::new(relay),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, http::HeaderValue::from_static("nosniff"));
    response
}
