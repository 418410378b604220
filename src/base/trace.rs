//! What was asked of one call, step by step, and where it ended: one value for console, API, record and agent.
//!
//! The steps have one fixed order, so a trace is the step at which the call ended and what was found there; all steps
//! before passed, all after were not reached. That keeps a passed call's trace free of allocation.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The steps of one call, in the order in which they are taken.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Step {
    /// The organization's gate is open.
    Gate,
    /// The credential is ours, not expired, not revoked.
    Credential,
    /// It was issued for this endpoint, this client and this network.
    Binding,
    /// Person, membership and grant are active.
    Principal,
    /// The server is enabled and in the grant.
    Server,
    /// The tool is known and its definition reviewed.
    Tool,
    /// The role covers the scope, and the class is within the ceiling.
    Role,
    /// The tool is not hidden, and what is not named may be called.
    Listed,
    /// What the policy requires holds.
    Require,
    /// Nothing that the policy denies holds.
    Deny,
    /// Limits leave room.
    Limits,
    /// A human agreed, where one has to.
    Approval,
    /// The account is connected, its scopes are enough, its token fresh.
    Connection,
    /// The call is on record.
    Record,
    /// The server was reached.
    Forward,
    /// The server answered.
    Outcome,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 16] = [
        Self::Gate,
        Self::Credential,
        Self::Binding,
        Self::Principal,
        Self::Server,
        Self::Tool,
        Self::Role,
        Self::Listed,
        Self::Require,
        Self::Deny,
        Self::Limits,
        Self::Approval,
        Self::Connection,
        Self::Record,
        Self::Forward,
        Self::Outcome,
    ];

    /// What holds when the step is passed, as a page says it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Gate => "Gate open",
            Self::Credential => "Token valid",
            Self::Binding => "Bound to this endpoint, client and network",
            Self::Principal => "Person and grant active",
            Self::Server => "Server enabled and in the grant",
            Self::Tool => "Tool known, definition reviewed",
            Self::Role => "Class within the ceiling",
            Self::Listed => "Not hidden",
            Self::Require => "Requirements met",
            Self::Deny => "Nothing denies it",
            Self::Limits => "Within the limits",
            Self::Approval => "Approved, where asked",
            Self::Connection => "Credential connected",
            Self::Record => "Put on record",
            Self::Forward => "Server reached",
            Self::Outcome => "Server answered",
        }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum StepState {
    /// It held.
    Passed,
    /// Here it was decided that the call does not go on.
    Decided,
    /// Here it broke: nothing was wrong with the call.
    Failed,
    /// The call ended before.
    NotReached,
}

impl StepState {
    /// The word on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Decided => "Decided here",
            Self::Failed => "Failed here",
            Self::NotReached => "Not reached",
        }
    }
}

/// Who can change what a step found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Fixer {
    /// The agent, by calling otherwise.
    Agent,
    /// The person whose agent it is.
    Person,
    /// An admin of the organization.
    Admin,
    /// Whoever runs this installation.
    Operator,
    /// Whoever runs the server that was called.
    Upstream,
}

impl Fixer {
    /// The word on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Agent => "the agent",
            Self::Person => "the person",
            Self::Admin => "an admin",
            Self::Operator => "the operator",
            Self::Upstream => "whoever runs the server",
        }
    }
}

/// Where a call ended, and what was found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What was found.
    pub actual: Cow<'static, str>,
    /// What would have passed.
    pub expected: Cow<'static, str>,
    /// Who can change it.
    pub fixer: Fixer,
}

/// A call's way through the steps. Members are declared in canonical order, for it stands in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// What was found at the last step; absent where it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The last step that was reached.
    pub reached: Step,
    /// How it ended.
    pub state: StepState,
}

/// One step of a trace, for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRow<'a> {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub state: StepState,
    /// What was found, where it did not pass.
    pub finding: Option<&'a Finding>,
}

impl Trace {
    /// All steps up to this one passed.
    pub const fn passed(reached: Step) -> Self {
        Self { finding: None, reached, state: StepState::Passed }
    }

    /// At this step it was decided that the call does not go on.
    pub const fn decided(reached: Step, finding: Finding) -> Self {
        Self { finding: Some(finding), reached, state: StepState::Decided }
    }

    /// At this step it broke.
    pub const fn failed(reached: Step, finding: Finding) -> Self {
        Self { finding: Some(finding), reached, state: StepState::Failed }
    }

    /// Every step with its state, in order.
    pub fn rows(&self) -> impl Iterator<Item = StepRow<'_>> {
        Step::ALL.into_iter().map(|step| {
            let state = match step.cmp(&self.reached) {
                std::cmp::Ordering::Less => StepState::Passed,
                std::cmp::Ordering::Equal => self.state,
                std::cmp::Ordering::Greater => StepState::NotReached,
            };
            let finding = self.finding.as_ref().filter(|_| step == self.reached);
            StepRow { step, state, finding }
        })
    }
}

impl Finding {
    /// What was found, what would have passed, and who can change it.
    pub fn new(
        actual: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
        fixer: Fixer,
    ) -> Self {
        Self { actual: actual.into(), expected: expected.into(), fixer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_before_the_last_passed_and_steps_after_were_not_reached() {
        let trace = Trace::decided(Step::Tool, Finding::new("changed", "reviewed", Fixer::Admin));
        let states: Vec<_> = trace.rows().map(|row| row.state).collect();
        assert_eq!(states[..5], [StepState::Passed; 5]);
        assert_eq!(states[5], StepState::Decided);
        assert!(states[6..].iter().all(|state| *state == StepState::NotReached));
        assert_eq!(trace.rows().filter(|row| row.finding.is_some()).count(), 1);
    }

    #[test]
    fn every_step_stands_at_its_place() {
        assert!(Step::ALL.is_sorted());
    }
}
