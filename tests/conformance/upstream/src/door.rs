//! What every request passes before it is understood: the call log, and the stream that breaks off.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::{Value, json};

const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// The call log, if one is kept.
pub struct Door {
    log: Option<Mutex<File>>,
}

impl Door {
    /// Opens the log for appending.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(log: Option<&Path>) -> io::Result<Self> {
        let log = log.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        Ok(Self { log: log.map(Mutex::new) })
    }

    /// Notes a call: tool, request id and the argument `marker`, null where there is none.
    fn note(&self, call: &Value) -> io::Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let params = &call["params"];
        let line =
            json!({ "tool": params["name"], "id": call["id"], "marker": params["arguments"]["marker"] });
        let mut log = log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // One write per line, so that lines stay whole whatever happens to this process.
        log.write_all(format!("{line}\n").as_bytes())
    }
}

/// Notes calls, and ends the stream of `test_reconnection` after its first event.
pub async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let message = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
    let is_call = message["method"] == "tools/call";
    if is_call && door.note(&message).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    // Only a session keeps what was not delivered.
    let breaks_off = is_call
        && message["params"]["name"] == "test_reconnection"
        && parts.headers.contains_key("mcp-session-id");
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    if !breaks_off || !is_stream {
        return response;
    }
    // The first chunk is the event that only carries the id to come back with.
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().take(1)))
}
