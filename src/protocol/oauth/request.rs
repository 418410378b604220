//! A request as it is to be sent.

use std::fmt;

use crate::base::secret::Secret;

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As the request line has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request; every part of it may hold a secret.
pub struct Request {
    /// How.
    pub method: Method,
    /// Where.
    pub url: Secret<String>,
    /// Name and value of each header, in lower case the one.
    pub headers: Vec<(String, Secret<String>)>,
    /// The body, empty where there is none.
    pub body: Secret<Vec<u8>>,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyForm {
    /// As a form, which the standard asks for.
    #[default]
    Form,
    /// As JSON, which some ask for.
    Json,
}

impl Request {
    /// A request without a body that wants JSON.
    pub fn new(method: Method, url: Secret<String>) -> Self {
        let mut request = Self { method, url, headers: Vec::new(), body: Secret::default() };
        request.set_header("accept", "application/json".to_owned().into());
        request
    }

    /// Sets a header, in place of one of this name.
    pub fn set_header(&mut self, name: &str, value: Secret<String>) {
        let name = name.to_ascii_lowercase();
        self.headers.retain(|(there, _)| *there != name);
        self.headers.push((name, value));
    }

    /// Gives it these fields as its body.
    pub fn set_fields(&mut self, form: BodyForm, fields: &[(&str, &str)]) {
        let (kind, body) = match form {
            BodyForm::Form => ("application/x-www-form-urlencoded", form_text(fields).into_bytes()),
            BodyForm::Json => {
                let object: serde_json::Map<_, _> =
                    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
                ("application/json", serde_json::Value::Object(object).to_string().into_bytes())
            }
        };
        self.set_header("content-type", kind.to_owned().into());
        self.body = Secret::new(body);
    }

    /// Gives it a JSON body.
    pub fn set_json(&mut self, value: &serde_json::Value) {
        self.set_header("content-type", "application/json".to_owned().into());
        self.body = Secret::new(value.to_string().into_bytes());
    }
}

fn form_text(fields: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(fields);
    text.finish()
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}
