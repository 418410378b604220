//! One change to a document, as somebody makes it in words; everything else of the document stays as it is.
//!
//! Invariant: what comes out of a change is a document that can be read, in its canonical form.

mod part;
mod standing;
mod typed;

pub use part::{NotAPart, Part, read_part, read_reason};
pub use standing::{Decision, Standing, standing};
pub use typed::{TypedCondition, TypedLimit, TypedRule};

use crate::{
    base::{crypto::digest, risk::Class},
    domain::policy::{
        document::{Action, Checks, Document, MAX_BYTES, Mode, ToolRules, Unreviewed},
        engine::Program,
        pattern::Pattern,
        words::ExceptionKind,
    },
};

/// A change.
#[derive(Clone, Debug)]
pub enum Edit {
    /// What holds for the policy as a whole.
    Whole {
        /// Whether the document decides, or only says what it would decide.
        mode: Mode,
        /// What holds for tools that no key names.
        default: Action,
        /// What holds for tools that nobody reviewed.
        unreviewed: Unreviewed,
    },
    /// What becomes of calls of a key's tools.
    Decide {
        /// The key.
        key: Pattern,
        /// The class of the tool, where the key is the name of one that is known.
        class: Option<Class>,
        /// What becomes of them.
        decision: Decision,
    },
    /// Why, for the agent, the person and the record.
    Reason {
        /// The key.
        key: Pattern,
        /// The class of the tool, where it is known.
        class: Option<Class>,
        /// Nothing for no reason.
        reason: Option<String>,
    },
    /// A key has no rules of its own any more, and is not hidden by itself.
    Forget(Pattern),
    /// An exception in place of another, or one more.
    Put {
        /// The key; nothing for every tool.
        key: Option<Pattern>,
        /// The class of the tool, where it is known.
        class: Option<Class>,
        /// Which exception of its kind it replaces; nothing for one more.
        at: Option<usize>,
        /// The exception.
        part: Part,
    },
    /// An exception is gone.
    Remove {
        /// The key; nothing for every tool.
        key: Option<Pattern>,
        /// The class of the tool, where it is known.
        class: Option<Class>,
        /// Its kind.
        kind: ExceptionKind,
        /// Which of its kind.
        at: usize,
    },
}

/// Why a change cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// What it is about is not there.
    #[error("this rule is no longer there")]
    Gone,
    /// The kind of exception cannot stand there.
    #[error("this exception cannot hold for every tool")]
    Misplaced,
    /// A class or a glob hides the tool, and what hides it has to be changed.
    #[error("a broader entry hides this tool")]
    Hidden,
    /// The document would be too long.
    #[error("the document would be longer than 1 MiB")]
    TooLong,
}

impl Edit {
    /// The key that it changes; nothing for what holds for the policy as a whole and for every tool.
    pub const fn key(&self) -> Option<&Pattern> {
        match self {
            Self::Whole { .. } => None,
            Self::Decide { key, .. } | Self::Reason { key, .. } | Self::Forget(key) => Some(key),
            Self::Put { key, .. } | Self::Remove { key, .. } => key.as_ref(),
        }
    }

    /// The document after the change.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn apply(&self, document: &Document) -> Result<Document, NotEdited> {
        let mut new = document.clone();
        match self {
            Self::Whole { mode, default, unreviewed } => {
                (new.mode, new.default, new.unreviewed) = (*mode, *default, *unreviewed);
            }
            Self::Decide { key, class, decision } => decide(&mut new, key, *class, *decision)?,
            Self::Reason { key, class, reason } => {
                own(&mut new, key, *class).reason.clone_from(reason);
            }
            Self::Forget(key) => {
                new.tools.retain(|(pattern, _)| pattern != key);
                new.hide.retain(|pattern| pattern != key);
            }
            Self::Put { key, class, at, part } => put(&mut new, key.as_ref(), *class, *at, part)?,
            Self::Remove { key, class, kind, at } => remove(&mut new, key.as_ref(), *class, *kind, *at)?,
        }
        if new.canonical().len() > MAX_BYTES {
            return Err(NotEdited::TooLong);
        }
        Ok(new)
    }
}

