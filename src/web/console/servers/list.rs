//! All servers.

use askama::Template;

use crate::{
    base::{page::Page, permission::Permission},
    domain::servers::{DayHealth, ServerEntry, ServerFilter},
    flow::actions::servers,
    web::{
        console::{
            servers::{
                list_href,
                words::{Strip, Word, host, server_word},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing, with_query},
            page::{PageResult, page_with},
            parts::Tab,
            shell::Shell,
        },
    },
};

/// The list.
#[derive(Template)]
#[template(path = "console/servers/list.html")]
struct ServersPage {
    shell: Shell,
    base: String,
    /// The page that looks whether everything is in place.
    wiring: String,
    q: String,
    state: String,
    views: Vec<Tab>,
    rows: Vec<ServerRow>,
    list: Listing,
    can_write: bool,
}

struct ServerRow {
    href: String,
    name: String,
    slug: String,
    host: String,
    word: Word,
    error: String,
    strip: Strip,
    tools: i64,
    unreviewed: i64,
    credentials: i64,
}

impl ServerRow {
    fn new(base: &str, (entry, days): (ServerEntry, Vec<DayHealth>)) -> Self {
        let server = entry.server;
        Self {
            href: format!("{base}/{}", server.slug),
            slug: server.slug.to_string(),
            host: host(&server.url).to_owned(),
            word: server_word(&server),
            error: server.refreshed.error.filter(|_| server.is_enabled).unwrap_or_default(),
            strip: Strip::new(&days),
            name: server.name,
            tools: entry.tools,
            unreviewed: entry.unreviewed,
            credentials: entry.credentials,
        }
    }
}

/// What a list can be narrowed to, with the words for it.
const VIEWS: [(&str, &str); 4] =
    [("", "All"), ("unreviewed", "To review"), ("failing", "Failing"), ("disabled", "Disabled")];

pub(super) async fn list(ask: OrgPage, mut asked: Asked) -> PageResult {
    let (q, search) = asked.search();
    let (state, chosen) = asked.one_of("state", VIEWS.iter().skip(1).map(|(name, _)| (*name, *name)));
    let request = asked.page();
    let Page { items, next } = servers::overview(&ask.cx, &filter(search, chosen), &request).await?;
    let base = list_href(&ask);
    let list = asked.listing(next.as_deref());
    let mut shell = shell_of::org(&ask, "Servers").await?;
    shell.has_faults = !list.faults.is_empty();
    page_with(
        list.status(),
        &ServersPage {
            shell,
            views: views(&base, &q, &state),
            rows: items.into_iter().map(|entry| ServerRow::new(&base, entry)).collect(),
            base,
            wiring: format!("/o/{}/wiring", ask.cx.org.slug),
            q,
            state,
            list,
            can_write: ask.cx.may(Permission::ServersWrite),
        },
    )
}

fn filter(search: Option<String>, state: Option<&str>) -> ServerFilter {
    let mut filter = ServerFilter { search, ..ServerFilter::default() };
    match state {
        Some("failing") => (filter.failing, filter.enabled) = (Some(true), Some(true)),
        Some("unreviewed") => filter.unreviewed = true,
        Some("disabled") => filter.enabled = Some(false),
        _ => {}
    }
    filter
}

fn views(base: &str, q: &str, state: &str) -> Vec<Tab> {
    let is_known = VIEWS.iter().any(|(name, _)| *name == state);
    let tab = |(name, label): &(&'static str, &'static str)| {
        let current = *name == state || name.is_empty() && !is_known;
        Tab::new(*label, with_query(base, [("q", q), ("state", *name)]), current)
    };
    VIEWS.iter().map(tab).collect()
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::servers::samples::{health, server};
    use crate::web::kit::{
        samples::{LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };

    let row = |n: i64| {
        let entry = ServerEntry { server: server(LONG), tools: n, unreviewed: n % 3, credentials: n % 2 };
        ServerRow::new("/o/acme/servers", (entry, health()))
    };
    let page = |count: i64, q: &str, list| ServersPage {
        shell: shell(Base::Organization, "Servers"),
        base: "/o/acme/servers".into(),
        wiring: "/o/acme/wiring".into(),
        q: q.into(),
        state: String::new(),
        views: views("/o/acme/servers", q, ""),
        rows: (0..count).map(row).collect(),
        list,
        can_write: count < 50,
    };
    vec![
        sample("servers: none", &page(0, "", Listing::default())),
        sample("servers: none matches", &page(0, SHARP, Listing::default())),
        sample("servers: three", &page(3, "", Listing::default())),
        sample("servers: many", &page(50, SHARP, list())),
        sample("servers: refused", &page(1, "", refused_list("state"))),
    ]
}
