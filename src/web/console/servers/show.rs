//! One server: its tools, prompts and resources, and how it has been doing.

use askama::Template;
use axum::extract::{Path, Query};
use serde::Deserialize;

use crate::{
    base::{page::Page, permission::Permission, risk::Class},
    domain::servers::{CatalogueItem, Check, Checked, ItemKind, Server, Tool, ToolFilter, ToolState},
    flow::actions::servers::{self, ServerSheet, review_tag},
    web::{
        console::{
            servers::{
                crumb, href,
                words::{Strip, ToolRow, Word, pretty, server_word, shown},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{PageQuery, next_href},
            page::{PageResult, page},
            parts::{Choice, Crumb, Tab},
            shell::Shell,
        },
    },
};

/// The page.
#[derive(Template)]
#[template(path = "console/servers/show.html")]
struct ServerPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    href: String,
    delete_action: String,
    server: Server,
    word: Word,
    software: String,
    created_by: String,
    strip: Strip,
    last: Option<Check>,
    last_cause: String,
    tabs: Vec<Tab>,
    q: String,
    states: Vec<Choice>,
    classes: Vec<Choice>,
    is_filtered: bool,
    tools: Vec<ToolRow>,
    waiting: i64,
    review: String,
    first: String,
    next: String,
    lookalikes: Vec<String>,
    credentials: usize,
    can_write: bool,
}

/// A server's prompts, resources or templates.
#[derive(Template)]
#[template(path = "console/servers/items.html")]
struct ItemsPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    tabs: Vec<Tab>,
    noun: &'static str,
    empty: &'static str,
    rows: Vec<ItemRow>,
    first: String,
    next: String,
}

struct ItemRow {
    key: String,
    title: String,
    description: String,
    fingerprint: String,
    lines: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    cursor: Option<String>,
}

pub(super) async fn show(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<ShowQuery>,
) -> PageResult {
    let request = PageQuery { limit: None, cursor: query.cursor.clone() }.parse()?;
    let q: String = query.q.chars().take(100).collect();
    let filter = ToolFilter {
        search: Some(q.clone()).filter(|q| !q.trim().is_empty()),
        state: query.state.parse().ok(),
        class: query.class.parse().ok(),
    };
    let sheet = servers::sheet(&ask.cx, &name, &filter, &request).await?;
    let href = href(&ask, sheet.server.slug.as_str());
    let kept = [("q", q.as_str()), ("state", query.state.as_str()), ("class", query.class.as_str())];
    let (first, next) = next_href(&href, &kept, query.cursor.as_deref(), sheet.tools.next.as_deref());
    let shell = shell_of::org(&ask, sheet.server.name.clone()).await?;
    let is_filtered = filter != ToolFilter::default();
    page(&ServerPage {
        shell,
        crumbs: vec![crumb(&ask)],
        word: server_word(&sheet.server),
        software: software(&sheet.server),
        strip: Strip::new(&sheet.health),
        last_cause: last_cause(sheet.last_check.as_ref()),
        tabs: tabs(&href, "", Some(offered(&sheet))),
        states: states(&query.state),
        classes: classes(&query.class),
        is_filtered,
        tools: rows(&href, &sheet),
        waiting: waiting(&sheet),
        lookalikes: alike(&sheet),
        credentials: sheet.credentials.len(),
        created_by: sheet.created_by.unwrap_or_default(),
        last: sheet.last_check,
        review: sheet.review,
        server: sheet.server,
        delete_action: format!("{href}/delete"),
        href,
        q,
        first,
        next,
        can_write: ask.cx.may(Permission::ServersWrite),
    })
}

