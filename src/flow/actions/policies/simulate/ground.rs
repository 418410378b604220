//! On what calls are tried: the organization as it is, and who would call.

use std::{net::IpAddr, sync::Arc};

use crate::{
    base::{
        actor::Principal,
        email::Email,
        ids::{GrantId, PolicyId, ServerId, TeamId, UserId},
        risk::Class,
    },
    domain::{
        audit::ClientPart,
        grants::{Bindings, DecisionGrant, ServersOf},
        policy::{engine::LayerName, kept::Policy},
        tenancy::{Member, store as tenancy},
    },
    flow::{
        actions::policies::simulate::{
            Decided, SimulatedCall,
            trial::{Said, Trial},
        },
        cx::OrgCx,
        decision::{Caller, InForce, OrgSnapshot, Programs, ServerFacts},
        fault::{ActionError, ActionResult},
    },
    io::db::{OrgTx, Tx},
    protocol::mcp::strict::{self, Limits},
};

/// How long arguments may be.
const MAX_ARGUMENTS: usize = 256 * 1024;

/// On what calls are tried.
pub(in crate::flow::actions::policies) struct Ground {
    snapshot: OrgSnapshot,
    policy: PolicyId,
    server: Option<ServerId>,
}

impl Ground {
    /// The organization as it is.
    pub(in crate::flow::actions::policies) async fn of(cx: &OrgCx, policy: &Policy) -> ActionResult<Self> {
        Ok(Self { snapshot: snapshot(cx).await?, policy: policy.id, server: policy.server })
    }

    /// The policy as it is in force.
    pub(in crate::flow::actions::policies) fn live(&self) -> Option<Arc<InForce>> {
        self.snapshot.policy(self.policy).cloned()
    }

    /// What becomes of a call where the policy is each of these.
    ///
    /// # Errors
    /// Every field of the call that names nothing.
    pub(in crate::flow::actions::policies) async fn decide(
        &mut self,
        cx: &OrgCx,
        call: &SimulatedCall,
        trials: &[Arc<InForce>],
    ) -> ActionResult<Vec<Decided>> {
        let arguments =
            call.arguments.as_deref().map(|text| strict::check(text.as_bytes(), &Limits::of(MAX_ARGUMENTS)));
        let arguments =
            arguments.transpose().map_err(|fault| ActionError::field("call.arguments", fault.to_string()))?;
        let ip = call.ip.as_deref().map(str::trim).filter(|ip| !ip.is_empty()).map(str::parse::<IpAddr>);
        let ip = ip
            .transpose()
            .map_err(|_| ActionError::field("call.ip", "enter an address such as 192.0.2.7"))?;
        let mut tx = cx.tx().await?;
        let person = person(&mut tx, call).await?;
        tx.done().await?;
        let grant = grant(call, person, &mut self.snapshot)?;
        let server = server(&self.snapshot, call, self.server)?;
        let client = call.client.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let client = client.map(|name| ClientPart { name: name.to_owned(), version: None });
        let now = call.at.unwrap_or_else(|| cx.now());
        let caller = Caller { snapshot: &self.snapshot, grant: &grant, client: client.as_ref(), ip, now };
        let trial = Trial {
            caller: &caller,
            server: &server,
            tool: call.tool.trim(),
            said: Said::Call(arguments),
            is_of_a_grant: call.grant.is_some(),
        };
        Ok(trials.iter().map(|policy| trial.under(self.policy, policy)).collect())
    }
}

/// The organization as it is now.
async fn snapshot(cx: &OrgCx) -> ActionResult<OrgSnapshot> {
    let address = cx.ports.egress.policy();
    let programs = Programs::default();
    let snapshot = OrgSnapshot::load(&cx.ports.db, cx.scope, address, &programs, cx.now()).await?;
    snapshot.ok_or(ActionError::NotFound)
}

/// What is in force for one agent or person on one server.
pub(in crate::flow::actions::policies) struct Prospect {
    snapshot: OrgSnapshot,
    grant: Arc<DecisionGrant>,
    is_of_a_grant: bool,
    /// The server.
    pub(in crate::flow::actions::policies) server: Arc<ServerFacts>,
}

impl Prospect {
    /// For whom and where a call says; of the call nothing else counts.
    ///
    /// # Errors
    /// Every field of the call that names nothing.
    pub(in crate::flow::actions::policies) async fn of(
        cx: &OrgCx,
        call: &SimulatedCall,
    ) -> ActionResult<Self> {
        let mut snapshot = snapshot(cx).await?;
        let mut tx = cx.tx().await?;
        let person = person(&mut tx, call).await?;
        tx.done().await?;
        let grant = grant(call, person, &mut snapshot)?;
        let server = server(&snapshot, call, None)?;
        Ok(Self { grant, is_of_a_grant: call.grant.is_some(), server, snapshot })
    }

    /// Who it is about.
    pub(in crate::flow::actions::policies) fn grant(&self) -> &DecisionGrant {
        &self.grant
    }

    /// The policies that have a say, the highest layer first.
    pub(in crate::flow::actions::policies) fn policies(&self) -> Vec<(LayerName, Arc<InForce>)> {
        let says = self.snapshot.says(&self.grant, self.server.server.id);
        says.filter_map(|say| Some((say.layer, Arc::clone(say.policy?)))).collect()
    }

    /// What holds for all calls of a tool, and what may hold besides.
    pub(in crate::flow::actions::policies) fn of_tool(&self, cx: &OrgCx, tool: &str) -> Decided {
        let (snapshot, grant) = (&self.snapshot, &self.grant);
        let caller = Caller { snapshot, grant, client: None, ip: None, now: cx.now() };
        let (server, is_of_a_grant) = (&self.server, self.is_of_a_grant);
        Trial { caller: &caller, server, tool, said: Said::Nothing, is_of_a_grant }.in_force()
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
    snapshot: &mut OrgSnapshot,
) -> ActionResult<Arc<DecisionGrant>> {
    if let Some(named) = call.grant.as_deref().map(str::trim).filter(|named| !named.is_empty()) {
        let id = named.parse::<GrantId>().ok();
        let found = snapshot.grants().find(|grant| Some(grant.id) == id).cloned();
        let found = found.ok_or_else(|| ActionError::field("call.grant", "there is no grant of this id"))?;
        return Ok(found);
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
    Ok(Arc::new(grant))
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
