//! Calls of which nobody knows the arguments any more, such as those of last week.

use crate::domain::policy::engine::{
    facts::{Facts, Tool},
    judge::{Layer, judge},
    subject::{Arguments, Subject},
    verdict::Verdict,
};

/// What becomes of a call whatever its arguments are; nothing where that depends on them. The verdict holds the reasons that
/// are certain. Calls are decided by the same code, once as if nothing that looks at arguments stopped them, and once as if
/// all of it did: where both come to the same, so does everything between them.
pub fn decide_unseen(tool: &Tool<'_>, facts: &Facts<'_>, layers: &[Layer<'_>]) -> Option<Verdict> {
    let with = |arguments| judge(&Subject { tool: *tool, arguments, facts: *facts }, layers);
    let mildest = with(Arguments::Unknown);
    let strictest = with(Arguments::Worst);
    (mildest.trace.outcome() == strictest.trace.outcome()).then_some(mildest)
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

    fn told(rules: &str) -> Option<Effect> {
        let text = format!(r#"{{"version":"1","default":"allow","tools":{{"get":{rules}}}}}"#);
        let document = document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
        let program = Program::new(Arc::new(document));
        let tool = Tool { name: "get", class: Class::Read, is_reviewed: true };
        let facts = Facts { user_role: Some("member"), ..Facts::default() };
        let layer = Layer { name: LayerName::Org, program: &program };
        decide_unseen(&tool, &facts, &[layer]).map(|verdict| verdict.trace.outcome())
    }

    #[test]
    fn what_does_not_depend_on_arguments_is_told_and_the_rest_is_not() {
        for (rules, told_as) in [
            ("{}", Some(Effect::Allow)),
            (r#"{"action":"deny"}"#, Some(Effect::Deny)),
            (r#"{"action":"require_approval"}"#, Some(Effect::RequireApproval)),
            (
                r#"{"deny_if":[{"conditions":[{"path":"user.role","op":"eq","value":"member"}]}],
                    "require_approval_if":[{"conditions":[{"path":"args.a","op":"exists"}]}]}"#,
                Some(Effect::Deny),
            ),
            (
                r#"{"deny_if":[{"conditions":[{"path":"user.role","op":"eq","value":"owner"}]}]}"#,
                Some(Effect::Allow),
            ),
            (r#"{"deny_if":[{"conditions":[{"path":"args.a","op":"exists"}]}]}"#, None),
            (r#"{"require":[{"conditions":[{"path":"args.a","op":"exists"}]}]}"#, None),
            (r#"{"require_approval_if":[{"conditions":[{"path":"args.a","op":"exists"}]}]}"#, None),
            (
                r#"{"limits":[{"counter":"n","window":"day","max":1,"scope":"org","increment_from":"args.a"}]}"#,
                None,
            ),
            (
                r#"{"deny_if":[{"conditions":[{"path":"args.a","op":"exists"},{"path":"ip","op":"exists"}]}]}"#,
                // A name that differs from it only in case would be denied.
                None,
            ),
            (
                r#"{"deny_if":[{"mode":"observe","conditions":[{"path":"args.a","op":"exists"}]}]}"#,
                Some(Effect::Allow),
            ),
        ] {
            assert_eq!(told(rules), told_as, "{rules}");
        }
    }
}
