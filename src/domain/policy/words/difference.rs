//! What changes from one document to another, and whether more is let through by it.

use crate::domain::policy::{
    document::{Action, AskRule, Checks, Document, Limit, Mode, Rule, ToolRules, Unreviewed},
    pattern::{Pattern, fits},
    words::{
        Exception, Phrase,
        exception::{exceptions, of_checks},
    },
};

/// What a change does to the calls there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// More may pass.
    Looser,
    /// Less may pass.
    Stricter,
    /// Some more, some less, or it cannot be said without calls.
    Either,
    /// The same passes.
    Neutral,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key of `tools` that it is about; nothing for the policy as a whole.
    pub key: Option<String>,
    /// What changes.
    pub words: Phrase,
    /// What it does.
    pub effect: Effect,
}

/// Everything that changes.
pub fn differences(before: &Document, after: &Document) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    whole(&mut found, before, after);
    hidden(&mut found, before, after);
    checks(&mut found, None, &before.all_tools, &after.all_tools);
    for (pattern, rules) in &before.tools {
        let key = pattern.to_string();
        match after.tools.iter().find(|(other, _)| other == pattern) {
            Some((_, new)) => tool(&mut found, &key, rules, new),
            None => {
                let words = Phrase::of("The rule is gone; what is broader holds instead.");
                found.add(Some(&key), words, flipped(without(pattern, rules, after)));
            }
        }
    }
    for (pattern, rules) in &after.tools {
        if before.tools.iter().all(|(other, _)| other != pattern) {
            let key = pattern.to_string();
            found.add(Some(&key), fresh(rules), without(pattern, rules, before));
        }
    }
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, key: Option<&str>, words: Phrase, effect: Effect) {
        self.0.push(Difference { key: key.map(str::to_owned), words, effect });
    }
}

const fn flipped(effect: Effect) -> Effect {
    match effect {
        Effect::Looser => Effect::Stricter,
        Effect::Stricter => Effect::Looser,
        other => other,
    }
}

fn whole(found: &mut Found, before: &Document, after: &Document) {
    match (before.mode, after.mode) {
        (Mode::Enforce, Mode::Observe) => found.add(
            None,
            Phrase::of(
                "Nothing is stopped or asked any more: what the policy would decide is only recorded.",
            ),
            Effect::Looser,
        ),
        (Mode::Observe, Mode::Enforce) => {
            let words =
                Phrase::of("The policy is enforced: until now it was only recorded what it would decide.");
            found.add(None, words, Effect::Stricter);
        }
        _ => {}
    }
    if before.default != after.default {
        let words = Phrase::of(format!(
            "Tools that no rule names are {} instead of {}.",
            past(after.default),
            past(before.default)
        ));
        found.add(None, words, stricter(after.default.cmp(&before.default)));
    }
    match (before.unreviewed, after.unreviewed) {
        (Unreviewed::Deny, Unreviewed::Default) => {
            let words = Phrase::of("Tools that nobody has reviewed fall under the rules like all others.");
            found.add(None, words, Effect::Looser);
        }
        (Unreviewed::Default, Unreviewed::Deny) => {
            found.add(None, Phrase::of("Tools that nobody has reviewed are denied."), Effect::Stricter);
        }
        _ => {}
    }
}

/// Strictness by an order in which what is stricter is greater.
const fn stricter(order: std::cmp::Ordering) -> Effect {
    match order {
        std::cmp::Ordering::Less => Effect::Looser,
        std::cmp::Ordering::Equal => Effect::Neutral,
        std::cmp::Ordering::Greater => Effect::Stricter,
    }
}

const fn past(action: Action) -> &'static str {
    match action {
        Action::Allow => "allowed",
        Action::RequireApproval => "asked about",
        Action::Deny => "denied",
    }
}

fn hidden(found: &mut Found, before: &Document, after: &Document) {
    for pattern in after.hide.iter().filter(|pattern| !before.hide.contains(pattern)) {
        let words = Phrase::default().code(pattern.to_string()).say(" is hidden.");
        found.add(None, words, Effect::Stricter);
    }
    for pattern in before.hide.iter().filter(|pattern| !after.hide.contains(pattern)) {
        let words = Phrase::default().code(pattern.to_string()).say(" is no longer hidden; its rules hold.");
        found.add(None, words, Effect::Looser);
    }
}

