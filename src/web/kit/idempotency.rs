//! `Idempotency-Key`: a repeated POST to the API happens once.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    base::crypto::digest,
    flow::{
        actions::idempotency::{self, Claim, Claimed, Kept},
        cx::OrgCx,
        fault::ActionError,
    },
    web::{
        Doors,
        kit::{ask::KeyAsk, faults::Pending, json::MAX_BODY, problem::ApiError},
    },
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Runs a POST with a key once and answers its repetitions from memory.
pub async fn once(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response {
    let applies = request.method() == Method::POST && request.uri().path().starts_with("/api/");
    match request.headers().get(KEY).cloned() {
        Some(key) if applies => match replay_or_run(&doors, key, request, next).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        },
        _ => next.run(request).await,
    }
}

async fn replay_or_run(
    doors: &Arc<Doors>,
    key: HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let key = key.to_str().ok().filter(|key| (1..=200).contains(&key.len())).ok_or_else(bad_key)?.to_owned();
    let (mut parts, body) = request.into_parts();
    let KeyAsk(cx) = KeyAsk::from_request_parts(&mut parts, doors).await?;
    let bytes = to_bytes(body, MAX_BODY).await.map_err(|_| {
        ApiError::protocol(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body may be at most 1 MiB long.",
        )
    })?;
    let seen = parts.headers.get(header::IF_MATCH).map_or(&b""[..], HeaderValue::as_bytes);
    let request_digest = digest::sha256(&[parts.uri.path().as_bytes(), &[0], seen, &[0], &bytes].concat());
    match idempotency::claim(&cx, &key, &request_digest).await? {
        Claim::Answered(kept) => Ok(replay(kept)),
        Claim::Ours(claim) => {
            let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
            keep(&cx, claim, response).await
        }
    }
}

/// Keeps an answer that settles the request. After a refusal or a failure that changed nothing the key is free again;
/// where the outcome is not known it stays taken, so that nothing happens twice.
async fn keep(cx: &OrgCx, claim: Claimed, response: Response) -> Result<Response, ApiError> {
    if response.status().is_client_error() || response.status().is_server_error() {
        if response.extensions().get::<Pending>().is_none_or(Pending::is_settled) {
            idempotency::release(cx, claim).await?;
        }
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_BODY).await.map_err(|error| ApiError::from(ActionError::defect(error)))?;
    let etag = parts.headers.get(header::ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kept = Kept { status: parts.status.as_u16(), etag, body: bytes.to_vec() };
    if let Err(error) = idempotency::keep(cx, claim, &kept).await {
        // It was done, and that is what the caller must hear; a repetition will be told to look.
        tracing::warn!(code = error.code(), "the answer to an idempotent request was not kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(kept: Kept) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    if let Some(etag) = kept.etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn bad_key() -> ApiError {
    ApiError::protocol(
        StatusCode::BAD_REQUEST,
        "bad_idempotency_key",
        "Idempotency-Key is 1 to 200 visible ASCII characters.",
    )
}
