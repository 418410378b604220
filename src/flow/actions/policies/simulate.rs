//! What would become of a call, without making it: under what is in force, and under what is being written.
//!
//! Decided by the same snapshot and the same code as real calls; no server is asked and nothing is counted.

use std::{net::IpAddr, sync::Arc};

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        email::Email,
        ids::{GrantId, PolicyId, ServerId, TeamId, UserId},
        permission::Permission,
        risk::Class,
        trace::{Finding, Fixer, Step, Trace},
    },
    domain::{
        audit::ClientPart,
        grants::{Bindings, DecisionGrant, GrantState, ServersOf},
        policy::engine::{LayerName, LayerTrace, Program, Tool},
        servers::ToolState,
        tenancy::{Member, store as tenancy},
    },
    flow::{
        actions::policies::{named, read},
        cx::OrgCx,
        decision::{
            Absence, Asked, Caller, Claimed, Decision, InForce, OrgSnapshot, Programs, Ruling, Say,
            ServerFacts, Stopped, as_policies_see,
        },
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
    protocol::mcp::{
        raw::Raw,
        strict::{self, Limits},
    },
};

/// How long arguments may be.
const MAX_ARGUMENTS: usize = 256 * 1024;

/// A call that nobody makes.
#[derive(Clone, Debug, Default)]
pub struct SimulatedCall {
    /// Under which grant, by id; without one, in the name of a person, or of nobody in particular.
    pub grant: Option<String>,
    /// In whose name, by id or address, where no grant is named.
    pub user: Option<String>,
    /// How the client calls itself.
    pub client: Option<String>,
    /// On which server, by slug or id; without one, the policy's own, or the only one that has the tool.
    pub server: Option<String>,
    /// The tool.
    pub tool: String,
    /// The arguments, as JSON.
    pub arguments: Option<String>,
    /// From where.
    pub ip: Option<String>,
    /// When; now, where nobody says.
    pub at: Option<OffsetDateTime>,
}

/// What would become of a call.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Under the document that was sent, else the draft, else what is in force.
    pub tried: Decided,
    /// Under what is in force, where that is something else.
    pub live: Option<Decided>,
}

/// What would become of a call under some documents.
#[derive(Clone, Debug)]
pub struct Decided {
    /// `allow`, `require_approval`, `deny` or `hide`.
    pub verdict: &'static str,
    /// The part that decided, as a JSON pointer into its document.
    pub rule: String,
    /// In which layer.
    pub layer: Option<LayerName>,
    /// The sentence for the agent.
    pub message: String,
    /// Step by step.
    pub trace: Trace,
    /// What each layer found.
    pub layers: Vec<LayerTrace>,
    /// What it would count.
    pub claims: Vec<Claimed>,
    /// Who would have to agree.
    pub needs: Vec<Asked>,
}

/// What would become of a call under a policy: under `document` where one is sent.
///
/// # Errors
/// Every field of the call that names nothing, or all that is wrong with the document.
pub async fn simulate(
    cx: &OrgCx,
    name: &str,
    document: Option<&str>,
    call: &SimulatedCall,
) -> ActionResult<Simulation> {
    cx.require(Permission::PoliciesRead)?;
    let sent = document.map(read).transpose()?;
    let arguments =
        call.arguments.as_deref().map(|text| strict::check(text.as_bytes(), &Limits::of(MAX_ARGUMENTS)));
    let arguments =
        arguments.transpose().map_err(|fault| ActionError::field("call.arguments", fault.to_string()))?;
    let ip = call.ip.as_deref().map(str::trim).filter(|ip| !ip.is_empty()).map(str::parse::<IpAddr>);
    let ip =
        ip.transpose().map_err(|_| ActionError::field("call.ip", "enter an address such as 192.0.2.7"))?;
    let now = call.at.unwrap_or_else(|| cx.now());
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    let person = person(&mut tx, call).await?;
    tx.done().await?;
    let draft = policy.draft.as_ref().map(|draft| read(&draft.document)).transpose()?;
    let address = cx.ports.egress.policy();
    let programs = Programs::default();
    let snapshot = OrgSnapshot::load(&cx.ports.db, cx.scope, address, &programs, now)
        .await?
        .ok_or(ActionError::NotFound)?;
    let (grant, snapshot) = grant(call, person, snapshot)?;
    let server = server(&snapshot, call, policy.server)?;
    let client = call.client.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let client = client.map(|name| ClientPart { name: name.to_owned(), version: None });
    let caller = Caller { snapshot: &snapshot, grant: &grant, client: client.as_ref(), ip, now };
    let trial = Trial {
        caller: &caller,
        server: &server,
        tool: call.tool.trim(),
        arguments,
        is_of_a_grant: call.grant.is_some(),
    };
    let in_force = || snapshot.policy(policy.id).cloned();
    let live = in_force().map(|live| trial.under(policy.id, &live));
    let tried = sent.or(draft).map(|document| {
        let program = Arc::new(Program::new(Arc::new(document)));
        let number = policy.live.unwrap_or_default().saturating_add(1);
        Arc::new(InForce { id: policy.id, slug: policy.slug.clone(), number, program })
    });
    match (tried, live) {
        (Some(tried), live) => Ok(Simulation { tried: trial.under(policy.id, &tried), live }),
        (None, Some(live)) => Ok(Simulation { tried: live, live: None }),
        (None, None) => Err(ActionError::NotFound),
    }
}