fn decide(
    document: &mut Document,
    key: &Pattern,
    class: Option<Class>,
    decision: Decision,
) -> Result<(), NotEdited> {
    let action = match decision {
        Decision::Hide => {
            if !document.hide.contains(key) {
                document.hide.push(key.clone());
            }
            return Ok(());
        }
        Decision::Allow => Action::Allow,
        Decision::Ask => Action::RequireApproval,
        Decision::Deny => Action::Deny,
    };
    if let (Pattern::Exact(name), Some(class)) = (key, class) {
        let hides = |pattern: &&Pattern| *pattern != key && pattern.is_about(name, class);
        if document.hide.iter().any(|pattern| hides(&pattern)) {
            return Err(NotEdited::Hidden);
        }
    }
    document.hide.retain(|pattern| pattern != key);
    own(document, key, class).action = action;
    Ok(())
}

/// The rules of a key. Where a tool gets rules of its own, they begin as those it was under: by its name alone no exception
/// is lost.
fn own<'d>(document: &'d mut Document, key: &Pattern, class: Option<Class>) -> &'d mut ToolRules {
    // Keys stand in the order of their texts.
    let at = match document.tools.binary_search_by_key(&key.to_string(), |(pattern, _)| pattern.to_string()) {
        Ok(at) => at,
        Err(at) => {
            let inherited = inherited(document, key, class);
            document.tools.insert(at, (key.clone(), inherited));
            at
        }
    };
    &mut document.tools[at].1
}

fn inherited(document: &Document, key: &Pattern, class: Option<Class>) -> ToolRules {
    let fresh = ToolRules { action: document.default, ..ToolRules::default() };
    match (key, class) {
        (Pattern::Exact(name), Some(class)) => {
            let program = Program::new(std::sync::Arc::new(document.clone()));
            program.governing(name, class).map_or(fresh, |(_, rules)| rules.clone())
        }
        _ => fresh,
    }
}

fn put(
    document: &mut Document,
    key: Option<&Pattern>,
    class: Option<Class>,
    at: Option<usize>,
    part: &Part,
) -> Result<(), NotEdited> {
    let Some(key) = key else {
        return part::put_check(&mut document.all_tools, at, part);
    };
    let rules = own(document, key, class);
    match part {
        Part::Concurrency(most) => rules.concurrency = Some(*most),
        Part::Redact(place) => part::set(&mut rules.redact, at, place)?,
        check => part::put_check(&mut rules.checks, at, check)?,
    }
    Ok(())
}

fn remove(
    document: &mut Document,
    key: Option<&Pattern>,
    class: Option<Class>,
    kind: ExceptionKind,
    at: usize,
) -> Result<(), NotEdited> {
    let Some(key) = key else {
        return remove_check(&mut document.all_tools, kind, at);
    };
    let rules = own(document, key, class);
    match kind {
        ExceptionKind::Concurrency => rules.concurrency.take().map(drop).ok_or(NotEdited::Gone),
        ExceptionKind::Redact => take(&mut rules.redact, at),
        check => remove_check(&mut rules.checks, check, at),
    }
}

fn remove_check(checks: &mut Checks, kind: ExceptionKind, at: usize) -> Result<(), NotEdited> {
    match kind {
        ExceptionKind::Require => take(&mut checks.require, at),
        ExceptionKind::DenyIf => take(&mut checks.deny_if, at),
        ExceptionKind::AskIf => take(&mut checks.ask_if, at),
        ExceptionKind::Limit => take(&mut checks.limits, at),
        ExceptionKind::Concurrency | ExceptionKind::Redact => Err(NotEdited::Misplaced),
    }
}

fn take<T>(list: &mut Vec<T>, at: usize) -> Result<(), NotEdited> {
    if at >= list.len() {
        return Err(NotEdited::Gone);
    }
    list.remove(at);
    Ok(())
}

