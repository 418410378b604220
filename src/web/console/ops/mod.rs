//! The operator's pages: how the installation is, and its few switches.

mod health;
mod jobs;
mod keys;
mod orgs;
mod outbox;
mod record;
mod settings;
mod words;

use crate::web::kit::routes::Routes;

/// The routes.
pub fn routes() -> Routes {
    Routes::default()
        .and(health::routes())
        .and(jobs::routes())
        .and(keys::routes())
        .and(orgs::routes())
        .and(outbox::routes())
        .and(record::routes())
        .and(settings::routes())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    let files = [
        health::samples,
        jobs::samples,
        keys::samples,
        orgs::samples,
        outbox::samples,
        record::samples,
        settings::samples,
    ];
    files.iter().flat_map(|samples| samples()).collect()
}