/// A person and the teams they are in.
type Person = (Member, Vec<(TeamId, String)>);

async fn person(tx: &mut OrgTx, call: &SimulatedCall) -> ActionResult<Option<Person>> {
    let Some(named) = call.user.as_deref().map(str::trim).filter(|named| !named.is_empty()) else {
        return Ok(None);
    };
    let by_email = match named.parse::<Email>() {
        Ok(email) => tenancy::members::find_by_email(tx, &email).await?,
        Err(_) => None,
    };
    let member = match named.parse().ok().or(by_email) {
        Some(user) => tenancy::members::find(tx, user).await?,
        None => None,
    };
    let member =
        member.ok_or_else(|| ActionError::field("call.user", "nobody here has this id or address"))?;
    let teams = tenancy::teams::list_of_person(tx, member.user).await?;
    Ok(Some((member, teams.into_iter().map(|team| (team.id, team.slug.to_string())).collect())))
}

/// The grant that is named, or one that stands for the person or for nobody in particular.
fn grant(
    call: &SimulatedCall,
    person: Option<Person>,
    mut snapshot: OrgSnapshot,
) -> ActionResult<(Arc<DecisionGrant>, OrgSnapshot)> {
    if let Some(named) = call.grant.as_deref().map(str::trim).filter(|named| !named.is_empty()) {
        let id = named.parse::<GrantId>().ok();
        let found = snapshot.grants().find(|grant| Some(grant.id) == id).cloned();
        let found = found.ok_or_else(|| ActionError::field("call.grant", "there is no grant of this id"))?;
        return Ok((found, snapshot));
    }
    let (user, name, email, role) = match person {
        Some((member, teams)) => {
            snapshot.add_teams(member.user, teams);
            (member.user, member.name, member.email, Some(member.role))
        }
        None => (UserId::fresh(), String::new(), String::new(), None),
    };
    let grant = DecisionGrant {
        id: GrantId::fresh(),
        label: "Simulated".to_owned(),
        principal: Principal::User(user),
        principal_name: name,
        principal_handle: email,
        is_principal_active: true,
        servers: ServersOf::All,
        ceiling: Class::Financial,
        policy: None,
        role,
        expires_at: None,
        suspension: None,
        revocation: None,
        bindings: Bindings::default(),
        tokens: Vec::new(),
    };
    Ok((Arc::new(grant), snapshot))
}

fn server(
    snapshot: &OrgSnapshot,
    call: &SimulatedCall,
    own: Option<ServerId>,
) -> ActionResult<Arc<ServerFacts>> {
    if let Some(named) = call.server.as_deref().map(str::trim).filter(|named| !named.is_empty()) {
        let found = snapshot.server(named).cloned();
        return found.ok_or_else(|| ActionError::field("call.server", "there is no server of this name"));
    }
    if let Some(own) = own.and_then(|own| snapshot.server_by_id(own)) {
        return Ok(Arc::clone(own));
    }
    let mut having = snapshot.servers().filter(|server| server.tool(call.tool.trim()).is_some());
    match (having.next(), having.next()) {
        (Some(only), None) => Ok(Arc::clone(only)),
        (None, _) => {
            Err(ActionError::field("call.tool", "no server has a tool of this name; name one in server"))
        }
        (Some(_), Some(_)) => Err(ActionError::field(
            "call.server",
            "several servers have a tool of this name; name one of them",
        )),
    }
}

/// A call on trial.
struct Trial<'t> {
    caller: &'t Caller<'t>,
    server: &'t ServerFacts,
    tool: &'t str,
    arguments: Option<Raw<'t>>,
    is_of_a_grant: bool,
}

