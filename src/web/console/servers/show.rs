//! One server: its tools, prompts and resources, and how it has been doing.

use askama::Template;
use axum::extract::Path;

use crate::{
    base::{page::Page, permission::Permission, risk::Class},
    domain::servers::{CatalogueItem, Check, Checked, ItemKind, Server, Tool, ToolFilter, ToolState},
    flow::actions::servers::{self, Alike, Need, ServerSheet, review_tag},
    web::{
        console::{
            servers::{
                crumb, href,
                needs::{NeedRow, rows as need_rows},
                words::{Strip, ToolRow, Word, pretty, server_word, shown},
            },
            shell_of,
        },
        kit::{
            ask::OrgPage,
            listing::{Asked, Listing},
            page::{PageResult, page_with},
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
    waiting: Vec<String>,
    accept_action: String,
    review: String,
    list: Listing,
    lookalikes: Vec<AlikeRow>,
    more_alike: usize,
    credentials: usize,
    /// Secrets that are asked for and not there for whoever looks.
    needs: Vec<NeedRow>,
    named_by: Vec<String>,
    reached_by_all: usize,
    /// Whether a policy is suggested, because none stands for all grants of it.
    is_suggested: bool,
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
    list: Listing,
}

/// A name that looks like others, each with where it is.
struct AlikeRow {
    name: String,
    others: Vec<(String, String)>,
}

/// How many names that look like others are spelled out.
const ALIKE: usize = 5;

struct ItemRow {
    key: String,
    title: String,
    description: String,
    fingerprint: String,
    lines: Vec<String>,
}

pub(super) async fn show(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    mut asked: Asked,
) -> PageResult {
    let (q, search) = asked.search();
    let (state, chosen_state) = asked.one_of("state", ToolState::ALL.map(|state| (state.as_str(), state)));
    let (class, chosen_class) = asked.one_of("class", Class::ALL.map(|class| (class.as_str(), class)));
    let request = asked.page();
    let filter = ToolFilter { search, state: chosen_state, class: chosen_class };
    let sheet = servers::sheet(&ask.cx, &name, &filter, &request).await?;
    let (_, needs) = servers::needs(&ask.cx, &name).await?;
    let href = href(&ask, sheet.server.slug.as_str());
    let list = asked.listing(sheet.tools.next.as_deref());
    let mut shell = shell_of::org(&ask, sheet.server.name.clone()).await?;
    shell.has_faults = !list.faults.is_empty();
    page_with(
        list.status(),
        &ServerPage {
            shell,
            crumbs: vec![crumb(&ask)],
            word: server_word(&sheet.server),
            software: software(&sheet.server),
            strip: Strip::new(&sheet.health),
            last_cause: last_cause(sheet.last_check.as_ref()),
            tabs: tabs(&href, "", Some(offered(&sheet))),
            states: states(&state),
            classes: classes(&class),
            is_filtered: !(q.is_empty() && state.is_empty() && class.is_empty()),
            tools: rows(&href, &sheet),
            waiting: sheet.waiting.iter().map(|name| shown(name.as_str())).collect(),
            accept_action: format!("{href}/accept"),
            lookalikes: alike(&sheet),
            more_alike: sheet.lookalikes.len().saturating_sub(ALIKE),
            credentials: sheet.credentials.len(),
            needs: missing(&ask, needs),
            is_suggested: offered(&sheet) > 0 && !sheet.has_baseline && ask.cx.may(Permission::PoliciesWrite),
            created_by: sheet.created_by.unwrap_or_default(),
            last: sheet.last_check,
            named_by: sheet.named_by,
            reached_by_all: sheet.reached_by_all,
            review: sheet.review,
            server: sheet.server,
            delete_action: format!("{href}/delete"),
            href,
            q,
            list,
            can_write: ask.cx.may(Permission::ServersWrite),
        },
    )
}

pub(super) async fn prompts(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    asked: Asked,
) -> PageResult {
    items(&ask, &name, ItemKind::Prompt, asked).await
}

pub(super) async fn resources(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    asked: Asked,
) -> PageResult {
    items(&ask, &name, ItemKind::Resource, asked).await
}

pub(super) async fn templates(
    ask: OrgPage,
    Path((_, name)): Path<(String, String)>,
    asked: Asked,
) -> PageResult {
    items(&ask, &name, ItemKind::Template, asked).await
}

async fn items(ask: &OrgPage, name: &str, kind: ItemKind, mut asked: Asked) -> PageResult {
    let request = asked.page();
    let Page { items, next } = servers::items(&ask.cx, name, kind, &request).await?;
    let server = servers::find(&ask.cx, name).await?;
    let href = href(ask, server.slug.as_str());
    let (view, noun, empty) = match kind {
        ItemKind::Prompt => ("/prompts", "Prompts", "This server offers no prompts"),
        ItemKind::Resource => ("/resources", "Resources", "This server offers no resources"),
        ItemKind::Template => ("/templates", "Templates", "This server offers no resource templates"),
    };
    let list = asked.listing(next.as_deref());
    let mut shell = shell_of::org(ask, server.name.clone()).await?;
    shell.has_faults = !list.faults.is_empty();
    page_with(
        list.status(),
        &ItemsPage {
            shell,
            crumbs: vec![crumb(ask)],
            tabs: tabs(&href, view, None),
            noun,
            empty,
            rows: items.iter().map(ItemRow::from).collect(),
            list,
        },
    )
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

/// What is asked for and not there for whoever looks.
pub(super) fn missing(ask: &OrgPage, needs: Vec<Need>) -> Vec<NeedRow> {
    need_rows(ask.cx.org.slug.as_str(), needs).into_iter().filter(|need| !need.is_met).collect()
}

/// The views of a server's page.
pub(in crate::web::console) fn tabs(href: &str, current: &str, tools: Option<i64>) -> Vec<Tab> {
    let all = [
        ("", "Tools"),
        ("/prompts", "Prompts"),
        ("/resources", "Resources"),
        ("/templates", "Templates"),
        ("/credentials", "Credentials"),
        ("/suggested", "Suggested policy"),
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

fn alike(sheet: &ServerSheet) -> Vec<AlikeRow> {
    let own = sheet.server.slug.as_str();
    let other = |(server, name): &(String, String)| {
        (shown(name), if server == own { "here".to_owned() } else { format!("of {server}") })
    };
    let row = |found: &Alike| AlikeRow {
        name: shown(&found.name),
        others: found.others.iter().map(other).collect(),
    };
    sheet.lookalikes.iter().take(ALIKE).map(row).collect()
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

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::console::servers::samples::{differences, health, server, tool};
    use crate::web::kit::{
        samples::{LONG, SHARP, list, refused_list, sample, shell},
        shell::Base,
    };
    use std::collections::HashMap;

    let href = "/o/acme/servers/github";
    let row = |n: usize| {
        let tool = tool(n, ToolState::ALL[n % ToolState::ALL.len()]);
        ToolRow { drift: differences(&tool), ..ToolRow::new(href, &tool, &HashMap::new(), "tag".into()) }
    };
    let page = |tools: usize, is_filtered: bool, list, can_write: bool| ServerPage {
        shell: shell(Base::Organization, LONG),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        href: href.into(),
        delete_action: format!("{href}/delete"),
        server: server(LONG),
        word: server_word(&server(LONG)),
        software: SHARP.into(),
        created_by: LONG.into(),
        strip: Strip::new(&health()),
        last: None,
        last_cause: String::new(),
        tabs: tabs(href, "", Some(40)),
        q: SHARP.into(),
        states: states(""),
        classes: classes(""),
        is_filtered,
        tools: (0..tools).map(row).collect(),
        waiting: (0..tools).map(|n| format!("{SHARP} {n}")).collect(),
        accept_action: format!("{href}/accept"),
        review: "tag".into(),
        list,
        lookalikes: (0..tools.min(ALIKE))
            .map(|_| AlikeRow { name: LONG.into(), others: vec![(LONG.into(), SHARP.into()); 2] })
            .collect(),
        more_alike: tools,
        credentials: tools,
        needs: (0..3).map(NeedRow::sample).collect(),
        named_by: vec![LONG.into(); tools],
        reached_by_all: tools,
        is_suggested: tools > 0,
        can_write,
    };
    let item = |_| ItemRow {
        key: SHARP.repeat(5),
        title: LONG.into(),
        description: LONG.repeat(3),
        fingerprint: "5d930ed1c200".into(),
        lines: pretty("{\"name\":\"x\"}"),
    };
    let items = |count: usize, list| ItemsPage {
        shell: shell(Base::Organization, LONG),
        crumbs: vec![Crumb::to("Servers", "/o/acme/servers")],
        tabs: tabs(href, "/prompts", None),
        noun: "Prompts",
        empty: "This server offers no prompts",
        rows: (0..count).map(item).collect(),
        list,
    };
    vec![
        sample("server: no tools", &page(0, false, Listing::default(), true)),
        sample("server: no tool matches", &page(0, true, Listing::default(), false)),
        sample("server: one tool", &page(1, false, Listing::default(), true)),
        sample("server: many tools", &page(40, false, list(), true)),
        sample("server: refused", &page(3, false, refused_list("class"), false)),
        sample("server, items: none", &items(0, Listing::default())),
        sample("server, items: many", &items(50, list())),
    ]
}
