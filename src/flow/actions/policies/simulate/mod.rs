//! What would become of a call, without making it: under what is in force, and under what is being written.
//!
//! Decided by the same snapshot and the same code as real calls; no server is asked and nothing is counted.

mod ground;
mod recorded;
mod trial;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{permission::Permission, trace::Trace, unprinted::Unprinted},
    domain::policy::{
        document::Document,
        engine::{LayerName, LayerTrace, Program},
        kept::Policy,
    },
    flow::{
        actions::policies::{named, read},
        cx::OrgCx,
        decision::{Asked, Claimed, Clause, InForce},
        fault::{ActionError, ActionResult},
    },
    io::db::Tx,
};

pub(super) use ground::{Ground, Prospect};
pub use recorded::{RecordedCall, recorded_call};

/// A call that nobody makes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
    pub arguments: Option<Unprinted<String>>,
    /// From where.
    pub ip: Option<String>,
    /// When; now, where nobody says.
    #[serde(with = "time::serde::rfc3339::option")]
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
    /// The policy that decided, as it was tried; none where something else did.
    pub policy: Option<Arc<InForce>>,
    /// The conditions of the rule that decided, with what each found.
    pub clauses: Vec<Clause>,
    /// What may hold besides, where not all is known of the call.
    pub open: Vec<Exception>,
}

/// A rule that holds for some calls of a tool and not for others.
#[derive(Clone, Debug)]
pub struct Exception {
    /// What becomes of the calls for which it holds: `require_approval` or `deny`.
    pub verdict: &'static str,
    /// The layer.
    pub layer: LayerName,
    /// The policy.
    pub policy: Arc<InForce>,
    /// The rule, as a JSON pointer into its document.
    pub rule: String,
    /// Its name.
    pub name: Option<String>,
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
    let mut tx = cx.tx().await?;
    let policy = named(&mut tx, name).await?;
    tx.done().await?;
    let draft = policy.draft.as_ref().map(|draft| read(&draft.document)).transpose()?;
    let tried = sent.or(draft).map(|document| next_version(&policy, document));
    let mut ground = Ground::of(cx, &policy).await?;
    let live = ground.live();
    let trials: Vec<_> = tried.iter().chain(&live).cloned().collect();
    let mut decided = ground.decide(cx, call, &trials).await?.into_iter();
    match (decided.next(), decided.next()) {
        (Some(tried), live) => Ok(Simulation { tried, live }),
        (None, _) => Err(ActionError::NotFound),
    }
}

/// A document as if it were the next version of a policy.
pub(super) fn next_version(policy: &Policy, document: Document) -> Arc<InForce> {
    let program = Arc::new(Program::new(Arc::new(document)));
    let number = policy.live.unwrap_or_default().saturating_add(1);
    Arc::new(InForce { id: policy.id, slug: policy.slug.clone(), number, program })
}
