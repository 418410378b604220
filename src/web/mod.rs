//! Floor 4, doors: parse, call one flow, render. All of them hang on one router, with the layers every request passes.
//!
//! Lacks on purpose: SQL, stores, and decisions of any kind.

pub mod kit;
pub mod console;
pub mod api;
pub mod mcp;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use ipnet::IpNet;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    flow::{cx::Ports, fault::ActionError, proxy::gateway::Gateway},
    web::kit::{
        assets, browser, faults, headers, home, hosts::Hosts, idempotency, openapi, origin,
        problem::ApiError, routes::Routes,
    },
};

/// What the doors work with.
pub struct Doors {
    /// The flows' hands.
    pub ports: Arc<Ports>,
    /// Proxies whose word about the caller's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// The OpenAPI document.
    pub openapi: String,
    /// What agents' calls go through.
    pub gateway: Arc<Gateway>,
    /// Under which names we are reached.
    pub hosts: Hosts,
}

impl Doors {
    /// Doors over ports.
    pub fn new(ports: Arc<Ports>, gateway: Arc<Gateway>, trusted_proxies: Vec<IpNet>) -> Self {
        let openapi = openapi::document(routes().operations()).to_string();
        let hosts = Hosts::of(&ports.site.base_url);
        Self { ports, trusted_proxies, openapi, gateway, hosts }
    }

    /// The origin that our own pages are served from.
    pub fn origin(&self) -> &str {
        &self.ports.site.base_url
    }
}

/// Every route there is.
pub fn routes() -> Routes {
    for_people().and(mcp::routes())
}

/// What people and their scripts use.
fn for_people() -> Routes {
    console::routes().and(api::routes())
}

/// The router over all doors.
pub fn router(doors: Arc<Doors>) -> Router {
    let secure = doors.ports.site.is_secure();
    let state = doors.clone();
    let agents = mcp::router();
    for_people()
        .into_router()
        .route("/static/{*path}", get(assets::serve))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(state.clone(), idempotency::once))
        .layer(middleware::from_fn_with_state(state.clone(), browser::remember))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(state.clone(), home::bring))
        .layer(middleware::from_fn_with_state(state.clone(), faults::answer))
        .layer(middleware::from_fn(move |request: Request, next| headers::secure(secure, request, next)))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(state, origin::find))
        .merge(agents)
        .with_state(doors)
}

async fn nowhere() -> ApiError {
    ActionError::NotFound.into()
}

async fn wrong_method() -> ApiError {
    ApiError::protocol(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address does not take this method.",
    )
}

/// A panic is a defect; its text may hold anything and stays in here.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::from(ActionError::defect(Panicked)).into_response()
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked")]
struct Panicked;
