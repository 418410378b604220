//! Exceptions as people type them into a form, and back.
//!
//! A value is typed as it is: `main`, `5`, `true`. What reads as JSON is JSON; everything else is a text. A text that would
//! read as something else stands in quotes.

use std::fmt::Write;

use crate::{
    domain::policy::{
        document::{
            AskRule, Condition, Increment, Limit, Mode, OnExceed, Quantifier, Rule, Test, WindowKind,
        },
        literal::write_text,
        number::Number,
        words::duration_code,
    },
    protocol::mcp::{
        raw::{Kind, Raw},
        strict::{self, Limits},
    },
};

/// How long a typed value may be.
const MAX_VALUE: usize = 256 * 1024;

/// Comparisons with a list, typed one entry a line.
const LISTS: [&str; 6] = ["in", "not_in", "type", "cidr", "between", "length"];
/// Comparisons with a text, whatever it looks like.
const TEXTS: [&str; 4] = ["regex", "starts_with", "ends_with", "glob"];

/// A condition as it is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedCondition {
    /// What it looks at.
    pub path: String,
    /// How it compares.
    pub op: String,
    /// With what.
    pub value: String,
    /// `any` or `all`.
    pub quantifier: String,
}

/// A rule as it is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedRule {
    /// Its name.
    pub name: String,
    /// `enforce` or `observe`.
    pub mode: String,
    /// When it holds.
    pub conditions: Vec<TypedCondition>,
    /// What is said where it stops a call.
    pub on_deny: String,
    /// Who may agree, where it asks: `role:…`, `team:…`, `user:…`.
    pub approvers: String,
    /// How many have to.
    pub quorum: String,
    /// For how long they may.
    pub within: String,
}

/// A limit as it is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypedLimit {
    /// What counts.
    pub counter: String,
    /// Over which span.
    pub window: String,
    /// `fixed` or `sliding`.
    pub kind: String,
    /// How much is allowed.
    pub max: String,
    /// Who shares it.
    pub scope: String,
    /// What a call counts.
    pub increment: String,
    /// Where what it counts stands.
    pub increment_from: String,
    /// Where only different values count: which.
    pub distinct: String,
    /// `true`, or `false` where a call that fails does not count.
    pub count_errors: String,
    /// `deny` or `require_approval`.
    pub on_exceed: String,
    /// `enforce` or `observe`.
    pub mode: String,
    /// What is said then.
    pub on_deny: String,
}

/// An object on its way, of what was typed.
struct Fields(String);

impl Fields {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn raw(&mut self, key: &str, value: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        let _ = write!(self.0, "{comma}\"{key}\":{value}");
    }

    /// A text, unless nothing was typed.
    fn text(&mut self, key: &str, typed: &str) {
        if !typed.trim().is_empty() {
            self.raw(key, &quoted(typed.trim()));
        }
    }

    /// A number where it is one; what is none is told by whoever reads it.
    fn number(&mut self, key: &str, typed: &str) {
        if !typed.trim().is_empty() {
            self.raw(key, &scalar(typed));
        }
    }

    fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

impl TypedRule {
    /// The rule as JSON; `asks` where it has approvers.
    pub fn written(&self, asks: bool) -> String {
        let mut out = Fields::new();
        out.text("name", &self.name);
        out.text("mode", &self.mode);
        let conditions: Vec<String> = self.conditions.iter().map(TypedCondition::written).collect();
        out.raw("conditions", &format!("[{}]", conditions.join(",")));
        out.text("on_deny", &self.on_deny);
        if asks {
            out.text("approvers", &self.approvers);
            out.number("quorum", &self.quorum);
            out.text("within", &self.within);
        }
        out.close()
    }
}

impl TypedCondition {
    /// Whether nothing was typed.
    pub fn is_blank(&self) -> bool {
        self.path.trim().is_empty() && self.value.trim().is_empty()
    }

