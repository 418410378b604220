//! The one text that equal documents share: keys in one order, what is usual left out, what was short in full.

use std::fmt::Write;

use time::format_description::well_known::Rfc3339;

use crate::domain::policy::{
    document::{
        Action, Approvers, Ask, AskRule, Bound, Checks, Condition, Document, Increment, Limit, Mode,
        OnExceed, Order, Quantifier, Rule, Test, ToolRules, Unreviewed, Window, WindowKind,
    },
    literal::{Literal, write_text},
    number::Number,
};

/// Writes a document.
pub(super) fn write(document: &Document) -> String {
    let mut out = Object::new();
    out.text("version", "1");
    out.mode(document.mode);
    out.text("default", document.default.as_str());
    if document.unreviewed == Unreviewed::Default {
        out.text("unreviewed_tools", "default");
    }
    out.list("hide", &document.hide, |pattern| text(&pattern.to_string()));
    let all = checks(Object::new(), &document.all_tools);
    if !all.is_empty() {
        out.put("all_tools", &all.close());
    }
    let mut tools = Object::new();
    for (pattern, rules) in &document.tools {
        tools.put(&pattern.to_string(), &tool(rules));
    }
    if !tools.is_empty() {
        out.put("tools", &tools.close());
    }
    out.close()
}

/// An object on its way.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    fn put(&mut self, key: &str, value: &str) {
        if !self.is_empty() {
            self.0.push(',');
        }
        write_text(key, &mut self.0);
        let _ = write!(self.0, ":{value}");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.put(key, &text(value));
    }

    fn maybe(&mut self, key: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn mode(&mut self, mode: Mode) {
        if mode == Mode::Observe {
            self.text("mode", "observe");
        }
    }

    fn list<T>(&mut self, key: &str, all: &[T], write: impl Fn(&T) -> String) {
        if !all.is_empty() {
            self.put(key, &list(all, write));
        }
    }

    fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn text(text: &str) -> String {
    let mut out = String::new();
    write_text(text, &mut out);
    out
}

fn list<T>(all: &[T], write: impl Fn(&T) -> String) -> String {
    let all: Vec<String> = all.iter().map(write).collect();
    format!("[{}]", all.join(","))
}

fn tool(rules: &ToolRules) -> String {
    let mut out = Object::new();
    if rules.action != Action::Allow {
        out.text("action", rules.action.as_str());
    }
    out.maybe("reason", rules.reason.as_ref());
    let mut out = checks(out, &rules.checks);
    if let Some(most) = rules.concurrency {
        out.put("concurrency", &most.to_string());
    }
    out.list("redact", &rules.redact, |place| text(&place.to_string()));
    out.close()
}

fn checks(mut out: Object, checks: &Checks) -> Object {
    out.list("require", &checks.require, |rule| self::rule(rule).close());
    out.list("deny_if", &checks.deny_if, |rule| self::rule(rule).close());
    out.list("require_approval_if", &checks.ask_if, ask_rule);
    out.list("limits", &checks.limits, limit);
    out
}

fn rule(rule: &Rule) -> Object {
    let mut out = Object::new();
    out.maybe("name", rule.name.as_ref());
    out.mode(rule.mode);
    out.put("conditions", &list(&rule.conditions, condition));
    out.maybe("on_deny", rule.on_deny.as_ref());
    out
}

fn ask_rule(rule: &AskRule) -> String {
    let (mut out, usual) = (self::rule(&rule.rule), Ask::default());
    let Ask { approvers, quorum, within } = &rule.ask;
    if *approvers != usual.approvers {
        out.text("approvers", &approvers.written());
    }
    if *quorum != usual.quorum {
        out.put("quorum", &quorum.to_string());
    }
    if *within != usual.within {
        out.text("within", &format!("{within}s"));
    }
    out.close()
}

fn condition(condition: &Condition) -> String {
    let mut out = Object::new();
    out.text("path", &condition.path.to_string());
    let (op, value) = test(&condition.test);
    out.text("op", op);
    out.put("value", &value);
    if condition.quantifier == Quantifier::All {
        out.text("quantifier", "all");
    }
    out.close()
}

fn test(test: &Test) -> (&'static str, String) {
    match test {
        Test::Eq(value) => ("eq", literal(value)),
        Test::Neq(value) => ("neq", literal(value)),
        Test::In(choices) => ("in", list(choices.values(), literal)),
        Test::NotIn(choices) => ("not_in", list(choices.values(), literal)),
        Test::Order(order, bound) => (order.as_str(), self::bound(bound)),
        Test::Between(low, high) => ("between", format!("[{},{}]", bound(low), bound(high))),
        Test::Regex(regex) => ("regex", text(regex.as_str())),
        Test::Contains(value) => ("contains", literal(value)),
        Test::Exists(is_there) => ("exists", is_there.to_string()),
        Test::StartsWith(start) => ("starts_with", text(start)),
        Test::EndsWith(end) => ("ends_with", text(end)),
        Test::Glob(glob) => ("glob", text(glob)),
        Test::Length(least, greatest) if least == greatest => ("length", least.to_string()),
        Test::Length(least, greatest) => ("length", format!("[{least},{greatest}]")),
        Test::Type(types) => ("type", one_or_list(types, |kind| text(kind.as_str()))),
        Test::Cidr(networks) => {
            ("cidr", one_or_list(networks.networks(), |network| text(&network.to_string())))
        }
        Test::Schema(schema) => ("matches_schema", literal(&schema.source)),
    }
}

fn one_or_list<T>(all: &[T], write: impl Fn(&T) -> String) -> String {
    match all {
        [one] => write(one),
        all => list(all, write),
    }
}

impl Checks {
    /// As canonical JSON.
    pub fn canonical(&self) -> String {
        checks(Object::new(), self).close()
    }
}

impl ToolRules {
    /// As canonical JSON.
    pub fn canonical(&self) -> String {
        tool(self)
    }
}

impl Rule {
    /// As canonical JSON.
    pub fn canonical(&self) -> String {
        rule(self).close()
    }
}

impl AskRule {
    /// As canonical JSON.
    pub fn canonical(&self) -> String {
        ask_rule(self)
    }
}

impl Limit {
    /// As canonical JSON.
    pub fn canonical(&self) -> String {
        limit(self)
    }
}

impl Window {
    /// As documents write it.
    pub fn written(self) -> String {
        match self {
            Self::Minute => "minute".to_owned(),
            Self::Hour => "hour".to_owned(),
            Self::Day => "day".to_owned(),
            Self::Month => "month".to_owned(),
            Self::Seconds(seconds) => format!("{seconds}s"),
        }
    }
}

impl Approvers {
    /// As documents write them.
    pub fn written(&self) -> String {
        let (kind, name) = match self {
            Self::Role(name) => ("role", name),
            Self::Team(name) => ("team", name),
            Self::User(name) => ("user", name),
        };
        format!("{kind}:{name}")
    }
}

impl Test {
    /// The operator and the value, as documents write them; the value as canonical JSON.
    pub fn written(&self) -> (&'static str, String) {
        test(self)
    }
}

impl Order {
    /// As documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Gt => "gt",
            Self::Gte => "gte",
        }
    }
}

