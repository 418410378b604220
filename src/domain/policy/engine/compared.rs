//! What the conditions of a rule found in a call: for whoever wants to see it, never on a call's own way.

use time::format_description::well_known::Rfc3339;

use crate::{
    domain::policy::{
        document::Condition,
        engine::{
            Call, Part, Program,
            budget::Budget,
            condition::{holds, visit},
            facts::Fact,
            subject::{Arguments, Subject, Truth},
        },
        path::Path,
        redact::{Redaction, Side, redact},
    },
    protocol::mcp::{
        raw::Raw,
        strict::{self, Limits},
    },
};

/// How many values of one place are shown, and how many letters of each.
const MOST_VALUES: usize = 8;
const LONGEST_VALUE: usize = 120;

/// A condition, and what it found.
#[derive(Clone, Debug)]
pub struct Compared<'p> {
    /// The condition.
    pub condition: &'p Condition,
    /// Whether it holds.
    pub holds: bool,
    /// The values at its place, as JSON where they stand in the arguments; none where there is nothing. What is masked is
    /// compared by what it is, and shown masked.
    pub found: Vec<String>,
}

/// The conditions of a rule with what each found; nothing where the part is no rule.
pub fn compare<'p>(
    call: &Call<'_>,
    program: &'p Program,
    part: &Part,
    masks: &[Redaction],
) -> Vec<Compared<'p>> {
    let Some(rule) = program.rule(&call.tool, part) else { return Vec::new() };
    let subject = Subject { tool: call.tool, arguments: Arguments::Sent(call.arguments), facts: call.facts };
    let masked = call.arguments.map(|raw| redact(raw, Side::Args, masks)).unwrap_or_default();
    let shown = strict::check(masked.as_bytes(), &Limits::of(masked.len())).ok();
    // The rule was judged within a budget before; what is shown of it beside that has one of its own.
    let (judging, showing) = (Budget::full(), Budget::full());
    let compared = rule.conditions.iter().map(|condition| Compared {
        condition,
        holds: holds(condition, &subject, &judging) == Ok(Truth::Yes),
        found: found(condition, call, shown, &showing),
    });
    compared.collect()
}

fn found(condition: &Condition, call: &Call<'_>, shown: Option<Raw<'_>>, budget: &Budget) -> Vec<String> {
    let mut all = Vec::new();
    match &condition.path {
        Path::Args(steps) => {
            let mut see = |raw: Option<Raw<'_>>| {
                if let Some(raw) = raw.filter(|_| all.len() < MOST_VALUES) {
                    all.push(cut(raw.text()));
                }
                Ok(())
            };
            if let Some(shown) = shown {
                // Where it does not suffice, what was found until then is shown.
                let _ = visit(shown, steps, budget, &mut see);
            }
        }
        Path::Fact(field) => {
            let facts = call.facts.of(*field, &call.tool).take(MOST_VALUES);
            all.extend(facts.map(|fact| match fact {
                Fact::Text(text) => cut(text),
                Fact::Ip(ip) => ip.to_string(),
                Fact::Moment(at) => at.format(&Rfc3339).unwrap_or_default(),
            }));
        }
    }
    all
}

fn cut(text: &str) -> String {
    let mut letters = text.chars();
    let mut kept: String = letters.by_ref().take(LONGEST_VALUE).collect();
    if letters.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        base::risk::Class,
        domain::policy::{
            document,
            engine::{Facts, List, Tool},
        },
    };

    fn compared(arguments: &str, rule: &str, masks: &[&str]) -> Vec<(bool, Vec<String>)> {
        let text = format!(
            r#"{{"version":"1","default":"allow","tools":{{"t":{{"deny_if":[{{"conditions":{rule}}}]}}}}}}"#
        );
        let document = document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
        let program = Program::new(Arc::new(document));
        let raw = strict::check(arguments.as_bytes(), &Limits::of(arguments.len())).expect("JSON");
        let facts = Facts { user_teams: &["eng", "ops"], user_role: Some("admin"), ..Facts::default() };
        let tool = Tool { name: "t", class: Class::Write, is_reviewed: true };
        let call = Call { tool, arguments: Some(raw), facts };
        let part = Part::Check(Some("t".to_owned()), List::DenyIf, 0);
        let masks: Vec<_> = masks.iter().map(|mask| Redaction::parse(mask).expect("a place")).collect();
        let all = compare(&call, &program, &part, &masks);
        all.into_iter().map(|one| (one.holds, one.found)).collect()
    }

    #[test]
    fn each_condition_is_shown_with_what_it_found() {
        let rule = r#"[{"path":"args.n","op":"gt","value":5},{"path":"args.to[*]","op":"eq","value":"a"},
            {"path":"args.gone","op":"exists","value":true},{"path":"user.teams","op":"eq","value":"ops"}]"#;
        let found = compared(r#"{"n":7,"to":["b","c"]}"#, rule, &[]);
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            found,
            [
                (true, texts(&["7"])),
                (false, texts(&["\"b\"", "\"c\""])),
                (false, vec![]),
                (true, texts(&["eng", "ops"])),
            ]
        );
    }

    #[test]
    fn what_is_masked_is_compared_and_not_shown() {
        let rule = r#"[{"path":"args.token","op":"eq","value":"hush"}]"#;
        let found = compared(r#"{"token":"hush"}"#, rule, &["args.token"]);
        assert_eq!(found, [(true, vec![r#""[redacted]""#.to_owned()])]);
    }

    #[test]
    fn no_more_is_shown_than_a_reader_can_take() {
        let many = format!(r#"{{"to":[{}],"long":"{}"}}"#, vec!["1"; 50].join(","), "x".repeat(500));
        let rule = r#"[{"path":"args.to[*]","op":"eq","value":1},{"path":"args.long","op":"eq","value":1}]"#;
        let found = compared(&many, rule, &[]);
        assert_eq!(found[0].1.len(), MOST_VALUES);
        assert_eq!(found[1].1[0].chars().count(), LONGEST_VALUE + 1);
    }
}
