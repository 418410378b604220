//! What protects a server of MCP, as it says itself when it is asked without a token: whose tokens it takes, under which name
//! they are asked for, and with which scopes.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::{
    flow::{
        actions::providers::discover::{Unread, fetched, read},
        fault::{ActionError, ActionResult},
    },
    io::net::client::{Egress, Request},
    protocol::oauth::{
        challenge::Challenge,
        metadata::{
            BadMetadata, Issuer, ResourceMetadata, ServerMetadata, canonical, resource_places, server_places,
        },
    },
};

/// How long the server may take to begin its answer.
const WITHIN: Duration = Duration::from_secs(10);
/// What is asked of it in each era. A server that asks who calls should not look at it, but some look before they ask.
const QUESTIONS: [Question; 3] = [
    Question {
        headers: &[("mcp-protocol-version", "2026-07-28"), ("mcp-method", "server/discover")],
        body: Some(
            r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        ),
    },
    Question {
        headers: &[],
        body: Some(
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"portreeve","version":"1"}}}"#,
        ),
    },
    // The transport of 2024 opens a stream first.
    Question { headers: &[], body: None },
];
/// What a scope is called with which a server gives refresh tokens.
const OFFLINE: &str = "offline_access";

/// A request without a token.
struct Question {
    headers: &'static [(&'static str, &'static str)],
    /// What is posted; where there is nothing, a stream is asked for.
    body: Option<&'static str>,
}

/// What protects a server.
#[derive(Debug)]
pub(super) struct Protection {
    /// The name under which its tokens are asked for.
    pub(super) resource: String,
    /// What the authorization server says of itself.
    pub(super) metadata: ServerMetadata,
    /// What is asked for.
    pub(super) scopes: Vec<String>,
}

/// Finds out what protects the server at an address (MCP, authorization; RFC 9728, RFC 8414).
///
/// # Errors
/// A refusal that says what was found instead.
pub(super) async fn protection(egress: &Egress, server: &Url) -> ActionResult<Protection> {
    let challenge = challenge(egress, server).await?;
    let resource = resource(egress, server, &challenge).await?;
    let metadata = match &resource {
        Some(resource) => named(egress, &resource.authorization_servers).await?,
        None => of_old(egress, server).await?,
    };
    let mut scopes = match (&resource, challenge.scopes.is_empty()) {
        (Some(resource), true) => resource.scopes.clone(),
        _ => challenge.scopes,
    };
    let gives_refresh_tokens =
        metadata.grants.as_ref().is_none_or(|grants| grants.iter().any(|grant| grant == "refresh_token"));
    let knows_offline =
        metadata.scopes.as_ref().is_some_and(|scopes| scopes.iter().any(|scope| scope == OFFLINE));
    if gives_refresh_tokens && knows_offline && !scopes.iter().any(|scope| scope == OFFLINE) {
        scopes.push(OFFLINE.to_owned());
    }
    Ok(Protection {
        resource: resource.map_or_else(|| canonical(server), |resource| resource.resource),
        metadata,
        scopes,
    })
}

/// What the server asks for when it is called without a token.
async fn challenge(egress: &Egress, server: &Url) -> ActionResult<Challenge> {
    let mut last = StatusCode::OK;
    for question in &QUESTIONS {
        let (status, headers) = asked(egress, server, question).await?;
        last = status;
        if status == StatusCode::UNAUTHORIZED {
            let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
            return Ok(Challenge::read(values.filter_map(|value| value.to_str().ok())).unwrap_or_default());
        }
        if status.is_success() {
            break;
        }
    }
    let sentence = if last.is_success() {
        "The server answers without asking who calls, so no provider is needed for it.".to_owned()
    } else {
        format!(
            "The server does not say that it wants to know who calls: it answered {} to a request without a token. Check its \
             address.",
            last.as_u16()
        )
    };
    Err(ActionError::refused("server_asks_nobody", sentence))
}

