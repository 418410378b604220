//! Reading policies for their pages.

use std::collections::BTreeMap;

use crate::{
    base::{
        ids::{PolicyId, ServerId},
        page::{MAX_LIMIT, Page, PageRequest},
        permission::Permission,
        risk::Class,
    },
    domain::{
        audit,
        policy::{
            kept::{Policy, PolicyFilter},
            path::argument_paths as argument_paths_of,
            store::policies,
        },
        servers::{ServerFilter, ServerRef, Tool, ToolFilter, ToolName, ToolState, store as servers},
    },
    flow::{
        actions::policies::{PolicySheet, named, replay::SPAN, sheet},
        cx::OrgCx,
        fault::ActionResult,
    },
    io::db::{OrgTx, Tx},
};

/// How many servers a form offers to choose from.
const MOST_SERVERS: usize = 500;
/// How many tools of a server are shown with a policy.
const MOST_TOOLS: usize = 5_000;
/// How many arguments of a tool are offered to choose from.
const MOST_PATHS: usize = 100;

/// A policy in a list, with the name of the server whose tools it is about.
#[derive(Clone, Debug)]
pub struct PolicyEntry {
    /// The policy.
    pub policy: Policy,
    /// The server's name.
    pub server: Option<String>,
}

/// A server to choose from.
#[derive(Clone, Debug)]
pub struct ServerChoice {
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// A tool of the policy's server.
#[derive(Clone, Debug)]
pub struct ToolLine {
    /// Its name.
    pub name: String,
    /// Its title; empty for none.
    pub title: String,
    /// What it does at worst.
    pub class: Class,
    /// Whether it waits for somebody to look at it.
    pub waits: bool,
}

/// What a policy is written with.
#[derive(Clone, Debug)]
pub struct Workbench {
    /// The policy.
    pub sheet: PolicySheet,
    /// The tools of its server, by name.
    pub tools: Vec<ToolLine>,
}

/// A policy with the tools of its server.
pub async fn workbench(cx: &OrgCx, name: &str) -> ActionResult<Workbench> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let tools = match policy.server {
        Some(server) => tools_of(&mut tx, server).await?.into_iter().map(line).collect(),
        None => Vec::new(),
    };
    let sheet = sheet(&mut tx, policy).await?;
    tx.done().await?;
    Ok(Workbench { sheet, tools })
}

/// The tools that a server offers, by name.
pub(super) async fn tools_of(tx: &mut OrgTx, server: ServerId) -> ActionResult<Vec<Tool>> {
    let mut tools = Vec::new();
    let mut page = PageRequest { limit: MAX_LIMIT, after: None };
    loop {
        let found = servers::tools::list(tx, server, &ToolFilter::default(), &page).await?;
        page.after = found.items.last().map(|tool| tool.name.as_str().to_owned());
        tools.extend(found.items.into_iter().filter(|tool| tool.state != ToolState::Gone));
        if found.next.is_none() || tools.len() >= MOST_TOOLS {
            return Ok(tools);
        }
    }
}

fn line(tool: Tool) -> ToolLine {
    ToolLine {
        name: tool.name.as_str().to_owned(),
        title: tool.title.unwrap_or_default(),
        class: tool.class,
        waits: tool.state.waits(),
    }
}

/// How often a tool was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCount {
    /// So often.
    pub calls: i64,
    /// Whether there may have been more calls than were counted.
    pub is_more: bool,
}

/// How often agents called, or tried to call, these tools of the policy's server in the last week.
pub async fn calls_lately(
    cx: &OrgCx,
    policy: &Policy,
    tools: &[String],
) -> ActionResult<BTreeMap<String, CallCount>> {
    cx.require(Permission::PoliciesRead)?;
    let Some(server) = policy.server.filter(|_| !tools.is_empty()) else { return Ok(BTreeMap::new()) };
    let mut tx = cx.tx().await?;
    let counted = audit::calls_of(&mut tx, server, tools, cx.now() - SPAN).await?;
    tx.done().await?;
    let count = |(name, calls)| (name, CallCount { calls, is_more: calls >= audit::MOST_COUNTED });
    Ok(counted.into_iter().map(count).collect())
}

/// The places in the arguments of a tool of the policy's server that its definition names; nothing for what is no tool.
pub async fn argument_paths(cx: &OrgCx, policy: &Policy, tool: &str) -> ActionResult<Vec<String>> {
    cx.require(Permission::PoliciesRead)?;
    let (Some(server), Ok(name)) = (policy.server, tool.parse::<ToolName>()) else { return Ok(Vec::new()) };
    let mut tx = cx.tx().await?;
    let found = servers::tools::find(&mut tx, server, &name).await?;
    tx.done().await?;
    Ok(found.map(|tool| argument_paths_of(&tool.definition, MOST_PATHS)).unwrap_or_default())
}

/// The organization's policies by name, with the servers that they are about.
pub async fn overview(
    cx: &OrgCx,
    filter: &PolicyFilter,
    page: &PageRequest<(String, PolicyId)>,
) -> ActionResult<Page<PolicyEntry>> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let Page { items, next } = policies::list(&mut tx, filter, page).await?;
    let mut names: BTreeMap<ServerId, Option<String>> = BTreeMap::new();
    for server in items.iter().filter_map(|policy| policy.server) {
        if let std::collections::btree_map::Entry::Vacant(place) = names.entry(server) {
            let found = servers::servers::find(&mut tx, &ServerRef::from(server)).await?;
            place.insert(found.map(|server| server.name));
        }
    }
    tx.done().await?;
    let entry = |policy: Policy| {
        let server = policy.server.and_then(|server| names.get(&server).cloned().flatten());
        PolicyEntry { policy, server }
    };
    Ok(Page { items: items.into_iter().map(entry).collect(), next })
}

/// The servers that a policy can be about, by short name.
pub async fn server_choices(cx: &OrgCx) -> ActionResult<Vec<ServerChoice>> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    let mut page = PageRequest { limit: MAX_LIMIT, after: None };
    let mut choices: Vec<ServerChoice> = Vec::new();
    loop {
        let found = servers::servers::list(&mut tx, &ServerFilter::default(), &page).await?;
        let last = found.items.last().map(|entry| entry.server.slug.to_string());
        choices.extend(
            found
                .items
                .into_iter()
                .map(|entry| ServerChoice { slug: entry.server.slug.to_string(), name: entry.server.name }),
        );
        match (found.next, last) {
            (Some(_), last @ Some(_)) if choices.len() < MOST_SERVERS => page.after = last,
            _ => break,
        }
    }
    tx.done().await?;
    Ok(choices)
}
