//! What an organization's calls are judged by, as of one epoch, in memory.

use std::{collections::HashMap, sync::Arc};

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        ids::{GrantTokenId, OrgId, PolicyId, ServerId, TeamId, UserId},
    },
    domain::{
        gate::{self, Gate},
        grants::{self, DecisionGrant},
        policy::{self, engine::LayerName, kept::Layers},
        secrets,
        servers::{self, DecisionServer, DecisionTool},
        tenancy::store as tenancy,
    },
    flow::{
        decision::{Accounts, InForce, Programs, Secrets},
        fault::ActionResult,
    },
    io::{
        db::{Db, OrgScope, OrgTx, Tx},
        net::{address::AddressPolicy, target::Target},
    },
    protocol::mcp::{
        headers::Mirror,
        schema::Tool,
        strict::{self, Limits},
    },
};

/// What an organization's calls are judged by.
#[derive(Debug)]
pub struct OrgSnapshot {
    /// The right to act in the organization, which the token proves.
    pub scope: OrgScope,
    /// Its short name.
    pub slug: String,
    /// As of when.
    pub epoch: i64,
    /// Whether the operator suspended it.
    pub is_suspended: bool,
    /// For how many days the arguments of calls are kept; none where they are not.
    pub argument_days: i32,
    /// The emergency stop.
    pub gate: Gate,
    servers: HashMap<ServerId, Arc<ServerFacts>>,
    slugs: HashMap<String, ServerId>,
    grants: Vec<Arc<DecisionGrant>>,
    /// Which grant a token belongs to.
    tokens: HashMap<GrantTokenId, usize>,
    layers: Layers,
    policies: HashMap<PolicyId, Arc<InForce>>,
    /// The teams of each person in whose name an agent acts.
    teams: HashMap<UserId, Vec<(TeamId, String)>>,
    /// What servers are sent of secrets, sealed.
    pub secrets: Secrets,
    /// Connected accounts, sealed.
    pub accounts: Accounts,
}

/// A policy that has a say about a call, and in which layer.
#[derive(Clone, Copy, Debug)]
pub struct Say<'s> {
    /// The layer.
    pub layer: LayerName,
    /// The policy that the layer names.
    pub id: PolicyId,
    /// Whose layer it is, where it is a team's.
    pub team: Option<TeamId>,
    /// The policy; none where the layer names one of which nothing is in force.
    pub policy: Option<&'s Arc<InForce>>,
}

/// A server, ready to be called.
#[derive(Debug)]
pub struct ServerFacts {
    /// As it is stored.
    pub server: DecisionServer,
    /// Where requests go; none where the address may not be called.
    pub target: Option<Target>,
    tools: HashMap<Arc<str>, usize>,
    /// For each tool, which arguments a modern client repeats in headers.
    mirrors: Vec<Vec<Mirror>>,
}

impl ServerFacts {
    fn of(server: DecisionServer, policy: &AddressPolicy) -> Self {
        let target = Target::parse(&server.url, policy).ok();
        let tools = server.tools.iter().enumerate().map(|(at, tool)| (tool.name.shared(), at)).collect();
        let mirrors = server
            .tools
            .iter()
            .map(|tool| tool.accepted_definition.as_deref().map(mirrors_of).unwrap_or_default())
            .collect();
        Self { server, target, tools, mirrors }
    }

    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&DecisionTool> {
        self.tools.get(name).map(|at| &self.server.tools[*at])
    }

    /// Which arguments of a tool a modern client repeats in headers.
    pub fn mirrors(&self, name: &str) -> &[Mirror] {
        self.tools.get(name).map_or(&[], |at| &self.mirrors[*at])
    }
}

fn mirrors_of(definition: &str) -> Vec<Mirror> {
    let raw = strict::check(definition.as_bytes(), &Limits::of(definition.len())).ok();
    let tool = raw.and_then(|raw| Tool::read(raw).ok());
    tool.and_then(|tool| tool.mirrors().ok()).unwrap_or_default()
}

