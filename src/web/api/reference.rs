//! The API's own description, and that of the documents it takes.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    flow::actions::policies,
    web::{
        Doors,
        kit::{openapi::Operation, routes::Routes},
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default()
        .api(
            Operation::get("/openapi.json", "getOpenApi")
                .about("Reference", "Read this description as an OpenAPI 3.1 document")
                .open()
                .gives::<serde_json::Value>(StatusCode::OK),
            read,
        )
        .api(
            Operation::get("/policy-schema.json", "getPolicySchema")
                .about("Reference", "Read the JSON Schema of policy documents, for editors")
                .open()
                .gives::<serde_json::Value>(StatusCode::OK),
            read_schema,
        )
}

/// The same for every installation of this version, and no secret: an editor on a laptop fetches it without a key.
async fn read_schema() -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind], policies::DOCUMENT_SCHEMA).into_response()
}

async fn read(State(doors): State<Arc<Doors>>) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind], doors.openapi.clone()).into_response()
}
