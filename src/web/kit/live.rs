//! Pages that grow while something goes on: pieces of HTML as server-sent events, for browsers whose script asks for them.
//!
//! Without script the same form brings the whole page when all is over.

use std::{convert::Infallible, future::Future, pin::Pin};

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use tokio::sync::watch;

use crate::{base::ids::RequestId, web::kit::faults::PageError};

/// Whether the page asked to be told piece by piece.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// It did.
    pub is_wanted: bool,
}

impl<S: Sync> FromRequestParts<S> for Live {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accepted = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let takes_events = accepted.is_some_and(|accepted| accepted.contains("text/event-stream"));
        Ok(Self { is_wanted: takes_events && parts.headers.contains_key("hx-request") })
    }
}

/// Work that ends with the last piece.
pub type Work = Pin<Box<dyn Future<Output = String> + Send>>;

/// Carries work out, and sends a piece for each thing that is seen of it meanwhile, the first one at once.
pub fn pieces<T: Send + Sync + 'static>(
    mut seen: watch::Receiver<T>,
    piece: impl Fn(&T) -> String + Send + 'static,
    work: Work,
) -> Response {
    seen.mark_changed();
    let events = stream::unfold(Some((seen, piece, work)), async |state| {
        let (mut seen, piece, mut work) = state?;
        let last = tokio::select! {
            biased;
            Ok(()) = seen.changed() => None,
            last = &mut work => Some(last),
        };
        Some(match last {
            Some(last) => (event(last), None),
            None => {
                let html = piece(&seen.borrow_and_update());
                (event(html), Some((seen, piece, work)))
            }
        })
    });
    Sse::new(events).into_response()
}

fn event(html: String) -> Result<Event, Infallible> {
    Ok(Event::default().data(html))
}

/// A piece, ready to be sent.
///
/// # Errors
/// When the template fails.
pub fn piece(template: &impl Template) -> Result<String, PageError> {
    template.render().map_err(PageError::defect)
}

/// The last piece of work that did not come to its end.
#[derive(Template)]
#[template(path = "parts/broken_off.html")]
struct BrokenOff {
    why: String,
    request: RequestId,
}

/// Says why the work could not be finished; logs what is our own fault.
pub fn broken_off(error: PageError, request: RequestId) -> String {
    BrokenOff { why: error.told(), request }.render().unwrap_or_default()
}
