//! Requests about a token: who it belongs to, and that it is to end. Every provider has its own; all are of one shape.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use crate::{
    base::secret::Secret,
    protocol::oauth::{
        address::{Address, Rule, Unfilled},
        client::{Client, ClientAuth, basic, bearer, sign},
        document::Facts,
        request::{BodyForm, Method, Request},
    },
};

/// A request with gaps. A field whose whole value is `{access_token}`, `{refresh_token}`, `{token}` (the refresh token where
/// there is one), `{client_id}`, `{client_secret}` or the name of a fact is filled in; so are gaps of the address and of
/// headers.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// How.
    #[serde(default)]
    pub method: Method,
    /// Where.
    pub url: Address,
    /// Who asks.
    #[serde(default)]
    pub auth: CallAuth,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Parameters of the query.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Fields of a form.
    #[serde(default)]
    pub form: Option<BTreeMap<String, String>>,
    /// A JSON body.
    #[serde(default)]
    pub json: Option<Value>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallAuth {
    /// Whoever bears the access token.
    #[default]
    Bearer,
    /// The client, in the header.
    Basic,
    /// The client, in the form.
    Post,
    /// The client, by what its key signed, in the form.
    PrivateKeyJwt,
    /// Nobody; the request says it in its own way.
    None,
}

impl From<ClientAuth> for CallAuth {
    fn from(auth: ClientAuth) -> Self {
        match auth {
            ClientAuth::Basic | ClientAuth::SecretAsUser => Self::Basic,
            ClientAuth::PrivateKeyJwt => Self::PrivateKeyJwt,
            // A public client shows its id there too (RFC 7009, section 2.1).
            ClientAuth::Post | ClientAuth::None => Self::Post,
        }
    }
}

/// What gaps are filled with.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The client.
    pub client: &'a Client,
    /// The token.
    pub access: Option<&'a Secret<String>>,
    /// The refresh token.
    pub refresh: Option<&'a Secret<String>>,
    /// Everything else by name.
    pub facts: &'a Facts,
}

