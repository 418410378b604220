//! Reading servers, their tools, prompts and resources, and how they have been doing.

use std::collections::HashMap;

use time::OffsetDateTime;

use crate::{
    base::{
        ids::{ServerId, UserId},
        page::{Page, PageRequest},
        permission::Permission,
    },
    domain::{
        connections::{ProviderRef, store as providers},
        grants::store as grants,
        policy::store::layers,
        servers::{
            CatalogueItem, Check, Credential, DayHealth, Drift, ItemKind, KnownServer, Lookalike, Server,
            ServerEntry, ServerFilter, Tool, ToolFilter, ToolName, ToolState, days, drift, known_servers,
            lookalikes, store,
        },
        tenancy,
    },
    flow::{
        actions::servers::{named, review_tag},
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// How many tools a page of one server shows at once.
const MOST_TOOLS: u16 = 200;

/// What a server's page shows.
#[derive(Debug)]
pub struct ServerSheet {
    /// The server.
    pub server: Server,
    /// The name of who added it, while they are a member.
    pub created_by: Option<String>,
    /// The tools that match.
    pub tools: Page<Tool>,
    /// Differences between what was accepted and what is offered, of the tools that changed.
    pub drifts: HashMap<ToolName, Vec<Drift>>,
    /// How many tools there are in each state.
    pub counts: Vec<(ToolState, i64)>,
    /// Tools whose names look like others of the organization.
    pub lookalikes: Vec<Alike>,
    /// The tools that wait for a look.
    pub waiting: Vec<ToolName>,
    /// The tag of all of them.
    pub review: String,
    /// What requests carry; values stay sealed.
    pub credentials: Vec<Credential>,
    /// The last two weeks.
    pub health: Vec<DayHealth>,
    /// The last look.
    pub last_check: Option<Check>,
    /// Labels of grants that name it; for those who may see grants.
    pub named_by: Vec<String>,
    /// How many grants reach it because they reach every server.
    pub reached_by_all: usize,
    /// Whether a policy stands for all grants of it.
    pub has_baseline: bool,
}

/// A name that looks like others.
#[derive(Debug)]
pub struct Alike {
    /// The name.
    pub name: String,
    /// The short names of the servers that offer the others, with those.
    pub others: Vec<(String, String)>,
}

/// What a tool's page shows.
#[derive(Debug)]
pub struct ToolSheet {
    /// The server.
    pub server: Server,
    /// The tool.
    pub tool: Tool,
    /// Differences between what was accepted and what is offered.
    pub drift: Vec<Drift>,
    /// Names that look like its own, with the servers that offer them.
    pub lookalikes: Vec<(String, String)>,
    /// The name of who reviewed it last, while they are a member.
    pub reviewed_by: Option<String>,
    /// What accounts that the server's requests carry are asked for, with the names of their providers.
    pub offered: Vec<(String, Vec<String>)>,
}

/// The well-known servers that a search for these words finds, by name.
///
/// # Errors
/// For who may not see servers.
pub fn known(cx: &OrgCx, q: Option<&str>) -> ActionResult<Vec<&'static KnownServer>> {
    cx.require(Permission::ServersRead)?;
    let q = q.unwrap_or_default();
    Ok(known_servers().iter().filter(|known| known.is_found_by(q)).collect())
}

/// Servers by slug.
pub async fn list(
    cx: &OrgCx,
    filter: &ServerFilter,
    page: &PageRequest<String>,
) -> ActionResult<Page<ServerEntry>> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let page = store::servers::list(&mut tx, filter, page).await?;
    tx.done().await?;
    Ok(page)
}