fn tool(found: &mut Found, key: &str, before: &ToolRules, after: &ToolRules) {
    if before.action != after.action {
        let words =
            Phrase::of(format!("Calls are {} instead of {}.", past(after.action), past(before.action)));
        found.add(Some(key), words, stricter(after.action.cmp(&before.action)));
    }
    if before.reason != after.reason {
        let words = match &after.reason {
            Some(reason) => Phrase::of("The reason given is ").code(reason.clone()).say("."),
            None => Phrase::of("No reason is given any more."),
        };
        found.add(Some(key), words, Effect::Neutral);
    }
    checks(found, Some(key), &before.checks, &after.checks);
    if before.concurrency != after.concurrency {
        let words = match (before.concurrency, after.concurrency) {
            (_, None) => Phrase::of("Any number of calls may be under way at once."),
            (_, Some(most)) => Phrase::of(format!("At most {most} calls may be under way at once.")),
        };
        let most = |count: Option<u32>| count.unwrap_or(u32::MAX);
        found.add(Some(key), words, stricter(most(before.concurrency).cmp(&most(after.concurrency))));
    }
    for place in after.redact.iter().filter(|place| !before.redact.contains(place)) {
        let words = Phrase::default().code(place.to_string()).say(" is masked.");
        found.add(Some(key), words, Effect::Neutral);
    }
    for place in before.redact.iter().filter(|place| !after.redact.contains(place)) {
        let words = Phrase::default().code(place.to_string()).say(" is no longer masked in the record.");
        found.add(Some(key), words, Effect::Looser);
    }
}

/// What a new key says.
fn fresh(rules: &ToolRules) -> Phrase {
    let mut words = Phrase::of(format!("A rule of its own: calls are {}", past(rules.action)));
    for (at, exception) in exceptions(rules).into_iter().enumerate() {
        words = words.say(if at == 0 { "; " } else { ", " }).and(exception.words);
    }
    words.say(".")
}

/// What a key does to calls that would otherwise fall under what is broader, elsewhere, where there is no such key.
fn without(pattern: &Pattern, rules: &ToolRules, elsewhere: &Document) -> Effect {
    let checked = |rules: &ToolRules| !exceptions(rules).is_empty();
    let broader = elsewhere.tools.iter().filter(|(other, _)| may_cover(other, pattern));
    let mut effect: Option<Effect> = None;
    let mut see = |action: Action, is_checked: bool| {
        let one = match stricter(rules.action.cmp(&action)) {
            Effect::Looser if checked(rules) => Effect::Either,
            Effect::Stricter | Effect::Neutral if is_checked => Effect::Either,
            Effect::Neutral if checked(rules) => Effect::Stricter,
            other => other,
        };
        effect = Some(match effect {
            None => one,
            Some(before) if before == one => one,
            Some(Effect::Neutral) => one,
            Some(before) if one == Effect::Neutral => before,
            Some(_) => Effect::Either,
        });
    };
    see(elsewhere.default, false);
    for (_, rules) in broader {
        see(rules.action, checked(rules));
    }
    effect.unwrap_or(Effect::Neutral)
}

/// Whether a key may be about tools that another one takes from it by being more specific.
fn may_cover(broad: &Pattern, narrow: &Pattern) -> bool {
    match (broad, narrow) {
        (Pattern::Exact(_), _) | (Pattern::Glob(_) | Pattern::Class(_), Pattern::Class(_)) => false,
        (Pattern::Class(_), _) | (Pattern::Glob(_), Pattern::Glob(_)) => true,
        (Pattern::Glob(glob), Pattern::Exact(name)) => fits(glob, name),
    }
}

fn checks(found: &mut Found, key: Option<&str>, before: &Checks, after: &Checks) {
    let (old, new) = (of_checks(before), of_checks(after));
    list(found, key, &before.require, &after.require, &pick(&old, 0), &pick(&new, 0));
    list(found, key, &before.deny_if, &after.deny_if, &pick(&old, 1), &pick(&new, 1));
    list(found, key, &before.limits, &after.limits, &pick(&old, 2), &pick(&new, 2));
    list(found, key, &before.ask_if, &after.ask_if, &pick(&old, 3), &pick(&new, 3));
}

