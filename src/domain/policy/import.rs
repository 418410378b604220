//! Documents from policies of Intercept, which are YAML: <https://github.com/PolicyLayer/Intercept/blob/main/POLICY.md>.
//!
//! Invariant: a rule that cannot be said here is a fault; no document comes out that allows more than what went in, but for
//! what the notes tell.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::domain::policy::{
    document::{self, Document, Fault, MAX_BYTES},
    path::{Path, PathStep},
};

/// A document that was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The document.
    pub document: Document,
    /// What is not as it was, as sentences.
    pub notes: Vec<String>,
}

/// Makes a document of a policy of Intercept.
///
/// # Errors
/// Everything that cannot be read, or said in a document.
pub fn import(text: &str) -> Result<Imported, Vec<Fault>> {
    let whole = |reason: String| vec![Fault { path: String::new(), reason, suggestion: None }];
    if text.len() > MAX_BYTES {
        return Err(whole(format!("The policy has more than {MAX_BYTES} bytes.")));
    }
    // Words and numbers are read as the YAML of Go reads them, so that `no` is a word and `010` is eight.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let policy: Policy = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| whole(format!("The policy cannot be read: {error}.")))?;
    let mut importer = Importer::default();
    let written = importer.policy(policy);
    if !importer.faults.is_empty() {
        return Err(importer.faults);
    }
    let document = document::read(written.to_string().as_bytes())?;
    Ok(Imported { document, notes: importer.notes })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    version: Value,
    description: Option<String>,
    default: Option<String>,
    hide: Option<Vec<String>>,
    tools: Option<BTreeMap<String, Option<Tool>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: Option<String>,
    action: Option<String>,
    rate_limit: Option<String>,
    conditions: Option<Vec<Condition>>,
    on_deny: Option<String>,
    state: Option<State>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    path: String,
    op: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    counter: String,
    window: String,
    increment: Option<i64>,
    increment_from: Option<String>,
}

const OPERATORS: [&str; 11] =
    ["eq", "neq", "in", "not_in", "lt", "lte", "gt", "gte", "regex", "contains", "exists"];
const WINDOWS: [&str; 3] = ["minute", "hour", "day"];

const OF_TEXTS: &str =
    "A text is never equal to a number or a truth value; Intercept compared both as they are printed.";
const OF_REVIEWS: &str = "Tools that are new or have changed are denied until somebody reviews them; write \
                          \"unreviewed_tools\": \"default\" where they are to be treated like all others.";
const OF_SCOPES: &str = "Limits count for each grant; Intercept counted everybody who used its proxy.";
const OF_AMOUNTS: &str =
    "Amounts count with all their digits; Intercept dropped what stands behind the point.";

/// What was found so far.
#[derive(Default)]
struct Importer {
    faults: Vec<Fault>,
    notes: Vec<String>,
}

impl Importer {
    fn policy(&mut self, policy: Policy) -> Value {
        if policy.version != json!("1") && policy.version != json!(1) {
            self.fault("/version", "The version is \"1\".");
        }
        if !matches!(policy.default.as_deref(), None | Some("allow" | "deny")) {
            self.fault("/default", "This is allow or deny.");
        }
        self.note(OF_REVIEWS);
        if policy.description.is_some_and(|text| !text.is_empty()) {
            self.note("The description is left out; a policy has one beside its document.");
        }
        let hide = policy.hide.unwrap_or_default();
        for (at, name) in hide.iter().enumerate().filter(|(_, name)| *name != "*") {
            self.name(name, &format!("/hide/{at}"));
        }
        let mut all_tools = json!({});
        let mut tools = Map::new();
        for (key, tool) in policy.tools.unwrap_or_default() {
            let place = format!("/tools/{}", key.replace('~', "~0").replace('/', "~1"));
            let rules = tool.unwrap_or_default().rules.unwrap_or_default();
            if key == "*" {
                all_tools = self.rules("_global", rules, &place);
            } else {
                self.name(&key, &place);
                let rules = self.rules(&key, rules, &place);
                tools.insert(key, rules);
            }
        }
        json!({
            "version": "1", "default": policy.default.as_deref().unwrap_or("allow"), "hide": hide, "all_tools": all_tools,
            "tools": tools,
        })
    }

