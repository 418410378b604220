//! What resources and authorization servers publish about themselves, and where (RFC 9728, RFC 8414, OpenID Connect
//! Discovery 1.0).

use serde_json::Value;
use url::{Position, Url};

use crate::protocol::oauth::{
    assertion::ALGORITHM,
    client::ClientAuth,
    document::{Document, NotADocument},
    registration::KEY_AUTH,
};

const RESOURCE: &str = "oauth-protected-resource";
const SERVER: &str = "oauth-authorization-server";
const OPENID: &str = "openid-configuration";
const MOST_LISTED: usize = 500;
const LONGEST_LISTED: usize = 500;

/// Where a resource's metadata is looked for when no challenge says where: under its path, then at the root (RFC 9728,
/// section 3.1).
pub fn resource_places(resource: &Url) -> Vec<Url> {
    let mut places = vec![well_known(resource, RESOURCE, path_of(resource), "")];
    places.push(well_known(resource, RESOURCE, "", ""));
    places.dedup();
    places
}

/// Where an authorization server's metadata is looked for, best first.
pub fn server_places(issuer: &Url) -> Vec<Url> {
    let path = path_of(issuer);
    let mut places = vec![well_known(issuer, SERVER, path, ""), well_known(issuer, OPENID, path, "")];
    if !path.is_empty() {
        places.push(well_known(issuer, OPENID, "", path));
    }
    places
}

/// Where an OpenID provider's metadata is (Discovery 1.0, section 4.1).
pub fn openid_place(issuer: &Url) -> Url {
    well_known(issuer, OPENID, "", path_of(issuer))
}

fn path_of(url: &Url) -> &str {
    url.path().trim_end_matches('/')
}

fn well_known(base: &Url, name: &str, after: &str, before: &str) -> Url {
    let mut place = base.clone();
    place.set_path(&format!("{before}/.well-known/{name}{after}"));
    place.set_query(None);
    place.set_fragment(None);
    place
}

/// Why metadata is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMetadata {
    /// It cannot be read.
    #[error("the metadata is no JSON document")]
    Unreadable,
    /// It lacks something, or says it in a way that cannot be used.
    #[error("the metadata has no usable `{0}`")]
    Missing(&'static str),
    /// It is somebody else's.
    #[error("the metadata belongs to another issuer or resource")]
    NotTheirs,
}

impl From<NotADocument> for BadMetadata {
    fn from(_: NotADocument) -> Self {
        Self::Unreadable
    }
}

/// An authorization server, by what it calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// As it is written: it is compared to the letter.
    pub text: String,
    /// The same as an address.
    pub url: Url,
}

impl Issuer {
    /// One that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self { text: text.to_owned(), url: address(text)? })
    }

    /// The server that a resource is itself, as it was before resources named theirs (MCP of 2025-03-26).
    pub fn of_origin(resource: &Url) -> Option<Self> {
        Self::parse(&resource.origin().ascii_serialization())
    }
}

/// What a resource says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// What it calls itself; tokens are asked for under this name (RFC 8707).
    pub resource: String,
    /// The servers that give tokens for it, at least one.
    pub authorization_servers: Vec<Issuer>,
    /// The scopes that it knows.
    pub scopes: Vec<String>,
}

impl ResourceMetadata {
    /// Reads the metadata of the resource at `url`.
    ///
    /// # Errors
    /// See [`BadMetadata`]; `NotTheirs` where it names a resource that this one is no part of.
    pub fn read(bytes: &[u8], url: &Url) -> Result<Self, BadMetadata> {
        let document = Document::read(bytes)?;
        let value = document.value();
        let resource =
            value.get("resource").and_then(Value::as_str).ok_or(BadMetadata::Missing("resource"))?;
        let named = address(resource).ok_or(BadMetadata::Missing("resource"))?;
        if !covers(&named, url) {
            return Err(BadMetadata::NotTheirs);
        }
        let servers = list(value, "authorization_servers").unwrap_or_default();
        let servers: Vec<_> = servers.iter().filter_map(|text| Issuer::parse(text)).take(10).collect();
        if servers.is_empty() {
            return Err(BadMetadata::Missing("authorization_servers"));
        }
        let scopes = list(value, "scopes_supported").unwrap_or_default();
        Ok(Self { resource: resource.to_owned(), authorization_servers: servers, scopes })
    }
}

