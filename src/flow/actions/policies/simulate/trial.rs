//! A call on trial, and what becomes of it.

use std::{borrow::Cow, sync::Arc};

use crate::{
    base::{
        ids::PolicyId,
        trace::{Finding, Fixer, Step, Trace},
    },
    domain::{
        grants::GrantState,
        policy::engine::{Effect, LayerName, Tool},
        servers::ToolState,
    },
    flow::{
        actions::policies::simulate::{Decided, Exception},
        decision::{
            Absence, Caller, Clause, Decision, Denial, InForce, Ruling, Say, ServerFacts, Stopped,
            as_policies_see,
        },
    },
    protocol::mcp::raw::Raw,
};

/// A call on trial.
pub(super) struct Trial<'t> {
    pub(super) caller: &'t Caller<'t>,
    pub(super) server: &'t ServerFacts,
    pub(super) tool: &'t str,
    pub(super) said: Said<'t>,
    pub(super) is_of_a_grant: bool,
}

/// What is known of the calls on trial.
#[derive(Clone, Copy)]
pub(super) enum Said<'t> {
    /// The arguments of one call, where it has any.
    Call(Option<Raw<'t>>),
    /// Nothing: what holds for all calls of the tool is asked.
    Nothing,
}

impl Trial<'_> {
    /// What becomes of it where a policy is this.
    pub(super) fn under(&self, id: PolicyId, policy: &Arc<InForce>) -> Decided {
        let mut says = self.caller.says(self.server);
        let mut is_among = false;
        for say in &mut says {
            if say.id == id {
                (say.policy, is_among) = (Some(policy), true);
            }
        }
        if !is_among {
            says.push(Say { layer: LayerName::Grant, id, team: None, policy: Some(policy) });
        }
        self.by(says)
    }

    /// What becomes of it under what is in force.
    pub(super) fn in_force(&self) -> Decided {
        self.by(self.caller.says(self.server))
    }

    fn by(&self, says: Vec<Say<'_>>) -> Decided {
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
        let seen = as_policies_see(tool);
        let policies: Vec<_> = says.iter().filter_map(|say| say.policy.cloned()).collect();
        let decision = match self.said {
            Said::Call(arguments) => self.caller.decide_by(says, self.server, seen, arguments),
            Said::Nothing => self.caller.foresee_by(says, self.server, &seen),
        };
        let open = decision.as_ref().map(open).unwrap_or_default();
        let clauses = decision.as_ref().map(|decision| self.clauses(seen, decision)).unwrap_or_default();
        let (decided, by) = self.decided(&seen, tool.state, decision);
        let policy = by.and_then(|id| policies.into_iter().find(|policy| policy.id == id));
        Decided { policy, open, clauses, ..decided }
    }

    /// What the rule that decides found in the arguments.
    fn clauses(&self, tool: Tool<'_>, decision: &Decision<'_>) -> Vec<Clause> {
        let (Said::Call(arguments), Some((seat, reason))) = (self.said, decision.verdict.trace.decisive_at())
        else {
            return Vec::new();
        };
        self.caller.compare(&decision.says, self.server, (tool, arguments), (seat, &reason.part))
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

    fn decided(
        &self,
        tool: &Tool<'_>,
        state: ToolState,
        decision: Option<Decision<'_>>,
    ) -> (Decided, Option<PolicyId>) {
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
                let by = match (ruling.needs.first(), &ruling.decided) {
                    (Some(need), _) => Some(need.id),
                    (None, decided) => decided.as_ref().map(|part| part.policy),
                };
                let decided = Decided {
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
                    ..Decided::before("allow", String::new(), Trace::passed(Step::Approval))
                };
                (decided, by)
            }
            Err(Stopped::Unreviewed) => {
                let fact =
                    if state == ToolState::New { "new and not reviewed" } else { "changed and not reviewed" };
                let fact = format!("{} is {fact}", self.tool);
                let finding = Finding::new(fact.clone(), "a definition that was reviewed", Fixer::Admin);
                let decided =
                    Decided { layers, ..Decided::before("deny", fact, Trace::decided(Step::Tool, finding)) };
                (decided, None)
            }
            Err(Stopped::Denied(denial) | Stopped::Hidden(denial)) => {
                let verdict = if denial.part.as_ref().is_some_and(|part| part.effect == "hide") {
                    "hide"
                } else {
                    "deny"
                };
                let wanted = denial.wanted.clone().map_or(Denial::WANTED.into(), Cow::Owned);
                let finding = Finding::new(denial.fact(), wanted, Fixer::Admin);
                let message = if verdict == "hide" {
                    format!("Unknown tool: {}", self.tool)
                } else {
                    denial.sentence()
                };
                let by = denial.part.as_ref().map(|part| part.policy);
                let decided = Decided {
                    rule: denial.part.as_ref().map(|part| part.rule.clone()).unwrap_or_default(),
                    layer: denial.part.as_ref().and_then(|part| part.layer.parse().ok()),
                    layers,
                    ..Decided::before(verdict, message, Trace::decided(denial.step, finding))
                };
                (decided, by)
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
            policy: None,
            open: Vec::new(),
            clauses: Vec::new(),
        }
    }
}

/// What else may stop or ask, with the policies that it stands in; what is no stricter than what holds anyway is left out.
fn open(decision: &Decision<'_>) -> Vec<Exception> {
    let settled = decision.verdict.trace.outcome();
    let stricter = decision.verdict.open.iter().filter(|one| one.effect > settled);
    let found = stricter.filter_map(|one| {
        let say = decision.says.get(one.seat)?;
        Some(Exception {
            verdict: if one.effect == Effect::Deny { "deny" } else { "require_approval" },
            layer: say.layer,
            policy: Arc::clone(say.policy?),
            rule: one.part.to_string(),
            name: one.name.clone(),
        })
    });
    found.collect()
}
