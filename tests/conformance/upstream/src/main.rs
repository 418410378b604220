//! An MCP server that offers all of what the conformance suite asks of a server, in both eras of the protocol.
//!
//! `conformance-upstream --port 0 [--log FILE] [--era both|legacy|modern]` listens on 127.0.0.1, prints its address and
//! serves `/mcp` (everything, typed) and `/plain` (what typed models would lose, byte by byte). `--log` names a file
//! that gets one line for each `tools/call` received, before anything is done about it.

mod arguments;
mod asks;
mod catalogue;
mod door;
mod jobs;
mod listeners;
mod plain;
mod rounds;
mod server;
mod skills;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use arguments::Arguments;
use door::Door;
use server::Upstream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let door = Arc::new(Door::open(arguments.log.as_deref())?);
    let upstream = Upstream::new(arguments.era);
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.sse_retry = Some(tools::RECONNECT_AFTER);
    let service = StreamableHttpService::new(
        move || Ok(upstream.clone()),
        Arc::new(sessions),
        StreamableHttpServerConfig::default()
            .enforce_origin_validation()
            .with_allowed_origins(["http://localhost:*", "http://127.0.0.1:*"]),
    );
    let router = Router::new()
        .route_service("/mcp", service)
        .route("/plain", post(plain::answer))
        .layer(from_fn_with_state(door, door::pass));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
