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
