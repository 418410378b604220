//! A document made from the classes of a server's tools: what a careful policy begins with, and what it does with each tool.
//!
//! Classes have their keys, so tools that come later fall under the same. A tool has a rule of its own only where more is
//! known of it than its class, which [`Care`] says.
//!
//! Invariant: what comes of it is a document that can be read, in its canonical form.
//! Invariant: a tool is handled as mildly as its class or what is known of it says, never milder; what is known of a glob,
//! of a tool whose class a person chose or of one whose class is hidden makes nothing milder.

use crate::{
    base::risk::{Class, Handling},
    domain::policy::{
        document::{
            Action, Checks, Document, Increment, Limit, Mode, OnExceed, Scope, ToolRules, Unreviewed, Window,
            WindowKind,
        },
        number::Number,
        pattern::Pattern,
    },
};

/// How many calls that change things a grant may make in a minute.
pub const WRITES: u32 = 60;
/// How many calls that run something it may make in a minute.
pub const EXECUTIONS: u32 = 20;
/// How many tools get a rule of their own; a document hides no more than a thousand. What is known of tools is far less.
const MOST_RULES: usize = 900;

/// A tool that a suggestion is about.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it does at worst.
    pub class: Class,
    /// Whether a person chose that class.
    pub is_chosen: bool,
}

/// What is known of tools beside their classes.
#[derive(Clone, Debug)]
pub struct Care {
    /// Which tools.
    pub tools: Pattern,
    /// What a careful policy does with them.
    pub handling: Handling,
    /// Why, as a sentence.
    pub reason: String,
}

/// What is done with a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handled<'a> {
    /// What.
    pub handling: Handling,
    /// Why it is something else than its class says; `None` where its class decides.
    pub care: Option<&'a str>,
}

/// A document and what it does with each tool that it was made for, in their order.
#[derive(Clone, Debug)]
pub struct Suggestion<'a> {
    /// The document.
    pub document: Document,
    /// What it does with the tools.
    pub tools: Vec<Handled<'a>>,
}

/// What a careful policy begins with for these tools.
pub fn suggest<'a>(tools: &[Offered<'_>], cares: &'a [Care]) -> Suggestion<'a> {
    let mut own: Vec<(String, &'a Care)> = Vec::new();
    let mut handled = Vec::with_capacity(tools.len());
    for tool in tools {
        let by_class = Handled { handling: tool.class.handling(), care: None };
        let known = care_for(tool, cares).filter(|_| own.len() < MOST_RULES);
        handled.push(known.map_or(by_class, |care| {
            own.push((tool.name.to_owned(), care));
            Handled { handling: care.handling, care: Some(&care.reason) }
        }));
    }
    Suggestion { document: document(own), tools: handled }
}

/// What is known of a tool that its class does not say, where a rule of its own can say it.
fn care_for<'a>(tool: &Offered<'_>, cares: &'a [Care]) -> Option<&'a Care> {
    let about = |care: &&Care| care.tools.is_about(tool.name, tool.class);
    let is_exact = |care: &&Care| matches!(care.tools, Pattern::Exact(_));
    // The whole name before any glob, and of globs the strictest.
    let exact = cares.iter().filter(about).find(is_exact);
    let care = exact.or_else(|| cares.iter().filter(about).max_by_key(|care| care.handling))?;
    let by_class = tool.class.handling();
    let may_be_milder = is_exact(&care) && !tool.is_chosen && by_class != Handling::Hide;
    let says_more = care.handling > by_class || care.handling < by_class && may_be_milder;
    // A name such as `class:read` means something else as a key.
    let is_key = Pattern::parse(tool.name) == Ok(Pattern::Exact(tool.name.to_owned()));
    (says_more && is_key).then_some(care)
}

fn document(own: Vec<(String, &Care)>) -> Document {
    let (mut hide, mut tools) = (Vec::new(), Vec::new());
    for class in Class::ALL {
        put(&mut hide, &mut tools, Pattern::Class(class), class.handling(), None);
    }
    for (name, care) in own {
        put(&mut hide, &mut tools, Pattern::Exact(name), care.handling, Some(&care.reason));
    }
    tools.sort_by_cached_key(|(pattern, _)| pattern.to_string());
    Document {
        mode: Mode::Enforce,
        default: Action::Deny,
        unreviewed: Unreviewed::Deny,
        hide,
        all_tools: Checks::default(),
        tools,
    }
}

fn put(
    hide: &mut Vec<Pattern>,
    tools: &mut Vec<(Pattern, ToolRules)>,
    key: Pattern,
    handling: Handling,
    reason: Option<&str>,
) {
    let mut rules = ToolRules { reason: reason.map(str::to_owned), ..ToolRules::default() };
    match handling {
        Handling::Allow => {}
        Handling::LimitWrites => rules.checks.limits.push(a_minute("writes", WRITES)),
        Handling::LimitExecutions => rules.checks.limits.push(a_minute("executions", EXECUTIONS)),
        Handling::Ask => rules.action = Action::RequireApproval,
        Handling::Hide => return hide.push(key),
    }
    tools.push((key, rules));
}

/// So many calls of a grant in a minute.
fn a_minute(counter: &str, most: u32) -> Limit {
    Limit {
        counter: counter.to_owned(),
        window: Window::Minute,
        kind: WindowKind::Fixed,
        max: Number::from(most),
        scope: Scope::Grant,
        increment: Increment::By(Number::from(1)),
        distinct: None,
        count_errors: true,
        on_exceed: OnExceed::Deny,
        mode: Mode::Enforce,
        on_deny: None,
    }
}

#[cfg(test)]
mod tests;