/// Whether an address is part of a resource.
pub fn covers(resource: &Url, address: &Url) -> bool {
    resource.origin() == address.origin() && is_within(address.path(), resource.path())
}

/// Whether a path lies under another.
fn is_within(path: &str, whole: &str) -> bool {
    let whole = whole.trim_end_matches('/');
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What an authorization server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerMetadata {
    /// What it calls itself.
    pub issuer: String,
    /// Where people agree.
    pub authorize: Url,
    /// Where tokens are given.
    pub token: Url,
    /// Where a client registers by itself.
    pub register: Option<Url>,
    /// Where a token is ended.
    pub revoke: Option<Url>,
    /// Where it says who a token belongs to.
    pub userinfo: Option<Url>,
    /// The scopes that it knows, where it says so.
    pub scopes: Option<Vec<String>>,
    /// The kinds of PKCE that it knows, where it says so.
    pub pkce: Option<Vec<String>>,
    /// How clients may authenticate, in the standard's names.
    pub auth_methods: Vec<String>,
    /// How clients may sign, where it says so.
    pub auth_algorithms: Option<Vec<String>>,
    /// What tokens can be asked for with, where it says so.
    pub grants: Option<Vec<String>>,
    /// Whether each of its callbacks names it (RFC 9207).
    pub names_itself: bool,
    /// Whether it reads a client's own document.
    pub reads_client_documents: bool,
}

impl ServerMetadata {
    /// Reads the metadata that was found for `issuer`.
    ///
    /// # Errors
    /// See [`BadMetadata`]; `NotTheirs` where it names another issuer (RFC 8414, section 3.3: to the letter).
    pub fn read(bytes: &[u8], issuer: &str) -> Result<Self, BadMetadata> {
        let document = Document::read(bytes)?;
        let value = document.value();
        if value.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(BadMetadata::NotTheirs);
        }
        let optional = |name: &str| value.get(name).and_then(Value::as_str).and_then(address);
        let needed = |name: &'static str| optional(name).ok_or(BadMetadata::Missing(name));
        let says = |name: &str| value.get(name) == Some(&Value::Bool(true));
        Ok(Self {
            issuer: issuer.to_owned(),
            authorize: needed("authorization_endpoint")?,
            token: needed("token_endpoint")?,
            register: optional("registration_endpoint"),
            revoke: optional("revocation_endpoint"),
            userinfo: optional("userinfo_endpoint"),
            scopes: list(value, "scopes_supported"),
            pkce: list(value, "code_challenge_methods_supported"),
            // What it means to say nothing (RFC 8414, section 2).
            auth_methods: list(value, "token_endpoint_auth_methods_supported")
                .unwrap_or_else(|| vec!["client_secret_basic".to_owned()]),
            auth_algorithms: list(value, "token_endpoint_auth_signing_alg_values_supported"),
            grants: list(value, "grant_types_supported"),
            names_itself: says("authorization_response_iss_parameter_supported"),
            reads_client_documents: says("client_id_metadata_document_supported"),
        })
    }

    /// What is true of one that says nothing, as the protocol's revision of 2025-03-26 had it.
    pub fn usual(issuer: &Issuer) -> Option<Self> {
        let at = |path: &str| issuer.url.join(path).ok();
        Some(Self {
            issuer: issuer.text.clone(),
            authorize: at("/authorize")?,
            token: at("/token")?,
            register: at("/register"),
            revoke: None,
            userinfo: None,
            scopes: None,
            pkce: Some(vec!["S256".to_owned()]),
            auth_methods: vec!["none".to_owned(), "client_secret_post".to_owned()],
            auth_algorithms: None,
            grants: None,
            names_itself: false,
            reads_client_documents: false,
        })
    }

    /// Whether it says that it knows PKCE with S256, without which an MCP client must not go on.
    pub fn has_pkce(&self) -> bool {
        self.pkce.as_ref().is_some_and(|kinds| kinds.iter().any(|kind| kind == "S256"))
    }

    /// Whether a client may sign there with a key such as ours are.
    pub fn takes_keys(&self) -> bool {
        let knows = |known: &[String], name: &str| known.iter().any(|one| one == name);
        knows(&self.auth_methods, KEY_AUTH)
            && self.auth_algorithms.as_ref().is_none_or(|known| knows(known, ALGORITHM))
    }

    /// Whether a client there signs with a key, or cannot show itself in any way that we know.
    pub fn takes_keys_only(&self) -> bool {
        let others = ["client_secret_basic", "client_secret_post", "none"];
        self.takes_keys() && !self.auth_methods.iter().any(|method| others.contains(&method.as_str()))
    }

    /// How a client with a secret authenticates there: in the header where that is known, as it is everybody's default.
    pub fn client_auth(&self) -> ClientAuth {
        let knows = |name: &str| self.auth_methods.iter().any(|method| method == name);
        if knows("client_secret_basic") {
            ClientAuth::Basic
        } else if knows("client_secret_post") {
            ClientAuth::Post
        } else if knows("none") {
            ClientAuth::None
        } else {
            ClientAuth::Basic
        }
    }
}