    /// The condition as JSON.
    pub fn written(&self) -> String {
        let mut out = Fields::new();
        out.raw("path", &quoted(self.path.trim()));
        out.text("op", &self.op);
        if let Some(value) = value(self.op.trim(), &self.value) {
            out.raw("value", &value);
        }
        out.text("quantifier", &self.quantifier);
        out.close()
    }
}

impl TypedLimit {
    /// The limit as JSON.
    pub fn written(&self) -> String {
        let mut out = Fields::new();
        out.raw("counter", &quoted(self.counter.trim()));
        out.text("window", &self.window);
        out.text("kind", &self.kind);
        out.raw("max", &if self.max.trim().is_empty() { "null".to_owned() } else { scalar(&self.max) });
        out.text("scope", &self.scope);
        out.number("increment", &self.increment);
        out.text("increment_from", &self.increment_from);
        out.text("distinct", &self.distinct);
        if self.count_errors.trim() == "false" {
            out.raw("count_errors", "false");
        }
        out.text("on_exceed", &self.on_exceed);
        out.text("mode", &self.mode);
        out.text("on_deny", &self.on_deny);
        out.close()
    }
}

/// A value as JSON; nothing where nothing was typed and a comparison can do without.
fn value(op: &str, typed: &str) -> Option<String> {
    let trimmed = typed.trim();
    if op == "exists" {
        return Some(if trimmed == "false" { "false" } else { "true" }.to_owned());
    }
    if TEXTS.contains(&op) {
        let is_quoted = json(trimmed).is_some_and(|raw| raw.kind() == Kind::String);
        return (!trimmed.is_empty()).then(|| if is_quoted { trimmed.to_owned() } else { quoted(trimmed) });
    }
    if LISTS.contains(&op) && json(trimmed).is_none_or(|raw| raw.kind() != Kind::Array) {
        let lines: Vec<String> =
            typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(scalar).collect();
        return match lines.as_slice() {
            [] => None,
            [one] if op == "length" => Some(one.clone()),
            lines => Some(format!("[{}]", lines.join(","))),
        };
    }
    (!trimmed.is_empty()).then(|| scalar(trimmed))
}

fn json(text: &str) -> Option<Raw<'_>> {
    strict::check(text.as_bytes(), &Limits::of(MAX_VALUE)).ok()
}

/// JSON where it reads as JSON, else a text.
fn scalar(typed: &str) -> String {
    let typed = typed.trim();
    if json(typed).is_some() { typed.to_owned() } else { quoted(typed) }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_text(text, &mut out);
    out
}

impl From<&Condition> for TypedCondition {
    fn from(condition: &Condition) -> Self {
        let (op, value) = shown(&condition.test);
        let quantifier = if condition.quantifier == Quantifier::All { "all" } else { "any" };
        Self { path: condition.path.to_string(), op: op.to_owned(), value, quantifier: quantifier.to_owned() }
    }
}

