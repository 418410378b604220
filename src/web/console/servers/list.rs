//! All servers.

use askama::Template;
use axum::extract::Query;
use serde::Deserialize;

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
            listing::{PageQuery, next_href},
            page::{PageResult, page},
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
    first: String,
    next: String,
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

#[derive(Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    cursor: Option<String>,
}

pub(super) async fn list(ask: OrgPage, Query(query): Query<ListQuery>) -> PageResult {
    let request = PageQuery { limit: None, cursor: query.cursor.clone() }.parse()?;
    let q: String = query.q.chars().take(100).collect();
    let filter = filter(&q, &query.state);
    let Page { items, next } = servers::overview(&ask.cx, &filter, &request).await?;
    let base = list_href(&ask);
    let kept = [("q", q.as_str()), ("state", query.state.as_str())];
    let (first, next) = next_href(&base, &kept, query.cursor.as_deref(), next.as_deref());
    page(&ServersPage {
        shell: shell_of::org(&ask, "Servers").await?,
        views: views(&base, &q, &query.state),
        rows: items.into_iter().map(|entry| ServerRow::new(&base, entry)).collect(),
        base,
        q,
        state: query.state,
        first,
        next,
        can_write: ask.cx.may(Permission::ServersWrite),
    })
}

fn filter(q: &str, state: &str) -> ServerFilter {
    let mut filter = ServerFilter {
        search: Some(q.to_owned()).filter(|q| !q.trim().is_empty()),
        ..ServerFilter::default()
    };
    match state {
        "failing" => (filter.failing, filter.enabled) = (Some(true), Some(true)),
        "unreviewed" => filter.unreviewed = true,
        "disabled" => filter.enabled = Some(false),
        _ => {}
    }
    filter
}

fn views(base: &str, q: &str, state: &str) -> Vec<Tab> {
    let all = [("", "All"), ("unreviewed", "To review"), ("failing", "Failing"), ("disabled", "Disabled")];
    let is_known = all.iter().any(|(name, _)| *name == state);
    all.iter()
        .map(|(name, label)| {
            let kept: Vec<_> =
                [("q", q), ("state", name)].into_iter().filter(|(_, text)| !text.is_empty()).collect();
            let href = match serde_urlencoded::to_string(kept).unwrap_or_default() {
                query if query.is_empty() => base.to_owned(),
                query => format!("{base}?{query}"),
            };
            Tab::new(*label, href, *name == state || name.is_empty() && !is_known)
        })
        .collect()
}