/// A mark of what a change of this key would meet: another where somebody else changed it.
pub fn mark(document: &Document, key: Option<&Pattern>) -> String {
    let text = match key {
        None => {
            let head = Document { tools: Vec::new(), hide: Vec::new(), ..document.clone() };
            head.canonical()
        }
        Some(key) => {
            let rules = document.tools.iter().find(|(pattern, _)| pattern == key);
            let rules = rules.map(|(_, rules)| rules.canonical()).unwrap_or_default();
            format!("{}{rules}", document.hide.contains(key))
        }
    };
    digest::sha256(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    fn read(rest: &str) -> Document {
        let text = format!(r#"{{"version":"1",{rest}}}"#);
        document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
    }

    fn key(text: &str) -> Pattern {
        Pattern::parse(text).expect("a key")
    }

    /// What a change makes of a document, without what every document begins with.
    #[track_caller]
    fn after(rest: &str, edit: &Edit) -> String {
        let new = edit.apply(&read(rest)).unwrap_or_else(|why| panic!("{why}"));
        let text = new.canonical();
        assert!(document::read(text.as_bytes()).is_ok(), "{text}");
        text.strip_prefix(r#"{"version":"1","#).and_then(|text| text.strip_suffix('}')).unwrap().to_owned()
    }

    fn decided(text: &str, class: Option<Class>, decision: Decision) -> Edit {
        Edit::Decide { key: key(text), class, decision }
    }

    #[test]
    fn what_holds_for_the_whole_is_changed() {
        let whole = Edit::Whole {
            mode: Mode::Observe,
            default: Action::RequireApproval,
            unreviewed: Unreviewed::Default,
        };
        assert_eq!(
            after(r#""default":"deny","hide":["a"]"#, &whole),
            r#""mode":"observe","default":"require_approval","unreviewed_tools":"default","hide":["a"]"#
        );
    }

    #[test]
    fn a_decision_about_a_tool_keeps_the_exceptions_it_was_under() {
        let rest = r#""default":"deny","tools":{"class:write":{"concurrency":2}}"#;
        assert_eq!(
            after(rest, &decided("put", Some(Class::Write), Decision::Ask)),
            r#""default":"deny","tools":{"class:write":{"concurrency":2},"put":{"action":"require_approval","concurrency":2}}"#
        );
        // Of a tool that is not known nothing is inherited but the default.
        assert_eq!(
            after(rest, &decided("put", None, Decision::Allow)),
            r#""default":"deny","tools":{"class:write":{"concurrency":2},"put":{}}"#
        );
    }

    #[test]
    fn hiding_is_one_of_the_decisions_and_can_be_taken_back() {
        let rest = r#""default":"deny","tools":{"put":{}}"#;
        let hidden = after(rest, &decided("put", None, Decision::Hide));
        assert_eq!(hidden, r#""default":"deny","hide":["put"],"tools":{"put":{}}"#);
        assert_eq!(
            after(&hidden, &decided("put", Some(Class::Write), Decision::Deny)),
            r#""default":"deny","tools":{"put":{"action":"deny"}}"#
        );
        let by_class = read(r#""default":"deny","hide":["class:write"]"#);
        let refused = decided("put", Some(Class::Write), Decision::Allow).apply(&by_class);
        assert_eq!(refused.err(), Some(NotEdited::Hidden));
        assert_eq!(after(&hidden, &Edit::Forget(key("put"))), r#""default":"deny""#);
        assert_eq!(after(&hidden, &decided("put", None, Decision::Hide)), hidden, "it is hidden already");
        let other = r#""default":"deny","hide":["get"]"#;
        assert_eq!(
            after(other, &decided("put", Some(Class::Write), Decision::Allow)),
            r#""default":"deny","hide":["get"],"tools":{"put":{}}"#
        );
        let two = r#""default":"deny","hide":["get","put"],"tools":{"get":{},"put":{}}"#;
        assert_eq!(
            after(two, &Edit::Forget(key("put"))),
            r#""default":"deny","hide":["get"],"tools":{"get":{}}"#
        );
    }

    #[test]
    fn keys_stay_in_order_and_a_reason_is_given_and_taken_back() {
        let reason = |text: &str, reason: Option<&str>| Edit::Reason {
            key: key(text),
            class: None,
            reason: reason.map(str::to_owned),
        };
        // A key that is new decides what was decided without it.
        let rest = r#""default":"deny","tools":{"a":{},"c":{}}"#;
        let said = after(rest, &reason("b", Some("So.")));
        assert_eq!(said, r#""default":"deny","tools":{"a":{},"b":{"action":"deny","reason":"So."},"c":{}}"#);
        assert_eq!(
            after(&said, &reason("b", None)),
            r#""default":"deny","tools":{"a":{},"b":{"action":"deny"},"c":{}}"#
        );
    }

    #[test]
    fn a_change_says_which_key_it_is_about() {
        let at = |key| Edit::Remove { key, class: None, kind: ExceptionKind::Require, at: 0 };
        for (edit, told_as) in [
            (decided("put", None, Decision::Allow), Some("put")),
            (Edit::Forget(key("get_*")), Some("get_*")),
            (at(Some(key("class:read"))), Some("class:read")),
            (at(None), None),
        ] {
            assert_eq!(edit.key().map(ToString::to_string).as_deref(), told_as, "{edit:?}");
        }
    }

    #[test]
    fn no_change_makes_a_document_too_long() {
        let empty = read(r#""default":"deny","tools":{"t":{"reason":""}}"#);
        let room = MAX_BYTES - empty.canonical().len();
        let reason =
            |length: usize| Edit::Reason { key: key("t"), class: None, reason: Some("x".repeat(length)) };
        assert!(reason(room).apply(&empty).is_ok());
        assert_eq!(reason(room + 1).apply(&empty).err(), Some(NotEdited::TooLong));
    }

    #[test]
    fn exceptions_are_added_replaced_and_removed() {
        let put = |at, part| Edit::Put { key: Some(key("t")), class: None, at, part };
        let rest = r#""default":"deny","tools":{"t":{}}"#;
        let rest = after(rest, &put(None, Part::Concurrency(4)));
        let place = |text: &str| read_part(ExceptionKind::Redact, &format!("\"{text}\"")).expect("a place");
        let rest = after(&rest, &put(None, place("args.a")));
        let rest = after(&rest, &put(None, place("args.b")));
        let rest = after(&rest, &put(Some(0), place("args.c")));
        assert_eq!(rest, r#""default":"deny","tools":{"t":{"concurrency":4,"redact":["args.c","args.b"]}}"#);
        let gone = |kind, at| Edit::Remove { key: Some(key("t")), class: None, kind, at };
        let rest = after(&rest, &gone(ExceptionKind::Redact, 0));
        let rest = after(&rest, &gone(ExceptionKind::Concurrency, 0));
        assert_eq!(rest, r#""default":"deny","tools":{"t":{"redact":["args.b"]}}"#);
        let none = gone(ExceptionKind::DenyIf, 0).apply(&read(&rest));
        assert_eq!(none.err(), Some(NotEdited::Gone));
        let rule = read_part(ExceptionKind::DenyIf, r#"{"conditions":[]}"#).expect("a rule");
        let all = Edit::Put { key: None, class: None, at: None, part: rule };
        assert_eq!(
            after(r#""default":"allow""#, &all),
            r#""default":"allow","all_tools":{"deny_if":[{"conditions":[]}]}"#
        );
        let misplaced = Edit::Put { key: None, class: None, at: None, part: Part::Concurrency(1) };
        assert_eq!(misplaced.apply(&read(r#""default":"allow""#)).err(), Some(NotEdited::Misplaced));
    }

    #[test]
    fn a_mark_changes_with_what_it_is_about_and_with_nothing_else() {
        let one = read(r#""default":"deny","tools":{"a":{},"b":{}}"#);
        let other = read(r#""default":"deny","tools":{"a":{},"b":{"action":"deny"}}"#);
        assert_eq!(mark(&one, Some(&key("a"))), mark(&other, Some(&key("a"))));
        assert_ne!(mark(&one, Some(&key("b"))), mark(&other, Some(&key("b"))));
        assert_eq!(mark(&one, None), mark(&other, None));
        let hidden = read(r#""default":"deny","hide":["a"],"tools":{"a":{},"b":{}}"#);
        assert_ne!(mark(&one, Some(&key("a"))), mark(&hidden, Some(&key("a"))));
        assert_eq!(mark(&one, None), mark(&hidden, None));
        assert_ne!(mark(&one, None), mark(&read(r#""default":"allow""#), None));
    }
}