    /// A name there stands for itself, and would be a pattern here.
    fn name(&mut self, name: &str, place: &str) {
        if name.contains('*') || name.starts_with("class:") {
            self.fault(place, "This name would stand for several tools here.");
        }
    }

    fn rules(&mut self, scope: &str, rules: Vec<Rule>, place: &str) -> Value {
        let mut checks = Checks::default();
        for (at, rule) in rules.into_iter().enumerate() {
            self.rule(scope, rule, &format!("{place}/rules/{at}"), &mut checks);
        }
        json!({ "require": checks.require, "deny_if": checks.deny_if, "limits": checks.limits })
    }

    fn rule(&mut self, scope: &str, rule: Rule, place: &str, checks: &mut Checks) {
        let conditions = rule.conditions.unwrap_or_default();
        let texts = Texts { name: rule.name, on_deny: rule.on_deny.filter(|text| !text.is_empty()) };
        match (rule.action.as_deref(), rule.rate_limit) {
            (None | Some("evaluate"), Some(_)) if !conditions.is_empty() || rule.state.is_some() => {
                self.fault(place, "A rule with rate_limit has neither conditions nor state.");
            }
            (None | Some("evaluate"), Some(rate)) => self.rate(scope, &rate, &texts, place, checks),
            (None | Some("evaluate"), None) if conditions.is_empty() => {
                self.fault(place, "A rule has conditions, a rate_limit, or the action deny.");
            }
            (None | Some("evaluate"), None) => {
                self.evaluate(scope, conditions, rule.state, &texts, place, checks);
            }
            (Some("deny"), None) if conditions.is_empty() => checks.deny_if.push(texts.rule(Vec::new())),
            (Some("deny"), _) => {
                self.fault(place, "A rule that denies has neither conditions nor rate_limit.")
            }
            (Some(_), _) => self.fault(&format!("{place}/action"), "This is evaluate or deny."),
        }
    }

    /// The short form: `5/hour`.
    fn rate(&mut self, scope: &str, rate: &str, texts: &Texts, place: &str, checks: &mut Checks) {
        let parts = rate.split_once('/').filter(|(_, window)| WINDOWS.contains(window));
        let Some((max, window)) = parts.and_then(|(max, window)| Some((max.parse::<u32>().ok()?, window)))
        else {
            return self.fault(
                &format!("{place}/rate_limit"),
                "This is a limit such as 5/hour; by minute, hour or day.",
            );
        };
        let state = State {
            counter: format!("_rate_{window}"),
            window: window.to_owned(),
            increment: None,
            increment_from: None,
        };
        self.limit(scope, &state, i64::from(max), texts, place, checks);
    }

    fn evaluate(
        &mut self,
        scope: &str,
        conditions: Vec<Condition>,
        state: Option<State>,
        texts: &Texts,
        place: &str,
        checks: &mut Checks,
    ) {
        let own = state.as_ref().map(|state| format!("state.{scope}.{}", state.counter));
        let (mut wanted, mut max) = (Vec::new(), None);
        for (at, condition) in conditions.into_iter().enumerate() {
            let place = format!("{place}/conditions/{at}");
            if condition.path.starts_with("state.") {
                let most = (own.as_deref() == Some(&*condition.path)).then(|| most(&condition)).flatten();
                match (most, max) {
                    (Some(most), None) => max = Some(most),
                    _ => self.fault(
                        &place,
                        "A counter is compared once, by lt or lte, in the rule that counts it.",
                    ),
                }
            } else if let Some(path) = self.path(&condition.path, &place) {
                self.test(condition, path, texts, &place, &mut wanted, checks);
            }
        }
        if !wanted.is_empty() {
            checks.require.push(texts.rule(wanted));
        }
        match (&state, max) {
            (Some(state), Some(max)) => self.limit(scope, state, max, texts, place, checks),
            (Some(_), None) => self.note(&format!("{place}/state limits nothing and is left out.")),
            (None, _) => {}
        }
    }

