//! One name for this machine: `127.0.0.1` and `localhost` are two origins to a browser, and only one of them is ours.
//!
//! Without this, somebody who types the other one could read pages but send no form. Between other names nothing is
//! redirected: a proxy that passes on a name of its own would send its visitors in circles.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};

use crate::web::{Doors, kit::page};

/// Sends a visitor who came by another name of this machine to the one that we go by.
pub async fn bring(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response {
    let is_page = request.method() == Method::GET && !request.uri().path().starts_with("/api/");
    if is_page && is_another_name(host(request.headers()), doors.ports.site.host()) {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return page::go(&doors.ports.site.url(path));
    }
    next.run(request).await
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn is_another_name(asked: &str, ours: &str) -> bool {
    match (loopback_port(asked), loopback_port(ours)) {
        (Some(there), Some(here)) => there == here && !asked.eq_ignore_ascii_case(ours),
        _ => false,
    }
}

/// The port, where the host is a name of this machine.
fn loopback_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    let is_loopback = ["localhost", "127.0.0.1", "[::1]"].iter().any(|ours| name.eq_ignore_ascii_case(ours));
    is_loopback.then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_name_of_this_machine_is_sent_on() {
        for (asked, ours, is_sent) in [
            ("127.0.0.1:8080", "localhost:8080", true),
            ("[::1]:8080", "localhost:8080", true),
            ("localhost:8080", "127.0.0.1:8080", true),
            ("localhost:8080", "localhost:8080", false),
            ("LOCALHOST:8080", "localhost:8080", false),
            ("127.0.0.1:9090", "localhost:8080", false),
            ("10.0.0.1:8080", "localhost:8080", false),
            ("localhost", "portreeve.example.com", false),
            ("upstream", "portreeve.example.com", false),
            ("", "localhost:8080", false),
        ] {
            assert_eq!(is_another_name(asked, ours), is_sent, "{asked} {ours}");
        }
    }
}