async fn asked(egress: &Egress, server: &Url, question: &Question) -> ActionResult<(StatusCode, HeaderMap)> {
    let away = |error: &dyn std::fmt::Display| {
        ActionError::refused("server_away", format!("The server cannot be asked: {error}"))
    };
    let target = egress.target(server.as_str()).map_err(|error| away(&error))?;
    let method = if question.body.is_some() { Method::POST } else { Method::GET };
    let mut request = Request::new(method, target);
    let accepted = HeaderValue::from_static("application/json, text/event-stream");
    request.headers.insert(header::ACCEPT, accepted);
    for (name, value) in question.headers {
        request.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(body) = question.body {
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.body = Bytes::from_static(body.as_bytes());
    }
    request.first_byte_within = WITHIN;
    let reply = egress.send(request).await.map_err(|error| away(&error))?;
    Ok((reply.status, reply.headers))
}

/// What the resource says of itself: where the challenge says, else in the usual places; nothing where it says nothing, as
/// servers of the first revision do. Where nobody knows, because a place cannot be asked now, nothing is concluded.
async fn resource(
    egress: &Egress,
    server: &Url,
    challenge: &Challenge,
) -> ActionResult<Option<ResourceMetadata>> {
    let places = challenge.resource_metadata.clone().into_iter().chain(resource_places(server));
    for place in places {
        let body = match fetched(egress, &place).await {
            Ok(body) => body,
            Err(Unread::Away(words)) => return Err(away(&place, &words)),
            Err(Unread::NotThere(_) | Unread::Unusable(_)) => continue,
        };
        match ResourceMetadata::read(&body, server) {
            Ok(resource) => return Ok(Some(resource)),
            // Tokens that were asked for under that name would be another's.
            Err(BadMetadata::NotTheirs) => {
                return Err(ActionError::refused(
                    "server_is_another",
                    format!(
                        "What the server publishes at {place} describes another server, so no token is asked for. Check the \
                         server's address; else its operator has to mend that."
                    ),
                ));
            }
            Err(BadMetadata::Unreadable | BadMetadata::Missing(_)) => {}
        }
    }
    match &challenge.resource_metadata {
        // It says where, so it is no server of the first revision.
        Some(place) => Err(ActionError::refused(
            "server_description_missing",
            format!(
                "The server says that {place} describes it, and nothing usable is there. Tell its operator."
            ),
        )),
        None => Ok(None),
    }
}

fn away(place: &Url, words: &str) -> ActionError {
    ActionError::refused(
        "server_description_away",
        format!("What {place} says cannot be read right now: {words}. Try again in a few minutes."),
    )
}

/// The first of these authorization servers that describes itself.
async fn named(egress: &Egress, servers: &[Issuer]) -> ActionResult<ServerMetadata> {
    let mut fault = None;
    for server in servers {
        match described(egress, server).await? {
            Ok(metadata) => return with_pkce(metadata),
            Err(error) => fault = fault.or(Some((server.text.as_str(), error))),
        }
    }
    let (issuer, fault) = fault.unwrap_or(("", "it names no authorization server".to_owned()));
    Err(ActionError::refused(
        "server_issuer_silent",
        format!(
            "The server takes tokens of {issuer}, which does not describe itself: {fault}. Tell its operator."
        ),
    ))
}

/// What an authorization server says of itself; within, what was found instead.
///
/// # Errors
/// A refusal where it cannot be asked now.
async fn described(egress: &Egress, server: &Issuer) -> ActionResult<Result<ServerMetadata, String>> {
    let mut fault = None;
    for place in server_places(&server.url) {
        match read(egress, &place, &server.text).await {
            Ok(metadata) => return Ok(Ok(metadata)),
            Err(Unread::Away(words)) => return Err(away(&place, &words)),
            Err(other) => fault = fault.or(Some(other.words())),
        }
    }
    Ok(Err(fault.unwrap_or_default()))
}

/// As it was in the protocol's revision of 2025-03-26: the server's origin gives the tokens, at the usual places where it does
/// not say otherwise.
async fn of_old(egress: &Egress, server: &Url) -> ActionResult<ServerMetadata> {
    let unknown = || {
        ActionError::refused(
            "server_issuer_unknown",
            "The server wants to know who calls and does not say whose tokens it takes. Register its provider by hand.",
        )
    };
    let issuer = Issuer::of_origin(server).ok_or_else(unknown)?;
    let mut written = issuer.text.clone();
    written.push('/');
    for text in [&issuer.text, &written] {
        let own = Issuer { text: text.clone(), url: issuer.url.clone() };
        if let Ok(metadata) = described(egress, &own).await? {
            return with_pkce(metadata);
        }
    }
    ServerMetadata::usual(&issuer).ok_or_else(unknown)
}

/// Refuses a server that does not say that it knows PKCE, without which a code could be taken by somebody else.
fn with_pkce(metadata: ServerMetadata) -> ActionResult<ServerMetadata> {
    if metadata.has_pkce() {
        return Ok(metadata);
    }
    Err(ActionError::refused(
        "server_without_pkce",
        format!(
            "{} does not say that it knows PKCE with S256, so nobody can connect an account safely. Tell its operator.",
            metadata.issuer
        ),
    ))
}