    /// What is wanted of an argument.
    fn test(
        &mut self,
        condition: Condition,
        path: String,
        texts: &Texts,
        place: &str,
        wanted: &mut Vec<Value>,
        checks: &mut Checks,
    ) {
        let Condition { op, value, .. } = condition;
        if !OPERATORS.contains(&op.as_str()) {
            return self.fault(&format!("{place}/op"), "There is no such comparison.");
        }
        if matches!(op.as_str(), "eq" | "neq" | "in" | "not_in" | "contains") {
            self.note(OF_TEXTS);
        }
        // An argument that is null is not given there; whatever is given is not null.
        let is_given = |path| json!({ "path": path, "op": "neq", "value": null });
        match (op.as_str(), &value) {
            ("exists", Value::Bool(true)) => wanted.push(is_given(path)),
            ("exists", Value::Bool(false)) => checks.deny_if.push(texts.rule(vec![is_given(path)])),
            _ => wanted.push(json!({ "path": path, "op": op, "value": value })),
        }
    }

    fn limit(
        &mut self,
        scope: &str,
        state: &State,
        max: i64,
        texts: &Texts,
        place: &str,
        checks: &mut Checks,
    ) {
        self.note(OF_SCOPES);
        let mut limit = json!({
            "counter": format!("{scope}.{}", state.counter), "window": state.window, "max": max.max(0), "scope": "grant",
            "count_errors": false,
        });
        match &state.increment_from {
            Some(path) => {
                self.note(OF_AMOUNTS);
                if let Some(path) = self.path(path, &format!("{place}/state/increment_from")) {
                    limit["increment_from"] = json!(path);
                }
            }
            None => limit["increment"] = json!(state.increment.filter(|each| *each != 0).unwrap_or(1)),
        }
        if let Some(words) = &texts.on_deny {
            limit["on_deny"] = json!(words);
        }
        if !WINDOWS.contains(&state.window.as_str()) {
            self.fault(&format!("{place}/state/window"), "This is minute, hour or day.");
        }
        checks.limits.push(limit);
    }

    /// A path there is keys with dots between; here a key may hold brackets too.
    fn path(&mut self, text: &str, place: &str) -> Option<String> {
        let keys: Option<Vec<&str>> = text.strip_prefix("args.").map(|keys| keys.split('.').collect());
        match keys.filter(|keys| keys.iter().all(|key| !key.is_empty())) {
            Some(keys) => {
                let steps = keys.into_iter().map(|key| PathStep::Key(key.to_owned()));
                Some(Path::Args(steps.collect()).to_string())
            }
            None => {
                self.fault(
                    place,
                    "A path leads to an argument, such as args.amount, or to the rule's own counter.",
                );
                None
            }
        }
    }

    fn fault(&mut self, place: &str, reason: &str) {
        self.faults.push(Fault { path: place.to_owned(), reason: reason.to_owned(), suggestion: None });
    }

    fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|told| told == note) {
            self.notes.push(note.to_owned());
        }
    }
}

/// What holds for a tool, in our words.
#[derive(Default)]
struct Checks {
    require: Vec<Value>,
    deny_if: Vec<Value>,
    limits: Vec<Value>,
}

/// What a rule is called and says.
struct Texts {
    name: Option<String>,
    on_deny: Option<String>,
}

impl Texts {
    fn rule(&self, conditions: Vec<Value>) -> Value {
        let mut rule = json!({ "conditions": conditions });
        for (key, text) in [("name", &self.name), ("on_deny", &self.on_deny)] {
            if let Some(text) = text {
                rule[key] = json!(text);
            }
        }
        rule
    }
}

