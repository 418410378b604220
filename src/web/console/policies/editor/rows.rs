//! The rows of the editor: every tool, classes, names and globs, and the tools of the server by class.

use std::sync::Arc;

use crate::{
    base::risk::Class,
    domain::policy::{
        document::{Document, ToolRules},
        edit::{Decision, Standing, mark, standing},
        engine::Program,
        pattern::Pattern,
        words::{Exception, ExceptionKind, Phrase, exceptions, of_checks},
    },
    flow::actions::policies::ToolLine,
    web::{
        console::policies::{Piece, pieces},
        kit::listing::with_query,
    },
};

/// How many rows a page shows.
const MOST: usize = 60;

/// Which rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// All.
    #[default]
    All,
    /// Those with rules of their own.
    Ruled,
    /// Those that the draft changes.
    Changed,
}

impl View {
    pub(super) const ALL: [Self; 3] = [Self::All, Self::Ruled, Self::Changed];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Ruled => "ruled",
            Self::Changed => "changed",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Ruled => "With rules",
            Self::Changed => "Changed",
        }
    }

    pub(super) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|view| view.word() == word).unwrap_or_default()
    }
}

/// What is to be shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) q: String,
    pub(super) view: View,
    /// The row after which it goes on.
    pub(super) after: String,
}

/// Rows under one heading.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) rows: Vec<Row>,
}

/// One key or tool.
pub(super) struct Row {
    /// The key as documents write it; empty for every tool.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) title: String,
    /// The class of a tool that is known; empty for all others.
    pub(super) class: &'static str,
    pub(super) mark: String,
    /// The decision; empty where there is none to make.
    pub(super) decision: &'static str,
    /// What says so; empty where it is the row itself.
    pub(super) by: String,
    /// Why it cannot be decided here; empty where it can.
    pub(super) closed: String,
    pub(super) waits: bool,
    /// Whether it has rules of its own that can be taken away.
    pub(super) is_own: bool,
    pub(super) is_changed: bool,
    pub(super) chips: Vec<Chip>,
    /// Where an exception is added, but for its kind.
    pub(super) add: String,
    /// Where somebody says why; empty where a reason is said already, or nobody would hear it.
    pub(super) say: String,
    /// How often a tool was called in the last week; empty for what is no tool.
    pub(super) calls: String,
    /// These calls in the log; empty for who does not read it.
    pub(super) log: String,
}

/// One exception.
pub(super) struct Chip {
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) pieces: Vec<Piece>,
    pub(super) href: String,
}

/// The rows that were found.
pub(super) struct Found {
    pub(super) groups: Vec<Group>,
    pub(super) count: usize,
    /// The last row, where more follow.
    pub(super) next: Option<String>,
}

struct Ground<'a> {
    href: &'a str,
    document: &'a Document,
    live: Option<&'a Document>,
    program: &'a Program,
}

/// The rows of a document.
pub(super) fn rows(
    href: &str,
    document: &Document,
    live: Option<&Document>,
    tools: &[ToolLine],
    shown: &Shown,
) -> Found {
    let program = Program::new(Arc::new(document.clone()));
    let ground = Ground { href, document, live, program: &program };
    let all = plan(document, tools);
    let q = shown.q.to_lowercase();
    let is_sought = |one: &Planned<'_>| {
        let title = one.tool.map_or("", |tool| tool.title.as_str());
        q.is_empty() || one.text().to_lowercase().contains(&q) || title.to_lowercase().contains(&q)
    };
    let is_viewed = |one: &Planned<'_>| match shown.view {
        View::All => true,
        View::Ruled => ground.is_own(one),
        View::Changed => ground.is_changed(one),
    };
    let mut all: Vec<Planned<'_>> = all.into_iter().filter(|one| is_sought(one) && is_viewed(one)).collect();
    let count = all.len();
    if let Some(at) = all.iter().position(|one| one.text() == shown.after && !shown.after.is_empty()) {
        all.drain(..=at);
    }
    let has_more = all.len() > MOST;
    all.truncate(MOST);
    let next = all.last().filter(|_| has_more).map(Planned::text);
    let mut groups: Vec<Group> = Vec::new();
    for one in &all {
        let (name, about) = one.group;
        let row = ground.row(one);
        match groups.last_mut() {
            Some(group) if group.name == name => group.rows.push(row),
            _ => groups.push(Group { name, about, rows: vec![row] }),
        }
    }
    Found { groups, count, next }
}

/// A row before it is filled.
struct Planned<'a> {
    group: (&'static str, &'static str),
    /// Nothing for every tool.
    key: Option<Pattern>,
    tool: Option<&'a ToolLine>,
}

impl Planned<'_> {
    fn text(&self) -> String {
        self.key.as_ref().map_or_else(|| "Every tool".to_owned(), ToString::to_string)
    }
}

