//! Where a request comes from, and under which id it is known.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{Extensions, HeaderMap, header},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;

use crate::{
    base::{actor::Origin, ids::RequestId},
    web::Doors,
};

/// Finds out where the request comes from; its id was given by the layer that watches it, where there is one.
pub async fn find(State(doors): State<Arc<Doors>>, mut request: Request, next: Next) -> Response {
    let origin = of(&doors, request.extensions(), request.headers());
    request.extensions_mut().insert(origin);
    next.run(request).await
}

/// Where a request with these extensions and headers comes from.
pub fn of(doors: &Doors, extensions: &Extensions, headers: &HeaderMap) -> Origin {
    let id = extensions.get::<RequestId>().copied().unwrap_or_else(RequestId::fresh);
    let peer = extensions.get::<ConnectInfo<std::net::SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let agent = headers.get(header::USER_AGENT);
    Origin {
        request: id,
        ip: caller(peer, headers, &doors.trusted_proxies),
        user_agent: agent.map(|value| String::from_utf8_lossy(value.as_bytes()).chars().take(300).collect()),
    }
}

/// The caller's address: the peer's, unless the peer is a proxy the operator trusts, which then names it.
fn caller(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut ip = peer?.to_canonical();
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    if !is_trusted(ip) {
        return Some(ip);
    }
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<&str> = named.flat_map(|line| line.split(',')).map(str::trim).collect();
    for hop in chain.into_iter().rev() {
        let Ok(hop) = hop.parse::<IpAddr>() else { break };
        ip = hop.to_canonical();
        if !is_trusted(ip) {
            break;
        }
    }
    Some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn forwarded(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a net")];
        let ip = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        let see = |peer: &str, header| caller(ip(peer), &forwarded(header), &trusted);
        assert_eq!(see("1.2.3.4", "9.9.9.9"), ip("1.2.3.4"));
        assert_eq!(see("10.0.0.1", "9.9.9.9"), ip("9.9.9.9"));
        assert_eq!(see("10.0.0.1", "6.6.6.6, 9.9.9.9, 10.0.0.2"), ip("9.9.9.9"));
        assert_eq!(see("10.0.0.1", "nonsense"), ip("10.0.0.1"));
        assert_eq!(see("::ffff:1.2.3.4", "9.9.9.9"), ip("1.2.3.4"));
    }
}
