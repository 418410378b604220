//! What the policies of all layers say of one call.

use crate::{
    base::{
        crypto::digest::{self, Digest},
        ids::PolicyId,
    },
    domain::{
        approvals::WrittenNeed,
        audit::PolicyPart,
        limits::Counted,
        policy::{
            document::{Ask, OnExceed},
            engine::{Effect, LayerName, Need, Outcome, Part, Tool, Trace, Verdict},
            redact::Redaction,
        },
        servers::{DecisionTool, ToolState},
    },
    flow::decision::{
        Caller, Claimed, Decision, Denial, Say, ServerFacts,
        caller::masks,
        claims::claims,
        denial::{part_of, word_of},
    },
    protocol::mcp::raw::Raw,
};

/// What the policies say of a call that may go on.
#[derive(Debug, Default)]
pub struct Ruling {
    /// The part that decided.
    pub decided: Option<PolicyPart>,
    /// What parts that are only observed would have done.
    pub observed: Vec<PolicyPart>,
    /// What the call counts, and what is said where there is no room.
    pub claims: Vec<Claimed>,
    /// Who has to agree.
    pub needs: Vec<Asked>,
    /// The digest of the policies that had a say, in their versions.
    pub policies: Digest,
    /// What they say is never kept of it.
    pub masks: Vec<Redaction>,
}

/// Somebody who has to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What the engine says.
    pub need: Need,
    /// The policy's id.
    pub id: PolicyId,
    /// The policy that asks.
    pub policy: String,
    /// Its version.
    pub version: i32,
}

/// What stops a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Nobody reviewed the tool as it is.
    Unreviewed,
    /// A policy denies it.
    Denied(Box<Denial>),
    /// A policy says that there is no such thing.
    Hidden(Box<Denial>),
}

impl Caller<'_> {
    /// What the policies in force say of a call.
    ///
    /// # Errors
    /// What stops it.
    pub fn rule(
        &self,
        server: &ServerFacts,
        tool: Tool<'_>,
        arguments: Option<Raw<'_>>,
    ) -> Result<Ruling, Stopped> {
        let says = self.says(server);
        let decision = self.decide_by(says, server, tool, arguments);
        Ruling::of(self, server, &tool, decision)
    }
}

impl Ruling {
    /// A human is asked beyond this limit; whether it asks for that, and can be counted without stopping.
    pub fn ask_beyond(&mut self, at: usize) -> bool {
        let Some(claimed) = self.claims.get_mut(at) else { return false };
        let Counted::Amount { is_observed, .. } = &mut claimed.claim.counted else { return false };
        if claimed.on_exceed != OnExceed::RequireApproval || *is_observed {
            return false;
        }
        *is_observed = true;
        let asked = Asked::beyond(claimed);
        self.needs.push(asked);
        true
    }

    /// What a decision comes to; without one, no policy has a say.
    ///
    /// # Errors
    /// What stops the call.
    pub fn of(
        caller: &Caller<'_>,
        server: &ServerFacts,
        tool: &Tool<'_>,
        decision: Option<Decision<'_>>,
    ) -> Result<Self, Stopped> {
        let Some(Decision { verdict, says }) = decision else {
            return Err(Stopped::Denied(Box::new(Denial::without_policy(tool))));
        };
        let Verdict { outcome, reservations, slots, trace, open: _ } = verdict;
        let needs = asked_or_stopped(outcome, tool, &trace, &says)?;
        let (decided, observed) = (passed(&trace, &says), observed(&trace, &says));
        let claims = claims(caller, server, &says, &reservations, &slots);
        let masks = masks(&says, tool).cloned().collect();
        Ok(Self { decided, observed, claims, needs, policies: digest_of(&says), masks })
    }
}

/// Who has to agree to a call of which this was decided.
///
/// # Errors
/// What stops it.
pub fn asked_or_stopped(
    outcome: Outcome,
    tool: &Tool<'_>,
    trace: &Trace,
    says: &[Say<'_>],
) -> Result<Vec<Asked>, Stopped> {
    match outcome {
        Outcome::Allow => Ok(Vec::new()),
        Outcome::Ask(needs) => Ok(needs.into_iter().filter_map(|need| Asked::of(need, says)).collect()),
        Outcome::Deny(blocked) if blocked.part == Part::Unreviewed => Err(Stopped::Unreviewed),
        Outcome::Deny(blocked) => {
            Err(Stopped::Denied(Box::new(Denial::of(tool, blocked, Effect::Deny, trace, says))))
        }
        Outcome::Hidden(blocked) => {
            Err(Stopped::Hidden(Box::new(Denial::of(tool, blocked, Effect::Hide, trace, says))))
        }
    }
}

impl Asked {
    /// Where a limit has a human asked beyond it.
    fn beyond(claimed: &Claimed) -> Self {
        let need = Need {
            seat: 0,
            layer: claimed.layer,
            part: claimed.part.clone(),
            name: Some(claimed.claim.counter.clone()),
            words: claimed.words.clone(),
            ask: Ask::default(),
        };
        Self { need, id: claimed.claim.policy, policy: claimed.policy.clone(), version: claimed.version }
    }

    /// The same as an approval keeps it.
    pub fn written(&self) -> WrittenNeed {
        let need = &self.need;
        WrittenNeed {
            layer: LayerName::as_str(need.layer).to_owned(),
            policy: self.policy.clone(),
            version: self.version,
            rule: need.part.to_string(),
            name: need.name.clone(),
            approvers: need.ask.approvers.to_string(),
            quorum: need.ask.quorum,
        }
    }

    fn of(need: Need, says: &[Say<'_>]) -> Option<Self> {
        let policy = says.get(need.seat)?.policy?;
        Some(Self { id: policy.id, policy: policy.slug.clone(), version: policy.number, need })
    }
}

/// Whoever agrees to a call agrees to it under these policies and no others.
fn digest_of(says: &[Say<'_>]) -> Digest {
    let mut bytes = Vec::with_capacity(says.len() * 24);
    for say in says {
        if let Some(policy) = say.policy {
            bytes.extend_from_slice(say.layer.as_str().as_bytes());
            bytes.extend_from_slice(policy.id.uuid().as_bytes());
            bytes.extend_from_slice(&policy.number.to_be_bytes());
        }
    }
    digest::sha256(&bytes)
}

/// A tool as policies see it.
pub fn as_policies_see(tool: &DecisionTool) -> Tool<'_> {
    Tool { name: tool.name.as_str(), class: tool.class, is_reviewed: tool.state == ToolState::Reviewed }
}

/// What let the call pass: the lowest layer's key, or what it says of tools that are not named.
fn passed(trace: &Trace, says: &[Say<'_>]) -> Option<PolicyPart> {
    let (layer, say) = trace.layers.iter().zip(says).next_back()?;
    let part = layer.key.clone().map_or(Part::Default, Part::Action);
    part_of(say, &part, "allow")
}

fn observed(trace: &Trace, says: &[Say<'_>]) -> Vec<PolicyPart> {
    let strictest = trace.layers.iter().zip(says).filter_map(|(layer, say)| {
        // A whole document may only be observed, or single rules of it.
        let observed = layer.reasons.iter().filter(|reason| layer.is_observed || reason.is_observed);
        let reason = observed.max_by_key(|reason| reason.effect)?;
        part_of(say, &reason.part, word_of(reason.effect))
    });
    strictest.collect()
}