/// The most that a counter may reach. Whole numbers are counted there: less than five is four at most.
fn most(condition: &Condition) -> Option<i64> {
    let number = condition.value.as_i64().or_else(|| condition.value.as_f64().map(|number| number as i64))?;
    match condition.op.as_str() {
        "lt" => Some(number.saturating_sub(1)),
        "lte" => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIPE: &str = r#"
version: "1"
description: "Payments"
default: deny
hide: [list_disputes]
tools:
  create_charge:
    rules:
      - name: "single charge"
        conditions:
          - {path: args.amount, op: lte, value: 50000}
          - {path: "args.metadata.key[x]", op: exists, value: true}
          - {path: args.test, op: exists, value: false}
        on_deny: "At most 500.00."
      - name: "daily spend"
        conditions:
          - {path: state.create_charge.daily_spend, op: lt, value: 1000000}
        state: {counter: daily_spend, window: day, increment_from: args.amount}
  delete_customer:
    rules: [{name: never, action: deny, on_deny: "Not by agents."}]
  read:
  "*":
    rules: [{name: calls, rate_limit: 60/minute}]
"#;

    fn faults(text: &str) -> Vec<String> {
        match import(text) {
            Ok(imported) => vec![format!("imported as {}", imported.document.canonical())],
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_policy_is_said_in_our_words() {
        let imported = import(STRIPE).unwrap_or_else(|faults| panic!("{faults:?}"));
        let expected = concat!(
            r#"{"version":"1","default":"deny","hide":["list_disputes"],"#,
            r#""all_tools":{"limits":[{"counter":"_global._rate_minute","window":"minute","max":60,"scope":"grant","count_errors":false}]},"#,
            r#""tools":{"create_charge":{"require":[{"name":"single charge","conditions":["#,
            r#"{"path":"args.amount","op":"lte","value":50000},{"path":"args.metadata.key\\[x\\]","op":"neq","value":null}],"#,
            r#""on_deny":"At most 500.00."}],"#,
            r#""deny_if":[{"name":"single charge","conditions":[{"path":"args.test","op":"neq","value":null}],"on_deny":"At most 500.00."}],"#,
            r#""limits":[{"counter":"create_charge.daily_spend","window":"day","max":999999,"scope":"grant","increment_from":"args.amount","count_errors":false}]},"#,
            r#""delete_customer":{"deny_if":[{"name":"never","conditions":[],"on_deny":"Not by agents."}]},"read":{}}}"#,
        );
        assert_eq!(imported.document.canonical(), expected);
        let left_out = "The description is left out; a policy has one beside its document.";
        assert_eq!(imported.notes, [OF_REVIEWS, left_out, OF_SCOPES, OF_AMOUNTS]);
    }

    #[test]
    fn words_and_numbers_are_read_as_they_were() {
        let imported = import(
            "version: 1\ntools: {a: {rules: [{name: x, conditions: [{path: args.x, op: not_in, value: [no, on, true, \"5\", 5, 010, 0x10, 1_000, ~]}]}]}}",
        );
        let text = imported.unwrap_or_else(|faults| panic!("{faults:?}")).document.canonical();
        assert!(text.contains(r#""value":["no","on",true,"5",5,8,16,1000,null]"#), "{text}");
    }

    #[test]
    fn what_cannot_be_said_is_told_with_its_place() {
        let told = faults(
            r#"
version: "2"
default: ask
hide: ["get_*"]
tools:
  "class:read": {rules: []}
  a/b:
    rules:
      - {name: a, rate_limit: 5/week}
      - {name: b, rate_limit: 5/hour, action: deny}
      - {name: c}
      - {name: d, action: allow}
      - {name: e, conditions: [{path: state.other.n, op: lte, value: 5}]}
      - {name: f, conditions: [{path: state.a/b.n, op: gt, value: 5}], state: {counter: n, window: week}}
      - {name: g, conditions: [{path: user.id, op: eq, value: x}, {path: args.x, op: like, value: x}]}
      - {name: h, conditions: [{path: state.a/b.m, op: lte, value: 5}], state: {counter: m, window: week}}
"#,
        );
        let expected = [
            "/version: The version is \"1\".",
            "/default: This is allow or deny.",
            "/hide/0: This name would stand for several tools here.",
            "/tools/a~1b/rules/0/rate_limit: This is a limit such as 5/hour; by minute, hour or day.",
            "/tools/a~1b/rules/1: A rule that denies has neither conditions nor rate_limit.",
            "/tools/a~1b/rules/2: A rule has conditions, a rate_limit, or the action deny.",
            "/tools/a~1b/rules/3/action: This is evaluate or deny.",
            "/tools/a~1b/rules/4/conditions/0: A counter is compared once, by lt or lte, in the rule that counts it.",
            "/tools/a~1b/rules/5/conditions/0: A counter is compared once, by lt or lte, in the rule that counts it.",
            "/tools/a~1b/rules/6/conditions/0: A path leads to an argument, such as args.amount, or to the rule's own counter.",
            "/tools/a~1b/rules/6/conditions/1/op: There is no such comparison.",
            "/tools/a~1b/rules/7/state/window: This is minute, hour or day.",
            "/tools/class:read: This name would stand for several tools here.",
        ];
        assert_eq!(told, expected, "{told:#?}");
    }

    #[test]
    fn counters_are_compared_once_and_what_they_say_is_kept() {
        let imported = import(
            r#"
version: 1
description: ""
hide: ["*"]
tools:
  a:
    rules:
      - {name: x, conditions: [{path: state.a.n, op: lte, value: 5}], state: {counter: n, window: hour, increment: 2}, on_deny: ""}
      - {name: y, conditions: [{path: state.a.m, op: lt, value: 5.9}], state: {counter: m, window: day, increment: 0}}
      - {name: z, conditions: [{path: state.a.o, op: lt, value: -3}], state: {counter: o, window: minute}}
      - {name: r, action: evaluate, rate_limit: 5/hour, on_deny: "Slowly."}
      - {name: s, conditions: [{path: args.b, op: eq, value: 1}], state: {counter: p, window: day}}
"#,
        );
        let imported = imported.unwrap_or_else(|faults| panic!("{faults:?}"));
        let expected = concat!(
            r#"{"version":"1","default":"allow","hide":["*"],"tools":{"a":{"#,
            r#""require":[{"name":"s","conditions":[{"path":"args.b","op":"eq","value":1}]}],"limits":["#,
            r#"{"counter":"a.n","window":"hour","max":5,"scope":"grant","increment":2,"count_errors":false},"#,
            r#"{"counter":"a.m","window":"day","max":4,"scope":"grant","count_errors":false},"#,
            r#"{"counter":"a.o","window":"minute","max":0,"scope":"grant","count_errors":false},"#,
            r#"{"counter":"a._rate_hour","window":"hour","max":5,"scope":"grant","count_errors":false,"on_deny":"Slowly."}]}}}"#,
        );
        assert_eq!(imported.document.canonical(), expected);
        let left_out = "/tools/a/rules/4/state limits nothing and is left out.";
        assert_eq!(imported.notes, [OF_REVIEWS, OF_SCOPES, OF_TEXTS, left_out]);
    }

    #[test]
    fn rules_that_say_two_things_are_told() {
        for (rule, fault) in [
            (
                "rate_limit: 5/hour, conditions: [{path: args.a, op: eq, value: 1}]",
                ": A rule with rate_limit has neither",
            ),
            ("rate_limit: 5/hour, state: {counter: n, window: day}", ": A rule with rate_limit has neither"),
            (
                "action: deny, conditions: [{path: args.a, op: eq, value: 1}]",
                ": A rule that denies has neither",
            ),
            ("rate_limit: x/hour", "/rate_limit: This is a limit such as 5/hour"),
            ("conditions: [{path: args., op: eq, value: 1}]", "/conditions/0: A path leads to an argument"),
            (
                "conditions: [{path: args.a..b, op: eq, value: 1}]",
                "/conditions/0: A path leads to an argument",
            ),
            (
                "conditions: [{path: state.a.n, op: lt, value: 1}, {path: state.a.n, op: lt, value: 2}], state: {counter: n, window: day}",
                "/conditions/1: A counter is compared once",
            ),
        ] {
            let told = faults(&format!("version: 1\ntools: {{a: {{rules: [{{name: x, {rule}}}]}}}}"));
            let fault = format!("/tools/a/rules/0{fault}");
            assert!(told.len() == 1 && told[0].starts_with(&fault), "{rule}: {told:?}");
        }
        let long = |length: usize| format!("version: 1\n#{}", "x".repeat(length - 12));
        assert!(import(&long(MAX_BYTES)).is_ok());
        assert!(faults(&long(MAX_BYTES + 1))[0].contains("more than"));
    }

    #[test]
    fn what_is_no_such_policy_is_refused_as_a_whole() {
        for text in [
            "",
            "[]",
            "version: [",
            "version: \"1\"\nmode: observe\n",
            "version: \"1\"\nversion: \"1\"\n",
            "version: \"1\"\ntools:\n  a: {rules: []}\n  a: {rules: []}\n",
            "version: \"1\"\ntools: {a: {rules: [{name: x, condition: []}]}}\n",
        ] {
            let told = faults(text);
            assert!(
                told.len() == 1 && told[0].starts_with("/: The policy cannot be read: "),
                "{text}: {told:?}"
            );
        }
        let told = faults(
            "version: 1\ntools: {a: {rules: [{name: x, conditions: [{path: args.x, op: regex, value: \"(\"}]}]}}",
        );
        assert!(told.len() == 1 && told[0].contains("cannot be read"), "{told:?}");
        assert!(faults(&format!("# {}", "x".repeat(MAX_BYTES)))[0].contains("more than"));
    }
}
