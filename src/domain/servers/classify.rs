//! What a tool does at worst, judged from its name, its arguments and its own hints.
//!
//! Pure and untrusting: a hint may make a tool look worse at any time, and milder only where neither its name nor
//! its arguments say otherwise. Where nothing tells, a tool counts as one that writes.

mod words;

use serde_json::Value;

use crate::{
    base::risk::Class,
    domain::servers::{ClassBy, Severity, ToolName},
};

/// A class, how much it matters, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What the tool does at worst.
    pub class: Class,
    /// How much that matters.
    pub severity: Severity,
    /// Why, as one or more sentences for a person.
    pub reason: String,
    /// What decided.
    pub by: ClassBy,
}

/// The hints of a tool about itself, as far as they are there.
#[derive(Clone, Copy, Debug, Default)]
struct Hints {
    reads_only: Option<bool>,
    destroys: Option<bool>,
    repeats_safely: Option<bool>,
    reaches_out: Option<bool>,
}

impl Hints {
    fn of(definition: &Value) -> Self {
        let hint = |name: &str| definition["annotations"][name].as_bool();
        Self {
            reads_only: hint("readOnlyHint"),
            destroys: hint("destructiveHint"),
            repeats_safely: hint("idempotentHint"),
            reaches_out: hint("openWorldHint"),
        }
    }
}

/// The class of a tool, from its name and its wire object.
pub fn classify(name: &ToolName, definition: &Value) -> Classified {
    let hints = Hints::of(definition);
    let arguments = arguments(definition);
    let by_name = words::by_name(name.as_str());
    let by_arguments = by_arguments(&arguments, by_name.as_ref().map(|(class, _)| *class));
    let mut reasons: Vec<String> = Vec::new();
    let mut class = None;
    for (found, reason) in [by_name, by_arguments].into_iter().flatten() {
        if class.is_none_or(|class| found > class) {
            class = Some(found);
        }
        reasons.push(reason);
    }
    let (class, by) = hinted(class, hints, &mut reasons);
    let severity = severity(class, hints, &arguments, name);
    Classified { class, severity, reason: reasons.join(" "), by }
}

/// The class after the tool's own hints had their say.
fn hinted(by_rule: Option<Class>, hints: Hints, reasons: &mut Vec<String>) -> (Class, ClassBy) {
    let raised = match hints {
        Hints { destroys: Some(true), .. } if by_rule.is_none_or(|class| class < Class::Destructive) => {
            Some((Class::Destructive, "It says of itself that it may destroy."))
        }
        Hints { reads_only: Some(false), .. } if by_rule.is_none_or(|class| class < Class::Write) => {
            Some((Class::Write, "It says of itself that it does more than read."))
        }
        _ => None,
    };
    if let Some((class, reason)) = raised {
        reasons.push(reason.to_owned());
        return (class, ClassBy::Annotation);
    }
    match (by_rule, hints.reads_only) {
        (None, Some(true)) => {
            reasons.push("It says of itself that it only reads, and nothing contradicts that.".to_owned());
            (Class::Read, ClassBy::Annotation)
        }
        (None, _) => {
            reasons.push("Nothing tells what it does, so it counts as one that writes.".to_owned());
            (Class::Write, ClassBy::Rule)
        }
        (Some(class), Some(true)) if class > Class::Read => {
            reasons.push("It says of itself that it only reads, which does not outweigh that.".to_owned());
            (class, ClassBy::Rule)
        }
        (Some(class), _) => (class, ClassBy::Rule),
    }
}

fn severity(class: Class, hints: Hints, arguments: &[String], name: &ToolName) -> Severity {
    let is_forceful = arguments.iter().any(|argument| words::FORCEFUL.contains(&argument.as_str()));
    match class {
        Class::Read if words::touches_secrets(name.as_str()) => Severity::Medium,
        Class::Read => Severity::Low,
        Class::Write if is_forceful => Severity::High,
        Class::Write
            if hints.destroys == Some(false)
                && hints.repeats_safely == Some(true)
                && hints.reaches_out == Some(false) =>
        {
            Severity::Low
        }
        Class::Write => Severity::Medium,
        Class::Execute | Class::Destructive | Class::Financial => Severity::High,
    }
}

/// The names of a tool's arguments, one level of nesting included, in lower case.
fn arguments(definition: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let schema = &definition["inputSchema"];
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        names.push(name.to_lowercase());
        names.extend(
            inner["properties"].as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()),
        );
    }
    names
}

fn by_arguments(arguments: &[String], by_name: Option<Class>) -> Option<(Class, String)> {
    let has = |wanted: &[&str]| arguments.iter().find(|argument| wanted.contains(&argument.as_str()));
    if let (Some(amount), Some(currency)) = (has(&words::AMOUNTS), has(&words::CURRENCIES)) {
        return Some((Class::Financial, format!("It takes arguments `{amount}` and `{currency}`.")));
    }
    if let Some(program) = has(&words::PROGRAMS) {
        return Some((Class::Execute, format!("It takes an argument `{program}`, which is run.")));
    }
    // Reading may be recursive; only what changes things does harm when it does not stop to ask.
    let changes = by_name.is_some_and(|class| class > Class::Read);
    match has(&words::FORCEFUL) {
        Some(force) if changes && words::OVERRIDES.contains(&force.as_str()) => {
            Some((Class::Destructive, format!("Its argument `{force}` overrides what would stop it.")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
