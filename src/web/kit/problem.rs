//! Errors of the API: `application/problem+json` with a stable code.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    base::ids::RequestId,
    flow::fault::ActionError,
    web::kit::faults::{Fault, Pending},
};

/// What an API handler returns on failure.
#[derive(Debug)]
pub struct ApiError(Fault);

impl ApiError {
    /// The body of the request cannot be read; says where, and what to send there.
    pub(super) fn body(faults: Vec<(String, String)>) -> Self {
        Self(Fault::Body(faults))
    }

    /// A parameter of the address cannot be read.
    pub(super) fn query(name: String, message: String) -> Self {
        Self(Fault::Query { name, message })
    }

    /// The request itself is not one that we serve.
    pub fn protocol(status: StatusCode, code: &'static str, detail: &'static str) -> Self {
        Self(Fault::Protocol { status, code, detail })
    }
}

impl From<ActionError> for ApiError {
    fn from(error: ActionError) -> Self {
        Self(Fault::Action(error))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Pending::response(self.0)
    }
}

/// The document of an error, after RFC 9457.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// Always `about:blank`: the code says what kind of error it is.
    pub r#type: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A stable code for programs.
    pub code: String,
    /// What happened and what to do, for people.
    pub detail: String,
    /// The fields that need attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub errors: Vec<ProblemField>,
    /// The request, for the log and for support.
    pub request_id: String,
}

/// One field that needs attention.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct ProblemField {
    /// Where in the request.
    pub path: String,
    /// Why, and what to do.
    pub message: String,
}

/// Renders a failure for the API.
pub(super) fn render(fault: &Fault, request: Option<RequestId>) -> Response {
    let status = fault.status();
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code: fault.code().to_owned(),
        detail: fault.detail(),
        errors: fault.fields().into_iter().map(|(path, message)| ProblemField { path, message }).collect(),
        request_id: request.map(|id| id.to_string()).unwrap_or_default(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"portreeve\""));
    }
    response
}
