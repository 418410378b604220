//! Conditions by which something is chosen for a call, outside every policy: they read and compare as a rule's do.
//!
//! A selector decides nothing about whether a call may be made, so it looks only at what is called and with which arguments.

use crate::{
    domain::policy::{
        document::{Fault, Rule},
        edit::{NotAPart, Part, TypedCondition, TypedRule, read_part},
        engine::{Facts, Tool, hold},
        path::{Field, Path},
        words::{ExceptionKind, Phrase, conditions},
    },
    protocol::mcp::raw::Raw,
};

/// How many conditions a selector has at the most.
pub const MOST_CONDITIONS: usize = 20;
/// How long its canonical text is at the most.
pub const MAX_BYTES: usize = 20_000;

/// Conditions that all have to hold.
#[derive(Clone, Debug)]
pub struct Selector(Rule);

impl Selector {
    /// Reads a list of conditions from its JSON.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place as `/0/value`.
    pub fn read(json: &str) -> Result<Self, Vec<Fault>> {
        let part = read_part(ExceptionKind::DenyIf, &format!(r#"{{"conditions":{json}}}"#));
        let rule = match part {
            Ok(Part::DenyIf(rule)) => rule,
            Ok(_) => return Err(vec![fault(String::new(), "This has to be a list of conditions.")]),
            Err(NotAPart(faults)) => {
                let place = |path: &str| path.strip_prefix("/conditions").unwrap_or_default().to_owned();
                return Err(faults.into_iter().map(|one| Fault { path: place(&one.path), ..one }).collect());
            }
        };
        let selector = Self(rule);
        let faults = selector.faults();
        if faults.is_empty() { Ok(selector) } else { Err(faults) }
    }

    /// What is typed into a form, read as [`Selector::read`] reads it.
    ///
    /// # Errors
    /// As [`Selector::read`].
    pub fn typed(conditions: &[TypedCondition]) -> Result<Self, Vec<Fault>> {
        Self::read(&written(conditions))
    }

    fn faults(&self) -> Vec<Fault> {
        let Rule { conditions, .. } = &self.0;
        let (count, length) = (conditions.len(), self.canonical().len());
        let mut faults = Vec::new();
        if count == 0 {
            faults.push(fault(String::new(), "Say by at least one condition for which calls."));
        }
        if count > MOST_CONDITIONS {
            faults.push(fault(String::new(), format!("There are at most {MOST_CONDITIONS} conditions.")));
        }
        if length > MAX_BYTES {
            faults.push(fault(String::new(), format!("This is at most {MAX_BYTES} bytes long.")));
        }
        for (at, condition) in conditions.iter().enumerate() {
            if !looks_at_the_call(&condition.path) {
                let reason =
                    "Look at an argument, args.…, or at tool.name, tool.class, server.slug or server.name.";
                faults.push(fault(format!("/{at}/path"), reason));
            }
        }
        faults
    }

    /// The one text of it: a list of conditions, as JSON.
    pub fn canonical(&self) -> String {
        let rule = self.0.canonical();
        let list = rule.strip_prefix(r#"{"conditions":"#).and_then(|rest| rest.strip_suffix('}'));
        list.unwrap_or_default().to_owned()
    }

    /// As somebody would type it.
    pub fn as_typed(&self) -> Vec<TypedCondition> {
        TypedRule::from(&self.0).conditions
    }

    /// In words.
    pub fn words(&self) -> Phrase {
        conditions(&self.0.conditions)
    }

    /// Whether it chooses this call. Arguments with a key that only case tells apart from one that is looked at choose
    /// nothing: the server may act on a value that no condition has seen.
    pub fn chooses(&self, tool: Tool<'_>, arguments: Option<Raw<'_>>, facts: Facts<'_>) -> bool {
        hold(&self.0.conditions, tool, arguments, facts)
    }
}

/// Typed conditions as a list in JSON.
pub fn written(conditions: &[TypedCondition]) -> String {
    let all: Vec<String> = conditions.iter().map(TypedCondition::written).collect();
    format!("[{}]", all.join(","))
}

fn looks_at_the_call(path: &Path) -> bool {
    match path {
        Path::Args(_) => true,
        Path::Fact(field) => {
            matches!(field, Field::ToolName | Field::ToolClass | Field::ServerSlug | Field::ServerName)
        }
    }
}

fn fault(path: String, reason: impl Into<String>) -> Fault {
    Fault { path, reason: reason.into(), suggestion: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::risk::Class,
        protocol::mcp::strict::{self, Limits},
    };

    fn chooses(selector: &str, arguments: &str) -> bool {
        let selector = Selector::read(selector).expect("a selector");
        let raw = strict::check(arguments.as_bytes(), &Limits::of(10_000)).expect("JSON");
        let tool = Tool { name: "create_issue", class: Class::Write, is_reviewed: true };
        selector.chooses(tool, Some(raw), Facts { server_slug: Some("github"), ..Facts::default() })
    }

    #[test]
    fn all_conditions_have_to_hold_and_what_is_not_there_chooses_nothing() {
        let both = r#"[{"path":"args.owner","op":"eq","value":"acme"},{"path":"server.slug","op":"eq","value":"github"}]"#;
        assert!(chooses(both, r#"{"owner":"acme"}"#));
        assert!(!chooses(both, r#"{"owner":"other"}"#));
        assert!(!chooses(both, "{}"));
        assert!(!chooses(r#"[{"path":"server.slug","op":"eq","value":"jira"}]"#, "{}"));
        assert!(chooses(r#"[{"path":"tool.name","op":"glob","value":"create_*"}]"#, "{}"));
        assert!(chooses(r#"[{"path":"tool.class","op":"in","value":["write"]}]"#, "{}"));
    }

    #[test]
    fn a_key_that_only_case_tells_apart_chooses_nothing() {
        let acme = r#"[{"path":"args.owner","op":"eq","value":"acme"}]"#;
        assert!(!chooses(acme, r#"{"owner":"acme","Owner":"other"}"#));
    }

    #[test]
    fn everything_wrong_is_told_with_its_place() {
        let paths = |json: &str| -> Vec<String> {
            Selector::read(json).expect_err("a fault").into_iter().map(|fault| fault.path).collect()
        };
        assert_eq!(paths("[]"), [""]);
        assert_eq!(paths("5"), [""]);
        assert_eq!(paths("[1"), [""]);
        assert_eq!(paths(r#"[],"on_deny":"x""#), [""], "nothing is smuggled in behind the list");
        assert_eq!(
            paths(r#"[{"path":"args.a","op":"eq","value":1},{"path":"args.b","op":"is","value":1}]"#),
            ["/1/op"]
        );
        for beyond in ["user.email", "server.id", "ip", "time", "grant.label", "client.name"] {
            let condition = format!(r#"[{{"path":"{beyond}","op":"exists"}}]"#);
            assert_eq!(paths(&condition), ["/0/path"], "{beyond}");
        }
        let one = r#"{"path":"args.a","op":"exists"}"#;
        let of = |count: usize| format!("[{}]", vec![one; count].join(","));
        assert!(Selector::read(&of(MOST_CONDITIONS)).is_ok());
        assert_eq!(paths(&of(MOST_CONDITIONS + 1)), [""]);
        let long =
            |length: usize| format!(r#"[{{"path":"args.a","op":"eq","value":"{}"}}]"#, "x".repeat(length));
        assert!(Selector::read(&long(MAX_BYTES - 100)).is_ok());
        assert_eq!(paths(&long(MAX_BYTES)), [""]);
    }

    #[test]
    fn what_is_stored_reads_as_it_was_and_is_shown_as_it_would_be_typed() {
        let text = r#"[{"path":"args.owner","op":"in","value":["acme","5"]},{"path":"args.n","op":"gt","value":5.50}]"#;
        let selector = Selector::read(text).expect("a selector");
        let again = Selector::read(&selector.canonical()).expect("the canonical text");
        assert_eq!(again.canonical(), selector.canonical());
        assert_eq!(Selector::typed(&selector.as_typed()).expect("typed").canonical(), selector.canonical());
        assert_eq!(selector.words().plain(), "owner is one of acme, \"5\" and n is above 5.5");
    }
}
