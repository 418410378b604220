//! What somebody types about a server.

use std::fmt;

use url::Url;

use crate::{
    base::{
        faults::Faults,
        wording::{parse_description, parse_name},
    },
    domain::servers::{ServerSlug, Transport},
};

/// The longest address a server may have.
const LONGEST_URL: usize = 2000;

/// Names of query parameters that hold a secret as a rule.
const SECRET_PARAMETERS: [&str; 14] = [
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "client_secret",
    "key",
    "password",
    "secret",
    "sig",
    "signature",
    "token",
    "x-api-key",
];

/// A server as somebody typed it.
#[derive(Clone, Copy, Debug)]
pub struct ServerForm<'a> {
    /// The short name.
    pub slug: &'a str,
    /// The name.
    pub name: &'a str,
    /// What it is for.
    pub description: &'a str,
    /// The transport's name.
    pub transport: &'a str,
    /// The address.
    pub url: &'a str,
}

/// A server that may be stored, new or in place of an old state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewServer {
    pub(super) slug: ServerSlug,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) transport: Transport,
    pub(super) url: UpstreamUrl,
}

impl NewServer {
    /// Takes what somebody typed.
    ///
    /// # Errors
    /// Every fault with its field: `slug`, `name`, `description`, `transport`, `url`.
    pub fn parse(form: ServerForm<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let slug = faults.check("slug", form.slug.trim().parse());
        let name = faults.check("name", parse_name(form.name));
        let description = faults.check("description", parse_description(form.description));
        let transport = faults.check("transport", parse_transport(form.transport));
        let url = faults.check("url", parse_url(form.url));
        match (slug, name, description, transport, url) {
            (Some(slug), Some(name), Some(description), Some(transport), Some(url)) => {
                Ok(Self { slug, name, description, transport, url })
            }
            _ => Err(faults),
        }
    }

    /// Where it is.
    pub const fn url(&self) -> &UpstreamUrl {
        &self.url
    }

    /// How it is spoken to.
    pub const fn transport(&self) -> Transport {
        self.transport
    }
}

/// The address of an upstream server: http or https, with a host, without anybody's password.
///
/// Whether it may be reached is judged where the connection is made, each time anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl(Url);

impl UpstreamUrl {
    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address itself.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// The host, as people read it.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Nothing is there.
    #[error("enter the address of the server, such as https://mcp.example.com/mcp")]
    Empty,
    /// It is too long.
    #[error("use at most {LONGEST_URL} characters")]
    TooLong,
    /// It is not an address.
    #[error("write a full address, such as https://mcp.example.com/mcp")]
    NotAUrl,
    /// Another scheme than http and https.
    #[error("an address begins with https:// (or http://, for a server on a network of your own)")]
    Scheme,
    /// A name or password before the host.
    #[error("leave out the name and password before the host; add them as a credential")]
    UserInfo,
    /// A part that never reaches the server.
    #[error("leave out the part after #; it never reaches the server")]
    Fragment,
    /// A secret where everybody could read it.
    #[error(
        "leave `{0}` out of the address, where everybody can read it; add it as a credential of kind query"
    )]
    Secret(String),
}

/// Reads the address of a server.
///
/// # Errors
/// See [`BadUrl`].
pub fn parse_url(text: &str) -> Result<UpstreamUrl, BadUrl> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadUrl::Empty);
    }
    if text.len() > LONGEST_URL {
        return Err(BadUrl::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(BadUrl::NotAUrl);
    }
    let url = Url::parse(text).map_err(|_| BadUrl::NotAUrl)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(BadUrl::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUrl::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(BadUrl::Fragment);
    }
    let is_secret = |name: &str| SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str());
    if let Some((name, _)) = url.query_pairs().find(|(name, value)| is_secret(name) && !value.is_empty()) {
        return Err(BadUrl::Secret(name.into_owned()));
    }
    // Escaping can make the normal form longer than what was typed.
    if url.as_str().len() > LONGEST_URL {
        return Err(BadUrl::TooLong);
    }
    Ok(UpstreamUrl(url))
}

/// Why a server of this transport cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum BadTransport {
    #[error("choose http or sse")]
    Unknown,
    #[error("Portreeve does not run stdio servers; put the server behind an HTTP bridge and choose http")]
    Stdio,
    #[error("Portreeve does not turn APIs into tools; choose http for an API's MCP server")]
    Openapi,
}

fn parse_transport(text: &str) -> Result<Transport, BadTransport> {
    match text.trim() {
        "" => Ok(Transport::Http),
        text => match text.parse().map_err(|_| BadTransport::Unknown)? {
            Transport::Stdio => Err(BadTransport::Stdio),
            Transport::Openapi => Err(BadTransport::Openapi),
            spoken => Ok(spoken),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: ServerForm<'static> = ServerForm {
        slug: "github",
        name: "GitHub",
        description: "",
        transport: "http",
        url: "https://mcp.example.com/mcp",
    };

    fn faults(form: ServerForm<'_>) -> Vec<&'static str> {
        NewServer::parse(form).expect_err("faults").iter().map(|f| f.field).collect()
    }

    #[test]
    fn every_fault_is_told_at_once() {
        assert!(NewServer::parse(FORM).is_ok());
        let all = ServerForm { slug: "N", name: "", description: "\0", transport: "smoke", url: "x" };
        assert_eq!(faults(all), ["slug", "name", "description", "transport", "url"]);
        assert_eq!(faults(ServerForm { transport: "stdio", ..FORM }), ["transport"]);
        assert_eq!(faults(ServerForm { slug: "new", ..FORM }), ["slug"]);
    }

    #[test]
    fn bad_addresses_say_what_to_do() {
        for (text, why) in [
            ("", BadUrl::Empty),
            ("mcp.example.com", BadUrl::NotAUrl),
            ("https://a.example/ x", BadUrl::NotAUrl),
            ("https:///", BadUrl::NotAUrl),
            ("ftp://a.example/", BadUrl::Scheme),
            ("javascript:alert(1)", BadUrl::Scheme),
            ("https://ada:secret@a.example/", BadUrl::UserInfo),
            ("https://ada@a.example/", BadUrl::UserInfo),
            ("https://a.example/#x", BadUrl::Fragment),
            ("https://a.example/?Token=abc", BadUrl::Secret("Token".to_owned())),
        ] {
            assert_eq!(parse_url(text).expect_err(text), why, "{text}");
        }
        assert_eq!(parse_url(&format!("https://a.example/{}", "x".repeat(2000))), Err(BadUrl::TooLong));
        assert_eq!(parse_url(&format!("https://a.example/{}", "ü".repeat(900))), Err(BadUrl::TooLong));
    }

    #[test]
    fn good_addresses_are_kept_in_their_normal_form() {
        for (text, normal) in [
            (" HTTPS://MCP.Example.com ", "https://mcp.example.com/"),
            ("http://10.0.0.7:8000/mcp?toolsets=repos", "http://10.0.0.7:8000/mcp?toolsets=repos"),
            ("https://bücher.example/mcp", "https://xn--bcher-kva.example/mcp"),
        ] {
            assert_eq!(parse_url(text).expect("an address").as_str(), normal);
        }
    }
}