impl Trial<'_> {
    /// What becomes of it where a policy is this.
    fn under(&self, id: PolicyId, policy: &Arc<InForce>) -> Decided {
        if let Some(stopped) = self.stopped_before() {
            return stopped;
        }
        let tool = match self.server.callable(self.tool, self.caller.grant.ceiling) {
            Ok(tool) => tool,
            Err(why) => {
                let finding = Finding::new(why.fact(self.tool), "a tool that may be called", Fixer::Admin);
                let step = if matches!(why, Absence::AboveCeiling(..)) { Step::Role } else { Step::Tool };
                return Decided::before(
                    "hide",
                    format!("Unknown tool: {}", self.tool),
                    Trace::decided(step, finding),
                );
            }
        };
        let mut says = self.caller.says(self.server);
        let mut is_among = false;
        for say in &mut says {
            if say.policy.is_some_and(|one| one.id == id) {
                (say.policy, is_among) = (Some(policy), true);
            }
        }
        if !is_among {
            says.push(Say { layer: LayerName::Grant, team: None, policy: Some(policy) });
        }
        let seen = as_policies_see(tool);
        self.decided(&seen, tool.state, self.caller.decide_by(says, self.server, seen, self.arguments))
    }

    /// What stops the calls of a grant, whatever policies say.
    fn stopped_before(&self) -> Option<Decided> {
        let grant = self.caller.grant;
        if !self.is_of_a_grant {
            return None;
        }
        let state = grant.state(self.caller.now);
        if state != GrantState::Active {
            let fact = format!("the grant is {}", state.as_str());
            let finding = Finding::new(fact.clone(), "a grant that is in force", Fixer::Admin);
            return Some(Decided::before("deny", fact, Trace::decided(Step::Principal, finding)));
        }
        if !grant.covers(self.server.server.id) {
            let fact = format!("the grant does not reach {}", self.server.server.slug.as_str());
            let finding = Finding::new(fact.clone(), "a server of the grant", Fixer::Admin);
            return Some(Decided::before("deny", fact, Trace::decided(Step::Server, finding)));
        }
        None
    }

    fn decided(&self, tool: &Tool<'_>, state: ToolState, decision: Option<Decision<'_>>) -> Decided {
        let layers =
            decision.as_ref().map(|decision| decision.verdict.trace.layers.clone()).unwrap_or_default();
        let asked = decision.as_ref().and_then(|decision| {
            let (layer, reason) = decision.verdict.trace.decisive()?;
            Some((layer, reason.part.to_string()))
        });
        match Ruling::of(self.caller, self.server, tool, decision) {
            Ok(ruling) => {
                let is_asked = !ruling.needs.is_empty();
                let (layer, rule) = match (is_asked, asked, &ruling.decided) {
                    (true, Some((layer, rule)), _) => (Some(layer), rule),
                    (_, _, Some(part)) => (part.layer.parse().ok(), part.rule.clone()),
                    _ => (None, String::new()),
                };
                Decided {
                    verdict: if is_asked { "require_approval" } else { "allow" },
                    rule,
                    layer,
                    message: if is_asked {
                        format!("{} waits until somebody agrees.", self.tool)
                    } else {
                        format!("{} may be called.", self.tool)
                    },
                    trace: if is_asked {
                        let finding = Finding::new(
                            "a human is asked",
                            "an approval of exactly this call",
                            Fixer::Person,
                        );
                        Trace::decided(Step::Approval, finding)
                    } else {
                        Trace::passed(Step::Approval)
                    },
                    layers,
                    claims: ruling.claims,
                    needs: ruling.needs,
                }
            }
            Err(Stopped::Unreviewed) => {
                let fact =
                    if state == ToolState::New { "new and not reviewed" } else { "changed and not reviewed" };
                let fact = format!("{} is {fact}", self.tool);
                let finding = Finding::new(fact.clone(), "a definition that was reviewed", Fixer::Admin);
                Decided { layers, ..Decided::before("deny", fact, Trace::decided(Step::Tool, finding)) }
            }
            Err(Stopped::Denied(denial) | Stopped::Hidden(denial)) => {
                let verdict = if denial.part.as_ref().is_some_and(|part| part.effect == "hide") {
                    "hide"
                } else {
                    "deny"
                };
                let finding = Finding::new(denial.fact(), "a call that every policy allows", Fixer::Admin);
                let message = if verdict == "hide" {
                    format!("Unknown tool: {}", self.tool)
                } else {
                    denial.sentence()
                };
                Decided {
                    rule: denial.part.as_ref().map(|part| part.rule.clone()).unwrap_or_default(),
                    layer: denial.part.as_ref().and_then(|part| part.layer.parse().ok()),
                    layers,
                    ..Decided::before(verdict, message, Trace::decided(denial.step, finding))
                }
            }
        }
    }
}

impl Decided {
    /// What was decided before any policy was asked.
    fn before(verdict: &'static str, message: String, trace: Trace) -> Self {
        Self {
            verdict,
            rule: String::new(),
            layer: None,
            message,
            trace,
            layers: Vec::new(),
            claims: Vec::new(),
            needs: Vec::new(),
        }
    }
}
