//! A request of OAuth, sent by the guarded client.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    io::net::{
        client::{Egress, Request as Outgoing},
        error::EgressError,
    },
    protocol::oauth::{
        document::LONGEST,
        failure::TokenFailure,
        request::{Method, Request},
    },
};

/// How long a provider may take from the request to the end of its answer.
pub(super) const WITHIN: Duration = Duration::from_secs(15);

/// Sends it and reads the whole answer: status and body. Redirects are not followed, nothing is repeated.
///
/// # Errors
/// `Transient` where it cannot have arrived, `Unknown` where it may have.
pub async fn send(egress: &Egress, request: &Request) -> Result<(u16, Bytes), TokenFailure> {
    let outgoing = outgoing(egress, request).ok_or_else(TokenFailure::unsent)?;
    let talk = async {
        let reply = egress.send(outgoing).await?;
        let status = reply.status.as_u16();
        Ok::<_, EgressError>((status, reply.read(LONGEST).await?))
    };
    match tokio::time::timeout(WITHIN, talk).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if error.may_have_arrived() => Err(TokenFailure::lost()),
        Ok(Err(_)) => Err(TokenFailure::unsent()),
        Err(_) => Err(TokenFailure::lost()),
    }
}

fn outgoing(egress: &Egress, request: &Request) -> Option<Outgoing> {
    let target = egress.target(request.url.expose()).ok()?;
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Delete => http::Method::DELETE,
    };
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::try_from(name.as_str()).ok()?, value);
    }
    let mut outgoing = Outgoing::new(method, target);
    outgoing.headers = headers;
    outgoing.body = Bytes::copy_from_slice(request.body.expose());
    outgoing.first_byte_within = WITHIN;
    Some(outgoing)
}