/// The words of one list, in the order of the lists of [`checks`].
fn pick(all: &[Exception], list: usize) -> Vec<Phrase> {
    use crate::domain::policy::words::ExceptionKind::{AskIf, DenyIf, Limit, Require};
    let kind = [Require, DenyIf, Limit, AskIf][list];
    all.iter().filter(|one| one.kind == kind).map(|one| one.words.clone()).collect()
}

/// What stands in a list and can be found again after a change.
trait Listed {
    fn written(&self) -> String;
    /// Whether two are likely the same one before and after.
    fn is_kin(&self, other: &Self) -> bool;
    /// What changing this one into its kin does.
    fn effect_of(&self, other: &Self) -> Effect;
}

fn list<T: Listed>(
    found: &mut Found,
    key: Option<&str>,
    before: &[T],
    after: &[T],
    old: &[Phrase],
    new: &[Phrase],
) {
    let mut gone: Vec<usize> = Vec::new();
    let mut left: Vec<usize> = (0..after.len()).collect();
    for (at, one) in before.iter().enumerate() {
        match left.iter().position(|other| after[*other].written() == one.written()) {
            Some(same) => drop(left.remove(same)),
            None => gone.push(at),
        }
    }
    gone.retain(|at| {
        let Some(kin) = left.iter().position(|other| before[*at].is_kin(&after[*other])) else { return true };
        let other = left.remove(kin);
        let words =
            Phrase::of("Now ").and(new[other].clone()).say("; before: ").and(old[*at].clone()).say(".");
        found.add(key, words, before[*at].effect_of(&after[other]));
        false
    });
    for at in left {
        found.add(key, Phrase::of("Added: ").and(new[at].clone()).say("."), Effect::Stricter);
    }
    for at in gone {
        found.add(key, Phrase::of("Removed: ").and(old[at].clone()).say("."), Effect::Looser);
    }
}

impl Listed for Rule {
    fn written(&self) -> String {
        self.canonical()
    }

    fn is_kin(&self, other: &Self) -> bool {
        let is_named = self.name.is_some() || other.name.is_some();
        if is_named { self.name == other.name } else { paths(self) == paths(other) }
    }

    fn effect_of(&self, other: &Self) -> Effect {
        let bare = |rule: &Self| Self { mode: Mode::Enforce, on_deny: None, ..rule.clone() }.canonical();
        if bare(self) != bare(other) {
            return Effect::Either;
        }
        match (self.mode, other.mode) {
            (Mode::Enforce, Mode::Observe) => Effect::Looser,
            (Mode::Observe, Mode::Enforce) => Effect::Stricter,
            _ => Effect::Neutral,
        }
    }
}

fn paths(rule: &Rule) -> Vec<String> {
    rule.conditions.iter().map(|condition| condition.path.to_string()).collect()
}

impl Listed for AskRule {
    fn written(&self) -> String {
        self.canonical()
    }

    fn is_kin(&self, other: &Self) -> bool {
        self.rule.is_kin(&other.rule)
    }

    fn effect_of(&self, other: &Self) -> Effect {
        let effect = self.rule.effect_of(&other.rule);
        if self.ask.approvers != other.ask.approvers || effect != Effect::Neutral {
            return if self.ask == other.ask { effect } else { Effect::Either };
        }
        stricter(other.ask.quorum.cmp(&self.ask.quorum))
    }
}

impl Listed for Limit {
    fn written(&self) -> String {
        self.canonical()
    }

    fn is_kin(&self, other: &Self) -> bool {
        self.counter == other.counter && self.window == other.window && self.scope == other.scope
    }