fn plan<'a>(document: &Document, tools: &'a [ToolLine]) -> Vec<Planned<'a>> {
    let mut all = vec![Planned {
        group: ("Everywhere", "Whatever else is decided about a tool, this holds too."),
        key: None,
        tool: None,
    }];
    let group = ("Classes", "For tools that no name and no glob is about.");
    all.extend(Class::ALL.map(|class| Planned { group, key: Some(Pattern::Class(class)), tool: None }));
    let is_known = |pattern: &Pattern| match pattern {
        Pattern::Class(_) => true,
        Pattern::Exact(name) => tools.iter().any(|tool| tool.name == *name),
        Pattern::Glob(_) => false,
    };
    let mut keys: Vec<&Pattern> = document.tools.iter().map(|(pattern, _)| pattern).collect();
    keys.extend(document.hide.iter());
    keys.retain(|pattern| !is_known(pattern));
    keys.sort_unstable();
    keys.dedup();
    let group = ("Names and globs", "The name counts before the longest glob, and both before the class.");
    all.extend(keys.into_iter().map(|key| Planned { group, key: Some(key.clone()), tool: None }));
    for class in Class::ALL {
        let group = (class.label(), "");
        let of_class = tools.iter().filter(|tool| tool.class == class);
        let plan = |tool: &'a ToolLine| Planned {
            group,
            key: Some(Pattern::Exact(tool.name.clone())),
            tool: Some(tool),
        };
        all.extend(of_class.map(plan));
    }
    all
}

impl Ground<'_> {
    fn rules_of(&self, document: &Document, one: &Planned<'_>) -> Option<ToolRules> {
        let key = one.key.as_ref()?;
        document.tools.iter().find(|(pattern, _)| pattern == key).map(|(_, rules)| rules.clone())
    }

    fn is_own(&self, one: &Planned<'_>) -> bool {
        match &one.key {
            None => !of_checks(&self.document.all_tools).is_empty(),
            Some(key) => self.document.hide.contains(key) || self.rules_of(self.document, one).is_some(),
        }
    }

    fn is_changed(&self, one: &Planned<'_>) -> bool {
        let Some(live) = self.live else { return false };
        match &one.key {
            None => live.all_tools.canonical() != self.document.all_tools.canonical(),
            key => mark(live, key.as_ref()) != mark(self.document, key.as_ref()),
        }
    }

    fn row(&self, one: &Planned<'_>) -> Row {
        let key = one.key.as_ref().map(ToString::to_string).unwrap_or_default();
        let add = with_query(&format!("{}/exception", self.href), [("key", key.as_str())]);
        let mut row = Row {
            name: one.text(),
            title: one.tool.map(|tool| tool.title.clone()).unwrap_or_default(),
            class: one.tool.map_or("", |tool| tool.class.as_str()),
            mark: mark(self.document, one.key.as_ref()),
            decision: "",
            by: String::new(),
            closed: String::new(),
            waits: one.tool.is_some_and(|tool| tool.waits),
            is_own: one.key.is_some() && self.is_own(one),
            is_changed: self.is_changed(one),
            chips: Vec::new(),
            add,
            say: String::new(),
            calls: String::new(),
            log: String::new(),
            key,
        };
        match (&one.key, one.tool) {
            (None, _) => row.chips = self.chips(&row.key, of_checks(&self.document.all_tools)),
            (Some(key), Some(tool)) => self.fill_tool(&mut row, key, tool),
            (Some(key), None) => self.fill_key(&mut row, key, one),
        }
        row
    }

    fn fill_tool(&self, row: &mut Row, key: &Pattern, tool: &ToolLine) {
        let Standing { decision, by, rules } = standing(self.program, &tool.name, tool.class);
        row.decision = decision.as_str();
        if by != Some(key) {
            row.by = by.map_or_else(|| "unlisted".to_owned(), ToString::to_string);
            if decision == Decision::Hide {
                row.closed = format!("Hidden by {}", row.by);
            }
        }
        let inherited = rules.map(exceptions).unwrap_or_default();
        row.chips = self.chips(&row.key, inherited);
        self.say_why(row, decision, rules);
    }

    fn fill_key(&self, row: &mut Row, key: &Pattern, one: &Planned<'_>) {
        let rules = self.rules_of(self.document, one);
        let is_hidden = self.document.hide.contains(key);
        let decision = match (&rules, is_hidden) {
            (_, true) => Decision::Hide,
            (Some(rules), false) => rules.action.into(),
            (None, false) => self.document.default.into(),
        };
        if rules.is_none() && !is_hidden {
            row.by = "unlisted".to_owned();
        }
        row.decision = decision.as_str();
        row.chips = self.chips(&row.key, rules.as_ref().map(exceptions).unwrap_or_default());
        self.say_why(row, decision, rules.as_ref());
    }

    /// Shows the reason of a decision; or where one is given, for what rules of its own stop or ask about.
    fn say_why(&self, row: &mut Row, decision: Decision, rules: Option<&ToolRules>) {
        let href = with_query(&format!("{}/reason", self.href), [("key", row.key.as_str())]);
        match rules.and_then(|rules| rules.reason.as_deref()) {
            Some(reason) => row.chips.push(Chip {
                tone: "",
                glyph: "info",
                pieces: pieces(Phrase::of(format!("reason: {reason}"))),
                href,
            }),
            None if row.is_own && matches!(decision, Decision::Ask | Decision::Deny) => row.say = href,
            None => {}
        }
    }

    fn chips(&self, key: &str, all: Vec<Exception>) -> Vec<Chip> {
        let chip = |one: Exception| {
            let (tone, glyph) = look(one.kind);
            let at = one.at.to_string();
            let query = [("key", key), ("kind", one.kind.key()), ("at", at.as_str())];
            Chip {
                tone: if one.is_tried { "" } else { tone },
                glyph,
                href: with_query(&format!("{}/exception", self.href), query),
                pieces: pieces(one.words),
            }
        };
        all.into_iter().map(chip).collect()
    }
}

