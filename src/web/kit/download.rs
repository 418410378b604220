//! An export as a file that streams.

use std::io;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;

use crate::flow::actions::export::Export;

/// The answer whose body is the export, piece by piece.
///
/// Where a piece cannot be read the answer breaks off, so that nobody takes a part for the whole.
pub fn download(export: Export) -> Response {
    let kind = HeaderValue::from_static(export.format.media_type());
    // A slug and a date stand in a header as they are.
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", export.file_name))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let pieces = stream::try_unfold(export, |mut export| async move {
        match export.next().await {
            Ok(Some(piece)) => Ok(Some((piece, export))),
            Ok(None) => Ok(None),
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                Err(io::Error::other(error))
            }
        }
    });
    let mut response = Body::from_stream(pieces).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    response
}
