//! The names that rules look at, against names that a server may take for them: a server that ignores case, or how letters are
//! put together, would act on a value that no rule has seen.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::policy::{
        document::{Checks, Condition, Increment, Limit, Mode, Rule},
        engine::{
            budget::{Budget, Exhausted, to_fold, to_pass},
            named::name,
            trace::List,
        },
        fold::fold,
        path::{Path, PathStep},
    },
    protocol::mcp::raw::{Kind, Raw},
};

/// The names that rules and limits look at, by where they stand. What only observes refuses nothing for a name either.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    root: Node,
    /// The rules and limits that look at arguments, in the order in which they are told of.
    places: Vec<(List, usize)>,
}

/// What is looked at in a value.
#[derive(Clone, Debug, Default)]
struct Node {
    /// By the form that names share which may be taken for each other.
    keys: HashMap<String, BTreeMap<String, Named>>,
    at: BTreeMap<usize, Node>,
    each: Option<Box<Node>>,
}

/// A name that is looked at.
#[derive(Clone, Debug)]
struct Named {
    /// Which of the places looks at it first.
    place: usize,
    within: Node,
}

impl Guard {
    /// Of some rules and limits.
    pub(super) fn of(checks: &Checks) -> Self {
        let mut guard = Self::default();
        guard.rules(List::Require, checks.require.iter());
        guard.rules(List::DenyIf, checks.deny_if.iter());
        guard.rules(List::AskIf, checks.ask_if.iter().map(|one| &one.rule));
        for (at, limit) in checks.limits.iter().enumerate().filter(|(_, limit)| limit.mode == Mode::Enforce) {
            guard.add((List::Limits, at), |tell| name_limit(limit, tell));
        }
        guard
    }

    /// Of conditions outside every document.
    pub(super) fn of_conditions(conditions: &[Condition]) -> Self {
        let mut guard = Self::default();
        guard.add((List::Require, 0), |tell| conditions.iter().for_each(|one| name(one, tell)));
        guard
    }

    fn rules<'r>(&mut self, list: List, rules: impl Iterator<Item = &'r Rule>) {
        for (at, rule) in rules.enumerate().filter(|(_, rule)| rule.mode == Mode::Enforce) {
            self.add((list, at), |tell| rule.conditions.iter().for_each(|one| name(one, tell)));
        }
    }

    fn add(&mut self, place: (List, usize), name: impl FnOnce(&mut dyn FnMut(&[PathStep]))) {
        let (at, mut looks) = (self.places.len(), false);
        name(&mut |steps: &[PathStep]| {
            looks = true;
            self.root.add(steps, at);
        });
        if looks {
            self.places.push(place);
        }
    }

    /// The first rule or limit that looks at arguments.
    pub(super) fn first(&self) -> Option<(List, usize)> {
        self.places.first().copied()
    }

    /// The first rule or limit that looks at a name for which another stands in the arguments.
    ///
    /// # Errors
    /// Where there are too many names to tell.
    pub(super) fn varied(&self, args: Raw<'_>, budget: &Budget) -> Result<Option<(List, usize)>, Exhausted> {
        let mut least = None;
        self.root.look(args, budget, &mut least)?;
        Ok(least.and_then(|place: usize| self.places.get(place).copied()))
    }
}

impl Node {
    fn add(&mut self, steps: &[PathStep], place: usize) {
        let Some((step, rest)) = steps.split_first() else { return };
        let next = match step {
            PathStep::Key(name) => {
                let alike = self.keys.entry(fold(name).into_owned()).or_default();
                let named = || Named { place, within: Self::default() };
                &mut alike.entry(name.clone()).or_insert_with(named).within
            }
            PathStep::At(index) => self.at.entry(*index).or_default(),
            PathStep::Each => &mut **self.each.get_or_insert_default(),
        };
        next.add(rest, place);
    }

