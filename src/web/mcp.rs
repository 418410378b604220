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

const ONE: &str = "/mcp/{endpoint}";
const TWO: &str = "/mcp/{endpoint}/{server}";

/// The routes.
pub fn routes() -> Routes {
    Routes::default().agent(ONE, RECORDS, one).agent(TWO, RECORDS, two)
}

/// The router. It has no layers: each would cost an agent's call more than all that is done for it here.
pub fn router() -> Router<Arc<Doors>> {
    routes().into_router()
}

async fn one(State(doors): State<Arc<Doors>>, Path(named): Path<String>, request: Request) -> Response {
    serve(&doors, only(named), request).await
}

async fn two(
    State(doors): State<Arc<Doors>>,
    Path((org, server)): Path<(String, String)>,
    request: Request,
) -> Response {
    serve(&doors, Endpoint::Server { org, server }, request).await
}

fn only(named: String) -> Endpoint {
    if named.parse::<ServerId>().is_ok() {
        Endpoint::ServerById { server: named }
    } else {
        Endpoint::All { org: named }
    }
}

/// The same door without the router, which costs an agent's call about as much as all that is done for it here.
#[derive(Clone)]
pub struct Agents(Arc<Doors>);

/// A place behind the door, and the route that it is counted under.
pub struct Place {
    /// The template of the route.
    pub route: &'static str,
    endpoint: Endpoint,
}

impl Agents {
    /// The door.
    pub const fn over(doors: Arc<Doors>) -> Self {
        Self(doors)
    }

    /// The place that a path leads to; none where it is not one of this door, or is written in a way that takes the
    /// router to read.
    pub fn place(path: &str) -> Option<Place> {
        let is_plain = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let named = path.strip_prefix("/mcp/")?;
        match named.split_once('/') {
            None if is_plain(named) => Some(Place { route: ONE, endpoint: only(named.to_owned()) }),
            Some((org, server)) if is_plain(org) && is_plain(server) => {
                let endpoint = Endpoint::Server { org: org.to_owned(), server: server.to_owned() };
                Some(Place { route: TWO, endpoint })
            }
            _ => None,
        }
    }

    /// Serves a request for a place.
    pub async fn serve(&self, place: Place, request: Request) -> Response {
        serve(&self.0, place.endpoint, request).await
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_lead_to_the_place_that_the_router_would_find() {
        let place = |path| Agents::place(path).map(|place| (place.route, format!("{:?}", place.endpoint)));
        let all = Endpoint::All { org: "acme".to_owned() };
        assert_eq!(place("/mcp/acme"), Some((ONE, format!("{all:?}"))));
        let server = Endpoint::Server { org: "acme".to_owned(), server: "git_hub-2".to_owned() };
        assert_eq!(place("/mcp/acme/git_hub-2"), Some((TWO, format!("{server:?}"))));
        let id = ServerId::from_uuid(uuid::Uuid::from_u128(7)).to_string();
        let by_id = Endpoint::ServerById { server: id.clone() };
        assert_eq!(place(&format!("/mcp/{id}")), Some((ONE, format!("{by_id:?}"))));
    }

    #[test]
    fn other_paths_are_left_to_the_router() {
        for path in [
            "/",
            "/mcp",
            "/mcp/",
            "/mcp/acme/",
            "/mcp//x",
            "/mcp/a/b/c",
            "/mcp/a%2fb",
            "/mcp/\u{e9}",
            "/mcpx/a",
            "/healthz",
        ] {
            assert!(Agents::place(path).is_none(), "{path}");
        }
    }
}
