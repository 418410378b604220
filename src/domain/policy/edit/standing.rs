//! How a tool or a key stands: what is decided about it, and what says so.

use crate::{
    base::risk::Class,
    domain::policy::{
        document::{Action, ToolRules},
        engine::Program,
        pattern::Pattern,
    },
};

/// What becomes of the calls of a tool, before its exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// They are made.
    Allow,
    /// A human is asked.
    Ask,
    /// They are not made.
    Deny,
    /// There is no such tool.
    Hide,
}

impl Decision {
    /// All decisions, the mildest first.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Ask, Self::Deny, Self::Hide];

    /// The word in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
            Self::Hide => "hide",
        }
    }
}

impl From<Action> for Decision {
    fn from(action: Action) -> Self {
        match action {
            Action::Allow => Self::Allow,
            Action::RequireApproval => Self::Ask,
            Action::Deny => Self::Deny,
        }
    }
}

/// How a tool stands.
#[derive(Clone, Debug)]
pub struct Standing<'p> {
    /// What is decided.
    pub decision: Decision,
    /// The key that says so; nothing where the default does.
    pub by: Option<&'p Pattern>,
    /// The rules that it falls under, also while it is hidden.
    pub rules: Option<&'p ToolRules>,
}

/// How a tool stands in a document.
pub fn standing<'p>(program: &'p Program, tool: &str, class: Class) -> Standing<'p> {
    let governing = program.governing(tool, class);
    let rules = governing.map(|(_, rules)| rules);
    if let Some(pattern) = program.hiding(tool, class) {
        return Standing { decision: Decision::Hide, by: Some(pattern), rules };
    }
    match governing {
        Some((pattern, rules)) => {
            Standing { decision: rules.action.into(), by: Some(pattern), rules: Some(rules) }
        }
        None => Standing { decision: program.document().default.into(), by: None, rules: None },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::policy::document;

    #[test]
    fn a_tool_stands_as_its_most_specific_key_says() {
        let text = r#"{"version":"1","default":"deny","hide":["class:financial"],"tools":{
            "get_*":{},"get_secret":{"action":"deny"},"class:write":{"action":"require_approval"}}}"#;
        let program = Program::new(Arc::new(document::read(text.as_bytes()).expect("a document")));
        let stands = |tool: &str, class| {
            let standing = standing(&program, tool, class);
            (standing.decision, standing.by.map(ToString::to_string).unwrap_or_default())
        };
        assert_eq!(stands("get_a", Class::Write), (Decision::Allow, "get_*".to_owned()));
        assert_eq!(stands("get_secret", Class::Read), (Decision::Deny, "get_secret".to_owned()));
        assert_eq!(stands("put", Class::Write), (Decision::Ask, "class:write".to_owned()));
        assert_eq!(stands("run", Class::Execute), (Decision::Deny, String::new()));
        assert_eq!(Decision::ALL.map(Decision::as_str), ["allow", "ask", "deny", "hide"]);
        assert_eq!(stands("pay", Class::Financial), (Decision::Hide, "class:financial".to_owned()));
    }
}
