//! The API's own description.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::web::{
    Doors,
    kit::{openapi::Operation, routes::Routes},
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default().api(
        Operation::get("/openapi.json", "getOpenApi")
            .about("Reference", "Read this description as an OpenAPI 3.1 document")
            .open()
            .gives::<serde_json::Value>(StatusCode::OK),
        read,
    )
}

async fn read(State(doors): State<Arc<Doors>>) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind], doors.openapi.clone()).into_response()
}
