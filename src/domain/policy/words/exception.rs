//! What stands beside the decision about a tool, one phrase for each part.

use crate::domain::policy::{
    document::{
        Approvers, Ask, Checks, Increment, Limit, Mode, OnExceed, Rule, Scope, ToolRules, Window, WindowKind,
    },
    number::Number,
    words::{Phrase, condition, conditions, counted},
};

/// What an exception does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExceptionKind {
    /// Denies where one of its conditions does not hold.
    Require,
    /// Denies where its conditions hold.
    DenyIf,
    /// Asks a human where its conditions hold.
    AskIf,
    /// Counts, and stops at a maximum.
    Limit,
    /// Stops where too many calls are under way.
    Concurrency,
    /// Masks what is stored.
    Redact,
}

impl ExceptionKind {
    /// All kinds, in the order in which they are evaluated.
    pub const ALL: [Self; 6] =
        [Self::Require, Self::DenyIf, Self::Limit, Self::Concurrency, Self::AskIf, Self::Redact];

    /// The key in documents.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::DenyIf => "deny_if",
            Self::AskIf => "require_approval_if",
            Self::Limit => "limits",
            Self::Concurrency => "concurrency",
            Self::Redact => "redact",
        }
    }

    /// The kind of this key.
    pub fn of(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// Whether it may stand under what holds for every tool.
    pub const fn is_for_all(self) -> bool {
        !matches!(self, Self::Concurrency | Self::Redact)
    }
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// What it does.
    pub kind: ExceptionKind,
    /// Its place in the list of its kind.
    pub at: usize,
    /// What it means.
    pub words: Phrase,
    /// Whether it only records what it would do.
    pub is_tried: bool,
}

/// All exceptions of a key.
pub fn exceptions(rules: &ToolRules) -> Vec<Exception> {
    let mut all = of_checks(&rules.checks);
    if let Some(most) = rules.concurrency {
        let words = Phrase::of(format!("at most {most} at once"));
        all.push(Exception { kind: ExceptionKind::Concurrency, at: 0, words, is_tried: false });
    }
    for (at, place) in rules.redact.iter().enumerate() {
        let words = Phrase::default().code(place.to_string()).say(" is masked");
        all.push(Exception { kind: ExceptionKind::Redact, at, words, is_tried: false });
    }
    all
}

/// The exceptions of a list of checks.
pub fn of_checks(checks: &Checks) -> Vec<Exception> {
    let mut all = Vec::new();
    for (at, rule) in checks.require.iter().enumerate() {
        all.push(self::rule(ExceptionKind::Require, at, rule, unless(rule)));
    }
    for (at, rule) in checks.deny_if.iter().enumerate() {
        all.push(self::rule(ExceptionKind::DenyIf, at, rule, when("deny", rule)));
    }
    for (at, limit) in checks.limits.iter().enumerate() {
        let is_tried = limit.mode == Mode::Observe;
        all.push(Exception { kind: ExceptionKind::Limit, at, words: limited(limit), is_tried });
    }
    for (at, one) in checks.ask_if.iter().enumerate() {
        let words = asked(when("ask", &one.rule), &one.ask);
        all.push(self::rule(ExceptionKind::AskIf, at, &one.rule, words));
    }
    all
}

fn rule(kind: ExceptionKind, at: usize, rule: &Rule, words: Phrase) -> Exception {
    let is_tried = rule.mode == Mode::Observe;
    let words = if is_tried { words.say(", only tried") } else { words };
    Exception { kind, at, words, is_tried }
}

fn when(verb: &str, rule: &Rule) -> Phrase {
    if rule.conditions.is_empty() {
        return Phrase::of(format!("{verb} always"));
    }
    Phrase::of(format!("{verb} if ")).and(conditions(&rule.conditions))
}

fn unless(rule: &Rule) -> Phrase {
    if rule.conditions.is_empty() {
        return Phrase::of("require nothing");
    }
    Phrase::of("deny unless ").and(conditions(&rule.conditions))
}