/// Servers with the last two weeks of each.
pub async fn overview(
    cx: &OrgCx,
    filter: &ServerFilter,
    page: &PageRequest<String>,
) -> ActionResult<Page<(ServerEntry, Vec<DayHealth>)>> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let page = store::servers::list(&mut tx, filter, page).await?;
    let ids: Vec<ServerId> = page.items.iter().map(|entry| entry.server.id).collect();
    let mut strips = strips(&mut tx, &ids, cx.now()).await?;
    tx.done().await?;
    Ok(page.map(|entry| {
        let strip = strips.remove(&entry.server.id).unwrap_or_else(|| days(Vec::new(), cx.now()));
        (entry, strip)
    }))
}

/// One server.
pub async fn find(cx: &OrgCx, name: &str) -> ActionResult<Server> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    tx.done().await?;
    Ok(server)
}

/// One server with everything its page shows.
pub async fn sheet(
    cx: &OrgCx,
    name: &str,
    filter: &ToolFilter,
    page: &PageRequest<String>,
) -> ActionResult<ServerSheet> {
    cx.require(Permission::ServersRead)?;
    let now = cx.now();
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let page = PageRequest { limit: page.limit.min(MOST_TOOLS), after: page.after.clone() };
    let tools = store::tools::list(&mut tx, server.id, filter, &page).await?;
    let counts = store::tools::count_by_state(&mut tx, server.id).await?;
    let waiting = store::tools::waiting(&mut tx, server.id).await?;
    let names = store::tools::names(&mut tx).await?;
    let credentials = store::credentials::list(&mut tx, server.id).await?;
    let health = strips(&mut tx, &[server.id], now).await?.remove(&server.id);
    let last = store::checks::list(&mut tx, server.id, &PageRequest { limit: 1, after: None }).await?;
    let created_by = member_name(&mut tx, server.created_by).await?;
    let (named_by, reached_by_all) = if cx.may(Permission::GrantsRead) {
        grants::servers::dependents(&mut tx, server.id, now).await?
    } else {
        (Vec::new(), 0)
    };
    let has_baseline = layers::find(&mut tx).await?.servers.contains_key(&server.id);
    let names: Vec<(ServerId, &str)> = names.iter().map(|(id, name)| (*id, name.as_str())).collect();
    let mut alike = Vec::new();
    for found in lookalikes(&names).into_iter().filter(|found| found.server == server.id) {
        alike.push(Alike { name: found.name, others: offered_by(&mut tx, found.others).await? });
    }
    tx.done().await?;
    Ok(ServerSheet {
        drifts: tools.items.iter().filter_map(|tool| Some((tool.name.clone(), drift_of(tool)?))).collect(),
        waiting: waiting.iter().map(|(name, _)| name.clone()).collect(),
        review: review_tag(waiting.iter().map(|(name, fingerprint)| (name, *fingerprint))),
        health: health.unwrap_or_else(|| days(Vec::new(), now)),
        last_check: last.items.into_iter().next(),
        named_by,
        reached_by_all,
        has_baseline,
        server,
        created_by,
        tools,
        counts,
        lookalikes: alike,
        credentials,
    })
}

/// Tools of a server by name.
pub async fn tools(
    cx: &OrgCx,
    name: &str,
    filter: &ToolFilter,
    page: &PageRequest<String>,
) -> ActionResult<Page<Tool>> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let page = store::tools::list(&mut tx, server.id, filter, page).await?;
    tx.done().await?;
    Ok(page)
}

/// One tool with everything its page shows.
pub async fn tool(cx: &OrgCx, server: &str, tool: &str) -> ActionResult<ToolSheet> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, server).await?;
    let name: ToolName = tool.parse().map_err(|_| ActionError::NotFound)?;
    let tool = store::tools::find(&mut tx, server.id, &name).await?.ok_or(ActionError::NotFound)?;
    let sheet = sheet_of(&mut tx, server, tool).await?;
    tx.done().await?;
    Ok(sheet)
}

