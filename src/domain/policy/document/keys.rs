//! Which keys each part of a document has; the schema knows the same.

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
