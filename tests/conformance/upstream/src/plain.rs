//! A second endpoint that answers with fixed bytes: what is valid on the wire and yet lost by whoever reads it into
//! typed models and writes it out again. The same bytes serve both eras. Also the tasks of revision 2025-11-25, which
//! the typed server does not know.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const JSON: &str = "application/json";

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: String,
    #[serde(default)]
    params: Value,
}

/// Answers one message.
pub async fn answer(headers: HeaderMap, body: String) -> Response {
    let Ok(message) = serde_json::from_str::<Message<'_>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(id) = message.id else {
        return StatusCode::ACCEPTED.into_response();
    };
    let params = &message.params;
    let text = match message.method.as_str() {
        "initialize" => include_str!("plain/initialize.json"),
        "server/discover" => include_str!("plain/discover.json"),
        "ping" => r#"{"jsonrpc":"2.0","id":{ID},"result":{}}"#,
        "tools/list" if params["cursor"].is_string() => include_str!("plain/tools-2.json"),
        "tools/list" => include_str!("plain/tools-1.json"),
        "tools/call" if params["name"] == "echo" => return with_id(&echo(&headers, &body), id, JSON),
        "tools/call" if params["name"] == "odd_stream" => {
            return with_id(&stream(params), id, "text/event-stream");
        }
        "tools/call" => called(params),
        "tasks/list" => include_str!("plain/tasks.json"),
        "tasks/get" | "tasks/cancel" => include_str!("plain/task.json"),
        "tasks/result" => include_str!("plain/task_result.json"),
        _ => include_str!("plain/unknown.json"),
    };
    with_id(text, id, JSON)
}

fn called(params: &Value) -> &'static str {
    match params["name"].as_str() {
        Some("odd_result") => include_str!("plain/odd_result.json"),
        Some("url_required") => include_str!("plain/url_required.json"),
        Some("slow_job") if params["task"].is_object() => include_str!("plain/created.json"),
        Some("slow_job") => include_str!("plain/task_result.json"),
        _ => include_str!("plain/unknown.json"),
    }
}

fn stream(params: &Value) -> String {
    let token = params["_meta"]["progressToken"].to_string();
    include_str!("plain/odd_stream.sse").replace("{TOKEN}", &token)
}

/// The body as it arrived, and the headers that came with it, which no later writing may have touched.
fn echo(headers: &HeaderMap, body: &str) -> String {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    let content = json!([{ "type": "text", "text": body }, { "type": "text", "text": lines.join("\n") }]);
    format!(r#"{{"jsonrpc":"2.0","id":{{ID}},"result":{{"resultType":"complete","content":{content}}}}}"#)
}

fn with_id(text: &str, id: &RawValue, kind: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text.replacen("{ID}", id.get(), 1)).into_response()
}
