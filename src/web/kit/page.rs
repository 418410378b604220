//! Answers with pages and with the way to the next page.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::web::kit::{browser::SayNext, faults::PageError, flash::Toast};

/// What a page handler returns.
pub type PageResult = Result<Response, PageError>;

/// A page with status 200.
pub fn page(template: &impl Template) -> PageResult {
    page_with(StatusCode::OK, template)
}

/// A page with another status, such as 422 for a form that needs attention.
pub fn page_with(status: StatusCode, template: &impl Template) -> PageResult {
    let body = template.render().map_err(PageError::defect)?;
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::VARY, HeaderValue::from_static("HX-Request, Cookie"));
    Ok(response)
}

/// On to another page, by GET.
pub fn go(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // A path that cannot stand in a header is none of ours.
    let target = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, target);
    response
}

/// On to another page, which says a sentence.
pub fn go_saying(path: &str, toast: Toast) -> Response {
    let mut response = go(path);
    response.extensions_mut().insert(SayNext(toast));
    response
}

/// A path to come back to: ours, and nobody else's.
///
/// Refuses anything that a browser could read as another host, such as `//evil` or `/\evil`.
pub fn safe_return(path: &str) -> Option<&str> {
    let second = path.as_bytes().get(1);
    let ours = path.starts_with('/') && !matches!(second, Some(b'/' | b'\\'));
    let plain = path.len() <= 2_000 && path.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'\\');
    (ours && plain).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_paths_are_returned_to() {
        for good in ["/", "/o/acme/members?q=a", "/me/security#x"] {
            assert_eq!(safe_return(good), Some(good));
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil",
            "https://evil.example",
            "javascript:x",
            "/a b",
            "/\r\nX: y",
            "/a\\b",
        ] {
            assert_eq!(safe_return(bad), None, "{bad}");
        }
    }
}
