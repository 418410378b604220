//! What a document looks at, and whether two of them say the same of a tool.

use crate::domain::policy::{
    document::{Checks, Document, ToolRules},
    engine::{compile::Program, facts::Tool},
    path::{Field, Path},
};

impl Program {
    /// Whether any condition of the document looks at a fact.
    pub fn looks_at(&self, field: Field) -> bool {
        let document = self.document();
        let all = document.tools.iter().map(|(_, rules)| &rules.checks);
        std::iter::once(&document.all_tools).chain(all).any(|checks| looks_at(checks, field))
    }

    /// Whether another document decides the same about every call of a tool, word for word: then it makes no difference what
    /// the arguments are.
    pub fn says_the_same_as(&self, other: &Self, tool: &Tool<'_>) -> bool {
        let (one, two) = (self.document(), other.document());
        let is_hidden = (self.hidden_at(tool).is_some(), other.hidden_at(tool).is_some());
        let is_same_frame = one.mode == two.mode
            && is_hidden.0 == is_hidden.1
            && (tool.is_reviewed || one.unreviewed == two.unreviewed)
            && one.all_tools.canonical() == two.all_tools.canonical();
        let own = |program: &Self, document: &Document| match program.rules_of(tool) {
            Some((_, rules)) => deciding(rules).canonical(),
            None => ToolRules { action: document.default, ..ToolRules::default() }.canonical(),
        };
        is_same_frame && own(self, one) == own(other, two)
    }
}

fn looks_at(checks: &Checks, field: Field) -> bool {
    let plain = checks.require.iter().chain(&checks.deny_if);
    let rules = plain.chain(checks.ask_if.iter().map(|one| &one.rule));
    rules.flat_map(|rule| &rule.conditions).any(|condition| condition.path == Path::Fact(field))
}

/// What of a key's rules decides: neither what is said with it nor what is masked does.
fn deciding(rules: &ToolRules) -> ToolRules {
    ToolRules { reason: None, redact: Vec::new(), ..rules.clone() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{base::risk::Class, domain::policy::document};

    fn program(rest: &str) -> Program {
        let text = format!(r#"{{"version":"1",{rest}}}"#);
        Program::new(Arc::new(document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"))))
    }

    #[test]
    fn two_documents_are_compared_by_what_they_say_of_one_tool() {
        let rule = r#"{"deny_if":[{"conditions":[{"path":"args.a","op":"exists"}]}]}"#;
        let one = program(&format!(r#""default":"allow","tools":{{"get":{rule},"set":{{}}}}"#));
        let two = program(&format!(r#""default":"deny","tools":{{"get":{rule},"set":{{"action":"deny"}}}}"#));
        let tool = |name| Tool { name, class: Class::Read, is_reviewed: true };
        assert!(one.says_the_same_as(&two, &tool("get")));
        assert!(!one.says_the_same_as(&two, &tool("set")), "its action differs");
        assert!(!one.says_the_same_as(&two, &tool("other")), "the defaults differ");
        let hidden = program(&format!(r#""default":"allow","hide":["get"],"tools":{{"get":{rule}}}"#));
        assert!(!one.says_the_same_as(&hidden, &tool("get")));
        let words = program(&format!(
            r#""default":"allow","tools":{{"get":{}}}"#,
            rule.replacen('{', r#"{"reason":"So it is.","redact":["args.b"],"#, 1)
        ));
        assert!(one.says_the_same_as(&words, &tool("get")), "words decide nothing");
        let of = |mode: &str, unreviewed: &str, all: &str| {
            let frame = format!(r#""mode":"{mode}","default":"allow","unreviewed_tools":"{unreviewed}""#);
            program(&format!(r#"{frame},"all_tools":{all}"#))
        };
        let plain = of("enforce", "deny", "{}");
        assert!(!plain.says_the_same_as(&of("observe", "deny", "{}"), &tool("get")));
        assert!(
            !plain.says_the_same_as(&of("enforce", "deny", rule), &tool("get")),
            "what holds for all differs"
        );
        let (lax, new) = (of("enforce", "default", "{}"), Tool { is_reviewed: false, ..tool("get") });
        assert!(plain.says_the_same_as(&lax, &tool("get")), "somebody reviewed it");
        assert!(!plain.says_the_same_as(&lax, &new) && plain.says_the_same_as(&plain, &new));
        let unnamed = program(r#""default":"allow","tools":{"*":{}}"#);
        assert!(unnamed.says_the_same_as(&program(r#""default":"allow""#), &tool("get")));
    }

    #[test]
    fn it_is_known_which_facts_a_document_looks_at() {
        let rule = r#"{"require":[{"conditions":[{"path":"time","op":"gte","value":"08:00"}]}]}"#;
        let program = program(&format!(r#""default":"allow","all_tools":{rule}"#));
        assert!(program.looks_at(Field::Time) && !program.looks_at(Field::Ip));
    }
}
