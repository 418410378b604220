//! The API reference, made from the same description that scripts read.

mod outline;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use crate::web::{
    Doors,
    console::{api_docs::outline::Outline, shell_of},
    kit::{
        ask::Visitor,
        faults::PageError,
        page::{PageResult, page},
        routes::{Access, Routes},
        shell::Shell,
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().page("/api/docs", Access::Anyone, show).page("/api/docs/shapes", Access::Anyone, shapes)
}

/// The page.
#[derive(Template)]
#[template(path = "console/api_docs/show.html")]
struct ReferencePage {
    shell: Shell,
    site: String,
    outline: Outline,
}

/// Bodies and answers, which would be too much for one page with the operations.
#[derive(Template)]
#[template(path = "console/api_docs/shapes.html")]
struct ShapesPage {
    shell: Shell,
    outline: Outline,
}

async fn shapes(State(doors): State<Arc<Doors>>, visitor: Visitor) -> PageResult {
    let document = serde_json::from_str(&doors.openapi).map_err(PageError::defect)?;
    page(&ShapesPage {
        shell: shell_of::open(&visitor, "Shapes of the API"),
        outline: Outline::of(&document, &visitor.cx.ports.site.base_url),
    })
}

async fn show(State(doors): State<Arc<Doors>>, visitor: Visitor) -> PageResult {
    let document = serde_json::from_str(&doors.openapi).map_err(PageError::defect)?;
    let site = visitor.cx.ports.site.base_url.clone();
    page(&ReferencePage {
        shell: shell_of::open(&visitor, "API reference"),
        outline: Outline::of(&document, &site),
        site,
    })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        openapi,
        samples::{sample, shell},
        shell::Base,
    };

    let site = "https://portreeve.acme.example".to_owned();
    let document = openapi::document(crate::web::routes().operations());
    let outline = || Outline::of(&document, &site);
    let shapes = ShapesPage { shell: shell(Base::Open, "Shapes of the API"), outline: outline() };
    let reference =
        ReferencePage { shell: shell(Base::Open, "API reference"), outline: outline(), site: site.clone() };
    vec![sample("API reference", &reference), sample("API shapes", &shapes)]
}