fn bound(bound: &Bound) -> String {
    match bound {
        Bound::Number(number) => number.to_string(),
        Bound::Moment(moment) => {
            text(&moment.to_offset(time::UtcOffset::UTC).format(&Rfc3339).unwrap_or_default())
        }
        Bound::TimeOfDay(time) => text(&format!("{:02}:{:02}", time.hour(), time.minute())),
    }
}

fn literal(value: &Literal) -> String {
    let mut out = String::new();
    value.write(&mut out);
    out
}

fn limit(limit: &Limit) -> String {
    let mut out = Object::new();
    out.text("counter", &limit.counter);
    out.text("window", &limit.window.written());
    if limit.kind == WindowKind::Sliding {
        out.text("kind", "sliding");
    }
    out.put("max", &limit.max.to_string());
    out.text("scope", limit.scope.as_str());
    match &limit.increment {
        Increment::By(number) if *number == Number::from(1) => {}
        Increment::By(number) => out.put("increment", &number.to_string()),
        Increment::From(path) => out.text("increment_from", &path.to_string()),
    }
    if let Some(path) = &limit.distinct {
        out.text("distinct", &path.to_string());
    }
    if !limit.count_errors {
        out.put("count_errors", "false");
    }
    if limit.on_exceed == OnExceed::RequireApproval {
        out.text("on_exceed", "require_approval");
    }
    out.mode(limit.mode);
    out.maybe("on_deny", limit.on_deny.as_ref());
    out.close()
}
