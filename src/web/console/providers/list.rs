//! All providers.

use askama::Template;

use crate::{
    base::{page::Page, permission::Permission},
    domain::connections::Provider,
    flow::actions::providers,
    web::{
        console::{
            providers::{list_href, words},
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
            shell::Shell,
        },
    },
};

/// The list.
#[derive(Template)]
#[template(path = "console/providers/list.html")]
struct ProvidersPage {
    shell: Shell,
    base: String,
    q: String,
    rows: Vec<ProviderRow>,
    list: Listing,
    can_write: bool,
}

struct ProviderRow {
    href: String,
    name: String,
    slug: String,
    host: String,
    kind: String,
    scopes: usize,
    is_disabled: bool,
}

impl ProviderRow {
    fn new(base: &str, provider: &Provider) -> Self {
        Self {
            href: format!("{base}/{}", provider.slug),
            name: provider.name.clone(),
            slug: provider.slug.to_string(),
            host: words::host(provider),
            kind: words::kind(provider),
            scopes: provider.scopes.len() + provider.user_scopes.len(),
            is_disabled: provider.disabled_at.is_some(),
        }
    }
}

pub(super) async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, sought) = asked.search();
    let Page { items, next } = providers::list(&ask.cx, sought.as_deref(), &asked.page()).await?;
    let list = asked.listing(next.as_deref());
    let base = list_href(&ask);
    let page = ProvidersPage {
        shell: shell_of::org(&ask, "Providers").await?.with_faults(!list.faults.is_empty()),
        rows: items.iter().map(|provider| ProviderRow::new(&base, provider)).collect(),
        base,
        q,
        can_write: ask.cx.may(Permission::ProvidersWrite),
        list,
    };
    page_with(page.list.status(), &page)
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::providers::samples::{own, provider};
    use crate::web::kit::{
        samples::{LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };

    let base = "/o/acme/providers";
    let page = |count: usize, q: &str, list| ProvidersPage {
        shell: shell(Base::Organization, "Providers"),
        base: base.into(),
        q: q.into(),
        rows: (0..count).map(|n| ProviderRow::new(base, &provider(own(), LONG, n % 2 == 1))).collect(),
        list,
        can_write: count < 50,
    };
    vec![
        sample("providers: none", &page(0, "", Listing::default())),
        sample("providers: none matches", &page(0, SHARP, refused_list("q"))),
        sample("providers: some", &page(3, "", Listing::default())),
        sample("providers: many", &page(50, "", list())),
    ]
}
