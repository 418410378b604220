//! What is wrong with documents is told all at once, with its place and a way out.

use super::{Document, read};

fn document(text: &str) -> Document {
    read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(text: &str) -> Vec<String> {
    match read(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let told = faults(
        r#"{
            "version": "2", "defualt": "deny", "default": "denny", "hide": ["class:writes", 1],
            "tools": {
                "get": { "acton": "deny", "require": [{ "conditions": [{ "path": "user.mail", "op": "equals", "value": 1 }] }],
                         "deny_if": [{}], "limits": [{ "counter": "n", "window": "hours", "max": -1, "scope": "persn" }] },
                "set": { "rate_limit": { "max": 10 }, "concurrency": 0, "redact": ["token"] }
            }
        }"#,
    );
    let expected = [
        r#"/defualt: There is no such key here. Did you mean default?"#,
        r#"/version: The version is "1"."#,
        r#"/default: This is one of: allow, deny, require_approval. Did you mean deny?"#,
        r#"/hide/0: There is no class writes; choose read, write, execute, destructive or financial. Did you mean class:write?"#,
        r#"/hide/1: This has to be a text."#,
        r#"/tools/get/acton: There is no such key here. Did you mean action?"#,
        r#"/tools/get/require/0/conditions/0/path: There is no user.mail. Did you mean user.email?"#,
        r#"/tools/get/require/0/conditions/0/op: There is no such comparison. Did you mean eq?"#,
        r#"/tools/get/deny_if/0: A rule has conditions; with an empty list it always holds."#,
        r#"/tools/get/limits/0/window: The window is minute, hour, day, month, or a number of seconds such as 90s. Did you mean hour?"#,
        r#"/tools/get/limits/0/scope: This is one of: grant, user, team, client, server, org."#,
        r#"/tools/get/limits/0/max: This has to be a number that is not negative."#,
        r#"/tools/set/rate_limit: The number window is missing: how many seconds."#,
        r#"/tools/set/concurrency: This has to be a whole number from 1 to 100000."#,
        r#"/tools/set/redact/0: A place to mask begins with args. or result., such as args.token or result.**.email."#,
    ];
    assert_eq!(told, expected, "{told:#?}");
}

#[test]
fn what_is_no_document_is_refused_as_a_whole() {
    for (text, reason) in [
        ("", "refused"),
        ("[]", "A policy is an object"),
        (r#"{"version":"1","version":"1","default":"deny"}"#, "refused"),
        (r#"{"version":"1"}"#, "has to say what holds"),
        (r#"{"default":"deny"}"#, "The version is missing"),
    ] {
        let told = faults(text);
        assert!(told.len() == 1 && told[0].contains(reason), "{text}: {told:?}");
    }
    let large = format!(r#"{{"version":"1","default":"deny","tools":{{"{}":{{}}}}}}"#, "x".repeat(2 << 20));
    assert!(faults(&large)[0].contains("refused"));
}

#[test]
fn what_would_take_too_long_is_refused() {
    let with = |condition: &str| {
        format!(
            r#"{{"version":"1","default":"deny","all_tools":{{"require":[{{"conditions":[{condition}]}}]}}}}"#
        )
    };
    for (value, reason) in [
        (r#"{"path":"args.a","op":"regex","value":"(a*)*\\1"}"#, "cannot be read"),
        (r#"{"path":"args.a","op":"regex","value":"(?:a{1000}){1000}"}"#, "too large"),
        (r#"{"path":"args.a","op":"matches_schema","value":{"type":"nonsense"}}"#, "cannot be used"),
        (
            r#"{"path":"args.a","op":"matches_schema","value":{"$ref":"https://example.com/x"}}"#,
            "cannot be used",
        ),
        (
            r##"{"path":"args.a","op":"matches_schema","value":{"anyOf":[{"$ref":"#"}]}}"##,
            "with $ref it could take forever",
        ),
        (
            r##"{"path":"args.a","op":"matches_schema","value":{"properties":{"const":{"$dynamicRef":"#"}}}}"##,
            "with $dynamicRef it",
        ),
        (
            r#"{"path":"args.a","op":"matches_schema","value":{"$defs":{"a":{"unevaluatedItems":false}}}}"#,
            "with unevaluatedItems it",
        ),
        (
            r#"{"path":"args.a","op":"matches_schema","value":{"not":{"unevaluatedProperties":false}}}"#,
            "with unevaluatedProperties it",
        ),
        (r#"{"path":"args.a","op":"between","value":[2,1]}"#, "The lowest has to stand first"),
        (r#"{"path":"time","op":"between","value":["22:00","06:00"]}"#, "over midnight takes two rules"),
        (
            r#"{"path":"time","op":"between","value":["2026-01-02T00:00:00Z","2026-01-02T00:00:00+01:00"]}"#,
            "The lowest has to stand first",
        ),
        (r#"{"path":"args.a","op":"length","value":[2,1]}"#, "The least has to stand first"),
        (r#"{"path":"args.a","op":"cidr","value":"10.0.0.0/33"}"#, "network"),
        (r#"{"path":"args.a","op":"between","value":[1,"08:00"]}"#, "two of one kind"),
        (r#"{"path":"args.a","op":"lt","value":true}"#, "a number, a moment"),
    ] {
        let told = faults(&with(value));
        assert!(told.len() == 1 && told[0].contains(reason), "{value}: {told:?}");
    }
    let many = vec![r#"{"path":"args.a","op":"exists"}"#; 900].join(",");
    let rule = format!(r#"{{"conditions":[{many}]}}"#);
    let rules = vec![rule; 30].join(",");
    let told = faults(&format!(r#"{{"version":"1","default":"deny","all_tools":{{"require":[{rules}]}}}}"#));
    assert_eq!(told, ["/all_tools/require/22/conditions/200: A policy has at most 20000 conditions."]);
}

#[test]
fn what_is_named_like_a_reference_is_none() {
    for schema in [
        r#"{"properties":{"$ref":{"type":"string"},"unevaluatedItems":{}},"required":["$ref"]}"#,
        r##"{"const":{"$ref":"#"},"enum":[{"$ref":"#"}],"default":{"$ref":"#"},"examples":[{"$ref":"#"}]}"##,
    ] {
        let condition = format!(r#"{{"path":"args.a","op":"matches_schema","value":{schema}}}"#);
        document(&format!(
            r#"{{"version":"1","default":"deny","all_tools":{{"require":[{{"conditions":[{condition}]}}]}}}}"#
        ));
    }
}

#[test]
fn the_short_forms_are_kept_in_full() {
    let short = document(
        r#"{"version":"1","default":"deny","tools":{"start":{"rate_limit":{"max":10,"window":60}},
            "stop":{"action":"deny","reason":"Never."}}}"#,
    );
    assert_eq!(
        short.canonical(),
        r#"{"version":"1","default":"deny","tools":{"start":{"limits":[{"counter":"rate_limit","window":"60s","max":10,"scope":"grant"}]},"stop":{"action":"deny","reason":"Never."}}}"#
    );
}

#[test]
fn the_canonical_form_has_one_order_and_leaves_out_what_is_usual() {
    let text = document(
        r#"{"tools":{"b":{},"a":{"require_approval_if":[{"within":"30m","quorum":1,"approvers":"role:approver",
            "conditions":[{"value":1.50,"op":"gt","path":"args.x\\.y[0]","quantifier":"any"}]}],"action":"allow"}},
            "unreviewed_tools":"deny","mode":"enforce","default":"allow","version":"1"}"#,
    )
    .canonical();
    assert_eq!(
        text,
        r#"{"version":"1","default":"allow","tools":{"a":{"require_approval_if":[{"conditions":[{"path":"args.x\\.y[0]","op":"gt","value":1.5}]}]},"b":{}}}"#
    );
}