    fn effect_of(&self, other: &Self) -> Effect {
        let bare = |limit: &Self| Self { max: other.max.clone(), on_deny: None, ..limit.clone() };
        if bare(self) == bare(other) { stricter(self.max.cmp(&other.max)) } else { Effect::Either }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    fn read(text: &str) -> Document {
        document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
    }

    /// The changes between two documents, each "key: words [effect]".
    fn told(before: &str, after: &str) -> Vec<String> {
        let doc = |rest: &str| read(&format!(r#"{{"version":"1",{rest}}}"#));
        let line = |one: &Difference| {
            let key = one.key.as_deref().map(|key| format!("{key}: ")).unwrap_or_default();
            format!("{key}{} [{:?}]", one.words.plain(), one.effect)
        };
        differences(&doc(before), &doc(after)).iter().map(line).collect()
    }

    #[test]
    fn what_holds_for_the_whole_is_told_with_its_effect() {
        assert_eq!(told(r#""default":"deny""#, r#""default":"deny""#), Vec::<String>::new());
        assert_eq!(
            told(r#""default":"deny""#, r#""default":"allow","mode":"observe","unreviewed_tools":"default""#),
            [
                "Nothing is stopped or asked any more: what the policy would decide is only recorded. [Looser]",
                "Tools that no rule names are allowed instead of denied. [Looser]",
                "Tools that nobody has reviewed fall under the rules like all others. [Looser]",
            ]
        );
        assert_eq!(
            told(r#""default":"deny","hide":["a"]"#, r#""default":"deny","hide":["class:financial"]"#),
            ["class:financial is hidden. [Stricter]", "a is no longer hidden; its rules hold. [Looser]"]
        );
    }

    #[test]
    fn a_key_is_compared_with_what_would_hold_without_it() {
        let deny = r#""default":"deny""#;
        assert_eq!(
            told(deny, r#""default":"deny","tools":{"get_*":{}}"#),
            ["get_*: A rule of its own: calls are allowed. [Looser]"]
        );
        assert_eq!(
            told(r#""default":"deny","tools":{"get_*":{}}"#, deny),
            ["get_*: The rule is gone; what is broader holds instead. [Stricter]"]
        );
        // The name takes the tool out of the reach of the class and of the limit there.
        assert_eq!(
            told(
                r#""default":"deny","tools":{"class:write":{"concurrency":1}}"#,
                r#""default":"deny","tools":{"class:write":{"concurrency":1},"put":{}}"#
            ),
            ["put: A rule of its own: calls are allowed. [Either]"]
        );
        assert_eq!(
            told(r#""default":"allow""#, r#""default":"allow","tools":{"put":{"action":"deny"}}"#),
            ["put: A rule of its own: calls are denied. [Stricter]"]
        );
    }

    #[test]
    fn exceptions_are_found_again_and_told_as_added_removed_or_changed() {
        let tool = |rules: &str| format!(r#""default":"deny","tools":{{"t":{rules}}}"#);
        let deny = r#"{"conditions":[{"path":"args.a","op":"eq","value":1}]}"#;
        assert_eq!(
            told(&tool("{}"), &tool(&format!(r#"{{"deny_if":[{deny}]}}"#))),
            ["t: Added: deny if a is 1. [Stricter]"]
        );
        assert_eq!(
            told(&tool(&format!(r#"{{"deny_if":[{deny}],"redact":["args.a"]}}"#)), &tool("{}")),
            ["t: Removed: deny if a is 1. [Looser]", "t: args.a is no longer masked in the record. [Looser]"]
        );
        let limit = |max: u32| {
            tool(&format!(r#"{{"limits":[{{"counter":"c","window":"hour","max":{max},"scope":"grant"}}]}}"#))
        };
        assert_eq!(
            told(&limit(20), &limit(30)),
            ["t: Now 30 / hour / grant (c); before: 20 / hour / grant (c). [Looser]"]
        );
        assert_eq!(
            told(&tool(r#"{"action":"deny"}"#), &tool(r#"{"action":"require_approval"}"#)),
            ["t: Calls are asked about instead of denied. [Looser]"]
        );
        let ask = |quorum: u32| {
            tool(&format!(r#"{{"require_approval_if":[{{"conditions":[],"quorum":{quorum}}}]}}"#))
        };
        assert!(told(&ask(2), &ask(1))[0].ends_with("[Looser]"));
        assert!(told(&ask(2), &ask(3))[0].ends_with("[Stricter]"));
    }

    #[test]
    fn the_way_back_has_the_other_effect() {
        assert_eq!(
            told(r#""default":"allow","mode":"observe","unreviewed_tools":"default""#, r#""default":"deny""#),
            [
                "The policy is enforced: until now it was only recorded what it would decide. [Stricter]",
                "Tools that no rule names are denied instead of allowed. [Stricter]",
                "Tools that nobody has reviewed are denied. [Stricter]",
            ]
        );
        assert_eq!(
            told(r#""default":"allow","tools":{"put":{"action":"deny"}}"#, r#""default":"allow""#),
            ["put: The rule is gone; what is broader holds instead. [Looser]"]
        );
        assert_eq!(told(r#""default":"allow","hide":["a"]"#, r#""default":"allow","hide":["a"]"#), [""; 0]);
    }

    #[test]
    fn what_is_said_of_a_key_is_told() {
        let key = |rules: &str| format!(r#""default":"deny","tools":{{"t":{rules}}}"#);
        for (before, after, told_as) in [
            ("{}", r#"{"reason":"No."}"#, "t: The reason given is No.. [Neutral]"),
            (r#"{"reason":"No."}"#, "{}", "t: No reason is given any more. [Neutral]"),
            ("{}", r#"{"concurrency":2}"#, "t: At most 2 calls may be under way at once. [Stricter]"),
            (
                r#"{"concurrency":1}"#,
                r#"{"concurrency":2}"#,
                "t: At most 2 calls may be under way at once. [Looser]",
            ),
            (r#"{"concurrency":2}"#, "{}", "t: Any number of calls may be under way at once. [Looser]"),
            (
                r#"{"redact":["args.a"]}"#,
                r#"{"redact":["args.a","args.b"]}"#,
                "t: args.b is masked. [Neutral]",
            ),
        ] {
            assert_eq!(told(&key(before), &key(after)), [told_as], "{after}");
        }
        assert_eq!(
            told(r#""default":"deny""#, &key(r#"{"concurrency":2,"redact":["args.a"]}"#)),
            ["t: A rule of its own: calls are allowed; at most 2 at once, args.a is masked. [Either]"]
        );
    }

    #[test]
    fn a_key_is_compared_with_all_that_is_broader() {
        for (default, others, key, effect) in [
            ("deny", "", r#""put":{"concurrency":1}"#, Effect::Either),
            ("allow", "", r#""put":{}"#, Effect::Neutral),
            ("allow", "", r#""put":{"concurrency":1}"#, Effect::Stricter),
            ("deny", "", r#""put":{"action":"deny","concurrency":1}"#, Effect::Stricter),
            ("allow", r#""p*":{}"#, r#""put":{"action":"deny"}"#, Effect::Stricter),
            ("deny", r#""p*":{}"#, r#""put":{"action":"require_approval"}"#, Effect::Either),
            ("allow", r#""p*":{"action":"deny"}"#, r#""put":{}"#, Effect::Looser),
            ("deny", r#""p*":{}"#, r#""put":{}"#, Effect::Looser),
            ("deny", r#""p*":{"concurrency":1}"#, r#""put":{"action":"deny"}"#, Effect::Either),
            ("deny", r#""p*":{"concurrency":1}"#, r#""put*":{}"#, Effect::Either),
            ("deny", r#""g*":{"concurrency":1}"#, r#""put":{}"#, Effect::Looser),
            ("deny", r#""other":{"concurrency":1}"#, r#""put":{}"#, Effect::Looser),
            ("deny", r#""class:read":{"concurrency":1}"#, r#""class:write":{}"#, Effect::Looser),
            ("deny", r#""p*":{"concurrency":1}"#, r#""class:write":{}"#, Effect::Looser),
        ] {
            let before = read(&format!(r#"{{"version":"1","default":"{default}","tools":{{{others}}}}}"#));
            let comma = if others.is_empty() { "" } else { "," };
            let after =
                read(&format!(r#"{{"version":"1","default":"{default}","tools":{{{others}{comma}{key}}}}}"#));
            let found: Vec<Effect> = differences(&before, &after).iter().map(|one| one.effect).collect();
            assert_eq!(found, [effect], "{key} beside {others} and {default}");
            let back: Vec<Effect> = differences(&after, &before).iter().map(|one| one.effect).collect();
            assert_eq!(back, [flipped(effect)], "{key} beside {others} and {default}");
        }
    }

    /// How many changes of which effect there are where one list of exceptions becomes another.
    fn effects(list: &str, before: &str, after: &str) -> Vec<Effect> {
        let of = |one: &str| {
            read(&format!(r#"{{"version":"1","default":"deny","all_tools":{{"{list}":[{one}]}}}}"#))
        };
        differences(&of(before), &of(after)).iter().map(|one| one.effect).collect()
    }

    #[test]
    fn rules_are_kin_by_name_or_by_what_they_look_at() {
        use Effect::{Either, Looser, Neutral, Stricter};
        let rule = |head: &str, path: &str, value: u8| {
            format!(r#"{{{head}"conditions":[{{"path":"args.{path}","op":"eq","value":{value}}}]}}"#)
        };
        let (named, other, observe) = (r#""name":"n","#, r#""name":"o","#, r#""mode":"observe","#);
        for (before, after, told_as) in [
            (rule("", "a", 1), rule("", "a", 2), vec![Either]),
            (rule("", "a", 1), rule("", "b", 1), vec![Stricter, Looser]),
            (rule(named, "a", 1), rule(named, "b", 1), vec![Either]),
            (rule(named, "a", 1), rule(other, "a", 1), vec![Stricter, Looser]),
            (rule(named, "a", 1), rule("", "a", 1), vec![Stricter, Looser]),
            (rule("", "a", 1), rule(named, "a", 1), vec![Stricter, Looser]),
            (rule("", "a", 1), rule(observe, "a", 1), vec![Looser]),
            (rule(observe, "a", 1), rule("", "a", 1), vec![Stricter]),
            (rule("", "a", 1), rule(r#""on_deny":"No.","#, "a", 1), vec![Neutral]),
            (rule(observe, "a", 1), rule("", "a", 2), vec![Either]),
        ] {
            for list in ["require", "deny_if"] {
                assert_eq!(effects(list, &before, &after), told_as, "{before} {after}");
            }
        }
    }

    #[test]
    fn questions_and_limits_are_told_by_what_they_let_through() {
        use Effect::{Either, Looser, Neutral, Stricter};
        let ask = |rest: &str| format!(r#"{{"conditions":[]{rest}}}"#);
        for (before, after, told_as) in [
            ("", r#","approvers":"team:a""#, Either),
            (r#","approvers":"team:a""#, r#","approvers":"team:a","quorum":2"#, Stricter),
            ("", r#","approvers":"team:a","quorum":2"#, Either),
            ("", r#","mode":"observe""#, Looser),
            ("", r#","mode":"observe","quorum":2"#, Either),
            ("", r#","within":"1h""#, Neutral),
        ] {
            let found = effects("require_approval_if", &ask(before), &ask(after));
            assert_eq!(found, [told_as], "{before} {after}");
        }
        let named = |name: &str| format!(r#"{{"name":"{name}","conditions":[]}}"#);
        assert_eq!(effects("require_approval_if", &named("a"), &named("b")), [Stricter, Looser]);
        let limit = |counter: &str, window: &str, scope: &str, rest: &str| {
            format!(r#"{{"counter":"{counter}","window":"{window}","scope":"{scope}","max":{rest}}}"#)
        };
        let one = limit("c", "hour", "grant", "5");
        for (after, told_as) in [
            (limit("c", "hour", "grant", "4"), vec![Stricter]),
            (limit("c", "hour", "grant", r#"5,"on_deny":"No.""#), vec![Neutral]),
            (limit("c", "hour", "grant", r#"6,"kind":"sliding""#), vec![Either]),
            (limit("d", "hour", "grant", "5"), vec![Stricter, Looser]),
            (limit("c", "day", "grant", "5"), vec![Stricter, Looser]),
            (limit("c", "hour", "user", "5"), vec![Stricter, Looser]),
        ] {
            assert_eq!(effects("limits", &one, &after), told_as, "{after}");
        }
    }
}
