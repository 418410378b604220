//! How far a grant reaches: the servers it names, and the tools there that its ceiling lets pass.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::{faults::Faults, ids::ServerId, risk::Class},
    domain::grants::{Grant, NamedServer, ServersOf, ToolCount, store},
    flow::{actions::grants::ServersInput, fault::ActionResult},
    io::db::OrgTx,
};

/// A grant's servers by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedServers {
    /// Every server of the organization.
    All,
    /// These, by slug.
    Some(Vec<NamedServer>),
}

impl NamedServers {
    /// For the record and the API: slugs, or `all`.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::All => vec!["all".to_owned()],
            Self::Some(servers) => servers.iter().map(|server| server.slug.clone()).collect(),
        }
    }
}

/// One server that a grant reaches, with its tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReach {
    /// The server.
    pub server: NamedServer,
    /// How many tools may be called, by class, mildest first; classes without any are left out.
    pub may: Vec<(Class, i64)>,
    /// How many callable tools are above the ceiling.
    pub above: i64,
    /// How many wait for a review, or were refused or switched off.
    pub held: i64,
}

/// Names of servers by id.
pub(super) struct Names(BTreeMap<ServerId, NamedServer>);

impl Names {
    /// A grant's servers, by slug.
    pub(super) fn of(&self, servers: &ServersOf) -> NamedServers {
        match servers {
            ServersOf::All => NamedServers::All,
            ServersOf::Some(ids) => {
                let mut named: Vec<_> = ids.iter().filter_map(|id| self.0.get(id).cloned()).collect();
                named.sort_by(|a, b| a.slug.cmp(&b.slug));
                NamedServers::Some(named)
            }
        }
    }
}

/// The names of all servers that these grants name.
pub(super) async fn named<'a>(
    tx: &mut OrgTx,
    grants: impl IntoIterator<Item = &'a ServersOf>,
) -> ActionResult<Names> {
    let mut ids = BTreeSet::new();
    for servers in grants {
        if let ServersOf::Some(some) = servers {
            ids.extend(some.iter().copied());
        }
    }
    if ids.is_empty() {
        return Ok(Names(BTreeMap::new()));
    }
    let servers = store::reach::named(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    Ok(Names(servers.into_iter().map(|server| (server.id, server)).collect()))
}

/// Servers that are called so, by id or slug.
pub(super) async fn by_name(tx: &mut OrgTx, names: &[String]) -> ActionResult<Vec<NamedServer>> {
    let ids: Vec<ServerId> = names.iter().filter_map(|name| name.trim().parse().ok()).collect();
    let slugs: Vec<String> = names.iter().map(|name| name.trim().replace('\0', "")).collect();
    Ok(store::reach::find(tx, &ids, &slugs).await?)
}

/// The servers that somebody names; notes a fault where one is unknown.
pub(super) async fn find(
    tx: &mut OrgTx,
    input: &ServersInput,
    faults: &mut Faults,
) -> ActionResult<Option<ServersOf>> {
    let ServersInput::Some(names) = input else {
        return Ok(Some(ServersOf::All));
    };
    let found = by_name(tx, names).await?;
    let is_found = |name: &&String| {
        let name = name.trim();
        found.iter().any(|server| server.slug == name || server.id.to_string() == name)
    };
    if let Some(unknown) = names.iter().find(|name| !is_found(name)) {
        let shown: String = unknown.chars().filter(|c| !c.is_control()).take(60).collect();
        faults.add(
            "servers",
            format!("there is no server `{shown}`; use the slug or the id of one that was added"),
        );
        return Ok(None);
    }
    Ok(Some(ServersOf::Some(found.into_iter().map(|server| server.id).collect())))
}

/// All servers that a form can offer, by slug.
pub(in crate::flow::actions) async fn offer(tx: &mut OrgTx) -> ActionResult<Vec<NamedServer>> {
    Ok(store::reach::all(tx).await?)
}

/// What a grant may call now, server by server.
pub(super) async fn of(tx: &mut OrgTx, grant: &Grant) -> ActionResult<Vec<ServerReach>> {
    let servers = match &grant.servers {
        ServersOf::All => store::reach::all(tx).await?,
        ServersOf::Some(ids) => store::reach::named(tx, &ids.iter().copied().collect::<Vec<_>>()).await?,
    };
    let ids: Vec<ServerId> = servers.iter().map(|server| server.id).collect();
    let tools = store::reach::tools(tx, &ids).await?;
    Ok(servers.into_iter().map(|server| reach(server, grant.ceiling, &tools)).collect())
}

fn reach(server: NamedServer, ceiling: Class, tools: &[ToolCount]) -> ServerReach {
    let mut reach = ServerReach { server, may: Vec::new(), above: 0, held: 0 };
    for count in tools.iter().filter(|count| count.server == reach.server.id) {
        if !count.is_callable {
            reach.held += count.tools;
        } else if count.class.is_within(ceiling) {
            reach.may.push((count.class, count.tools));
        } else {
            reach.above += count.tools;
        }
    }
    reach.may.sort_unstable();
    reach
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_lets_milder_classes_pass_and_holds_what_nobody_reviewed() {
        let id = ServerId::fresh();
        let server =
            NamedServer { id, slug: "github".to_owned(), name: "GitHub".to_owned(), is_enabled: true };
        let count = |server, class, is_callable, tools| ToolCount { server, class, is_callable, tools };
        let tools = [
            count(id, Class::Write, true, 3),
            count(id, Class::Read, true, 5),
            count(id, Class::Destructive, true, 2),
            count(id, Class::Read, false, 1),
            count(ServerId::fresh(), Class::Read, true, 9),
        ];
        let reach = reach(server, Class::Write, &tools);
        assert_eq!(reach.may, [(Class::Read, 5), (Class::Write, 3)]);
        assert_eq!((reach.above, reach.held), (2, 1));
    }
}
