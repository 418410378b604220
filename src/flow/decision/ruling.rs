//! What the policies of all layers say of one call.

use crate::{
    domain::{
        audit::PolicyPart,
        policy::engine::{Effect, Need, Outcome, Part, Reservation, Slots, Tool, Trace, Verdict},
        servers::{DecisionTool, ToolState},
    },
    flow::decision::{
        Caller, Decision, Denial, Say, ServerFacts,
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
    /// What the call counts.
    pub reservations: Vec<Reservation>,
    /// Where only so many calls may be under way.
    pub slots: Vec<Slots>,
    /// Who has to agree.
    pub needs: Vec<Need>,
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
        Ruling::of(&tool, self.decide_by(says, server, tool, arguments))
    }
}

impl Ruling {
    /// What a decision comes to; without one, no policy has a say.
    ///
    /// # Errors
    /// What stops the call.
    pub fn of(tool: &Tool<'_>, decision: Option<Decision<'_>>) -> Result<Self, Stopped> {
        let Some(Decision { verdict, says }) = decision else {
            return Err(Stopped::Denied(Box::new(Denial::without_policy(tool))));
        };
        let Verdict { outcome, reservations, slots, trace } = verdict;
        let needs = match outcome {
            Outcome::Allow => Vec::new(),
            Outcome::Ask(needs) => needs,
            Outcome::Deny(blocked) if blocked.part == Part::Unreviewed => return Err(Stopped::Unreviewed),
            Outcome::Deny(blocked) => {
                let denial = Denial::of(tool, blocked, Effect::Deny, &trace, &says);
                return Err(Stopped::Denied(Box::new(denial)));
            }
            Outcome::Hidden(blocked) => {
                let denial = Denial::of(tool, blocked, Effect::Hide, &trace, &says);
                return Err(Stopped::Hidden(Box::new(denial)));
            }
        };
        let (decided, observed) = (passed(&trace, &says), observed(&trace, &says));
        Ok(Self { decided, observed, reservations, slots, needs })
    }
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
    let observed = trace.layers.iter().zip(says).filter(|(layer, _)| layer.is_observed);
    let strictest = observed.filter_map(|(layer, say)| {
        let effect = layer.effect();
        let reason = layer.reasons.iter().find(|reason| reason.effect == effect)?;
        part_of(say, &reason.part, word_of(effect))
    });
    strictest.collect()
}
