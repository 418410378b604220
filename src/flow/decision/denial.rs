//! What a policy denies or hides: for the agent, the record and the simulator.

use crate::{
    base::trace::Step,
    domain::{
        audit::PolicyPart,
        policy::{
            document::Rule,
            engine::{Blocked, Effect, List, Part, Tool, Trace},
            path::Path,
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
    /// Whether that part could not be judged, for the arguments are too large for it.
    pub is_beyond: bool,
    /// The name of the rule.
    pub name: Option<String>,
    /// What the document says of it.
    pub words: Option<String>,
    /// What would have passed, where that can be said.
    pub wanted: Option<String>,
    /// What may help.
    pub help: Help,
}

/// What may help where a call is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// The part that decides looks at arguments, so others may pass.
    OtherArguments,
    /// It looks at something else, and calls alike are denied alike.
    Nothing,
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
            is_beyond: false,
            name: None,
            words: None,
            wanted: None,
            help: Help::Nothing,
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
        let rule = say.and_then(|say| say.policy?.program.rule(tool, &blocked.part));
        Self {
            step: step_of(&blocked.part),
            kind,
            subject: name.to_owned(),
            policy: say.and_then(|say| say.policy).map(|policy| policy.slug.clone()),
            part: say.and_then(|say| part_of(say, &blocked.part, word_of(effect))),
            wanted: rule.and_then(|rule| wanted(rule, &blocked.part)),
            help: help(rule, &blocked.part),
            is_beyond: matches!(blocked.part, Part::Beyond(..)),
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
        // What has no name is found by its place in the document.
        let place = || self.part.as_ref().map(|part| part.rule.as_str());
        let rule = self.name.as_deref().or_else(place);
        let rule = rule.map(|rule| format!(", rule {rule},")).unwrap_or_default();
        let why = self.words.as_deref().map(|words| format!(" {}", stopped(words))).unwrap_or_default();
        let help = match self.help {
            _ if self.is_beyond => "Send fewer or shorter arguments.",
            Help::OtherArguments => "Other arguments may pass.",
            Help::Nothing => "Do not try again; use another one, or ask an admin.",
        };
        format!("The policy {policy}{rule} denies the {kind} {subject}.{why} {help}")
    }

    /// What was found, for a trace.
    pub fn fact(&self) -> String {
        let (Some(policy), Some(part)) = (&self.policy, &self.part) else {
            return "no policy speaks for the grant".to_owned();
        };
        let rule = self.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        let words = self.words.as_deref().map(|words| format!(": {}", words.trim())).unwrap_or_default();
        format!(
            "{policy} version {}, the policy of the {}, decides at {}{rule}{words}",
            part.version, part.layer, part.rule
        )
    }
}

/// Only what looks at arguments lets others pass: the conditions of a rule, the amount that a limit counts.
fn help(rule: Option<&Rule>, part: &Part) -> Help {
    let looks = |rule: &Rule| rule.conditions.iter().any(|one| matches!(one.path, Path::Args(_)));
    match part {
        Part::Check(_, List::Limits, _) => Help::OtherArguments,
        Part::Check(..) if rule.is_some_and(looks) => Help::OtherArguments,
        _ => Help::Nothing,
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
        Part::Check(_, List::Require, _) | Part::Beyond(_, List::Require, _) => Step::Require,
        Part::Check(_, List::DenyIf, _) | Part::Beyond(_, List::DenyIf, _) => Step::Deny,
        Part::Check(_, List::AskIf, _) | Part::Beyond(_, List::AskIf, _) => Step::Approval,
        Part::Check(_, List::Limits, _) | Part::Beyond(_, List::Limits, _) | Part::Concurrency(_) => {
            Step::Limits
        }
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
pub fn stopped(words: &str) -> String {
    let words = words.trim();
    if words.ends_with(['.', '!', '?']) { words.to_owned() } else { format!("{words}.") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    #[test]
    fn other_arguments_may_pass_only_where_the_rule_looks_at_arguments() {
        let of = |conditions: &str| {
            let text = format!(
                r#"{{"version":"1","default":"allow","all_tools":{{"deny_if":[{{"conditions":{conditions}}}]}}}}"#
            );
            let document = document::read(text.as_bytes()).expect("a document");
            help(document.all_tools.deny_if.first(), &Part::Check(None, List::DenyIf, 0))
        };
        assert_eq!(of("[]"), Help::Nothing);
        assert_eq!(of(r#"[{"path":"user.role","op":"eq","value":"member"}]"#), Help::Nothing);
        let args = r#"{"path":"args.title","op":"eq","value":"x"}"#;
        assert_eq!(of(&format!("[{args}]")), Help::OtherArguments);
        assert_eq!(
            of(&format!(r#"[{{"path":"user.role","op":"eq","value":"member"}},{args}]"#)),
            Help::OtherArguments
        );
    }

    #[test]
    fn a_rule_without_a_name_is_named_by_its_place() {
        let part = |rule: &str| PolicyPart {
            effect: "deny".into(),
            layer: "grant".into(),
            policy: crate::base::ids::PolicyId::fresh(),
            rule: rule.to_owned(),
            version: 1,
        };
        let denial = Denial {
            step: Step::Deny,
            kind: "tool",
            subject: "pay".to_owned(),
            policy: Some("crew".to_owned()),
            part: Some(part("/all_tools/deny_if/0")),
            name: None,
            words: None,
            wanted: None,
            help: Help::Nothing,
            is_beyond: false,
        };
        assert_eq!(
            denial.sentence(),
            "The policy crew, rule /all_tools/deny_if/0, denies the tool pay. Do not try again; use another one, or ask an admin."
        );
    }
}
