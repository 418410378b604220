//! Where a request goes: a URL that was found fit.
//!
//! Invariant: a [`Target`] has https, or http to what the operator listed; no user name, no password, no fragment; and
//! a host that is a name or an address which the policy admits, however it was spelled.

use std::{fmt, net::IpAddr, sync::Arc};

use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::io::net::address::{AddressPolicy, Denial, Protection};

/// Longer URLs are refused.
const LONGEST: usize = 8192;

/// A URL that was found fit; clones share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target(Arc<Parsed>);

#[derive(PartialEq, Eq)]
struct Parsed {
    url: Url,
    protection: Protection,
    host: Name,
    port: u16,
    origin: Arc<str>,
    path: Uri,
    host_header: HeaderValue,
    server_name: ServerName<'static>,
}

/// What stands for the machine in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// An address.
    Address(IpAddr),
    /// A name to be looked up, in its ASCII form.
    Domain(String),
}

/// Why a URL is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It cannot be read.
    #[error("enter a full address such as https://mcp.example.com/mcp")]
    NotAUrl,
    /// It is too long.
    #[error("the address is longer than {LONGEST} characters")]
    TooLong,
    /// Neither https nor http.
    #[error("the address must begin with https://")]
    Scheme,
    /// A user name or password.
    #[error("leave user name and password out of the address")]
    Credentials,
    /// A fragment, which no server ever sees.
    #[error("leave out the part after #")]
    Fragment,
    /// The host can be neither looked up nor stand in a certificate.
    #[error("the host is no name that can be looked up")]
    Host,
    /// The policy.
    #[error("the address may not be called: {0}")]
    Refused(Denial),
}

impl Target {
    /// Reads a URL, however it spells its host.
    ///
    /// # Errors
    /// Why it is no target.
    pub fn parse(text: &str, policy: &AddressPolicy) -> Result<Self, TargetError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(TargetError::TooLong);
        }
        // The parser would take these away in silence, and what was shown would not be what is called.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(TargetError::NotAUrl);
        }
        Self::of(Url::parse(text).map_err(|_| TargetError::NotAUrl)?, policy)
    }

    /// The same for a URL that was parsed, such as one that was joined to another target's.
    ///
    /// # Errors
    /// Why it is no target.
    pub fn of(url: Url, policy: &AddressPolicy) -> Result<Self, TargetError> {
        let protection = match url.scheme() {
            "https" => Protection::Tls,
            "http" => Protection::Plain,
            _ => return Err(TargetError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        let host = Name::of(&url)?;
        let port = url.port_or_known_default().ok_or(TargetError::NotAUrl)?;
        judge(policy, protection, &host, port)?;
        Ok(Self(Arc::new(Parsed::assemble(url, protection, host, port)?)))
    }

    /// The same place with more in its query.
    #[must_use]
    pub fn with_query<'q>(&self, pairs: impl IntoIterator<Item = (&'q str, &'q str)>) -> Self {
        let mut url = self.0.url.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        // Neither host nor port change, so what was judged stands; a longer query assembles as a shorter one did.
        Parsed::assemble(url, self.0.protection, self.0.host.clone(), self.0.port)
            .map_or_else(|_| self.clone(), |parsed| Self(Arc::new(parsed)))
    }

    /// The URL. It may hold secrets: show [`Target::origin`] instead.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// Scheme, host and port, as people see them.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Whether TLS protects it.
    pub fn protection(&self) -> Protection {
        self.0.protection
    }

    /// The host.
    pub fn host(&self) -> &Name {
        &self.0.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub(super) fn shared_origin(&self) -> Arc<str> {
        Arc::clone(&self.0.origin)
    }

    /// Path and query, as the request line has them.
    pub(super) fn path(&self) -> Uri {
        self.0.path.clone()
    }

    pub(super) fn host_header(&self) -> HeaderValue {
        self.0.host_header.clone()
    }

    /// The name that the certificate must have.
    pub(super) fn server_name(&self) -> ServerName<'static> {
        self.0.server_name.clone()
    }
}

impl Parsed {
    fn assemble(url: Url, protection: Protection, host: Name, port: u16) -> Result<Self, TargetError> {
        let usual = match protection {
            Protection::Tls => 443,
            Protection::Plain => 80,
        };
        let authority = if port == usual { host.to_string() } else { format!("{host}:{port}") };
        let path = url[url::Position::BeforePath..].parse().map_err(|_| TargetError::NotAUrl)?;
        let host_header = HeaderValue::from_str(&authority).map_err(|_| TargetError::Host)?;
        let server_name = match &host {
            Name::Address(ip) => ServerName::IpAddress((*ip).into()),
            Name::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| TargetError::Host)?,
        };
        let origin = format!("{}://{authority}", url.scheme()).into();
        Ok(Self { url, protection, host, port, origin, path, host_header, server_name })
    }
}

