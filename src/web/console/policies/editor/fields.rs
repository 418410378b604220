//! What the fields of the editor offer, and what their words mean.

use crate::{
    domain::policy::document::{Action, Mode, Scope, Unreviewed},
    flow::fault::ActionError,
    web::kit::parts::Choice,
};

fn choices(all: &[(&str, &str)], chosen: &str) -> Vec<Choice> {
    all.iter().map(|(value, label)| Choice::new(*value, *label).chosen_by(chosen)).collect()
}

/// What holds for tools that no key names.
pub(super) fn actions(chosen: Action) -> Vec<Choice> {
    choices(&[("allow", "Allow"), ("require_approval", "Ask"), ("deny", "Deny")], chosen.as_str())
}

pub(super) fn action_of(word: &str) -> Result<Action, ActionError> {
    match word {
        "allow" => Ok(Action::Allow),
        "require_approval" => Ok(Action::RequireApproval),
        "deny" => Ok(Action::Deny),
        _ => Err(ActionError::field("default", "choose allow, ask or deny")),
    }
}

/// Whether the policy decides.
pub(super) fn modes(chosen: Mode) -> Vec<Choice> {
    choices(&[("enforce", "Enforced"), ("observe", "Only recorded")], mode_word(chosen))
}

const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    }
}

pub(super) fn mode_of(word: &str) -> Result<Mode, ActionError> {
    match word {
        "enforce" => Ok(Mode::Enforce),
        "observe" => Ok(Mode::Observe),
        _ => Err(ActionError::field("mode", "choose enforced or only recorded")),
    }
}

/// What holds for tools that nobody reviewed.
pub(super) fn unreviewed(chosen: Unreviewed) -> Vec<Choice> {
    let word = if chosen == Unreviewed::Deny { "deny" } else { "default" };
    choices(&[("deny", "Deny"), ("default", "As all others")], word)
}

pub(super) fn unreviewed_of(word: &str) -> Result<Unreviewed, ActionError> {
    match word {
        "deny" => Ok(Unreviewed::Deny),
        "default" => Ok(Unreviewed::Default),
        _ => Err(ActionError::field("unreviewed", "choose deny or as all others")),
    }
}

/// Whether a rule or a limit decides.
pub(super) fn rule_modes(chosen: &str) -> Vec<Choice> {
    choices(&[("enforce", "It decides"), ("observe", "Only tried: what it would do is recorded")], chosen)
}

/// The spans of limits; one of so many seconds stands at the end as typed.
pub(super) fn windows(chosen: &str) -> Vec<Choice> {
    let all = [("minute", "minute"), ("hour", "hour"), ("day", "day"), ("month", "month")];
    let chosen = if chosen.is_empty() { "hour" } else { chosen };
    Choice::chosen_of(all.map(|(value, label)| Choice::new(value, label)), chosen)
}

/// How windows follow one another.
pub(super) fn window_kinds(chosen: &str) -> Vec<Choice> {
    choices(
        &[("fixed", "One ends, the next begins"), ("sliding", "The last such span, at any moment")],
        chosen,
    )
}

/// Who shares a limit.
pub(super) fn scopes(chosen: &str) -> Vec<Choice> {
    let label = |scope: Scope| match scope {
        Scope::Grant => "each grant",
        Scope::User => "each person",
        Scope::Team => "each team",
        Scope::Client => "each client",
        Scope::Server => "each server",
        Scope::Org => "the organization",
    };
    let chosen = if chosen.is_empty() { "grant" } else { chosen };
    Scope::ALL.map(|scope| Choice::new(scope.as_str(), label(scope)).chosen_by(chosen)).into()
}

/// What becomes of a call beyond a limit.
pub(super) fn exceeding(chosen: &str) -> Vec<Choice> {
    choices(&[("deny", "Deny"), ("require_approval", "Ask")], chosen)
}

/// Whether a call counts that fails.
pub(super) fn counting(chosen: &str) -> Vec<Choice> {
    choices(&[("true", "Every call counts"), ("false", "A call that fails does not count")], chosen)
}
