//! The layers above the grants: the organization's guardrail, the policies of teams, the baselines of servers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    base::{
        crypto::digest,
        faults::Faults,
        ids::{PolicyId, ServerId},
        page::{MAX_LIMIT, PageRequest},
        permission::Permission,
        update::is_current,
    },
    domain::{
        audit::{self, Entry, Unrecorded},
        policy::{
            kept::{Layers, PolicyFilter, PolicyRef},
            store::{layers as store, policies},
        },
        servers::{ServerRef, store as servers},
        tenancy::{TeamRef, store as tenancy},
    },
    flow::{
        cx::OrgCx,
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
};

/// Which policy stands where, everything by slug or id; what is not named has none.
#[derive(Clone, Debug, Default)]
pub struct LayerInput {
    /// The organization's guardrail.
    pub org: Option<String>,
    /// Those of teams.
    pub teams: BTreeMap<String, String>,
    /// The baselines of servers.
    pub servers: BTreeMap<String, String>,
}

/// Which policy stands where, by slugs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NamedLayers {
    /// The organization's guardrail.
    pub org: Option<String>,
    /// Those of teams.
    pub teams: BTreeMap<String, String>,
    /// The baselines of servers.
    pub servers: BTreeMap<String, String>,
}

impl NamedLayers {
    /// Another for other layers, so that whoever changes them can say which they saw.
    pub fn version(&self) -> i64 {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let [a, b, c, d, e, f, ..] = digest::sha256(&text);
        i64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

/// Which policy stands in which layer.
pub async fn layers(cx: &OrgCx) -> ActionResult<NamedLayers> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let layers = store::find(&mut tx).await?;
    let named = names(&mut tx, &layers).await?;
    tx.done().await?;
    Ok(named)
}

/// Puts policies into the layers in place of all that stood there.
///
/// # Errors
/// Every name that is none, with its field: `org`, `teams`, `servers`; `Changed` where someone else was faster.
pub async fn set_layers(cx: &OrgCx, input: &LayerInput, seen: Option<i64>) -> ActionResult<NamedLayers> {
    cx.require(Permission::PoliciesWrite)?;
    let mut tx = cx.tx().await?;
    store::lock(&mut tx).await?;
    let new = parse(&mut tx, input).await?;
    let old = store::find(&mut tx).await?;
    let before = names(&mut tx, &old).await?;
    if !is_current(seen, before.version()) {
        return Err(ActionError::Changed);
    }
    if old == new {
        audit::commit_unrecorded(tx, Unrecorded::NothingChanged).await?;
        return Ok(before);
    }
    store::set(&mut tx, &new).await?;
    let after = names(&mut tx, &new).await?;
    audit::commit(tx, cx.now(), vec![changed(cx, &before, &after)]).await?;
    Ok(after)
}

/// Makes a published policy the baseline of a server, within a transaction that does more, and gives the event to record
/// with it; nothing where the server has a baseline already.
pub(super) async fn put_baseline(
    cx: &OrgCx,
    tx: &mut OrgTx,
    server: ServerId,
    policy: PolicyId,
) -> ActionResult<Option<Entry>> {
    store::lock(tx).await?;
    let old = store::find(tx).await?;
    if old.servers.contains_key(&server) {
        return Ok(None);
    }
    let mut new = old.clone();
    new.servers.insert(server, policy);
    store::set(tx, &new).await?;
    let (before, after) = (names(tx, &old).await?, names(tx, &new).await?);
    Ok(Some(changed(cx, &before, &after)))
}

fn changed(cx: &OrgCx, before: &NamedLayers, after: &NamedLayers) -> Entry {
    Entry::admin("layers.changed", &cx.who()).target("org", cx.id(), &cx.org.name).changed(before, after)
}

async fn parse(tx: &mut OrgTx, input: &LayerInput) -> ActionResult<Layers> {
    let mut faults = Faults::default();
    let mut layers = Layers::default();
    if let Some(named) = input.org.as_deref() {
        layers.org = policy(tx, "org", named, &mut faults).await?;
    }
    for (team, named) in &input.teams {
        let found = match team.parse::<TeamRef>() {
            Ok(team) => tenancy::teams::find(tx, &team).await?,
            Err(_) => None,
        };
        let policy = policy(tx, "teams", named, &mut faults).await?;
        match (found, policy) {
            (Some(team), Some(policy)) => drop(layers.teams.insert(team.id, policy)),
            (None, _) => faults.add("teams", format!("there is no team {}", shown(team))),
            (_, None) => {}
        }
    }
    for (server, named) in &input.servers {
        let found = match ServerRef::parse(server) {
            Some(server) => servers::servers::find(tx, &server).await?,
            None => None,
        };
        let policy = policy(tx, "servers", named, &mut faults).await?;
        match (found, policy) {
            (Some(server), Some(policy)) => drop(layers.servers.insert(server.id, policy)),
            (None, _) => faults.add("servers", format!("there is no server {}", shown(server))),
            (_, None) => {}
        }
    }
    Ok(faults.into_result(layers)?)
}

async fn policy(
    tx: &mut OrgTx,
    field: &'static str,
    named: &str,
    faults: &mut Faults,
) -> ActionResult<Option<PolicyId>> {
    let found = match named.parse::<PolicyRef>() {
        Ok(named) => policies::find(tx, &named).await?,
        Err(_) => None,
    };
    match found {
        None => faults.add(field, format!("there is no policy {}", shown(named))),
        Some(policy) if policy.live.is_none() => {
            faults.add(field, format!("{} was never published; publish it first", policy.slug));
        }
        Some(policy) => return Ok(Some(policy.id)),
    }
    Ok(None)
}

/// A name that somebody typed, short enough to be repeated.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

async fn names(tx: &mut OrgTx, layers: &Layers) -> ActionResult<NamedLayers> {
    let mut named = NamedLayers::default();
    let slugs = slugs(tx).await?;
    let slug = |policy: &PolicyId| slugs.get(policy).cloned().unwrap_or_else(|| policy.to_string());
    named.org = layers.org.as_ref().map(slug);
    for (team, policy) in &layers.teams {
        let found = tenancy::teams::find(tx, &TeamRef::Id(*team)).await?;
        let team = found.map_or_else(|| team.to_string(), |team| team.slug.to_string());
        named.teams.insert(team, slug(policy));
    }
    for (server, policy) in &layers.servers {
        let found = servers::servers::find(tx, &ServerRef::from(*server)).await?;
        let server = found.map_or_else(|| server.to_string(), |server| server.slug.to_string());
        named.servers.insert(server, slug(policy));
    }
    Ok(named)
}

async fn slugs(tx: &mut OrgTx) -> ActionResult<BTreeMap<PolicyId, String>> {
    let mut slugs = BTreeMap::new();
    let mut page = PageRequest { limit: MAX_LIMIT, after: None };
    loop {
        let found = policies::list(tx, &PolicyFilter::default(), &page).await?;
        let last = found.items.last().map(|policy| (policy.name.clone(), policy.id));
        slugs.extend(found.items.into_iter().map(|policy| (policy.id, policy.slug)));
        match (found.next, last) {
            (Some(_), last @ Some(_)) => page.after = last,
            _ => return Ok(slugs),
        }
    }
}