/// The color and the icon of an exception.
pub(super) const fn look(kind: ExceptionKind) -> (&'static str, &'static str) {
    match kind {
        ExceptionKind::Require | ExceptionKind::DenyIf => ("deny", "deny"),
        ExceptionKind::AskIf => ("ask", "ask"),
        ExceptionKind::Limit | ExceptionKind::Concurrency => ("", "rule"),
        ExceptionKind::Redact => ("", "lock"),
    }
}

#[cfg(test)]
pub(super) fn sample_groups(count: usize, text: &str) -> Vec<Group> {
    let row = |n: usize| Row {
        key: text.into(),
        name: text.into(),
        title: text.into(),
        class: if n == 0 { "" } else { "write" },
        mark: "0123456789ab".into(),
        decision: if n == 0 { "" } else { Decision::ALL[n % 4].as_str() },
        by: if n.is_multiple_of(3) { "class:write".into() } else { String::new() },
        closed: if n % 4 == 3 { "Hidden by class:write".into() } else { String::new() },
        waits: n % 5 == 4,
        is_own: n % 2 == 1,
        is_changed: n % 3 == 1,
        chips: ExceptionKind::ALL
            .into_iter()
            .take(n % 7)
            .map(|kind| Chip {
                tone: look(kind).0,
                glyph: look(kind).1,
                pieces: pieces(Phrase::of("deny if ").code(text).say(" is ").code("main")),
                href: "/x".into(),
            })
            .collect(),
        add: "/x?key=a".into(),
        say: if n % 4 == 2 { "/x?key=a".into() } else { String::new() },
        calls: if n == 0 { String::new() } else { "1,000+".into() },
        log: if n.is_multiple_of(2) { String::new() } else { "/o/acme/audit?q=tool".into() },
    };
    if count == 0 {
        return Vec::new();
    }
    vec![
        Group { name: "Everywhere", about: "This holds too.", rows: vec![row(0)] },
        Group { name: "Write", about: "", rows: (1..count).map(row).collect() },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    fn tool(name: &str, class: Class) -> ToolLine {
        ToolLine { name: name.to_owned(), title: String::new(), class, waits: false }
    }

    fn read(rest: &str) -> Document {
        document::read(format!(r#"{{"version":"1",{rest}}}"#).as_bytes()).expect("a document")
    }

    #[test]
    fn tools_stand_by_class_with_what_says_so() {
        let document = read(
            r#""default":"deny","hide":["pay"],"tools":{"get_*":{},"class:write":{"concurrency":2},"gone":{}}"#,
        );
        let tools = [tool("get_a", Class::Read), tool("put", Class::Write), tool("pay", Class::Financial)];
        let found = rows("/p", &document, None, &tools, &Shown::default());
        let names: Vec<_> = found.groups.iter().map(|group| group.name).collect();
        assert_eq!(names, ["Everywhere", "Classes", "Names and globs", "Read", "Write", "Financial"]);
        let row = |name: &str| {
            found.groups.iter().flat_map(|group| &group.rows).find(|row| row.name == name).unwrap()
        };
        assert_eq!((row("get_a").decision, row("get_a").by.as_str()), ("allow", "get_*"));
        assert_eq!((row("put").by.as_str(), row("put").chips.len()), ("class:write", 1));
        assert_eq!((row("pay").decision, row("pay").is_own), ("hide", true));
        assert!(row("gone").say.is_empty() && row("class:execute").say.is_empty());
        assert_eq!((row("gone").decision, row("class:execute").by.as_str()), ("allow", "unlisted"));
    }

    #[test]
    fn rows_are_sought_viewed_and_turned_over() {
        let document = read(r#""default":"deny","tools":{"tool_10":{}}"#);
        let live = read(r#""default":"deny""#);
        let tools: Vec<ToolLine> = (0..100).map(|n| tool(&format!("tool_{n}"), Class::Read)).collect();
        let find = |q: &str, view, after: &str| {
            rows("/p", &document, Some(&live), &tools, &Shown { q: q.into(), view, after: after.into() })
        };
        let first = find("", View::All, "");
        assert_eq!(first.count, 106);
        let next = first.next.expect("more");
        let second = find("", View::All, &next);
        assert_eq!(second.groups.iter().map(|group| group.rows.len()).sum::<usize>(), 46);
        assert_eq!(find("TOOL_10", View::All, "").count, 1);
        assert_eq!(find("", View::Changed, "").count, 1);
        assert_eq!(find("", View::Ruled, "").count, 1);
    }
}