impl Name {
    fn of(url: &Url) -> Result<Self, TargetError> {
        match url.host() {
            Some(Host::Ipv4(ip)) => Ok(Self::Address(ip.into())),
            Some(Host::Ipv6(ip)) => Ok(Self::Address(ip.into())),
            Some(Host::Domain(name)) => {
                // One name has one spelling: the full stop that ends an absolute name is left out.
                let name = name.strip_suffix('.').unwrap_or(name);
                let is_name = !name.is_empty() && name.split('.').all(|label| !label.is_empty());
                if is_name { Ok(Self::Domain(name.to_owned())) } else { Err(TargetError::Host) }
            }
            None => Err(TargetError::NotAUrl),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Address(ip) => write!(f, "{ip}"),
            Self::Domain(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.0.origin).finish()
    }
}

/// An address is judged at once; a name is, when it has been looked up.
fn judge(policy: &AddressPolicy, protection: Protection, host: &Name, port: u16) -> Result<(), TargetError> {
    match host {
        Name::Address(ip) => policy.admit(protection, *ip, port).map_err(TargetError::Refused),
        Name::Domain(_) if protection == Protection::Plain && !policy.has_list() => {
            Err(TargetError::Refused(Denial::Plain))
        }
        Name::Domain(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::EgressRule;

    fn parse(text: &str) -> Result<Target, TargetError> {
        Target::parse(text, &AddressPolicy::default())
    }

    fn private_net() -> AddressPolicy {
        let network = "10.0.0.0/8".parse().expect("a network");
        AddressPolicy::new(&[EgressRule { network, port: None }], &[])
    }

    #[test]
    fn a_target_has_one_spelling() {
        let target = parse(" https://MCP.Bücher.example.:443/mcp?key=s3cret ").expect("fit");
        assert_eq!(target.origin(), "https://mcp.xn--bcher-kva.example");
        assert_eq!(target.path(), "/mcp?key=s3cret");
        assert_eq!(target.host_header(), "mcp.xn--bcher-kva.example");
        assert_eq!(format!("{target:?}"), "Target(\"https://mcp.xn--bcher-kva.example\")");
        let target = parse("https://[2606:4700:0::1111]:8443").expect("fit");
        assert_eq!((target.origin(), target.port()), ("https://[2606:4700::1111]:8443", 8443));
        assert_eq!(target.path(), "/");
    }

    #[test]
    fn what_does_not_belong_into_a_url_is_named() {
        let cases = [
            ("mcp.example.com", TargetError::NotAUrl),
            ("https://", TargetError::NotAUrl),
            ("https://a b.example", TargetError::NotAUrl),
            ("https://exam\nple.com/", TargetError::NotAUrl),
            ("https://example.com/a\tb", TargetError::NotAUrl),
            ("https://[fe80::1%25eth0]/", TargetError::NotAUrl),
            ("https://example.com:99999/", TargetError::NotAUrl),
            ("https://../", TargetError::Host),
            ("https://a..example/", TargetError::Host),
            ("ftp://example.com/", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Scheme),
            ("javascript:alert(1)", TargetError::Scheme),
            ("https://user@example.com/", TargetError::Credentials),
            ("https://:pass@example.com/", TargetError::Credentials),
            ("https://example.com@127.0.0.1/", TargetError::Credentials),
            ("https://example.com/#top", TargetError::Fragment),
            ("https://example.com/#", TargetError::Fragment),
            ("http://example.com/", TargetError::Refused(Denial::Plain)),
            ("http://8.8.8.8/", TargetError::Refused(Denial::Plain)),
            ("https://8.8.8.8:25/", TargetError::Refused(Denial::Port(25))),
        ];
        for (text, wrong) in cases {
            assert_eq!(parse(text).expect_err(text), wrong, "{text}");
        }
        let long = format!("https://example.com/{}", "a".repeat(LONGEST));
        assert_eq!(parse(&long), Err(TargetError::TooLong));
    }

    #[test]
    fn http_is_read_where_the_operator_lists_addresses() {
        let target = Target::parse("http://10.1.2.3:8000/sse", &private_net()).expect("listed");
        assert_eq!(target.origin(), "http://10.1.2.3:8000");
        // Whether a name stands for a listed address shows when it is looked up.
        assert!(Target::parse("http://tools.internal/", &private_net()).is_ok());
        let refused = Target::parse("http://8.8.8.8/", &private_net());
        assert_eq!(refused, Err(TargetError::Refused(Denial::Plain)));
    }

    #[test]
    fn an_error_repeats_nothing_of_the_url() {
        for text in ["https://user:hunter2@example.com/", "https://example.com/?q=hunter2#x", "hunter2"] {
            let shown = parse(text).expect_err(text);
            assert!(!format!("{shown} {shown:?}").contains("hunter2"), "{text}");
        }
    }
}
