//! JSON in and out: bodies with errors that name the place, answers with entity tags.

use axum::{
    Json as AxumJson,
    body::{HttpBody, to_bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use serde_path_to_error::Error as PathError;

use crate::{
    base::page::Page,
    web::kit::{problem::ApiError, query, shape},
};

/// The longest body the admin API reads.
pub const MAX_BODY: usize = 1024 * 1024;

/// A value of a body that was given, even where it is null.
///
/// # Errors
/// Where it is neither.
pub fn maybe_null<'de, T, D>(value: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(value).map(Some)
}

/// What an API handler returns.
pub type ApiResult = Result<Response, ApiError>;

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + JsonSchema, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|value| value.as_bytes());
        let is_json = kind.is_some_and(|kind| {
            kind.split(|b| *b == b';')
                .next()
                .is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
        });
        if !is_json {
            return Err(ApiError::protocol(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "Send the body as JSON with the header Content-Type: application/json.",
            ));
        }
        let bytes = to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| {
            ApiError::protocol(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The body may be at most 1 MiB long.",
            )
        })?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| ApiError::body(told(&schema_of::<T>(), &bytes, &error)))?;
        reader.end().map_err(|_| {
            ApiError::body(vec![(
                String::new(),
                "leave out what follows the end of the JSON document".to_owned(),
            )])
        })?;
        Ok(Self(value))
    }
}

/// The schema of a body, its definitions included.
fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// Where a body that cannot be read is wrong, and what to send there.
fn told(schema: &Value, bytes: &[u8], error: &PathError<serde_json::Error>) -> Vec<(String, String)> {
    let Ok(body) = serde_json::from_slice(bytes) else {
        // What is no JSON has no fields.
        return vec![(String::new(), format!("send one JSON document: {}", error.inner()))];
    };
    let faults = shape::faults(schema, &body);
    if !faults.is_empty() {
        return faults;
    }
    // The reader asks more of a value than its schema says.
    let path = error.path().to_string();
    let text = error.inner().to_string();
    let reason = text.split(" at line ").next().unwrap_or_default().to_owned();
    vec![(if path == "." { String::new() } else { path }, reason)]
}

/// A JSON body that may be left out; then everything in it is.
pub struct MaybeBody<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + Default, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Body::<T>::from_request(request, state).await.map(|Body(value)| Self(value))
    }
}

/// The query parameters of an operation.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        query::read(&parts.uri).map(Self).map_err(|bad| ApiError::query(bad.name, bad.message))
    }
}

/// The version that the caller saw last, from `If-Match`.
pub struct IfMatch(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.strip_prefix("\"v").and_then(|t| t.strip_suffix('"')).and_then(|t| t.parse().ok());
        match version {
            Some(version) => Ok(Self(Some(version))),
            None => Err(ApiError::protocol(
                StatusCode::PRECONDITION_FAILED,
                "changed_meanwhile",
                "If-Match is no ETag of this thing. Read it again and send the ETag of that answer.",
            )),
        }
    }
}

/// A view that knows its version.
pub trait Versioned {
    /// Rises with every change.
    fn version(&self) -> i64;
}

/// One thing, with its ETag.
pub fn one<T: Serialize + Versioned>(status: StatusCode, view: &T) -> Response {
    let mut response = (status, AxumJson(view)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"v{}\"", view.version())) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// One thing without a version.
pub fn plain<T: Serialize>(status: StatusCode, view: &T) -> Response {
    (status, AxumJson(view)).into_response()
}

/// Done, nothing to say.
pub fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// A page of a list, as the API writes it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> From<Page<T>> for Listed<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next_cursor: page.next }
    }
}

/// A page of a list.
pub fn listed<T, V: Serialize + From<T>>(page: Page<T>) -> Response {
    AxumJson(Listed::from(page.map(V::from))).into_response()
}