impl OrgSnapshot {
    /// Reads what is true now.
    ///
    /// # Errors
    /// When the organization is gone or the database is away.
    pub async fn load(
        db: &Db,
        scope: OrgScope,
        policy: &AddressPolicy,
        programs: &Programs,
        now: OffsetDateTime,
    ) -> ActionResult<Option<Self>> {
        let mut tx = OrgTx::begin(db, scope).await?;
        // The epoch first: what changes while we read the rest is then noticed when a call is put on record.
        let Some(org) = tenancy::orgs::find(&mut tx).await? else {
            tx.done().await?;
            return Ok(None);
        };
        let gate = gate::find(&mut tx).await?;
        let servers = servers::store::decisions::load_for_decisions(&mut tx).await?;
        let grants = grants::store::decisions::load_for_decisions(&mut tx, now).await?;
        let layers = policy::store::layers::find(&mut tx).await?;
        let policies = programs.load(&mut tx).await?;
        let teams = policy::store::decisions::teams_of_principals(&mut tx).await?;
        let secrets = Secrets::of(secrets::store::served::shared(&mut tx).await?);
        tx.done().await?;
        let servers: HashMap<_, _> = servers
            .into_iter()
            .map(|server| (server.id, Arc::new(ServerFacts::of(server, policy))))
            .collect();
        let slugs =
            servers.values().map(|facts| (facts.server.slug.as_str().to_owned(), facts.server.id)).collect();
        let grants: Vec<_> = grants.into_iter().map(Arc::new).collect();
        let tokens = grants
            .iter()
            .enumerate()
            .flat_map(|(at, grant)| grant.tokens.iter().map(move |token| (token.id, at)))
            .collect();
        Ok(Some(Self {
            scope,
            slug: org.slug.as_str().to_owned(),
            epoch: org.epoch,
            is_suspended: org.suspended_at.is_some(),
            argument_days: org.argument_days,
            gate,
            servers,
            slugs,
            grants,
            tokens,
            layers,
            policies,
            teams,
            secrets,
            accounts: Accounts::default(),
        }))
    }

    /// The organization.
    pub const fn org(&self) -> OrgId {
        self.scope.org()
    }

    /// Whether a path names this organization.
    pub fn is_named(&self, org: &str) -> bool {
        org == self.slug || org.parse() == Ok(self.org())
    }

    /// The server that a path names by slug or id.
    pub fn server(&self, named: &str) -> Option<&Arc<ServerFacts>> {
        let id = self.slugs.get(named).copied().or_else(|| named.parse().ok())?;
        self.servers.get(&id)
    }

    /// The server with this id.
    pub fn server_by_id(&self, id: ServerId) -> Option<&Arc<ServerFacts>> {
        self.servers.get(&id)
    }

    /// All servers, in no order.
    pub fn servers(&self) -> impl Iterator<Item = &Arc<ServerFacts>> {
        self.servers.values()
    }

    /// The teams of whoever an agent acts for: those of a person, or the team itself.
    pub fn teams_of(&self, principal: Principal) -> &[(TeamId, String)] {
        match principal {
            Principal::User(user) => self.teams.get(&user).map_or(&[], Vec::as_slice),
            Principal::Team(_) | Principal::ServiceAccount(_) => &[],
        }
    }

    /// Notes the teams of a person in whose name no agent acts yet.
    pub fn add_teams(&mut self, user: UserId, teams: Vec<(TeamId, String)>) {
        self.teams.insert(user, teams);
    }

    /// The policies that have a say when a grant calls a server, the highest layer first.
    pub fn says(&self, grant: &DecisionGrant, server: ServerId) -> impl Iterator<Item = Say<'_>> {
        let own = match grant.principal {
            Principal::Team(team) => Some(team),
            Principal::User(_) | Principal::ServiceAccount(_) => None,
        };
        let teams = self.teams_of(grant.principal).iter().map(|(team, _)| *team).chain(own);
        let org = self.layers.org.map(|policy| (LayerName::Org, None, policy));
        let teams =
            teams.filter_map(|team| Some((LayerName::Team, Some(team), *self.layers.teams.get(&team)?)));
        let server = self.layers.servers.get(&server).map(|policy| (LayerName::Server, None, *policy));
        let grant = grant.policy.map(|policy| (LayerName::Grant, None, policy));
        let all = org.into_iter().chain(teams).chain(server).chain(grant);
        all.map(|(layer, team, policy)| Say { layer, id: policy, team, policy: self.policies.get(&policy) })
    }

    /// The grants, those included that ended lately.
    pub fn grants(&self) -> impl Iterator<Item = &Arc<DecisionGrant>> {
        self.grants.iter()
    }

    /// All policies of which a version is in force, in no order.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<InForce>> {
        self.policies.values()
    }

    /// The policy of that id, where a version of it is in force.
    pub fn policy(&self, id: PolicyId) -> Option<&Arc<InForce>> {
        self.policies.get(&id)
    }

    /// The grant a token belongs to.
    pub fn grant_of(&self, token: GrantTokenId) -> Option<&Arc<DecisionGrant>> {
        self.tokens.get(&token).map(|at| &self.grants[*at])
    }
}
