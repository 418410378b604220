//! One exception, read by the same rules as whole documents.

use crate::{
    domain::policy::{
        document::{self, AskRule, Checks, Fault, Limit, MAX_BYTES, Rule},
        edit::NotEdited,
        redact::Redaction,
        words::ExceptionKind,
    },
    protocol::mcp::strict::{self, Limits},
};

/// One exception.
#[derive(Clone, Debug)]
pub enum Part {
    /// A rule that all calls must fit.
    Require(Rule),
    /// A rule that no call may fit.
    DenyIf(Rule),
    /// A rule under which a human is asked.
    AskIf(AskRule),
    /// A limit.
    Limit(Limit),
    /// How many calls at once.
    Concurrency(u32),
    /// A place to mask.
    Redact(Redaction),
}

/// What is wrong with an exception, with places below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAPart(pub Vec<Fault>);

/// Reads an exception from its JSON.
///
/// # Errors
/// All that is wrong with it, each with its place as `/conditions/0/value`.
pub fn read_part(kind: ExceptionKind, text: &str) -> Result<Part, NotAPart> {
    // Whatever is no single value could close the list and go on behind it.
    if strict::check(text.as_bytes(), &Limits::of(MAX_BYTES)).is_err() {
        let reason = "This is not JSON.".to_owned();
        return Err(NotAPart(vec![Fault { path: String::new(), reason, suggestion: None }]));
    }
    let (open, close) = if kind == ExceptionKind::Concurrency { ("", "") } else { ("[", "]") };
    let whole = format!(
        r#"{{"version":"1","default":"deny","tools":{{"t":{{"{}":{open}{text}{close}}}}}}}"#,
        kind.key()
    );
    let document = document::read(whole.as_bytes()).map_err(|faults| below(kind, faults))?;
    let nothing = || NotAPart(Vec::new());
    let (_, rules) = document.tools.into_iter().next().ok_or_else(nothing)?;
    let Checks { require, deny_if, ask_if, limits } = rules.checks;
    let part = match kind {
        ExceptionKind::Require => only(require).map(Part::Require),
        ExceptionKind::DenyIf => only(deny_if).map(Part::DenyIf),
        ExceptionKind::AskIf => only(ask_if).map(Part::AskIf),
        ExceptionKind::Limit => only(limits).map(Part::Limit),
        ExceptionKind::Concurrency => rules.concurrency.map(Part::Concurrency),
        ExceptionKind::Redact => only(rules.redact).map(Part::Redact),
    };
    part.ok_or_else(nothing)
}

/// Reads the reason of a decision; nothing where it says nothing.
///
/// # Errors
/// What is wrong with it.
pub fn read_reason(text: &str) -> Result<Option<String>, NotAPart> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let written = serde_json::Value::from(text);
    let whole = format!(r#"{{"version":"1","default":"deny","tools":{{"t":{{"reason":{written}}}}}}}"#);
    let document = document::read(whole.as_bytes()).map_err(NotAPart)?;
    Ok(document.tools.into_iter().next().and_then(|(_, rules)| rules.reason))
}

/// The element of a list of one.
fn only<T>(list: Vec<T>) -> Option<T> {
    let mut list = list.into_iter();
    list.next().filter(|_| list.next().is_none())
}

/// Faults with their places below the exception.
fn below(kind: ExceptionKind, faults: Vec<Fault>) -> NotAPart {
    let list = format!("/tools/t/{}", kind.key());
    let place = |path: &str| {
        let rest = path.strip_prefix(&list).unwrap_or_default();
        rest.strip_prefix("/0").unwrap_or(rest).to_owned()
    };
    NotAPart(faults.into_iter().map(|fault| Fault { path: place(&fault.path), ..fault }).collect())
}

/// Puts a check in place of another, or adds it.
pub(super) fn put_check(checks: &mut Checks, at: Option<usize>, part: &Part) -> Result<(), NotEdited> {
    match part {
        Part::Require(rule) => set(&mut checks.require, at, rule),
        Part::DenyIf(rule) => set(&mut checks.deny_if, at, rule),
        Part::AskIf(rule) => set(&mut checks.ask_if, at, rule),
        Part::Limit(limit) => set(&mut checks.limits, at, limit),
        Part::Concurrency(_) | Part::Redact(_) => Err(NotEdited::Misplaced),
    }
}

/// Puts a value in place of another, or adds it.
pub(super) fn set<T: Clone>(list: &mut Vec<T>, at: Option<usize>, value: &T) -> Result<(), NotEdited> {
    match at {
        None => list.push(value.clone()),
        Some(at) => *list.get_mut(at).ok_or(NotEdited::Gone)? = value.clone(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(kind: ExceptionKind, text: &str) -> Vec<String> {
        let NotAPart(faults) = read_part(kind, text).expect_err("faults");
        faults.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn faults_have_places_below_the_exception() {
        let rule =
            r#"{"conditions":[{"path":"args.a","op":"exists"},{"path":"argh","op":"gt","value":"x"}]}"#;
        assert_eq!(faults(ExceptionKind::DenyIf, rule), ["/conditions/1/path", "/conditions/1/value"]);
        let limit = r#"{"counter":"","window":"hours","max":-1,"scope":"grant"}"#;
        assert_eq!(faults(ExceptionKind::Limit, limit), ["/counter", "/window", "/max"]);
        assert_eq!(faults(ExceptionKind::Concurrency, "0"), [""]);
        assert_eq!(faults(ExceptionKind::Redact, r#""token""#), [""]);
    }

    #[test]
    fn a_reason_is_a_sentence_or_nothing() {
        assert_eq!(read_reason(" Ask the \"crew\". "), Ok(Some("Ask the \"crew\".".to_owned())));
        assert_eq!(read_reason("  "), Ok(None));
        let NotAPart(faults) = read_reason(&"é".repeat(501)).expect_err("too long");
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].reason, "This has at most 500 characters.");
    }

    #[test]
    fn nothing_can_be_slipped_in_beside_an_exception() {
        for text in
            [r#"{"conditions":[]},{"conditions":[]}"#, r#"{"conditions":[]}],"action":"allow","limits":["#]
        {
            assert!(read_part(ExceptionKind::DenyIf, text).is_err(), "{text}");
        }
    }
}