impl<'a> Values<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let secret = |secret: Option<&'a Secret<String>>| secret.map(|secret| secret.expose().as_str());
        match name {
            "client_id" => Some(&self.client.id),
            "client_secret" => secret(self.client.secret.as_ref()),
            "access_token" => secret(self.access),
            "refresh_token" => secret(self.refresh),
            "token" => secret(self.refresh.or(self.access)),
            name => self.facts.get(name).map(String::as_str),
        }
    }

    fn need(&self, name: &str) -> Result<&'a str, Unfilled> {
        self.get(name).ok_or_else(|| Unfilled::Missing(name.to_owned()))
    }

    /// A text that is one gap and nothing else, filled; any other as it is.
    fn whole<'t>(&self, text: &'t str) -> Result<&'t str, Unfilled>
    where
        'a: 't,
    {
        gap(text).map_or(Ok(text), |name| self.need(name))
    }

    /// A text with gaps in it, filled.
    fn within(&self, text: &str) -> Result<String, Unfilled> {
        let Some((before, rest)) = text.split_once('{') else { return Ok(text.to_owned()) };
        let Some((name, after)) = rest.split_once('}') else { return Ok(text.to_owned()) };
        Ok(format!("{before}{}{after}", self.need(name)?))
    }

    fn json(&self, value: &Value) -> Result<Value, Unfilled> {
        Ok(match value {
            Value::String(text) => self.whole(text)?.into(),
            Value::Object(object) => Value::Object(
                object
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.json(value)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Array(array) => {
                Value::Array(array.iter().map(|value| self.json(value)).collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }
}

/// The name in a text that is one gap. A query such as `{me{id}}` is none.
fn gap(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_.[]".contains(&b);
    name.bytes().all(is_name).then_some(name)
}

impl Call {
    /// The request.
    ///
    /// # Errors
    /// [`Unfilled`]: something it needs is not known, or would lead to another host.
    pub fn request(&self, rule: Option<&Rule>, values: &Values<'_>) -> Result<Request, Unfilled> {
        let url = self.url.fill(rule, |name| values.get(name))?;
        let url = if self.query.is_empty() { url } else { self.with_query(&url, values)? };
        let mut request = Request::new(self.method, url);
        let fields = self.form.iter().flatten();
        let fields: Vec<_> = fields
            .map(|(name, value)| Ok((name.as_str(), values.whole(value)?)))
            .collect::<Result<_, _>>()?;
        match self.auth {
            CallAuth::Post => {
                sign(&mut request, values.client, ClientAuth::Post, BodyForm::Form, fields);
            }
            CallAuth::PrivateKeyJwt => {
                sign(&mut request, values.client, ClientAuth::PrivateKeyJwt, BodyForm::Form, fields);
            }
            _ if self.form.is_some() => request.set_fields(BodyForm::Form, &fields),
            _ => {}
        }
        match (self.auth, &values.client.secret) {
            (CallAuth::Bearer, _) => {
                let token = values.access.ok_or_else(|| Unfilled::Missing("access_token".to_owned()))?;
                request.set_header("authorization", bearer(token));
            }
            (CallAuth::Basic, Some(secret)) => {
                request.set_header("authorization", basic(&values.client.id, secret));
            }
            (CallAuth::Basic, None) => return Err(Unfilled::Missing("client_secret".to_owned())),
            (CallAuth::Post | CallAuth::PrivateKeyJwt | CallAuth::None, _) => {}
        }
        if let Some(json) = &self.json {
            request.set_json(&values.json(json)?);
        }
        for (name, value) in &self.headers {
            request.set_header(name, Secret::new(values.within(value)?));
        }
        Ok(request)
    }

    fn with_query(&self, url: &Secret<String>, values: &Values<'_>) -> Result<Secret<String>, Unfilled> {
        let mut url = Url::parse(url.expose()).map_err(|_| Unfilled::Astray)?;
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, values.whole(value)?);
        }
        Ok(Secret::new(url.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(json: &str) -> Call {
        serde_json::from_str(json).expect("a call")
    }

    fn shown(json: &str, refresh: Option<&str>) -> Result<String, Unfilled> {
        let client = Client { id: "id".to_owned(), secret: Some("s3".to_owned().into()) };
        let (access, refresh) =
            (Secret::new("at".to_owned()), refresh.map(|token| Secret::new(token.to_owned())));
        let facts = Facts::from([("account".to_owned(), "ac 1".to_owned())]);
        let values =
            Values { client: &client, access: Some(&access), refresh: refresh.as_ref(), facts: &facts };
        let request = call(json).request(None, &values)?;
        let headers = request.headers.iter().filter(|(name, _)| name != "accept");
        let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {}", value.expose())).collect();
        let body = String::from_utf8(request.body.expose().clone()).expect("text");
        Ok(format!("{} {} [{}] {body}", request.method.as_str(), request.url.expose(), headers.join(", ")))
    }

    #[test]
    fn requests_of_every_kind_are_written() {
        for (json, wanted) in [
            (
                r#"{"method":"DELETE","url":"https://a.example/apps/{client_id}/token","auth":"basic","json":{"access_token":"{access_token}"}}"#,
                r#"DELETE https://a.example/apps/id/token [authorization: Basic aWQ6czM=, content-type: application/json] {"access_token":"at"}"#,
            ),
            (
                r#"{"method":"POST","url":"https://a.example/revoke","auth":"post","form":{"token":"{token}"}}"#,
                "POST https://a.example/revoke [content-type: application/x-www-form-urlencoded] token=rt&client_id=id&client_secret=s3",
            ),
            (
                r#"{"method":"POST","url":"https://a.example/revoke","auth":"private_key_jwt","form":{"token":"{token}"}}"#,
                "POST https://a.example/revoke [content-type: application/x-www-form-urlencoded] token=rt&client_id=id\
                 &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=s3",
            ),
            (
                r#"{"method":"POST","url":"https://a.example/revoke"}"#,
                "POST https://a.example/revoke [authorization: Bearer at] ",
            ),
            (
                r#"{"method":"POST","url":"https://a.example/revoke","auth":"none","query":{"access_token":"{access_token}"}}"#,
                "POST https://a.example/revoke?access_token=at [] ",
            ),
            (
                r#"{"method":"DELETE","url":"https://a.example/t/{refresh_token}","auth":"none","headers":{"X-Token":"t {access_token}"}}"#,
                "DELETE https://a.example/t/rt [x-token: t at] ",
            ),
            (
                r#"{"method":"POST","url":"https://a.example/g","json":{"query":"{me{id}}","of":["{account}",1]}}"#,
                r#"POST https://a.example/g [authorization: Bearer at, content-type: application/json] {"query":"{me{id}}","of":["ac 1",1]}"#,
            ),
        ] {
            assert_eq!(shown(json, Some("rt")).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn a_request_that_lacks_something_is_not_made() {
        let refresh = r#"{"url":"https://a.example/t/{refresh_token}","auth":"none"}"#;
        assert_eq!(shown(refresh, None), Err(Unfilled::Missing("refresh_token".to_owned())));
        let either = r#"{"url":"https://a.example/t","auth":"none","form":{"token":"{token}"}}"#;
        assert!(shown(either, None).is_ok_and(|text| text.ends_with("token=at")));
        let unknown = r#"{"url":"https://a.example/t","headers":{"x":"{nobody}"}}"#;
        assert_eq!(shown(unknown, None), Err(Unfilled::Missing("nobody".to_owned())));
    }
}
