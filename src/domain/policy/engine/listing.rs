//! Whether a list shows a tool: what no call of it could pass is not offered.

use crate::domain::policy::engine::{
    facts::{Facts, Tool},
    judge::{Layer, judge},
    subject::{Arguments, Subject},
    verdict::{Outcome, Verdict},
};

/// Whether a list shows a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// It does: some call of it may pass, or somebody may agree to it.
    Shown,
    /// It does not.
    Hidden,
}

/// Whether a list shows a tool to somebody of whom these facts are known. Calls are decided by the same code: what is denied
/// here is denied whatever the arguments are. Without any document nothing is shown.
pub fn listing(tool: &Tool<'_>, facts: &Facts<'_>, layers: &[Layer<'_>]) -> Listing {
    let subject = Subject { tool: *tool, arguments: Arguments::Unknown, facts: *facts };
    match judge(&subject, layers).outcome {
        Outcome::Allow | Outcome::Ask(_) => Listing::Shown,
        Outcome::Deny(_) | Outcome::Hidden(_) => Listing::Hidden,
    }
}

/// What holds for every call of a tool, whatever its arguments are and from wherever, whenever and with whichever software
/// it comes; what may hold besides is left open. Calls are decided by the same code.
pub fn foresee(tool: &Tool<'_>, facts: &Facts<'_>, layers: &[Layer<'_>]) -> Verdict {
    judge(&Subject { tool: *tool, arguments: Arguments::Anything, facts: *facts }, layers)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        base::risk::Class,
        domain::policy::{
            document,
            engine::{Effect, LayerName, Program},
        },
    };

    fn shown(rest: &str) -> bool {
        let text = format!(r#"{{"version":"1",{rest}}}"#);
        let document =
            document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?} in {text}"));
        let program = Program::new(Arc::new(document));
        let tool = Tool { name: "get", class: Class::Read, is_reviewed: false };
        let facts = Facts { user_role: Some("member"), ip: "10.1.2.3".parse().ok(), ..Facts::default() };
        listing(&tool, &facts, &[Layer { name: LayerName::Org, program: &program }]) == Listing::Shown
    }

    /// For a tool that nobody reviewed, which the document leaves to its rules.
    fn shown_by(rules: &str) -> bool {
        shown(&format!(r#""default":"allow","unreviewed_tools":"default","tools":{{"get":{rules}}}"#))
    }

    #[test]
    fn a_tool_that_no_call_could_reach_is_not_shown() {
        for rest in [
            r#""default":"allow""#,
            r#""default":"deny","unreviewed_tools":"default""#,
            r#""default":"allow","unreviewed_tools":"default","hide":["class:read"]"#,
        ] {
            assert!(!shown(rest), "{rest}");
            assert!(shown(&format!(r#""mode":"observe",{rest}"#)), "{rest} is only observed");
        }
        for rules in [
            r#"{"action":"deny"}"#,
            r#"{"deny_if":[{"conditions":[]}]}"#,
            r#"{"deny_if":[{"conditions":[{"path":"user.role","op":"eq","value":"member"}]}]}"#,
            r#"{"require":[{"conditions":[{"path":"ip","op":"cidr","value":"192.168.0.0/16"}]}]}"#,
            r#"{"require":[{"conditions":[{"path":"args.a","op":"exists"},{"path":"grant.label","op":"eq","value":"x"}]}]}"#,
        ] {
            assert!(!shown_by(rules), "{rules}");
        }
        assert_eq!(
            listing(&Tool { name: "get", class: Class::Read, is_reviewed: true }, &Facts::default(), &[]),
            Listing::Hidden
        );
    }

    #[test]
    fn what_depends_on_the_call_is_left_open_and_what_does_not_is_settled() {
        let foreseen_in = |mode: &str, rules: &str| {
            let text =
                format!(r#"{{"version":"1","mode":"{mode}","default":"allow","tools":{{"get":{rules}}}}}"#);
            let document = document::read(text.as_bytes()).expect("a document");
            let program = Program::new(Arc::new(document));
            let tool = Tool { name: "get", class: Class::Read, is_reviewed: true };
            let facts = Facts { user_role: Some("member"), ..Facts::default() };
            let verdict = foresee(&tool, &facts, &[Layer { name: LayerName::Org, program: &program }]);
            let open: Vec<_> = verdict.open.iter().map(|one| one.part.to_string()).collect();
            (verdict.trace.outcome(), open.join(" "))
        };
        let foreseen = |rules: &str| foreseen_in("enforce", rules);
        let of = |path: &str, op: &str| format!(r#"[{{"conditions":[{{"path":"{path}","op":"{op}"}}]}}]"#);
        for (rules, effect, open) in [
            (r#"{}"#.to_owned(), Effect::Allow, ""),
            (format!(r#"{{"deny_if":{}}}"#, of("args.a", "exists")), Effect::Allow, "/tools/get/deny_if/0"),
            (format!(r#"{{"require":{}}}"#, of("ip", "exists")), Effect::Allow, "/tools/get/require/0"),
            (format!(r#"{{"deny_if":{}}}"#, of("user.role", "exists")), Effect::Deny, ""),
            (
                format!(r#"{{"action":"require_approval","deny_if":{}}}"#, of("time", "exists")),
                Effect::RequireApproval,
                "/tools/get/deny_if/0",
            ),
            (
                format!(r#"{{"require_approval_if":{}}}"#, of("client.name", "exists")),
                Effect::Allow,
                "/tools/get/require_approval_if/0",
            ),
            (
                r#"{"deny_if":[{"mode":"observe","conditions":[{"path":"ip","op":"exists"}]}]}"#.to_owned(),
                Effect::Allow,
                "",
            ),
        ] {
            assert_eq!(foreseen(&rules), (effect, open.to_owned()), "{rules}");
            assert_eq!(
                foreseen_in("observe", &rules),
                (Effect::Allow, String::new()),
                "{rules} is only observed"
            );
        }
    }

    #[test]
    fn a_tool_that_some_call_may_reach_is_shown() {
        for rules in [
            r#"{}"#,
            r#"{"action":"require_approval"}"#,
            r#"{"deny_if":[{"conditions":[{"path":"args.a","op":"exists","value":false}]}]}"#,
            r#"{"deny_if":[{"conditions":[{"path":"user.role","op":"eq","value":"owner"}]}]}"#,
            r#"{"deny_if":[{"conditions":[{"path":"args.a","op":"exists"},{"path":"ip","op":"exists"}]}]}"#,
            r#"{"require":[{"conditions":[{"path":"args.a","op":"exists"},{"path":"ip","op":"exists"}]}]}"#,
            r#"{"require_approval_if":[{"conditions":[]}]}"#,
            r#"{"limits":[{"counter":"n","window":"day","max":0,"scope":"org","increment_from":"args.a"}]}"#,
        ] {
            assert!(shown_by(rules), "{rules}");
        }
    }
}
