//! What differs between the definition that was accepted and the one that a server offers now.

mod schema;
mod wording;

use serde_json::Value;

use crate::domain::servers::{Severity, canonical};

/// How many differences are told.
const MOST: usize = 100;

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DriftKind {
    /// What models read about the tool or one of its arguments.
    Description,
    /// The name for people.
    Title,
    /// It takes more than before.
    SchemaWidened,
    /// It takes less than before.
    SchemaNarrowed,
    /// An argument need no longer be given.
    RequiredRemoved,
    /// What the tool says of its own harm.
    HintFlipped,
    /// What it returns.
    OutputSchema,
    /// Anything else.
    Other,
}

impl DriftKind {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Description => "description_changed",
            Self::Title => "title_changed",
            Self::SchemaWidened => "schema_widened",
            Self::SchemaNarrowed => "schema_narrowed",
            Self::RequiredRemoved => "required_argument_removed",
            Self::HintFlipped => "hint_flipped",
            Self::OutputSchema => "output_schema_changed",
            Self::Other => "other",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// What kind.
    pub kind: DriftKind,
    /// How much it matters.
    pub severity: Severity,
    /// Where in the definition, such as `inputSchema.properties.path`.
    pub path: String,
    /// What it means, as a sentence.
    pub sentence: String,
    /// What stood there.
    pub before: Option<String>,
    /// What stands there now.
    pub after: Option<String>,
}

/// The differences between an accepted and an offered definition, gravest first; empty where there are none.
pub fn drift(accepted: &str, offered: &str) -> Vec<Drift> {
    let (Ok(before), Ok(after)) = (read(accepted), read(offered)) else {
        return vec![other(Severity::High, "", "One of the two definitions cannot be read.")];
    };
    let mut found = Vec::new();
    for name in names(&before, &after) {
        let (was, is) = (&before[name], &after[name]);
        if was == is {
            continue;
        }
        match name {
            "name" => found.push(shown(other(Severity::High, name, "Its name changed."), was, is)),
            "title" => found.push(wording::title(name, was, is)),
            "description" => {
                found.push(wording::description(name, was, is, "What models read about it changed."))
            }
            "inputSchema" => schema::input(was, is, &mut found),
            "outputSchema" => found.push(shown(
                Drift {
                    kind: DriftKind::OutputSchema,
                    ..other(Severity::Low, name, "What it returns is described otherwise.")
                },
                was,
                is,
            )),
            "annotations" => hints(was, is, &mut found),
            _ => found.push(shown(other(Severity::Low, name, &format!("`{name}` changed.")), was, is)),
        }
    }
    if found.is_empty() && canonical(accepted) != canonical(offered) {
        found.push(other(Severity::Low, "", "Numbers are written otherwise."));
    }
    found.sort_by_key(|drift| std::cmp::Reverse(drift.severity));
    found.truncate(MOST);
    found
}

/// The hints that matter, with the value that stands for more harm.
const HINTS: [(&str, bool); 4] =
    [("readOnlyHint", false), ("destructiveHint", true), ("idempotentHint", false), ("openWorldHint", true)];

fn hints(was: &Value, is: &Value, found: &mut Vec<Drift>) {
    for name in names(was, is) {
        let (was, is) = (&was[name], &is[name]);
        if was == is {
            continue;
        }
        let path = format!("annotations.{name}");
        if name == "title" {
            found.push(wording::title(&path, was, is));
            continue;
        }
        let drift = match HINTS.iter().find(|(hint, _)| *hint == name) {
            Some((_, harmful)) if is.as_bool() == Some(*harmful) || is.is_null() => Drift {
                kind: DriftKind::HintFlipped,
                ..other(Severity::High, &path, &format!("`{name}` no longer tells of harmlessness."))
            },
            // A tool that grows milder overnight may only want to be let through.
            Some(_) => Drift {
                kind: DriftKind::HintFlipped,
                ..other(Severity::Medium, &path, &format!("`{name}` now tells of harmlessness."))
            },
            None => other(Severity::Low, &path, &format!("`{path}` changed.")),
        };
        found.push(shown(drift, was, is));
    }
}

fn read(definition: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(definition)
}

/// The names of the members of both, each once.
fn names<'a>(before: &'a Value, after: &'a Value) -> Vec<&'a str> {
    let of = |value: &'a Value| {
        value.as_object().into_iter().flat_map(|members| members.keys().map(String::as_str))
    };
    let mut names: Vec<&str> = of(before).collect();
    names.extend(of(after).filter(|name| before.get(*name).is_none()));
    names
}

fn other(severity: Severity, path: &str, sentence: &str) -> Drift {
    Drift {
        kind: DriftKind::Other,
        severity,
        path: path.to_owned(),
        sentence: sentence.to_owned(),
        before: None,
        after: None,
    }
}

/// The difference with both values as texts.
fn shown(drift: Drift, before: &Value, after: &Value) -> Drift {
    Drift { before: text(before), after: text(after), ..drift }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