    fn look(&self, value: Raw<'_>, budget: &Budget, least: &mut Option<usize>) -> Result<(), Exhausted> {
        match value.kind() {
            Kind::Object if !self.keys.is_empty() => self.look_at_members(value, budget, least),
            Kind::Array if self.each.is_some() || !self.at.is_empty() => {
                for (at, element) in value.elements().enumerate() {
                    budget.spend(to_pass(element))?;
                    for next in self.each.as_deref().into_iter().chain(self.at.get(&at)) {
                        next.look(element, budget, least)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn look_at_members(
        &self,
        object: Raw<'_>,
        budget: &Budget,
        least: &mut Option<usize>,
    ) -> Result<(), Exhausted> {
        for member in object.members() {
            let key = member.key.string().unwrap_or_default();
            budget.spend(to_pass(member.value) + to_fold(&key))?;
            let Some(alike) = self.keys.get(&*fold(&key)) else { continue };
            budget.spend(alike.len() as u64)?;
            for (name, named) in alike {
                if *name == key {
                    named.within.look(member.value, budget, least)?;
                } else {
                    *least = Some(least.map_or(named.place, |before| before.min(named.place)));
                }
            }
        }
        Ok(())
    }
}

fn name_limit(limit: &Limit, tell: &mut dyn FnMut(&[PathStep])) {
    let increment = match &limit.increment {
        Increment::From(path) => Some(path),
        Increment::By(_) => None,
    };
    for path in increment.into_iter().chain(&limit.distinct) {
        if let Path::Args(steps) = path {
            tell(steps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::policy::document,
        protocol::mcp::strict::{self, Limits},
    };

    fn guard(checks: &str) -> Guard {
        let text = format!(r#"{{"version":"1","default":"allow","all_tools":{checks}}}"#);
        let document = document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
        Guard::of(&document.all_tools)
    }

    fn varied(guard: &Guard, args: &str) -> Option<(List, usize)> {
        let raw = strict::check(args.as_bytes(), &Limits::of(args.len())).expect("JSON");
        guard.varied(raw, &Budget::full()).expect("few names")
    }

    #[test]
    fn the_first_rule_that_looks_at_a_name_is_told() {
        let of = |path: &str| format!(r#"{{"conditions":[{{"path":"{path}","op":"exists"}}]}}"#);
        let guard = guard(&format!(
            r#"{{"require":[{}],"deny_if":[{},{}],"require_approval_if":[{}],
                "limits":[{{"counter":"n","window":"day","max":1,"scope":"org","increment_from":"args.amount"}}]}}"#,
            of("args.a.b[*].c"),
            of("user.role"),
            of("args.a.b[2].d"),
            of("args.straße"),
        ));
        for (args, place) in [
            (r#"{"a":{"b":[{"c":1},{"d":2}]},"straße":1,"amount":1}"#, None),
            (r#"{"A":1}"#, Some((List::Require, 0))),
            (r#"{"a":{"B":[]},"Amount":1}"#, Some((List::Require, 0))),
            (r#"{"a":{"b":[1,{"C":1}]}}"#, Some((List::Require, 0))),
            (r#"{"a":{"b":[{"D":1},{"D":1},{"c":1}]}}"#, None),
            (r#"{"a":{"b":[1,2,{"D":1}]}}"#, Some((List::DenyIf, 1))),
            (r#"{"Amount":1,"STRASSE":1}"#, Some((List::AskIf, 0))),
            (r#"{"AMOUNT":1,"straße":1}"#, Some((List::Limits, 0))),
            (r#"{"x":{"A":1},"b":[{"C":1}]}"#, None),
            (r#"[{"A":1}]"#, None),
        ] {
            assert_eq!(varied(&guard, args), place, "{args}");
        }
        assert_eq!(guard.first(), Some((List::Require, 0)));
    }

    #[test]
    fn names_in_values_that_are_compared_count_too() {
        let guard = guard(
            r#"{"deny_if":[
                {"conditions":[{"path":"args.a","op":"eq","value":{"env":{"café":1},"list":[{"x":1}]}}]},
                {"conditions":[{"path":"args.b","op":"in","value":[1,{"env":1}]}]},
                {"conditions":[{"path":"args.c","op":"contains","value":{"env":1}}]}],
             "require":[{"conditions":[{"path":"args.s","op":"matches_schema","value":{
                "properties":{"env":{"items":{"properties":{"inner":{}}}}},"required":["owner"],
                "anyOf":[{"properties":{"other":{"enum":[{"Deep":1}]}}}]}}]}]}"#,
        );
        for (args, place) in [
            (r#"{"a":{"env":{"café":1},"list":[{"x":1}]}}"#, None),
            (r#"{"a":{"ENV":1}}"#, Some((List::DenyIf, 0))),
            (r#"{"a":{"env":{"cafe\u0301":1}}}"#, Some((List::DenyIf, 0))),
            (r#"{"a":{"list":[{"X":1}]}}"#, Some((List::DenyIf, 0))),
            (r#"{"b":{"Env":1}}"#, Some((List::DenyIf, 1))),
            (r#"{"c":[1,{"Env":1}]}"#, Some((List::DenyIf, 2))),
            (r#"{"s":{"Env":1}}"#, Some((List::Require, 0))),
            (r#"{"s":{"env":[{"Inner":1}]}}"#, Some((List::Require, 0))),
            (r#"{"s":{"OWNER":1}}"#, Some((List::Require, 0))),
            (r#"{"s":{"Other":1}}"#, Some((List::Require, 0))),
            (r#"{"s":{"env":[{"inner":1}],"owner":1,"other":{"Deep":1}}}"#, None),
        ] {
            assert_eq!(varied(&guard, args), place, "{args}");
        }
    }

    #[test]
    fn what_only_observes_guards_nothing() {
        let guard = guard(
            r#"{"deny_if":[{"mode":"observe","conditions":[{"path":"args.a","op":"exists"}]}],
                "limits":[{"mode":"observe","counter":"n","window":"day","max":1,"scope":"org","distinct":"args.b"}]}"#,
        );
        assert_eq!((guard.first(), varied(&guard, r#"{"A":1,"B":1}"#)), (None, None));
    }

    #[test]
    fn too_many_names_are_not_told() {
        let guard = guard(r#"{"require":[{"conditions":[{"path":"args.a","op":"exists"}]}]}"#);
        let args = r#"{"x":1,"y":2}"#;
        let raw = strict::check(args.as_bytes(), &Limits::of(args.len())).expect("JSON");
        assert_eq!(guard.varied(raw, &Budget::of(3)), Err(Exhausted));
    }
}
