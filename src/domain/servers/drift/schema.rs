//! Differences between two schemas of arguments.

use serde_json::Value;

use crate::domain::servers::{
    Severity,
    drift::{Drift, DriftKind, names, other, shown, wording},
};

/// How deep schemas are compared member by member; below, a difference is told as a whole.
const DEEPEST: usize = 12;

/// Arguments through which a program, or what the model knows, can leave.
const TELLING: [&str; 16] = [
    "cmd",
    "code",
    "command",
    "context",
    "conversation",
    "history",
    "metadata",
    "notes",
    "prompt",
    "reasoning",
    "script",
    "shell",
    "sidenote",
    "sql",
    "summary",
    "thoughts",
];

/// Keywords that let less through the larger their value is, and the other way round.
const LOWER_BOUNDS: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER_BOUNDS: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];

/// Tells the differences between two schemas of arguments.
pub(super) fn input(was: &Value, is: &Value, found: &mut Vec<Drift>) {
    walk("inputSchema", was, is, DEEPEST, found);
}

fn walk(path: &str, was: &Value, is: &Value, depth: usize, found: &mut Vec<Drift>) {
    if was == is {
        return;
    }
    let (true, true, true) = (was.is_object(), is.is_object(), depth > 0) else {
        found.push(widened(path, was, is, Severity::Medium, "What it takes is described otherwise."));
        return;
    };
    for name in names(was, is) {
        let (was, is) = (&was[name], &is[name]);
        if was == is {
            continue;
        }
        let path = format!("{path}.{name}");
        match name {
            "properties" => properties(&path, was, is, depth, found),
            "required" => required(&path, was, is, found),
            "items" | "not" | "if" | "then" | "else" => walk(&path, was, is, depth - 1, found),
            "$defs" | "definitions" | "patternProperties" => {
                for name in names(was, is) {
                    walk(&format!("{path}.{name}"), &was[name], &is[name], depth - 1, found);
                }
            }
            "description" | "examples" | "default" | "$comment" => {
                found.push(wording::description(
                    &path,
                    was,
                    is,
                    "What models read about an argument changed.",
                ));
            }
            "title" => found.push(wording::title(&path, was, is)),
            "enum" | "type" => choices(&path, name, was, is, found),
            "additionalProperties" => additional(&path, was, is, found),
            bound if LOWER_BOUNDS.contains(&bound) => bounds(&path, was, is, is_lower, found),
            bound if UPPER_BOUNDS.contains(&bound) => bounds(&path, is, was, is_lower, found),
            _ => found.push(widened(&path, was, is, Severity::Medium, "A rule about its arguments changed.")),
        }
    }
}

fn properties(path: &str, was: &Value, is: &Value, depth: usize, found: &mut Vec<Drift>) {
    for name in names(was, is) {
        let path = format!("{path}.{name}");
        match (was.get(name), is.get(name)) {
            (None, Some(is)) => {
                let telling = TELLING.contains(&name.to_lowercase().as_str());
                let severity = if telling { Severity::High } else { Severity::Medium };
                found.push(widened(
                    &path,
                    &Value::Null,
                    is,
                    severity,
                    &format!("It takes a new argument `{name}`."),
                ));
            }
            (Some(was), None) => {
                let sentence = format!("It no longer takes the argument `{name}`.");
                found.push(narrowed(&path, was, &Value::Null, &sentence));
            }
            (Some(was), Some(is)) => walk(&path, was, is, depth - 1, found),
            (None, None) => {}
        }
    }
}

fn required(path: &str, was: &Value, is: &Value, found: &mut Vec<Drift>) {
    let (was, is) = (texts(was), texts(is));
    for name in was.iter().filter(|name| !is.contains(name)) {
        let sentence = format!("The argument `{name}` need no longer be given.");
        found.push(Drift { kind: DriftKind::RequiredRemoved, ..other(Severity::Medium, path, &sentence) });
    }
    for name in is.iter().filter(|name| !was.contains(name)) {
        let sentence = format!("The argument `{name}` must now be given.");
        found.push(Drift { kind: DriftKind::SchemaNarrowed, ..other(Severity::Medium, path, &sentence) });
    }
    if found.iter().all(|drift| drift.path != path) {
        found.push(other(Severity::Low, path, "The order of required arguments changed."));
    }
}

fn choices(path: &str, name: &str, was: &Value, is: &Value, found: &mut Vec<Drift>) {
    let (before, after) = (texts(was), texts(is));
    let is_free = |value: &Value| value.is_null();
    let adds = is_free(is) || !is_free(was) && after.iter().any(|choice| !before.contains(choice));
    let what = if name == "type" { "another kind of value" } else { "values it did not take before" };
    found.push(if adds {
        widened(path, was, is, Severity::Medium, &format!("It takes {what}."))
    } else {
        narrowed(path, was, is, "It takes fewer kinds of values.")
    });
}

fn additional(path: &str, was: &Value, is: &Value, found: &mut Vec<Drift>) {
    found.push(if is == &Value::Bool(false) {
        narrowed(path, was, is, "It no longer takes arguments that are not described.")
    } else {
        widened(path, was, is, Severity::Medium, "It takes arguments that are not described.")
    });
}

/// A bound that moved: `wider` says whether the second value lets more through than the first.
fn bounds(path: &str, was: &Value, is: &Value, wider: fn(&Value, &Value) -> bool, found: &mut Vec<Drift>) {
    found.push(if wider(was, is) {
        widened(path, was, is, Severity::Low, "A bound of an argument was loosened.")
    } else {
        narrowed(path, was, is, "A bound of an argument was tightened.")
    });
}

fn is_lower(was: &Value, is: &Value) -> bool {
    match (was.as_f64(), is.as_f64()) {
        (Some(was), Some(is)) => is < was,
        (_, None) => true,
        (None, Some(_)) => false,
    }
}

fn widened(path: &str, was: &Value, is: &Value, severity: Severity, sentence: &str) -> Drift {
    shown(Drift { kind: DriftKind::SchemaWidened, ..other(severity, path, sentence) }, was, is)
}

fn narrowed(path: &str, was: &Value, is: &Value, sentence: &str) -> Drift {
    shown(Drift { kind: DriftKind::SchemaNarrowed, ..other(Severity::Low, path, sentence) }, was, is)
}

/// One text or a list, each as a text.
fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    }
}
