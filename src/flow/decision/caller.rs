//! Who calls from where, as policies may look at it, and what the policies say of their calls.

use std::net::IpAddr;

use time::OffsetDateTime;

use crate::{
    base::actor::Principal,
    domain::{
        audit::ClientPart,
        grants::DecisionGrant,
        policy::{
            engine::{
                Call, Compared, Facts, Layer, Listing, Part, Tool, Verdict, compare, decide, decide_unseen,
                foresee, listing,
            },
            redact::Redaction,
            words::conditions,
        },
    },
    flow::decision::{OrgSnapshot, Say, ServerFacts},
    protocol::mcp::raw::Raw,
};

/// Who calls from where.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What is in force.
    pub snapshot: &'a OrgSnapshot,
    /// Under which grant.
    pub grant: &'a DecisionGrant,
    /// The software, as it names itself.
    pub client: Option<&'a ClientPart>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// When.
    pub now: OffsetDateTime,
}

/// What becomes of a call depends on its arguments, which nobody knows any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what becomes of the call depends on its arguments")]
pub struct ByArguments;

/// A condition of a rule in words, and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// What it asks for.
    pub words: String,
    /// Whether that holds.
    pub holds: bool,
    /// The values it looked at; none where there is nothing at its place.
    pub found: Vec<String>,
}

impl From<Compared<'_>> for Clause {
    fn from(one: Compared<'_>) -> Self {
        let words = conditions(std::slice::from_ref(one.condition)).plain();
        Self { words, holds: one.holds, found: one.found }
    }
}

/// What the policies say of a call.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The verdict; the layers of its trace are those that have a say, in their order.
    pub verdict: Verdict,
    /// Who has a say.
    pub says: Vec<Say<'a>>,
}

impl<'a> Caller<'a> {
    /// The policies that have a say about calls of a server, the highest layer first.
    pub fn says(&self, server: &ServerFacts) -> Vec<Say<'a>> {
        self.snapshot.says(self.grant, server.server.id).collect()
    }

    /// What these policies say of a call; nothing where there is none, or one of them is not to be had.
    pub fn decide_by<'s>(
        &self,
        says: Vec<Say<'s>>,
        server: &ServerFacts,
        tool: Tool<'_>,
        arguments: Option<Raw<'_>>,
    ) -> Option<Decision<'s>> {
        let layers = layers(&says)?;
        let verdict = self.with_facts(server, |facts| decide(&Call { tool, arguments, facts }, &layers));
        Some(Decision { verdict, says })
    }

    /// What these policies say of every call of a tool, as far as it can be told before one is made.
    pub fn foresee_by<'s>(
        &self,
        says: Vec<Say<'s>>,
        server: &ServerFacts,
        tool: &Tool<'_>,
    ) -> Option<Decision<'s>> {
        let layers = layers(&says)?;
        let verdict = self.with_facts(server, |facts| foresee(tool, &facts, &layers));
        Some(Decision { verdict, says })
    }

    /// What these policies say of a call whatever its arguments are; nothing where there is none, or one of them is not to be
    /// had.
    ///
    /// # Errors
    /// Where that depends on the arguments.
    pub fn decide_unseen_by<'s>(
        &self,
        says: Vec<Say<'s>>,
        server: &ServerFacts,
        tool: &Tool<'_>,
    ) -> Result<Option<Decision<'s>>, ByArguments> {
        let Some(layers) = layers(&says) else { return Ok(None) };
        let verdict = self.with_facts(server, |facts| decide_unseen(tool, &facts, &layers));
        let verdict = verdict.ok_or(ByArguments)?;
        Ok(Some(Decision { verdict, says }))
    }

    /// What the conditions of a rule found in a call: of the policy that has its say at this seat.
    pub fn compare(
        &self,
        says: &[Say<'_>],
        server: &ServerFacts,
        (tool, arguments): (Tool<'_>, Option<Raw<'_>>),
        (seat, part): (usize, &Part),
    ) -> Vec<Clause> {
        let Some(policy) = says.get(seat).and_then(|say| say.policy) else { return Vec::new() };
        let masks: Vec<_> = masks(says, &tool).cloned().collect();
        self.with_facts(server, |facts| {
            let compared = compare(&Call { tool, arguments, facts }, &policy.program, part, &masks);
            compared.into_iter().map(Clause::from).collect()
        })
    }

    /// Whether there are calls of a server about which the policies have a human asked.
    pub fn may_wait(&self, server: &ServerFacts) -> bool {
        self.says(server).iter().any(|say| say.policy.is_some_and(|policy| policy.program.asks()))
    }

    /// Whether a list shows a tool.
    pub fn lists(&self, server: &ServerFacts, tool: &Tool<'_>) -> bool {
        let says = self.says(server);
        let Some(layers) = layers(&says) else { return false };
        self.with_facts(server, |facts| listing(tool, &facts, &layers) == Listing::Shown)
    }

    fn with_facts<T>(&self, server: &ServerFacts, decide: impl FnOnce(Facts<'_>) -> T) -> T {
        let grant = self.grant;
        let teams: Vec<_> =
            self.snapshot.teams_of(grant.principal).iter().map(|(_, slug)| slug.as_str()).collect();
        let (grant_id, server_id) = (grant.id.to_string(), server.server.id.to_string());
        let id = grant.principal.id_text();
        let (name, handle) = (grant.principal_name.as_str(), grant.principal_handle.as_str());
        let mut facts = Facts {
            user_teams: &teams,
            client_name: self.client.map(|client| client.name.as_str()),
            client_version: self.client.and_then(|client| client.version.as_deref()),
            grant_id: Some(&grant_id),
            grant_label: Some(&grant.label),
            grant_ceiling: Some(grant.ceiling),
            server_id: Some(&server_id),
            server_slug: Some(server.server.slug.as_str()),
            server_name: Some(&server.server.name),
            ip: self.ip,
            now: Some(self.now),
            ..Facts::default()
        };
        match grant.principal {
            Principal::User(_) => {
                facts.user_id = Some(&id);
                facts.user_name = Some(name);
                facts.user_email = Some(handle);
                facts.user_role = grant.role.map(|role| role.as_str());
            }
            Principal::Team(_) => {
                facts.team_id = Some(&id);
                facts.team_slug = Some(handle);
            }
            Principal::ServiceAccount(_) => {}
        }
        decide(facts)
    }
}

/// What these policies keep from being stored of a tool's calls.
pub(super) fn masks<'s>(says: &[Say<'s>], tool: &Tool<'_>) -> impl Iterator<Item = &'s Redaction> {
    let policies = says.iter().filter_map(|say| say.policy);
    policies.flat_map(|policy| policy.program.redactions_of(tool))
}

/// The programs of the layers; none where there is no policy, or one of them is not to be had.
fn layers<'s>(says: &[Say<'s>]) -> Option<Vec<Layer<'s>>> {
    if says.is_empty() {
        return None;
    }
    says.iter().map(|say| Some(Layer { name: say.layer, program: &say.policy?.program })).collect()
}