/// What is said of who agrees, where it is not what is usual.
fn asked(phrase: Phrase, ask: &Ask) -> Phrase {
    let usual = Ask::default();
    if *ask == usual {
        return phrase;
    }
    let who = match &ask.approvers {
        Approvers::Role(role) => Phrase::of("with the role ").code(role.clone()),
        Approvers::Team(team) => Phrase::of("of the team ").code(team.clone()),
        Approvers::User(user) => Phrase::default().code(user.clone()),
    };
    let phrase = phrase.say(format!(", {} ", ask.quorum)).and(who);
    phrase.say(format!(" within {}", duration(ask.within)))
}

/// A length of time as people say it.
pub fn duration(seconds: u32) -> String {
    match seconds {
        s if s % 86_400 == 0 => counted(s / 86_400, "day"),
        s if s % 3_600 == 0 => counted(s / 3_600, "hour"),
        s if s % 60 == 0 => counted(s / 60, "minute"),
        s => counted(s, "second"),
    }
}

/// A length of time as documents write it, in the largest unit that fits.
pub fn duration_code(seconds: u32) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

fn limited(limit: &Limit) -> Phrase {
    let what = match (&limit.distinct, &limit.increment) {
        (Some(path), _) => {
            Phrase::of(format!("{} different ", limit.max)).code(condition::place(path)).say(" ")
        }
        (None, Increment::From(path)) => {
            Phrase::of("sum of ").code(condition::place(path)).say(format!(" up to {} ", limit.max))
        }
        (None, Increment::By(_)) => Phrase::of(format!("{} ", limit.max)),
    };
    let window = match limit.window {
        Window::Seconds(seconds) => duration(seconds),
        window => window.written(),
    };
    let sliding = if limit.kind == WindowKind::Sliding { "sliding " } else { "" };
    let mut phrase = what.say(format!("/ {sliding}{window} / {}", whose(limit.scope)));
    if let Increment::By(by) = &limit.increment
        && *by != Number::from(1)
    {
        phrase = phrase.say(format!(", each call counts {by}"));
    }
    if let (Some(_), Increment::From(path)) = (&limit.distinct, &limit.increment) {
        phrase = phrase.say(", counting ").code(condition::place(path));
    }
    if !limit.count_errors {
        phrase = phrase.say(", without failed calls");
    }
    if limit.on_exceed == OnExceed::RequireApproval {
        phrase = phrase.say(", then ask");
    }
    if limit.mode == Mode::Observe {
        phrase = phrase.say(", only tried");
    }
    phrase.say(" (").code(limit.counter.clone()).say(")")
}

