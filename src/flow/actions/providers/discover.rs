//! Asking a provider to describe itself.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use url::Url;

use crate::{
    base::faults::Faults,
    domain::connections::TemplateParts,
    flow::fault::{ActionError, ActionResult},
    io::net::client::{Egress, Request},
    protocol::oauth::{
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
            Err(error) => fault = fault.or(Some(error)),
        }
        seen.push(place);
    }
    let fault = fault.unwrap_or_else(|| "nothing was found there".to_owned());
    Err(ActionError::field("issuer", fault))
}

/// What an authorization server says of itself at one place; otherwise what was found instead.
pub(super) async fn read(egress: &Egress, place: &Url, issuer: &str) -> Result<ServerMetadata, String> {
    let body = fetched(egress, place).await?;
    ServerMetadata::read(&body, issuer).map_err(|error| match error {
        BadMetadata::NotTheirs => {
            "its description names another issuer; enter the issuer exactly as the provider writes it"
                .to_owned()
        }
        BadMetadata::Unreadable => "what is there is no description of a provider".to_owned(),
        BadMetadata::Missing(what) => format!("its description has no usable {what}"),
    })
}

/// A document that somebody publishes about themselves; otherwise what was found instead.
pub(super) async fn fetched(egress: &Egress, place: &Url) -> Result<Bytes, String> {
    let target = egress.target(place.as_str()).map_err(|error| error.to_string())?;
    let mut request = Request::new(Method::GET, target);
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request.first_byte_within = WITHIN;
    let reply = egress.send(request).await.map_err(|error| format!("it cannot be asked: {error}"))?;
    let status = reply.status;
    if !status.is_success() {
        return Err(format!("it answered {} where its description should be", status.as_u16()));
    }
    reply.read(LONGEST).await.map_err(|error| format!("its description cannot be read: {error}"))
}

/// Refuses addresses that could never be called.
///
/// # Errors
/// The faults of each.
pub(super) fn check_addresses(egress: &Egress, parts: &TemplateParts) -> ActionResult<()> {
    let mut faults = Faults::default();
    let all = [
        ("authorize_url", Some(&parts.authorize)),
        ("token_url", Some(&parts.token)),
        ("revoke_url", parts.revoke.as_ref()),
        ("userinfo_url", parts.userinfo.as_ref()),
    ];
    for (field, url) in all {
        let Some(url) = url else { continue };
        // What the provider said of itself belongs to the one field that was filled in.
        let field = if parts.is_openid { "issuer" } else { field };
        faults.check(field, egress.target(url.as_str()));
    }
    Ok(faults.into_result(())?)
}
