//! Why an account does not serve, link by link, for whoever may change it.

use askama::Template;
use axum::extract::Path;

use crate::{
    flow::actions::me::accounts,
    web::{
        console::{findings::FindingRow, me::accounts::LIST, shell_of},
        kit::{
            ask::PersonPage,
            page::{PageResult, page},
            parts::Crumb,
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/me/account_check.html")]
struct CheckPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    provider: String,
    org: String,
    /// Where asking the provider is posted; empty where nothing can be asked any more.
    test: String,
    rows: Vec<FindingRow>,
}

pub(super) async fn show(ask: PersonPage, Path((org, id)): Path<(String, String)>) -> PageResult {
    let (found, diagnosis) = accounts::diagnose(&ask.cx, &org, &id).await?;
    let connection = diagnosis.sheet.connection;
    let href = format!("{LIST}/{}/{}", found.slug, connection.id);
    page(&CheckPage {
        shell: shell_of::person(&ask, format!("Check {}", connection.title())).await?,
        crumbs: vec![
            Crumb::to("Connected accounts", LIST),
            Crumb::to(connection.title().to_owned(), href.clone()),
        ],
        test: format!("{href}/test"),
        provider: connection.provider_name,
        org: found.name,
        rows: diagnosis.links.into_iter().map(FindingRow::from).collect(),
    })
}

#[cfg(test)]
pub(in crate::web::console::me) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::{
        console::findings::sample_rows,
        kit::{
            samples::{LONG, SHARP, sample, shell},
            shell::Base,
        },
    };

    let page = |text: &str| CheckPage {
        shell: shell(Base::Account, "Check ada"),
        crumbs: vec![Crumb::to("Connected accounts", LIST)],
        provider: text.into(),
        org: text.into(),
        test: "/me/accounts/acme/con_1/test".into(),
        rows: sample_rows(text),
    };
    vec![
        sample("check an account", &page("GitHub")),
        sample("check an account: long", &page(LONG)),
        sample("check an account: sharp", &page(SHARP)),
    ]
}