/// What belongs to a tool's page.
pub(super) async fn sheet_of(tx: &mut OrgTx, server: Server, tool: Tool) -> ActionResult<ToolSheet> {
    let names = store::tools::names(tx).await?;
    let reviewed_by = member_name(tx, tool.reviewed_by).await?;
    let pairs: Vec<(ServerId, &str)> = names.iter().map(|(id, name)| (*id, name.as_str())).collect();
    let is_this = |found: &Lookalike<ServerId>| found.server == server.id && found.name == tool.name.as_str();
    let others = lookalikes(&pairs).into_iter().find(is_this).map(|found| found.others).unwrap_or_default();
    let alike = offered_by(tx, others).await?;
    let drift = drift_of(&tool).unwrap_or_default();
    let offered = offered_scopes(tx, server.id).await?;
    Ok(ToolSheet { server, tool, drift, lookalikes: alike, reviewed_by, offered })
}

/// The scopes that the providers of a server's accounts are registered with.
async fn offered_scopes(tx: &mut OrgTx, server: ServerId) -> ActionResult<Vec<(String, Vec<String>)>> {
    let mut offered = Vec::new();
    for carried in store::credentials::list(tx, server).await?.iter().filter_map(|one| one.provider.as_ref())
    {
        let Some(provider) = providers::find(tx, &ProviderRef::Id(carried.id)).await? else { continue };
        let mut scopes = provider.scopes;
        scopes.extend(provider.user_scopes);
        if !scopes.is_empty() {
            offered.push((provider.name, scopes));
        }
    }
    Ok(offered)
}

/// Names with the short names of the servers that offer them.
async fn offered_by(tx: &mut OrgTx, names: Vec<(ServerId, String)>) -> ActionResult<Vec<(String, String)>> {
    let mut offered = Vec::new();
    for (id, name) in names {
        let owner = store::servers::find(tx, &id.into()).await?;
        offered.push((owner.map(|owner| owner.slug.to_string()).unwrap_or_default(), name));
    }
    Ok(offered)
}

/// Prompts, resources or templates of a server.
pub async fn items(
    cx: &OrgCx,
    name: &str,
    kind: ItemKind,
    page: &PageRequest<String>,
) -> ActionResult<Page<CatalogueItem>> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let page = store::catalogue::list_items(&mut tx, server.id, kind, page).await?;
    tx.done().await?;
    Ok(page)
}

/// The looks at a server's health, newest first.
pub async fn health(cx: &OrgCx, name: &str, page: &PageRequest<OffsetDateTime>) -> ActionResult<Page<Check>> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let page = store::checks::list(&mut tx, server.id, page).await?;
    tx.done().await?;
    Ok(page)
}

/// What requests to a server carry; values stay sealed.
pub async fn credentials_of(cx: &OrgCx, name: &str) -> ActionResult<(Server, Vec<Credential>)> {
    cx.require(Permission::ServersRead)?;
    let mut tx = cx.tx().await?;
    let server = named(&mut tx, name).await?;
    let credentials = store::credentials::list(&mut tx, server.id).await?;
    tx.done().await?;
    Ok((server, credentials))
}

/// The differences of a tool that changed; `None` for all others.
fn drift_of(tool: &Tool) -> Option<Vec<Drift>> {
    let accepted = tool.accepted_definition.as_ref()?;
    (tool.accepted_fingerprint != Some(tool.fingerprint)).then(|| drift(accepted, &tool.definition))
}

async fn strips(
    tx: &mut OrgTx,
    servers: &[ServerId],
    now: OffsetDateTime,
) -> ActionResult<HashMap<ServerId, Vec<DayHealth>>> {
    let mut found: HashMap<ServerId, Vec<DayHealth>> = HashMap::new();
    for (server, day) in store::checks::by_day(tx, servers, now).await? {
        found.entry(server).or_default().push(day);
    }
    Ok(found.into_iter().map(|(server, found)| (server, days(found, now))).collect())
}

async fn member_name(tx: &mut OrgTx, user: Option<UserId>) -> ActionResult<Option<String>> {
    let Some(user) = user else { return Ok(None) };
    Ok(tenancy::store::members::find(tx, user).await?.map(|member| member.name))
}
