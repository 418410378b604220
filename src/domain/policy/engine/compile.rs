//! A document made ready to decide: the rules of a tool are found by one look, however many tools are named.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    base::risk::Class,
    domain::policy::{
        document::{Action, Checks, Document, OnExceed, Rule, ToolRules},
        engine::{
            facts::Tool,
            guard::Guard,
            trace::{List, Part},
        },
        pattern::{Pattern, fits},
        redact::Redaction,
    },
};

/// A document made ready.
#[derive(Clone, Debug)]
pub struct Program {
    document: Arc<Document>,
    tools: Index,
    /// The names that rules look at: those for all tools, and those of each key.
    guards: (Guard, Vec<Guard>),
    hidden: HashSet<String>,
    /// Where in `hide` the patterns stand that are no names.
    hidden_by: Vec<usize>,
}

/// Where in the document's tools a key stands.
#[derive(Clone, Debug, Default)]
struct Index {
    exact: HashMap<String, usize>,
    /// The longest first; of equally long ones the first by its text.
    globs: Vec<(String, usize)>,
    classes: [Option<usize>; Class::ALL.len()],
}

impl Program {
    /// Makes a document ready.
    pub fn new(document: Arc<Document>) -> Self {
        let mut tools = Index::default();
        for (at, (pattern, _)) in document.tools.iter().enumerate() {
            match pattern {
                Pattern::Exact(name) => drop(tools.exact.insert(name.clone(), at)),
                Pattern::Glob(glob) => tools.globs.push((glob.clone(), at)),
                Pattern::Class(class) => tools.classes[*class as usize] = Some(at),
            }
        }
        tools
            .globs
            .sort_by(|(a, _), (b, _)| b.chars().count().cmp(&a.chars().count()).then_with(|| a.cmp(b)));
        let exact = |pattern: &Pattern| match pattern {
            Pattern::Exact(name) => Some(name.clone()),
            Pattern::Glob(_) | Pattern::Class(_) => None,
        };
        let hidden = document.hide.iter().filter_map(exact).collect();
        let others =
            document.hide.iter().enumerate().filter(|(_, pattern)| !matches!(pattern, Pattern::Exact(_)));
        let hidden_by = others.map(|(at, _)| at).collect();
        let of_keys = document.tools.iter().map(|(_, rules)| Guard::of(&rules.checks)).collect();
        let guards = (Guard::of(&document.all_tools), of_keys);
        Self { document, tools, guards, hidden, hidden_by }
    }

    /// The document.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The most specific key that a tool falls under, and what holds there: its name, else the longest glob, else its
    /// class.
    pub(super) fn rules_of(&self, tool: &Tool<'_>) -> Option<(&Pattern, &ToolRules)> {
        let (pattern, rules) = self.document.tools.get(self.place_of(tool)?)?;
        Some((pattern, rules))
    }

    /// The names that rules for all tools look at, and those that the rules of a tool do.
    pub(super) fn guards_of(&self, tool: &Tool<'_>) -> (&Guard, Option<&Guard>) {
        let (for_all, of_keys) = &self.guards;
        (for_all, self.place_of(tool).and_then(|at| of_keys.get(at)))
    }

    fn place_of(&self, tool: &Tool<'_>) -> Option<usize> {
        let by_glob = || self.tools.globs.iter().find(|(glob, _)| fits(glob, tool.name)).map(|(_, at)| *at);
        let by_class = || self.tools.classes[tool.class as usize];
        self.tools.exact.get(tool.name).copied().or_else(by_glob).or_else(by_class)
    }

    /// The key that a tool falls under and its rules, for whoever shows them.
    pub fn governing(&self, name: &str, class: Class) -> Option<(&Pattern, &ToolRules)> {
        self.rules_of(&Tool { name, class, is_reviewed: true })
    }

    /// The entry of `hide` by which a tool is not there.
    pub fn hiding(&self, name: &str, class: Class) -> Option<&Pattern> {
        let at = self.hidden_at(&Tool { name, class, is_reviewed: true })?;
        self.document.hide.get(at)
    }

    /// Whether there are calls about which it has a human asked.
    pub fn asks(&self) -> bool {
        let asks = |checks: &Checks| {
            let by_limit = checks.limits.iter().any(|limit| limit.on_exceed == OnExceed::RequireApproval);
            !checks.ask_if.is_empty() || by_limit
        };
        let Document { default, all_tools, tools, .. } = &*self.document;
        let of_tool = |rules: &ToolRules| rules.action == Action::RequireApproval || asks(&rules.checks);
        *default == Action::RequireApproval
            || asks(all_tools)
            || tools.iter().any(|(_, rules)| of_tool(rules))
    }

    /// What of a tool's calls and answers is masked, also where the document only observes.
    pub fn redactions_of(&self, tool: &Tool<'_>) -> &[Redaction] {
        self.rules_of(tool).map_or(&[], |(_, rules)| &rules.redact)
    }

    /// The rule that a part of a decision about a tool is; none where it is something else.
    pub fn rule(&self, tool: &Tool<'_>, part: &Part) -> Option<&Rule> {
        let Part::Check(key, list, at) = part else { return None };
        let checks = match key {
            None => &self.document.all_tools,
            Some(_) => &self.rules_of(tool)?.1.checks,
        };
        match list {
            List::Require => checks.require.get(*at),
            List::DenyIf => checks.deny_if.get(*at),
            List::AskIf => checks.ask_if.get(*at).map(|one| &one.rule),
            List::Limits => None,
        }
    }

    /// Where in `hide` the pattern stands by which a tool is not there.
    pub(super) fn hidden_at(&self, tool: &Tool<'_>) -> Option<usize> {
        if self.hidden.contains(tool.name) {
            let is_it = |pattern: &Pattern| matches!(pattern, Pattern::Exact(name) if name == tool.name);
            return self.document.hide.iter().position(is_it);
        }
        let hides =
            |at: &&usize| self.document.hide.get(**at).is_some_and(|one| one.is_about(tool.name, tool.class));
        self.hidden_by.iter().find(hides).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    #[test]
    fn the_most_specific_key_says_what_is_masked() {
        let text = r#"{"version":"1","mode":"observe","default":"allow","tools":{
            "get_*":{"redact":["args.token","result.**.email"]},"get_all":{},"class:write":{"redact":["args.**"]}}}"#;
        let document = document::read(text.as_bytes()).expect("a document");
        let program = Program::new(Arc::new(document));
        let places = |name, class| {
            let tool = Tool { name, class, is_reviewed: true };
            program.redactions_of(&tool).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(places("get_one", Class::Read), ["args.token", "result.**.email"]);
        assert_eq!(places("get_all", Class::Write), [""; 0]);
        assert_eq!(places("put", Class::Write), ["args.**"]);
        assert_eq!(places("put", Class::Read), [""; 0]);
    }
}
