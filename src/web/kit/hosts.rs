//! Under which names we are reached, and from whose pages requests may come.

use axum::http::{HeaderMap, header};
use url::Url;

/// The names of this installation.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// With the port where it is not the scheme's own, in lower case.
    names: Vec<String>,
    /// In lower case.
    origins: Vec<String>,
}

/// By which a machine calls itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

impl Hosts {
    /// The names that follow from the address people and agents use. One that names this machine itself has others.
    pub fn of(base_url: &str) -> Self {
        let url = Url::parse(base_url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_ascii_lowercase();
        let scheme = url.as_ref().map_or("https", Url::scheme);
        let port = url.as_ref().and_then(Url::port).map(|port| format!(":{port}")).unwrap_or_default();
        let hosts: Vec<&str> =
            if LOOPBACK.contains(&host.as_str()) { LOOPBACK.to_vec() } else { vec![host.as_str()] };
        Self {
            names: hosts.iter().map(|host| format!("{host}{port}")).collect(),
            origins: hosts.iter().map(|host| format!("{scheme}://{host}{port}")).collect(),
        }
    }

    /// Whether the request was sent to one of our names. In HTTP/2 the name stands in the request's target, which the
    /// server puts where this looks.
    pub fn are_ours(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => {
                host.to_str().is_ok_and(|host| self.names.contains(&host.to_ascii_lowercase()))
            }
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether the request comes from no page, or from one of ours.
    pub fn may_come_from(&self, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| {
            origin.to_str().is_ok_and(|origin| self.origins.contains(&origin.to_ascii_lowercase()))
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_foreign_name_and_a_foreign_page_are_told_apart_from_ours() {
        let hosts = Hosts::of("https://gate.example.com");
        for (host, ours) in [
            ("gate.example.com", true),
            ("GATE.example.com", true),
            ("gate.example.com:8443", false),
            ("evil.example.com", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(hosts.are_ours(&headers(header::HOST, host)), ours, "{host}");
        }
        for (origin, ours) in [
            ("https://gate.example.com", true),
            ("http://gate.example.com", false),
            ("https://evil.example.com", false),
            ("null", false),
        ] {
            assert_eq!(hosts.may_come_from(&headers(header::ORIGIN, origin)), ours, "{origin}");
        }
        assert!(hosts.may_come_from(&HeaderMap::new()));
    }

    #[test]
    fn a_machine_that_serves_itself_is_reached_by_all_names_it_has_for_itself() {
        let hosts = Hosts::of("http://localhost:8080");
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(hosts.are_ours(&headers(header::HOST, host)), "{host}");
        }
        assert!(!hosts.are_ours(&headers(header::HOST, "localhost:8081")));
        assert!(!hosts.are_ours(&headers(header::HOST, "evil.example.com:8080")));
    }
}
