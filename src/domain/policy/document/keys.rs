//! Which keys each part of a document has; the schema knows the same.

use crate::domain::policy::document::fault::meant;

/// Of the whole.
pub(in crate::domain::policy) const DOCUMENT: [&str; 7] =
    ["version", "mode", "default", "unreviewed_tools", "hide", "all_tools", "tools"];

/// Of what holds for every tool.
pub(in crate::domain::policy) const ALL_TOOLS: [&str; 4] =
    ["require", "deny_if", "require_approval_if", "limits"];

/// Of what holds for the tools of a key.
pub(in crate::domain::policy) const TOOL: [&str; 9] = [
    "action",
    "reason",
    "require",
    "deny_if",
    "require_approval_if",
    "limits",
    "concurrency",
    "redact",
    "rate_limit",
];

/// Of a rule.
pub(in crate::domain::policy) const RULE: [&str; 4] = ["name", "mode", "conditions", "on_deny"];

/// Of a rule under which a human is asked.
pub(in crate::domain::policy) const ASK_RULE: [&str; 7] =
    ["name", "mode", "conditions", "on_deny", "approvers", "quorum", "within"];

/// Of a condition.
pub(in crate::domain::policy) const CONDITION: [&str; 4] = ["path", "op", "value", "quantifier"];

/// Of a limit.
pub(in crate::domain::policy) const LIMIT: [&str; 12] = [
    "counter",
    "window",
    "kind",
    "max",
    "scope",
    "increment",
    "increment_from",
    "distinct",
    "count_errors",
    "on_exceed",
    "mode",
    "on_deny",
];

/// Of the short form of a limit.
pub(in crate::domain::policy) const RATE_LIMIT: [&str; 2] = ["max", "window"];

/// The comparisons of conditions.
pub(in crate::domain::policy) const OPERATORS: [&str; 19] = [
    "eq",
    "neq",
    "in",
    "not_in",
    "lt",
    "lte",
    "gt",
    "gte",
    "regex",
    "contains",
    "exists",
    "starts_with",
    "ends_with",
    "glob",
    "length",
    "type",
    "cidr",
    "between",
    "matches_schema",
];

/// What comparisons are called elsewhere, and what they are called here.
const ELSEWHERE: [(&str, &str); 44] = [
    ("=", "eq"),
    ("==", "eq"),
    ("===", "eq"),
    ("is", "eq"),
    ("equal", "eq"),
    ("equals", "eq"),
    ("equal_to", "eq"),
    ("!=", "neq"),
    ("!==", "neq"),
    ("<>", "neq"),
    ("ne", "neq"),
    ("is_not", "neq"),
    ("not_equal", "neq"),
    ("not_equals", "neq"),
    ("not_eq", "neq"),
    ("one_of", "in"),
    ("any_of", "in"),
    ("is_in", "in"),
    ("nin", "not_in"),
    ("none_of", "not_in"),
    ("<", "lt"),
    ("less_than", "lt"),
    ("<=", "lte"),
    ("le", "lte"),
    ("max", "lte"),
    (">", "gt"),
    ("greater_than", "gt"),
    (">=", "gte"),
    ("ge", "gte"),
    ("min", "gte"),
    ("match", "regex"),
    ("matches", "regex"),
    ("regexp", "regex"),
    ("pattern", "regex"),
    ("~", "regex"),
    ("=~", "regex"),
    ("has", "contains"),
    ("includes", "contains"),
    ("prefix", "starts_with"),
    ("suffix", "ends_with"),
    ("like", "glob"),
    ("len", "length"),
    ("present", "exists"),
    ("schema", "matches_schema"),
];

/// The comparison that a word means which is none: what it is called elsewhere, else one that it is spelled much like, or of
/// which it has the name and more, such as `contains_any`.
pub(in crate::domain::policy) fn meant_operator(said: &str) -> Option<String> {
    let word: String = said.trim().to_lowercase().replace(['-', ' '], "_").chars().take(80).collect();
    let plain = word.replace('_', "");
    let is_it = |name: &str| name == word || (plain.len() > 3 && name.replace('_', "") == plain);
    let named = OPERATORS.into_iter().find(|name| is_it(name));
    let elsewhere = || {
        let found = ELSEWHERE.into_iter().find(|(name, _)| is_it(name));
        found.map(|(_, operator)| operator)
    };
    let begins = || {
        let known = OPERATORS.into_iter().filter(|name| name.len() > 3 && word.starts_with(*name));
        known.max_by_key(|name| name.len())
    };
    let certain = named.or_else(elsewhere).or_else(begins);
    certain.map(|operator| format!("Did you mean {operator}?")).or_else(|| meant(&word, OPERATORS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_comparison_is_called_elsewhere_it_is_known_here() {
        for (said, operator) in [
            ("equals", "eq"),
            ("==", "eq"),
            ("Equals", "eq"),
            ("notEquals", "neq"),
            ("not equals", "neq"),
            ("notin", "not_in"),
            ("contains_any", "contains"),
            ("startswith", "starts_with"),
            ("startsWith", "starts_with"),
            ("ends-with", "ends_with"),
            ("regexp", "regex"),
            ("regex_match", "regex"),
            ("REGEX", "regex"),
            ("ltt", "lt"),
            ("greater_than", "gt"),
            (">=", "gte"),
            ("betwen", "between"),
            ("exist", "exists"),
        ] {
            assert_eq!(meant_operator(said), Some(format!("Did you mean {operator}?")), "{said}");
        }
        for said in ["", "fizz", "approximately", "🦀"] {
            assert_eq!(meant_operator(said), None, "{said}");
        }
        for (name, operator) in ELSEWHERE {
            assert!(OPERATORS.contains(&operator) && !OPERATORS.contains(&name), "{name}");
        }
    }
}
