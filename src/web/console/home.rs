//! The start: on to the set-up, to sign-in, or to where the person was last.

use axum::response::Response;

use crate::{
    flow::actions::{set_up, sign_in},
    web::kit::{
        ask::Visitor,
        faults::PageError,
        page::go,
        routes::{Access, Routes},
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().page("/", Access::Anyone, start)
}

async fn start(visitor: Visitor) -> Result<Response, PageError> {
    if let Some(person) = &visitor.person {
        return Ok(go(&sign_in::home(person).await?));
    }
    let is_done = set_up::is_done(&visitor.cx).await?;
    Ok(go(if is_done { "/login" } else { "/setup" }))
}
