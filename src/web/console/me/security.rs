//! How the person proves who they are, on one page.

use askama::Template;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    flow::actions::me::factors::{self, Factors},
    web::{
        console::shell_of,
        kit::{
            ask::PersonPage,
            page::{PageResult, page},
            query::Query,
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

pub(super) fn routes() -> Routes {
    Routes::default().page("/me/security", Access::Person, show)
}

#[derive(Template)]
#[template(path = "console/me/security.html")]
struct SecurityPage {
    shell: Shell,
    has_password: bool,
    password_changed_at: Option<OffsetDateTime>,
    factors: Factors,
    /// Whether an organization sent the person here for a second factor.
    is_needed: bool,
}

#[derive(Deserialize)]
struct SecurityQuery {
    #[serde(default)]
    needed: String,
}

async fn show(ask: PersonPage, Query(query): Query<SecurityQuery>) -> PageResult {
    let factors = factors::overview(&ask.cx).await?;
    page(&SecurityPage {
        shell: shell_of::person(&ask, "Password and passkeys").await?,
        has_password: ask.cx.user.has_password,
        password_changed_at: ask.cx.user.password_changed_at,
        is_needed: query.needed == "second-factor" && !ask.cx.session.is_two_factor(),
        factors,
    })
}
