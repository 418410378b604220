//! What forms about policies offer to choose from, as far as the viewer may see it.

use crate::{
    base::{
        page::{MAX_LIMIT, PageRequest},
        permission::Permission,
    },
    domain::{
        grants::{GrantFilter, NamedServer, store as grants},
        policy::{kept::PolicyFilter, store::policies},
        servers::store as servers,
        tenancy::{MemberFilter, TeamFilter, store as tenancy},
    },
    flow::{cx::OrgCx, fault::ActionResult},
    io::db::Tx,
};

/// How many of one kind are offered; more can be typed.
const MOST: u16 = 100;

/// What there is to choose from.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    /// Grants by id, with their names; none for who may not see them.
    pub grants: Vec<(String, String)>,
    /// People by address, with their names; none for who may not see them.
    pub people: Vec<(String, String)>,
    /// Servers.
    pub servers: Vec<NamedServer>,
    /// Names of tools: those of the server that was asked for, where one was.
    pub tools: Vec<String>,
}

/// What the organization has of grants, people, servers and tools.
pub async fn offer(cx: &OrgCx, server: &str) -> ActionResult<Offered> {
    cx.require(Permission::PoliciesRead)?;
    let mut offered = Offered::default();
    let mut tx = cx.tx().await?;
    if cx.may(Permission::GrantsRead) {
        let page = PageRequest { limit: MOST, after: None };
        let found = grants::grants::list(&mut tx, &GrantFilter::default(), &page, cx.now()).await?.items;
        let named = |entry: crate::domain::grants::GrantEntry| {
            let words = match entry.principal_name.as_str() {
                "" => entry.grant.label,
                name => format!("{} for {name}", entry.grant.label),
            };
            (entry.grant.id.to_string(), words)
        };
        offered.grants = found.into_iter().map(named).collect();
    }
    if cx.may(Permission::MembersRead) {
        let page = PageRequest { limit: MOST, after: None };
        let found = tenancy::members::list(&mut tx, &MemberFilter::default(), &page).await?.items;
        offered.people = found.into_iter().map(|member| (member.email, member.name)).collect();
    }
    offered.servers = grants::reach::all(&mut tx).await?;
    let chosen = offered.servers.iter().find(|one| one.slug == server || one.id.to_string() == server);
    let chosen = chosen.map(|one| one.id);
    let tools = servers::tools::names(&mut tx).await?.into_iter();
    let of_it = tools.filter(|(of, _)| chosen.is_none_or(|server| server == *of)).map(|(_, name)| name);
    offered.tools = of_it.take(usize::from(MOST) * 3).collect();
    offered.tools.sort_unstable();
    offered.tools.dedup();
    tx.done().await?;
    Ok(offered)
}

/// What stands, and can stand, in the layers: teams, servers and published policies, each by slug with its name.
#[derive(Clone, Debug, Default)]
pub struct LayerChoices {
    /// Teams.
    pub teams: Vec<(String, String)>,
    /// Servers.
    pub servers: Vec<(String, String)>,
    /// Policies that were published.
    pub policies: Vec<(String, String)>,
}

/// What can stand in the layers.
pub async fn layer_choices(cx: &OrgCx) -> ActionResult<LayerChoices> {
    cx.require(Permission::PoliciesRead)?;
    let mut tx = cx.tx().await?;
    let page = PageRequest { limit: MAX_LIMIT, after: None };
    let teams = tenancy::teams::list(&mut tx, &TeamFilter::default(), &page).await?.items;
    let servers = grants::reach::all(&mut tx).await?;
    let page = PageRequest { limit: MAX_LIMIT, after: None };
    let found = policies::list(&mut tx, &PolicyFilter::default(), &page).await?.items;
    tx.done().await?;
    Ok(LayerChoices {
        teams: teams.into_iter().map(|team| (team.slug.to_string(), team.name)).collect(),
        servers: servers.into_iter().map(|server| (server.slug, server.name)).collect(),
        policies: found
            .into_iter()
            .filter(|policy| policy.live.is_some())
            .map(|policy| (policy.slug, policy.name))
            .collect(),
    })
}