const fn whose(scope: Scope) -> &'static str {
    match scope {
        Scope::Grant => "grant",
        Scope::User => "person",
        Scope::Team => "team",
        Scope::Client => "client",
        Scope::Server => "server",
        Scope::Org => "organization",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    fn said(rules: &str) -> Vec<String> {
        let text = format!(r#"{{"version":"1","default":"deny","tools":{{"t":{rules}}}}}"#);
        let document = document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"));
        exceptions(&document.tools[0].1).iter().map(|one| one.words.plain()).collect()
    }

    #[test]
    fn conditions_are_said_with_their_values() {
        let when = |condition: &str| said(&format!(r#"{{"deny_if":[{{"conditions":[{condition}]}}]}}"#));
        for (condition, words) in [
            (r#"{"path":"args.env","op":"eq","value":"production"}"#, "deny if env is production"),
            (r#"{"path":"args.n","op":"eq","value":"5"}"#, r#"deny if n is "5""#),
            (r#"{"path":"args.n","op":"eq","value":5}"#, "deny if n is 5"),
            (
                r#"{"path":"user.role","op":"in","value":["member","auditor"]}"#,
                "deny if user.role is one of member, auditor",
            ),
            (r#"{"path":"args.amount","op":"gt","value":500}"#, "deny if amount is above 500"),
            (
                r#"{"path":"time","op":"between","value":["08:00","18:00"]}"#,
                "deny if time is between 08:00 and 18:00",
            ),
            (r#"{"path":"time","op":"gte","value":"18:00"}"#, "deny if time is not before 18:00"),
            (
                r#"{"path":"args.to[*]","op":"ends_with","value":"@a.example","quantifier":"all"}"#,
                "deny if every to[*] ends with @a.example",
            ),
            (r#"{"path":"args.x","op":"exists","value":false}"#, "deny if x is missing"),
            (r#"{"path":"args.x","op":"length","value":[1,3]}"#, "deny if x has a length from 1 to 3"),
            (r#"{"path":"ip","op":"cidr","value":"10.0.0.0/8"}"#, "deny if ip is within 10.0.0.0/8"),
            (
                r#"{"path":"args.x","op":"type","value":["string","null"]}"#,
                "deny if x is of the kind string or null",
            ),
        ] {
            assert_eq!(when(condition), [words], "{condition}");
        }
        assert_eq!(said(r#"{"deny_if":[{"conditions":[]}]}"#), ["deny always"]);
        let both = r#"{"require":[{"conditions":[{"path":"args.a","op":"eq","value":1},{"path":"args.b","op":"exists"}]}]}"#;
        assert_eq!(said(both), ["deny unless a is 1 and b is given"]);
    }

    #[test]
    fn what_is_only_tried_is_said_so() {
        let of = |mode: &str| {
            format!(
                r#"{{"require":[{{"mode":"{mode}","conditions":[]}}],"limits":[{{"mode":"{mode}","counter":"c","window":"day","max":5,"scope":"org"}}],
                    "require_approval_if":[{{"mode":"{mode}","conditions":[]}}]}}"#
            )
        };
        let tried = |mode: &str| {
            let text = format!(r#"{{"version":"1","default":"deny","all_tools":{}}}"#, of(mode));
            let document = document::read(text.as_bytes()).expect("a document");
            of_checks(&document.all_tools).iter().map(|one| one.is_tried).collect::<Vec<_>>()
        };
        assert_eq!((tried("observe"), tried("enforce")), (vec![true; 3], vec![false; 3]));
        assert_eq!(
            said(&of("observe")),
            [
                "require nothing, only tried",
                "5 / day / organization, only tried (c)",
                "ask always, only tried"
            ]
        );
        assert_eq!(said(&of("enforce")), ["require nothing", "5 / day / organization (c)", "ask always"]);
    }

    #[test]
    fn values_stand_in_quotes_where_they_could_be_taken_for_something_else() {
        for (value, words) in [
            (r#""a b""#, "a b"),
            (r#""""#, r#""""#),
            (r#"" a""#, r#"" a""#),
            (r#""a\"b""#, r#""a\"b""#),
            (r#""a\nb""#, r#""a\nb""#),
            (r#""true""#, r#""true""#),
            ("true", "true"),
            (r#"["a"]"#, r#"["a"]"#),
        ] {
            let condition = format!(r#"{{"path":"args.x","op":"contains","value":{value}}}"#);
            let told = said(&format!(r#"{{"deny_if":[{{"conditions":[{condition}]}}]}}"#));
            assert_eq!(told, [format!("deny if x contains {words}")]);
        }
        for (condition, words) in [
            (r#""op":"in","value":[]"#, "is one of nothing"),
            (r#""op":"not_in","value":["a",1]"#, "is none of a, 1"),
            (r#""op":"cidr","value":["10.0.0.0/8","::1"]"#, "is within 10.0.0.0/8, ::1/128"),
            (r#""op":"length","value":2"#, "has the length 2"),
            (r#""op":"lt","value":2"#, "is below 2"),
            (r#""op":"lte","value":2"#, "is at most 2"),
            (r#""op":"gte","value":2"#, "is at least 2"),
            (r#""op":"gt","value":"2026-01-31T08:00:00Z""#, "is after 2026-01-31T08:00:00Z"),
            (r#""op":"lte","value":"2026-01-31T08:00:00Z""#, "is not after 2026-01-31T08:00:00Z"),
            (r#""op":"lt","value":"2026-01-31T08:00:00Z""#, "is before 2026-01-31T08:00:00Z"),
            (r#""op":"matches_schema","value":{"type":"null"}"#, r#"fits the schema {"type":"null"}"#),
        ] {
            let told =
                said(&format!(r#"{{"deny_if":[{{"conditions":[{{"path":"args.x",{condition}}}]}}]}}"#));
            assert_eq!(told, [format!("deny if x {words}")]);
        }
    }

    #[test]
    fn times_are_said_in_the_largest_unit_that_fits() {
        for (seconds, words, code) in [
            (1, "1 second", "1s"),
            (61, "61 seconds", "61s"),
            (60, "1 minute", "1m"),
            (5_400, "90 minutes", "90m"),
            (3_600, "1 hour", "1h"),
            (90_000, "25 hours", "25h"),
            (86_400, "1 day", "1d"),
            (172_800, "2 days", "2d"),
        ] {
            assert_eq!((duration(seconds).as_str(), duration_code(seconds).as_str()), (words, code));
        }
    }

    #[test]
    fn kinds_are_known_by_their_keys() {
        for (kind, key, is_for_all) in [
            (ExceptionKind::Require, "require", true),
            (ExceptionKind::DenyIf, "deny_if", true),
            (ExceptionKind::AskIf, "require_approval_if", true),
            (ExceptionKind::Limit, "limits", true),
            (ExceptionKind::Concurrency, "concurrency", false),
            (ExceptionKind::Redact, "redact", false),
        ] {
            assert_eq!(
                (kind.key(), kind.is_for_all(), ExceptionKind::of(key)),
                (key, is_for_all, Some(kind))
            );
        }
        assert_eq!(ExceptionKind::of("action"), None);
    }

    #[test]
    fn limits_and_questions_are_said_whole() {
        for (limit, words) in [
            (r#"{"counter":"c","window":"hour","max":20,"scope":"grant"}"#, "20 / hour / grant (c)"),
            (
                r#"{"counter":"c","window":"90s","kind":"sliding","max":3,"scope":"user","count_errors":false}"#,
                "3 / sliding 90 seconds / person, without failed calls (c)",
            ),
            (
                r#"{"counter":"c","window":"day","max":1000,"scope":"org","increment_from":"args.amount","on_exceed":"require_approval"}"#,
                "sum of amount up to 1000 / day / organization, then ask (c)",
            ),
            (
                r#"{"counter":"c","window":"day","max":5,"scope":"team","distinct":"args.to","mode":"observe"}"#,
                "5 different to / day / team, only tried (c)",
            ),
        ] {
            assert_eq!(said(&format!(r#"{{"limits":[{limit}]}}"#)), [words]);
        }
        let limit =
            r#"{"counter":"c","window":"day","max":5,"scope":"client","increment":2.5,"distinct":"args.to"}"#;
        assert_eq!(
            said(&format!(r#"{{"limits":[{limit}]}}"#)),
            ["5 different to / day / client, each call counts 2.5 (c)"]
        );
        let limit = r#"{"counter":"c","window":"day","max":5,"scope":"server","increment_from":"args.n","distinct":"args.to"}"#;
        assert_eq!(
            said(&format!(r#"{{"limits":[{limit}]}}"#)),
            ["5 different to / day / server, counting n (c)"]
        );
        let ask = r#"{"require_approval_if":[{"conditions":[{"path":"args.base","op":"eq","value":"main"}],"approvers":"team:leads","quorum":2,"within":"8h"}]}"#;
        assert_eq!(said(ask), ["ask if base is main, 2 of the team leads within 8 hours"]);
        assert_eq!(
            said(r#"{"concurrency":4,"redact":["args.token"]}"#),
            ["at most 4 at once", "args.token is masked"]
        );
    }
}
