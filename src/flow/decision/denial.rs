//! What a policy denies or hides: for the agent, the record and the simulator.

use crate::{
    base::trace::Step,
    domain::{
        audit::PolicyPart,
        policy::{
            document::Rule,
            engine::{Blocked, Effect, List, Part, Tool, Trace},
            words::conditions,
        },
    },
    flow::decision::{Say, names::spoken},
};

/// How much of a rule stands in the record of a call.
const LONGEST_WANTED: usize = 300;

/// What a policy denies or hides, for the agent and the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The step at which it did.
    pub step: Step,
    /// What was asked for: a tool, prompt, resource, skill or method.
    pub kind: &'static str,
    /// Its name.
    pub subject: String,
    /// The short name of the policy; none where no policy speaks for the grant.
    pub policy: Option<String>,
    /// The part of it.
    pub part: Option<PolicyPart>,
    /// The name of the rule.
    pub name: Option<String>,
    /// What the document says of it.
    pub words: Option<String>,
    /// What would have passed, where that can be said.
    pub wanted: Option<String>,
}

impl Denial {
    /// What would have passed, where no more can be said.
    pub const WANTED: &'static str = "a call that every policy allows";

    /// Where no policy speaks for a grant.
    pub(super) fn without_policy(tool: &Tool<'_>) -> Self {
        let (kind, name) = spoken(tool.name);
        Self {
            step: Step::Listed,
            kind,
            subject: name.to_owned(),
            policy: None,
            part: None,
            name: None,
            words: None,
            wanted: None,
        }
    }

    /// What blocks a call.
    pub(super) fn of(
        tool: &Tool<'_>,
        blocked: Blocked,
        effect: Effect,
        trace: &Trace,
        says: &[Say<'_>],
    ) -> Self {
        // The layers of the trace are those of the call, in their order.
        let say = trace.decisive_at().and_then(|(seat, _)| says.get(seat));
        let (kind, name) = spoken(tool.name);
        Self {
            step: step_of(&blocked.part),
            kind,
            subject: name.to_owned(),
            policy: say.and_then(|say| say.policy).map(|policy| policy.slug.clone()),
            part: say.and_then(|say| part_of(say, &blocked.part, word_of(effect))),
            wanted: say.and_then(|say| wanted(say.policy?.program.rule(tool, &blocked.part)?, &blocked.part)),
            name: blocked.name,
            words: blocked.words,
        }
    }

    /// One sentence for the agent: why, and what to do.
    pub fn sentence(&self) -> String {
        let Self { kind, subject, .. } = self;
        let Some(policy) = &self.policy else {
            return format!(
                "No policy speaks for this grant, so it may do nothing. Ask an admin to give it one; {subject} was not called."
            );
        };
        let rule = self.name.as_deref().map(|name| format!(", rule {name},")).unwrap_or_default();
        let why = self.words.as_deref().map(|words| format!(" {}", stopped(words))).unwrap_or_default();
        let help = match self.step {
            Step::Require | Step::Deny | Step::Limits => "Other arguments may pass.",
            _ => "Do not try again; use another one, or ask an admin.",
        };
        format!("The policy {policy}{rule} denies the {kind} {subject}.{why} {help}")
    }

    /// What was found, for a trace.
    pub fn fact(&self) -> String {
        let (Some(policy), Some(part)) = (&self.policy, &self.part) else {
            return "no policy speaks for the grant".to_owned();
        };
        let rule = self.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!(
            "{policy} version {}, the policy of the {}, decides at {}{rule}",
            part.version, part.layer, part.rule
        )
    }
}

/// What a rule would let pass, in words.
fn wanted(rule: &Rule, part: &Part) -> Option<String> {
    let Part::Check(_, list, _) = part else { return None };
    let words = conditions(&rule.conditions).plain();
    let words = match list {
        List::Require => words,
        List::DenyIf if rule.conditions.is_empty() => return None,
        List::DenyIf => format!("a call of which this does not hold: {words}"),
        List::AskIf | List::Limits => return None,
    };
    Some(if words.chars().count() > LONGEST_WANTED {
        format!("{}…", words.chars().take(LONGEST_WANTED).collect::<String>())
    } else {
        words
    })
}

/// The step of a call's way at which a part decides.
const fn step_of(part: &Part) -> Step {
    match part {
        Part::NoPolicy | Part::Hide(_) | Part::Default | Part::Action(_) => Step::Listed,
        Part::Unreviewed => Step::Tool,
        Part::Check(_, List::Require, _) => Step::Require,
        Part::Check(_, List::DenyIf, _) => Step::Deny,
        Part::Check(_, List::AskIf, _) => Step::Approval,
        Part::Check(_, List::Limits, _) | Part::Concurrency(_) => Step::Limits,
    }
}

/// A part of a policy, for the record.
pub(super) fn part_of(say: &Say<'_>, part: &Part, effect: &'static str) -> Option<PolicyPart> {
    let policy = say.policy?;
    Some(PolicyPart {
        effect: effect.into(),
        layer: say.layer.as_str().into(),
        policy: policy.id,
        rule: part.to_string(),
        version: policy.number,
    })
}

/// What an effect is called in records.
pub(super) const fn word_of(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::RequireApproval => "ask",
        Effect::Deny => "deny",
        Effect::Hide => "hide",
    }
}

/// Words with a stop behind them, so that a sentence can follow.
fn stopped(words: &str) -> String {
    let words = words.trim();
    if words.ends_with(['.', '!', '?']) { words.to_owned() } else { format!("{words}.") }
}