fn list(value: &Value, name: &str) -> Option<Vec<String>> {
    let texts = value.get(name)?.as_array()?.iter().filter_map(Value::as_str);
    let is_plain = |text: &&str| text.len() <= LONGEST_LISTED && text.bytes().all(|b| b.is_ascii_graphic());
    Some(texts.filter(is_plain).take(MOST_LISTED).map(str::to_owned).collect())
}

/// The name under which tokens are asked for of a resource that does not say its own (RFC 8707; MCP: without a fragment, and
/// without a slash at the end).
pub fn canonical(resource: &Url) -> String {
    let mut url = resource.clone();
    url.set_fragment(None);
    let text = url.as_str();
    text.strip_suffix('/').unwrap_or(text).to_owned()
}

/// An address that a browser or a request may be sent to, as far as its text goes.
pub fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_web =
        matches!(url.scheme(), "https" | "http") && url.host_str().is_some_and(|host| !host.is_empty());
    let is_bare = url[Position::BeforeUsername..Position::BeforeHost].is_empty() && url.fragment().is_none();
    (is_web && is_bare && text.len() <= 2_000).then_some(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn texts(places: &[Url]) -> Vec<&str> {
        places.iter().map(Url::as_str).collect()
    }

    #[test]
    fn places_are_tried_in_the_standards_order() {
        assert_eq!(
            texts(&resource_places(&url("https://a.example/mcp/?x=1#y"))),
            [
                "https://a.example/.well-known/oauth-protected-resource/mcp",
                "https://a.example/.well-known/oauth-protected-resource"
            ]
        );
        assert_eq!(resource_places(&url("https://a.example/")).len(), 1);
        assert_eq!(
            texts(&server_places(&url("https://a.example/t/1/"))),
            [
                "https://a.example/.well-known/oauth-authorization-server/t/1",
                "https://a.example/.well-known/openid-configuration/t/1",
                "https://a.example/t/1/.well-known/openid-configuration",
            ]
        );
        assert_eq!(server_places(&url("https://a.example")).len(), 2);
        assert_eq!(
            openid_place(&url("https://a.example/t")).as_str(),
            "https://a.example/t/.well-known/openid-configuration"
        );
    }

    #[test]
    fn a_resource_speaks_only_for_itself() {
        let read = |resource: &str| {
            let text = format!(
                r#"{{"resource":"{resource}","authorization_servers":["https://as.example","nope"]}}"#
            );
            ResourceMetadata::read(text.as_bytes(), &url("https://a.example/mcp/x"))
        };
        for good in [
            "https://a.example",
            "https://a.example/mcp",
            "https://a.example/mcp/",
            "https://A.example/mcp/x",
        ] {
            assert_eq!(read(good).expect(good).authorization_servers.len(), 1);
        }
        for other in [
            "https://b.example/mcp/x",
            "http://a.example/mcp",
            "https://a.example/mc",
            "https://a.example/mcp/x/y",
            "https://a.example:8443/",
        ] {
            assert_eq!(read(other), Err(BadMetadata::NotTheirs), "{other}");
        }
        for unusable in ["https://u:p@a.example/mcp", "https://a.example/mcp#x", "javascript:x"] {
            assert_eq!(read(unusable), Err(BadMetadata::Missing("resource")), "{unusable}");
        }
        let none = br#"{"resource":"https://a.example/mcp","authorization_servers":["ftp://x"]}"#;
        assert_eq!(
            ResourceMetadata::read(none, &url("https://a.example/mcp")),
            Err(BadMetadata::Missing("authorization_servers"))
        );
    }

    #[test]
    fn a_server_is_who_it_was_asked_as() {
        let text = r#"{"issuer":"https://a.example/t","authorization_endpoint":"https://a.example/a","token_endpoint":"https://a.example/t","code_challenge_methods_supported":["plain","S256"],"token_endpoint_auth_methods_supported":["client_secret_post"],"userinfo_endpoint":"https://u:p@a.example/","authorization_response_iss_parameter_supported":true}"#;
        let read = ServerMetadata::read(text.as_bytes(), "https://a.example/t").expect("metadata");
        assert!(
            read.has_pkce() && read.names_itself && read.userinfo.is_none() && !read.reads_client_documents
        );
        assert_eq!(read.client_auth(), ClientAuth::Post);
        for other in ["https://a.example/t/", "https://A.example/t", "https://b.example", ""] {
            assert_eq!(ServerMetadata::read(text.as_bytes(), other), Err(BadMetadata::NotTheirs), "{other}");
        }
        let bare = r#"{"issuer":"i","authorization_endpoint":"https://a.example/a","token_endpoint":"javascript:x"}"#;
        assert_eq!(ServerMetadata::read(bare.as_bytes(), "i"), Err(BadMetadata::Missing("token_endpoint")));
        let silent =
            ServerMetadata::read(bare.replace("javascript:x", "https://a.example/t").as_bytes(), "i")
                .expect("read");
        assert!(!silent.has_pkce());
        assert_eq!(silent.client_auth(), ClientAuth::Basic);
        assert_eq!(ServerMetadata::read(b"<html>", "i"), Err(BadMetadata::Unreadable));
    }

    #[test]
    fn keys_are_offered_where_they_would_be_taken() {
        let said = |methods: &str| {
            let text = format!(
                r#"{{"issuer":"i","authorization_endpoint":"https://a.example/a","token_endpoint":"https://a.example/t"{methods}}}"#
            );
            let read = ServerMetadata::read(text.as_bytes(), "i").expect("metadata");
            (read.takes_keys(), read.takes_keys_only())
        };
        let methods = |methods: &str| format!(r#","token_endpoint_auth_methods_supported":{methods}"#);
        let algorithms =
            |known: &str| format!(r#","token_endpoint_auth_signing_alg_values_supported":{known}"#);
        let only = methods(r#"["private_key_jwt","client_secret_jwt"]"#);
        assert_eq!(said(""), (false, false));
        assert_eq!(said(&methods(r#"["none"]"#)), (false, false));
        assert_eq!(said(&only), (true, true));
        assert_eq!(said(&methods(r#"["client_secret_post","private_key_jwt"]"#)), (true, false));
        assert_eq!(said(&format!("{only}{}", algorithms(r#"["RS256"]"#))), (false, false));
        assert_eq!(said(&format!("{only}{}", algorithms(r#"["RS256","ES256"]"#))), (true, true));
    }

    #[test]
    fn a_resource_has_one_name() {
        assert_eq!(canonical(&url("https://A.example/")), "https://a.example");
        assert_eq!(canonical(&url("https://a.example/mcp/#x")), "https://a.example/mcp");
        assert_eq!(canonical(&url("https://a.example/mcp?x=1")), "https://a.example/mcp?x=1");
        let own = Issuer::of_origin(&url("https://a.example:8443/mcp")).expect("an issuer");
        assert_eq!((own.text.as_str(), own.url.path()), ("https://a.example:8443", "/"));
    }

    proptest! {
        #[test]
        fn no_document_panics(text in "\\PC{0,200}") {
            let _ = ServerMetadata::read(text.as_bytes(), "i");
            let _ = ResourceMetadata::read(text.as_bytes(), &url("https://a.example/mcp"));
            let _ = address(&text);
        }
    }
}
