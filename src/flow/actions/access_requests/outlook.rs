//! What would become of the tools that are asked for: what stands above a grant counts, whatever the grant allows.

use std::sync::Arc;

use crate::{
    base::{
        actor::Principal,
        ids::{GrantId, PolicyId},
        risk::Class,
    },
    domain::{
        access::{AccessRequest, Asked},
        grants::{Bindings, DecisionGrant, ServersOf},
        policy::engine::{Effect, LayerName},
        servers::{DecisionTool, ToolState},
        tenancy::{Member, store as tenancy},
    },
    flow::{
        cx::OrgCx,
        decision::{Caller, OrgSnapshot, Programs, ServerFacts, as_policies_see},
        fault::ActionResult,
    },
    io::db::Tx,
};

/// How many tools of a class are told.
const MOST_TOOLS: usize = 50;

/// What would become of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The tool.
    pub tool: String,
    /// What it does at worst; none where it is not there.
    pub class: Option<Class>,
    /// What would become of its calls.
    pub prospect: Prospect,
}

/// What would become of a tool's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// They may be made.
    Allowed,
    /// A human would be asked each time.
    Asked,
    /// That depends on their arguments.
    ByArguments,
    /// A layer above the grant denies them all the same.
    Denied(LayerName),
    /// The server has no such tool.
    Missing,
    /// It is switched off, refused, or nobody reviewed it.
    Closed,
}

/// What would become of each tool of these requests, were they given: for each request in its place.
pub(super) async fn of(cx: &OrgCx, requests: &[&AccessRequest]) -> ActionResult<Vec<Vec<Outlook>>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let mut askers = Vec::with_capacity(requests.len());
    let mut tx = cx.tx().await?;
    for request in requests {
        let member = tenancy::members::find(&mut tx, request.user).await?;
        askers.push((member, tenancy::teams::list_of_person(&mut tx, request.user).await?));
    }
    tx.done().await?;
    let address = cx.ports.egress.policy();
    let programs = Programs::default();
    let snapshot = OrgSnapshot::load(&cx.ports.db, cx.scope, address, &programs, cx.now()).await?;
    let Some(mut snapshot) = snapshot else { return Ok(vec![Vec::new(); requests.len()]) };
    let mut members = Vec::with_capacity(askers.len());
    for (member, teams) in askers {
        if let Some(member) = &member {
            let teams = teams.into_iter().map(|team| (team.id, team.slug.to_string())).collect();
            snapshot.add_teams(member.user, teams);
        }
        members.push(member);
    }
    let told = |(request, member): (&&AccessRequest, &Option<Member>)| match member {
        Some(member) => tools(cx, &snapshot, request, member),
        None => Vec::new(),
    };
    Ok(requests.iter().zip(&members).map(told).collect())
}

/// The tools of a request of a member.
fn tools(cx: &OrgCx, snapshot: &OrgSnapshot, request: &AccessRequest, member: &Member) -> Vec<Outlook> {
    let Some(server) = snapshot.server_by_id(request.server) else { return Vec::new() };
    let grant = as_if_given(member, request);
    let caller = Caller { snapshot, grant: &grant, client: None, ip: None, now: cx.now() };
    match &request.asked {
        Asked::Tools(names) => names.iter().map(|name| one(&caller, server, name)).collect(),
        Asked::Class(class) => {
            let of_class = server.server.tools.iter().filter(|tool| tool.class == *class);
            of_class.take(MOST_TOOLS).map(|tool| one(&caller, server, tool.name.as_str())).collect()
        }
    }
}

fn one(caller: &Caller<'_>, server: &Arc<ServerFacts>, name: &str) -> Outlook {
    let Some(tool) = server.tool(name) else {
        return Outlook { tool: name.to_owned(), class: None, prospect: Prospect::Missing };
    };
    Outlook { tool: name.to_owned(), class: Some(tool.class), prospect: prospect(caller, server, tool) }
}

fn prospect(caller: &Caller<'_>, server: &ServerFacts, tool: &DecisionTool) -> Prospect {
    if tool.state != ToolState::Reviewed || !tool.is_enabled {
        return Prospect::Closed;
    }
    let says = caller.says(server);
    if says.is_empty() {
        // Nothing stands above the grant.
        return Prospect::Allowed;
    }
    match caller.decide_unseen_by(says, server, &as_policies_see(tool)) {
        Err(_) => Prospect::ByArguments,
        // A layer names a policy of which nothing is in force: then nothing may be called.
        Ok(None) => Prospect::Denied(LayerName::Org),
        Ok(Some(decision)) => {
            let trace = &decision.verdict.trace;
            match trace.outcome() {
                Effect::Allow => Prospect::Allowed,
                Effect::RequireApproval => Prospect::Asked,
                Effect::Deny | Effect::Hide => {
                    Prospect::Denied(trace.decisive().map_or(LayerName::Org, |(layer, _)| layer))
                }
            }
        }
    }
}

/// The grant as if it were given. Its own policy allows what was asked for, so only what stands above it is left to be asked.
fn as_if_given(member: &Member, request: &AccessRequest) -> DecisionGrant {
    DecisionGrant {
        id: GrantId::fresh(),
        label: "Access".to_owned(),
        principal: Principal::User(member.user),
        principal_name: member.name.clone(),
        principal_handle: member.email.clone(),
        is_principal_active: true,
        servers: ServersOf::Some([request.server].into()),
        ceiling: Class::Financial,
        policy: None::<PolicyId>,
        role: Some(member.role),
        expires_at: None,
        suspension: None,
        revocation: None,
        bindings: Bindings::default(),
        tokens: Vec::new(),
    }
}
