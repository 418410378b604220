//! Asking a provider to describe itself.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::{
    base::faults::Faults,
    domain::connections::{ClientParts, Template, TemplateParts},
    flow::fault::{ActionError, ActionResult},
    io::net::client::{Egress, Request},
    protocol::oauth::{
        authorize::is_reserved,
        document::LONGEST,
        metadata::{BadMetadata, ServerMetadata, openid_place, server_places},
    },
};

/// How long one place may take to begin its answer.
const WITHIN: Duration = Duration::from_secs(10);

/// What a provider said of itself.
#[derive(Debug)]
pub(super) struct Discovered {
    /// How to speak with it.
    pub(super) parts: TemplateParts,
    /// The scopes that it knows, where it says so.
    pub(super) scopes: Option<Vec<String>>,
}

/// Looks for what a provider says of itself, in the places where the standards have it.
///
/// # Errors
/// A fault of the field `issuer` that says what was found instead.
pub(super) async fn discover(egress: &Egress, issuer: &str, url: &Url) -> ActionResult<Discovered> {
    let mut places = vec![openid_place(url)];
    places.extend(server_places(url));
    let mut seen = Vec::new();
    let mut fault = None;
    for place in places {
        if seen.contains(&place) {
            continue;
        }
        match read(egress, &place, issuer).await {
            Ok(metadata) => {
                let parts = TemplateParts::of_metadata(&metadata, true);
                return Ok(Discovered { parts, scopes: metadata.scopes });
            }
            // Another place may still have it; what was wrong at the first is told if none has.
            Err(error) => fault = fault.or(Some(error.words())),
        }
        seen.push(place);
    }
    let fault = fault.unwrap_or_else(|| "nothing was found there".to_owned());
    Err(ActionError::field("issuer", fault))
}

/// Why nothing is known of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Nothing is there.
    NotThere(String),
    /// It cannot be asked now, so nobody knows.
    Away(String),
    /// What is there cannot be used.
    Unusable(String),
}

impl Unread {
    /// What was found instead.
    pub(super) fn words(self) -> String {
        match self {
            Self::NotThere(words) | Self::Away(words) | Self::Unusable(words) => words,
        }
    }
}

/// What an authorization server says of itself at one place.
pub(super) async fn read(egress: &Egress, place: &Url, issuer: &str) -> Result<ServerMetadata, Unread> {
    let body = fetched(egress, place).await?;
    ServerMetadata::read(&body, issuer).map_err(|error| {
        Unread::Unusable(match error {
            BadMetadata::NotTheirs => {
                "its description names another issuer; enter the issuer exactly as the provider writes it"
                    .to_owned()
            }
            BadMetadata::Unreadable => "what is there is no description of a provider".to_owned(),
            BadMetadata::Missing(what) => format!("its description has no usable {what}"),
        })
    })
}

/// A document that somebody publishes about themselves.
pub(super) async fn fetched(egress: &Egress, place: &Url) -> Result<Bytes, Unread> {
    let target = egress.target(place.as_str()).map_err(|error| Unread::Unusable(error.to_string()))?;
    let mut request = Request::new(Method::GET, target);
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.first_byte_within = WITHIN;
    let away = |error: &dyn std::fmt::Display| Unread::Away(format!("it cannot be asked: {error}"));
    let reply = egress.send(request).await.map_err(|error| away(&error))?;
    let status = reply.status;
    if !status.is_success() {
        let words = format!("it answered {} where its description should be", status.as_u16());
        let is_away = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        return Err(if is_away { Unread::Away(words) } else { Unread::NotThere(words) });
    }
    reply
        .read(LONGEST)
        .await
        .map_err(|error| Unread::Away(format!("its description cannot be read: {error}")))
}

/// Refuses addresses that could never be called.
///
/// # Errors
/// The faults of each.
pub(super) fn check_addresses(egress: &Egress, parts: &TemplateParts) -> ActionResult<()> {
    let all = [
        ("authorize_url", Some(&parts.authorize)),
        ("token_url", Some(&parts.token)),
        ("revoke_url", parts.revoke.as_ref()),
        ("userinfo_url", parts.userinfo.as_ref()),
    ];
    // What the provider said of itself belongs to the one field that was filled in.
    let field_of = |field| if parts.is_openid { "issuer" } else { field };
    check(egress, all.map(|(field, url)| (field_of(field), url)))?;
    // It would stand there twice, and which of the two counts is the provider's choice (RFC 6749, section 3.1).
    match parts.authorize.query_pairs().find(|(name, _)| is_reserved(name)) {
        Some((name, _)) => Err(ActionError::field(
            field_of("authorize_url"),
            format!("leave {name} out of its query; it is added whenever somebody connects"),
        )),
        None => Ok(()),
    }
}

/// The same of one whose addresses a preset says.
pub(super) fn check_preset_addresses(egress: &Egress, template: &Template) -> ActionResult<()> {
    let (authorize, token) = template.endpoints();
    check(egress, [("preset", authorize), ("preset", Some(token))])
}

/// The same of one whose client asks for tokens in its own name.
pub(super) fn check_client_addresses(egress: &Egress, parts: &ClientParts) -> ActionResult<()> {
    check(egress, [("token_url", Some(&parts.token)), ("revoke_url", parts.revoke.as_ref())])
}

fn check<const N: usize>(egress: &Egress, all: [(&'static str, Option<&Url>); N]) -> ActionResult<()> {
    let mut faults = Faults::default();
    for (field, url) in all.into_iter().filter_map(|(field, url)| Some((field, url?))) {
        faults.check(field, egress.target(url.as_str()));
    }
    Ok(faults.into_result(())?)
}