pub(super) async fn prompts(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> PageResult {
    items(&ask, &name, ItemKind::Prompt, query).await
}

pub(super) async fn resources(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> PageResult {
    items(&ask, &name, ItemKind::Resource, query).await
}

pub(super) async fn templates(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> PageResult {
    items(&ask, &name, ItemKind::Template, query).await
}

async fn items(ask: &OrgPage, name: &str, kind: ItemKind, query: PageQuery) -> PageResult {
    let Page { items, next } = servers::items(&ask.cx, name, kind, &query.parse()?).await?;
    let server = servers::find(&ask.cx, name).await?;
    let href = href(ask, server.slug.as_str());
    let (view, noun, empty) = match kind {
        ItemKind::Prompt => ("/prompts", "Prompts", "This server offers no prompts"),
        ItemKind::Resource => ("/resources", "Resources", "This server offers no resources"),
        ItemKind::Template => ("/templates", "Templates", "This server offers no resource templates"),
    };
    let (first, next) = next_href(&format!("{href}{view}"), &[], query.cursor.as_deref(), next.as_deref());
    page(&ItemsPage {
        shell: shell_of::org(ask, server.name.clone()).await?,
        crumbs: vec![crumb(ask)],
        tabs: tabs(&href, view, None),
        noun,
        empty,
        rows: items.iter().map(ItemRow::from).collect(),
        first,
        next,
    })
}

impl From<&CatalogueItem> for ItemRow {
    fn from(item: &CatalogueItem) -> Self {
        let value: serde_json::Value = serde_json::from_str(&item.definition).unwrap_or_default();
        let text = |name: &str| value[name].as_str().map(shown).unwrap_or_default();
        let title = if text("title").is_empty() { text("name") } else { text("title") };
        Self {
            key: shown(&item.key),
            title,
            description: text("description"),
            fingerprint: item.fingerprint.short(),
            lines: pretty(&item.definition),
        }
    }
}

/// The views of a server's page.
pub(super) fn tabs(href: &str, current: &str, tools: Option<i64>) -> Vec<Tab> {
    let all = [
        ("", "Tools"),
        ("/prompts", "Prompts"),
        ("/resources", "Resources"),
        ("/templates", "Templates"),
        ("/credentials", "Credentials"),
    ];
    let tab = |(view, label): (&str, &str)| {
        let tab = Tab::new(label, format!("{href}{view}"), view == current);
        match tools.filter(|_| view.is_empty()) {
            Some(count) => tab.with(count),
            None => tab,
        }
    };
    all.into_iter().map(tab).collect()
}

fn rows(href: &str, sheet: &ServerSheet) -> Vec<ToolRow> {
    let row = |tool: &Tool| {
        let tag = review_tag(std::iter::once((&tool.name, tool.fingerprint)));
        ToolRow::new(href, tool, &sheet.drifts, tag)
    };
    sheet.tools.items.iter().map(row).collect()
}

fn offered(sheet: &ServerSheet) -> i64 {
    sheet.counts.iter().filter(|(state, _)| *state != ToolState::Gone).map(|(_, count)| count).sum()
}

fn waiting(sheet: &ServerSheet) -> i64 {
    sheet.counts.iter().filter(|(state, _)| state.waits()).map(|(_, count)| count).sum()
}

fn software(server: &Server) -> String {
    let declared = &server.declared;
    [&declared.name, &declared.version]
        .into_iter()
        .flatten()
        .map(|text| shown(text))
        .collect::<Vec<_>>()
        .join(" ")
}

fn last_cause(check: Option<&Check>) -> String {
    match check.map(|check| &check.outcome) {
        Some(Checked::Failed { cause, .. }) => shown(cause),
        _ => String::new(),
    }
}

fn alike(sheet: &ServerSheet) -> Vec<String> {
    let sentence = |found: &crate::domain::servers::Lookalike<_>| {
        let others: Vec<String> = found.others.iter().map(|(_, name)| shown(name)).collect();
        format!("{} looks like {}", shown(&found.name), others.join(", "))
    };
    sheet.lookalikes.iter().take(5).map(sentence).collect()
}

fn states(chosen: &str) -> Vec<Choice> {
    let all =
        ToolState::ALL.into_iter().map(|state| Choice::new(state.as_str(), state.label()).chosen_by(chosen));
    std::iter::once(Choice::new("", "Any state")).chain(all).collect()
}

fn classes(chosen: &str) -> Vec<Choice> {
    let all =
        Class::ALL.into_iter().map(|class| Choice::new(class.as_str(), class.label()).chosen_by(chosen));
    std::iter::once(Choice::new("", "Any class")).chain(all).collect()
}
