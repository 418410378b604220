//! A request of OAuth, sent by the guarded client.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{
    domain::connections::ADDRESS_REFUSED,
    io::net::{
        client::{Egress, Request as Outgoing},
        error::EgressError,
        target::Target,
    },
    protocol::oauth::{
        document::LONGEST,
        failure::{FailureKind, TokenFailure},
        request::{Method, Request},
    },
};

/// How long a provider may take from the request to the end of its answer.
pub(super) const WITHIN: Duration = Duration::from_secs(15);

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// How long to wait before anything is asked again, where it says so.
    pub wait: Option<Duration>,
}

impl Reply {
    /// Whether all went well.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// Sends it and reads the whole answer. Redirects are not followed, nothing is repeated.
///
/// # Errors
/// `Transient` where it cannot have arrived, `Unknown` where it may have; `BrokenClient` where our own rules for addresses keep
/// it from being sent at all.
pub async fn send(egress: &Egress, request: &Request) -> Result<Reply, TokenFailure> {
    let target = egress.target(request.url.expose()).map_err(|_| barred())?;
    let outgoing = outgoing(target, request).ok_or_else(TokenFailure::unsent)?;
    let talk = async {
        let reply = egress.send(outgoing).await?;
        let (status, wait) = (reply.status.as_u16(), wait(&reply.headers));
        Ok::<_, EgressError>(Reply { status, body: reply.read(LONGEST).await?, wait })
    };
    match tokio::time::timeout(WITHIN, talk).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(EgressError::Refused(_) | EgressError::Target(_))) => Err(barred()),
        Ok(Err(error)) if error.may_have_arrived() => Err(TokenFailure::lost()),
        Ok(Err(_)) => Err(TokenFailure::unsent()),
        Err(_) => Err(TokenFailure::lost()),
    }
}

/// What `Retry-After` says (RFC 9110, section 10.2.3): seconds, or a date, which is one by the clock of who says it.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text| OffsetDateTime::parse(text, &Rfc2822).ok();
    Duration::try_from(date(asked)? - date(text(header::DATE)?)?).ok()
}

/// It was never sent, and never will be while the rules and the address are what they are.
pub(super) fn barred() -> TokenFailure {
    let code = Some(ADDRESS_REFUSED.to_owned());
    TokenFailure { kind: FailureKind::BrokenClient, code, ..TokenFailure::unsent() }
}

fn outgoing(target: Target, request: &Request) -> Option<Outgoing> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_asks_to_wait_is_read_as_seconds_and_as_a_date() {
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Thu, 01 Jan 1970 00:01:30 GMT", Some(90)),
            // What is over needs no waiting.
            ("Wed, 31 Dec 1969 23:59:00 GMT", None),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let date = HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT");
            let said = [(header::RETRY_AFTER, HeaderValue::from_static(text)), (header::DATE, date)];
            assert_eq!(wait(&HeaderMap::from_iter(said)), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(wait(&HeaderMap::new()), None);
    }
}
