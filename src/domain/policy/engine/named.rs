//! The places in the arguments that a condition names: its path, and the keys of what it compares with.

use crate::domain::policy::{
    document::{Condition, Test},
    literal::Literal,
    path::{Path, PathStep},
};

/// Tells of all places that it names; of none where it looks at no argument.
pub(super) fn name(condition: &Condition, tell: &mut dyn FnMut(&[PathStep])) {
    let Path::Args(steps) = &condition.path else { return };
    tell(steps);
    let mut named = Named { here: steps.clone(), tell };
    match &condition.test {
        Test::Eq(literal) | Test::Neq(literal) => named.value(literal),
        Test::In(choices) | Test::NotIn(choices) => choices.values().iter().for_each(|one| named.value(one)),
        Test::Contains(literal) => named.within(PathStep::Each, |named| named.value(literal)),
        Test::Schema(schema) => named.schema(&schema.source),
        Test::Order(..)
        | Test::Between(..)
        | Test::Regex(_)
        | Test::Exists(_)
        | Test::StartsWith(_)
        | Test::EndsWith(_)
        | Test::Glob(_)
        | Test::Length(..)
        | Test::Type(_)
        | Test::Cidr(_) => {}
    }
}

/// Where the looking has come to.
struct Named<'t> {
    here: Vec<PathStep>,
    tell: &'t mut dyn FnMut(&[PathStep]),
}

impl Named<'_> {
    fn within(&mut self, step: PathStep, look: impl FnOnce(&mut Self)) {
        self.here.push(step);
        look(self);
        self.here.pop();
    }

    fn key(&mut self, key: &str, look: impl FnOnce(&mut Self)) {
        self.within(PathStep::Key(key.to_owned()), |named| {
            (named.tell)(&named.here);
            look(named);
        });
    }

    fn value(&mut self, value: &Literal) {
        match value {
            Literal::Map(members) => {
                for (key, value) in members {
                    self.key(key, |named| named.value(value));
                }
            }
            Literal::List(values) => {
                for (at, value) in values.iter().enumerate() {
                    self.within(PathStep::At(at), |named| named.value(value));
                }
            }
            Literal::Null | Literal::Bool(_) | Literal::Number(_) | Literal::Text(_) => {}
        }
    }

    /// The names of a schema. Other keywords hold schemas of the same value, of which nothing is lost where they hold none.
    fn schema(&mut self, schema: &Literal) {
        let Literal::Map(members) = schema else {
            return schema.elements().iter().for_each(|one| self.schema(one));
        };
        for (keyword, value) in members {
            match (keyword.as_str(), value) {
                ("properties", Literal::Map(each)) => {
                    for (key, schema) in each {
                        self.key(key, |named| named.schema(schema));
                    }
                }
                ("dependentSchemas", Literal::Map(each)) => {
                    for (key, schema) in each {
                        self.key(key, |_| {});
                        self.schema(schema);
                    }
                }
                ("required", Literal::List(keys)) => {
                    keys.iter().filter_map(Literal::text).for_each(|key| self.key(key, |_| {}));
                }
                ("items" | "contains", schema) => {
                    self.within(PathStep::Each, |named| named.schema(schema));
                }
                ("prefixItems", Literal::List(each)) => {
                    for (at, schema) in each.iter().enumerate() {
                        self.within(PathStep::At(at), |named| named.schema(schema));
                    }
                }
                ("const", value) => self.value(value),
                ("enum", Literal::List(values)) => values.iter().for_each(|one| self.value(one)),
                ("allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else", schema) => self.schema(schema),
                _ => {}
            }
        }
    }
}