impl From<&Rule> for TypedRule {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone().unwrap_or_default(),
            mode: mode(rule.mode),
            conditions: rule.conditions.iter().map(TypedCondition::from).collect(),
            on_deny: rule.on_deny.clone().unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl From<&AskRule> for TypedRule {
    fn from(one: &AskRule) -> Self {
        Self {
            approvers: one.ask.approvers.written(),
            quorum: one.ask.quorum.to_string(),
            within: duration_code(one.ask.within),
            ..Self::from(&one.rule)
        }
    }
}

impl From<&Limit> for TypedLimit {
    fn from(limit: &Limit) -> Self {
        let (increment, increment_from) = match &limit.increment {
            Increment::By(by) if *by == Number::from(1) => (String::new(), String::new()),
            Increment::By(by) => (by.to_string(), String::new()),
            Increment::From(path) => (String::new(), path.to_string()),
        };
        Self {
            counter: limit.counter.clone(),
            window: limit.window.written(),
            kind: if limit.kind == WindowKind::Sliding { "sliding" } else { "fixed" }.to_owned(),
            max: limit.max.to_string(),
            scope: limit.scope.as_str().to_owned(),
            increment,
            increment_from,
            distinct: limit.distinct.as_ref().map(ToString::to_string).unwrap_or_default(),
            count_errors: limit.count_errors.to_string(),
            on_exceed: if limit.on_exceed == OnExceed::Deny { "deny" } else { "require_approval" }.to_owned(),
            mode: mode(limit.mode),
            on_deny: limit.on_deny.clone().unwrap_or_default(),
        }
    }
}

fn mode(mode: Mode) -> String {
    if mode == Mode::Observe { "observe" } else { "enforce" }.to_owned()
}

/// The operator and the value, as somebody would type them.
fn shown(test: &Test) -> (&'static str, String) {
    let (op, written) = test.written();
    let Some(raw) = json(&written) else { return (op, written) };
    let text = if TEXTS.contains(&op) {
        let text = raw.string().unwrap_or_default().into_owned();
        let is_plain =
            !text.is_empty() && text.trim() == text && !text.starts_with('"') && !has_control(&text);
        if is_plain { text } else { written.clone() }
    } else if LISTS.contains(&op) && raw.kind() == Kind::Array {
        let is_flat = raw.elements().all(|one| one.kind() != Kind::Array) && raw.elements().next().is_some();
        let lines: Vec<String> = raw.elements().map(typed).collect();
        if is_flat { lines.join("\n") } else { written.clone() }
    } else {
        typed(raw)
    };
    (op, text)
}

/// A value as somebody would type it.
fn typed(raw: Raw<'_>) -> String {
    let text = raw.string().filter(|text| {
        let is_plain = !text.is_empty() && text.trim() == text && !has_control(text);
        is_plain && json(text).is_none()
    });
    text.map_or_else(|| raw.text().to_owned(), std::borrow::Cow::into_owned)
}

fn has_control(text: &str) -> bool {
    text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::{
        edit::{Part, read_part},
        words::ExceptionKind,
    };

    fn rule(condition: &str) -> Rule {
        match read_part(ExceptionKind::DenyIf, &format!(r#"{{"conditions":[{condition}]}}"#)) {
            Ok(Part::DenyIf(rule)) => rule,
            other => panic!("{condition}: {other:?}"),
        }
    }

    #[test]
    fn what_is_shown_in_a_form_comes_back_as_it_was() {
        for test in [
            r#""op":"eq","value":"main""#,
            r#""op":"eq","value":"5""#,
            r#""op":"eq","value":5.50"#,
            r#""op":"eq","value":null"#,
            r#""op":"neq","value":" a ""#,
            r#""op":"eq","value":"""#,
            r#""op":"eq","value":"a\nb""#,
            r#""op":"eq","value":{"a":[1,"x"]}"#,
            r#""op":"in","value":["a","5",5,true,"[x"]"#,
            r#""op":"in","value":[]"#,
            r#""op":"in","value":[[1,2]]"#,
            r#""op":"not_in","value":["a"]"#,
            r#""op":"gt","value":500"#,
            r#""op":"gte","value":"2026-01-31T08:00:00Z""#,
            r#""op":"between","value":["08:00","18:00"]"#,
            r#""op":"between","value":[1,5]"#,
            r#""op":"regex","value":"^\"a\"$""#,
            r#""op":"regex","value":"5""#,
            r#""op":"starts_with","value":"\"a\"""#,
            r#""op":"ends_with","value":" ""#,
            r#""op":"glob","value":"release/*""#,
            r#""op":"contains","value":"5""#,
            r#""op":"exists","value":true"#,
            r#""op":"exists","value":false"#,
            r#""op":"length","value":3"#,
            r#""op":"length","value":[1,3]"#,
            r#""op":"type","value":"string""#,
            r#""op":"type","value":["string","null"]"#,
            r#""op":"cidr","value":["10.0.0.0/8","192.0.2.0/24"]"#,
            r#""op":"matches_schema","value":{"type":"object"}"#,
        ] {
            let path = if test.contains("T08") || test.contains("08:00") { "time" } else { "args.x" };
            for quantifier in ["any", "all"] {
                let rule = rule(&format!(r#"{{"path":"{path}",{test},"quantifier":"{quantifier}"}}"#));
                let typed = TypedRule::from(&rule);
                match read_part(ExceptionKind::DenyIf, &typed.written(false)) {
                    Ok(Part::DenyIf(again)) => assert_eq!(again.canonical(), rule.canonical(), "{typed:?}"),
                    other => panic!("{typed:?}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn questions_and_limits_come_back_as_they_were() {
        let ask = r#"{"name":"Money","mode":"observe","conditions":[],"on_deny":"Ask first.","approvers":"team:finance","quorum":2,"within":"8h"}"#;
        let Ok(Part::AskIf(one)) = read_part(ExceptionKind::AskIf, ask) else { panic!("an ask") };
        let Ok(Part::AskIf(again)) = read_part(ExceptionKind::AskIf, &TypedRule::from(&one).written(true))
        else {
            panic!("an ask")
        };
        assert_eq!(again.canonical(), one.canonical());
        assert_eq!(TypedRule::from(&one).within, "8h");
        for limit in [
            r#"{"counter":"c","window":"90s","kind":"sliding","max":1.5,"scope":"user","increment":2,"count_errors":false}"#,
            r#"{"counter":"c","window":"day","max":9,"scope":"org","increment_from":"args.n","distinct":"args.to","on_exceed":"require_approval","mode":"observe","on_deny":"No."}"#,
        ] {
            let Ok(Part::Limit(one)) = read_part(ExceptionKind::Limit, limit) else { panic!("{limit}") };
            let typed = TypedLimit::from(&one);
            let Ok(Part::Limit(again)) = read_part(ExceptionKind::Limit, &typed.written()) else {
                panic!("{typed:?}")
            };
            assert_eq!(again.canonical(), one.canonical());
        }
    }

    #[test]
    fn a_form_shows_values_as_somebody_would_type_them() {
        for (test, typed) in [
            (r#""op":"eq","value":"main""#, "main"),
            (r#""op":"eq","value":"5""#, r#""5""#),
            (r#""op":"eq","value":" a""#, r#"" a""#),
            (r#""op":"eq","value":"""#, r#""""#),
            (r#""op":"eq","value":"a\nb""#, r#""a\nb""#),
            (r#""op":"in","value":["a","5",5]"#, "a\n\"5\"\n5"),
            (r#""op":"in","value":[]"#, "[]"),
            (r#""op":"in","value":[[1]]"#, "[[1]]"),
            (r#""op":"regex","value":"5""#, "5"),
            (r#""op":"regex","value":"\"a""#, r#""\"a""#),
            (r#""op":"regex","value":" a""#, r#"" a""#),
            (r#""op":"glob","value":"""#, r#""""#),
            (r#""op":"glob","value":"a\tb""#, r#""a\tb""#),
            (r#""op":"type","value":"null""#, r#""null""#),
            (r#""op":"contains","value":["a"]"#, r#"["a"]"#),
            (r#""op":"length","value":[1,3]"#, "1\n3"),
        ] {
            let rule = rule(&format!(r#"{{"path":"args.x",{test}}}"#));
            assert_eq!(TypedCondition::from(&rule.conditions[0]).value, typed, "{test}");
        }
        let one = r#"{"counter":"c","window":"day","max":9,"scope":"org"}"#;
        let Ok(Part::Limit(one)) = read_part(ExceptionKind::Limit, one) else { panic!("a limit") };
        let typed = TypedLimit::from(&one);
        assert_eq!(
            (typed.increment.as_str(), typed.kind.as_str(), typed.mode.as_str()),
            ("", "fixed", "enforce")
        );
        assert_eq!((typed.count_errors.as_str(), typed.on_exceed.as_str()), ("true", "deny"));
        assert_eq!(
            typed.written(),
            r#"{"counter":"c","window":"day","kind":"fixed","max":9,"scope":"org","on_exceed":"deny","mode":"enforce"}"#
        );
    }

    #[test]
    fn what_is_typed_is_read_as_it_was_meant() {
        for (op, typed, read) in [
            ("eq", " main ", Some(r#""main""#)),
            ("eq", "5", Some("5")),
            ("eq", " ", None),
            ("regex", "5", Some(r#""5""#)),
            ("regex", r#""a""#, Some(r#""a""#)),
            ("glob", "", None),
            ("in", " a \n\n5\n", Some(r#"["a",5]"#)),
            ("in", "[1]", Some("[1]")),
            ("in", "5", Some("[5]")),
            ("in", "\n", None),
            ("length", "3", Some("3")),
            ("length", "1\n3", Some("[1,3]")),
            ("exists", "", Some("true")),
            ("exists", " false", Some("false")),
        ] {
            assert_eq!(value(op, typed).as_deref(), read, "{op} {typed}");
        }
        // What is longer than any value is no JSON.
        let long = |length: usize| format!("[{}]", " ".repeat(length - 2));
        assert!(json(&long(MAX_VALUE)).is_some() && json(&long(MAX_VALUE + 1)).is_none());
        assert_eq!(MAX_VALUE, 262_144);
        let blank = |path: &str, value: &str| {
            TypedCondition { path: path.into(), value: value.into(), ..TypedCondition::default() }.is_blank()
        };
        assert!(blank(" ", "") && !blank("a", "") && !blank("", "a"));
        let limit =
            TypedLimit { counter: "c".into(), count_errors: " false".into(), ..TypedLimit::default() };
        assert_eq!(limit.written(), r#"{"counter":"c","max":null,"count_errors":false}"#);
    }

    #[test]
    fn what_is_missing_or_no_number_is_told_at_its_field() {
        let typed = TypedLimit {
            counter: "c".into(),
            window: "hour".into(),
            max: "many".into(),
            scope: "grant".into(),
            ..TypedLimit::default()
        };
        let faults = read_part(ExceptionKind::Limit, &typed.written()).expect_err("a fault").0;
        assert_eq!(faults.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(), ["/max"]);
        let condition =
            TypedCondition { path: "args.a".into(), op: "in".into(), ..TypedCondition::default() };
        let typed = TypedRule { conditions: vec![condition], ..TypedRule::default() };
        let faults = read_part(ExceptionKind::DenyIf, &typed.written(false)).expect_err("a fault").0;
        assert_eq!(
            faults.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(),
            ["/conditions/0/value"]
        );
    }
}
