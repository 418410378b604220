//! What is bounded is taken up to its bound, and refused one beyond; what is of a wrong kind is told where it stands.

use super::{Document, MAX_BYTES, MAX_CONDITIONS, read};

fn document(rest: &str) -> Document {
    let text = format!(r#"{{"version":"1","default":"allow",{rest}}}"#);
    read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?} in {rest:.200}"))
}

fn faults(rest: &str) -> Vec<String> {
    let text = format!(r#"{{"version":"1","default":"allow",{rest}}}"#);
    read(text.as_bytes()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn all_tools(rest: &str) -> String {
    format!(r#""all_tools":{{{rest}}}"#)
}

fn condition(condition: &str) -> String {
    all_tools(&format!(r#""require":[{{"conditions":[{{{condition}}}]}}]"#))
}

fn limit(rest: &str) -> String {
    all_tools(&format!(r#""limits":[{{"window":"day","scope":"org",{rest}}}]"#))
}

/// A list of so many of these, or of their places where they have to differ.
fn many(count: usize, one: &str) -> String {
    (0..count).map(|at| one.replace('#', &at.to_string())).collect::<Vec<_>>().join(",")
}

/// What there may be so many of, and a document that has so many.
type Bounded<'b> = (&'b str, usize, &'b dyn Fn(usize) -> String);

/// Rules that have so many conditions among them.
fn made_of(conditions: usize) -> String {
    let exists = r#"{"path":"args.a","op":"exists"}"#;
    let rule = format!(r#"{{"conditions":[{}]}}"#, many(500, exists));
    let rest = format!(r#"{{"conditions":[{}]}}"#, many(conditions - 19_500, exists));
    all_tools(&format!(r#""deny_if":[{},{rest}]"#, many(39, &rule)))
}

#[test]
fn every_bound_holds_to_the_last() {
    let exists = r#"{"path":"args.a","op":"exists"}"#;
    let made: [Bounded<'_>; 19] = [
        ("letters of a pattern", 256, &|n| format!(r#""hide":["{}"]"#, "é".repeat(n))),
        ("letters of a sentence", 500, &|n| format!(r#""tools":{{"a":{{"reason":"{}"}}}}"#, "é".repeat(n))),
        ("letters of a counter", 100, &|n| limit(&format!(r#""max":1,"counter":"{}""#, "é".repeat(n)))),
        ("letters of approvers", 200, &|n| {
            let name = "é".repeat(n);
            all_tools(&format!(r#""require_approval_if":[{{"conditions":[],"approvers":"team:{name}"}}]"#))
        }),
        ("letters of a pattern of regex", 1_000, &|n| {
            condition(&format!(r#""path":"args.a","op":"regex","value":"{}""#, "a".repeat(n)))
        }),
        ("patterns of hide", 1_000, &|n| format!(r#""hide":[{}]"#, many(n, r##""a#""##))),
        ("tools", 5_000, &|n| format!(r#""tools":{{{}}}"#, many(n, r##""a#":{}"##))),
        ("rules", 1_000, &|n| all_tools(&format!(r#""deny_if":[{}]"#, many(n, r#"{"conditions":[]}"#)))),
        ("conditions of a rule", 1_000, &|n| {
            all_tools(&format!(r#""deny_if":[{{"conditions":[{}]}}]"#, many(n, exists)))
        }),
        ("conditions", MAX_CONDITIONS, &made_of),
        ("patterns", 500, &|n| {
            let one = r##"{"path":"args.a","op":"regex","value":"a#"}"##;
            all_tools(&format!(r#""deny_if":[{{"conditions":[{}]}}]"#, many(n, one)))
        }),
        ("patterns in schemas", 500, &|n| {
            let each = many(n - 3, r##""a#":{"pattern":"a"}"##);
            let schema = format!(
                r#"{{"properties":{{{each}}},"patternProperties":{{"a":{{"pattern":"b"}}}},"allOf":[{{"pattern":"c"}}]}}"#
            );
            condition(&format!(r#""path":"args.a","op":"matches_schema","value":{schema}"#))
        }),
        ("limits", 1_000, &|n| {
            let one = r#"{"window":"day","scope":"org","max":1,"counter":"a"}"#;
            all_tools(&format!(r#""limits":[{}]"#, many(n, one)))
        }),
        ("places to mask", 100, &|n| {
            format!(r#""tools":{{"a":{{"redact":[{}]}}}}"#, many(n, r##""args.a#""##))
        }),
        ("values", 10_000, &|n| {
            condition(&format!(r##""path":"args.a","op":"in","value":[{}]"##, many(n, "#")))
        }),
        ("networks", 10_000, &|n| {
            let networks = many(n, r#""10.0.0.0/8""#);
            condition(&format!(r#""path":"args.a","op":"cidr","value":[{networks}]"#))
        }),
        ("calls under way", 100_000, &|n| format!(r#""tools":{{"a":{{"concurrency":{n}}}}}"#)),
        ("those who agree", 10, &|n| {
            all_tools(&format!(r#""require_approval_if":[{{"conditions":[],"quorum":{n}}}]"#))
        }),
        ("seconds of a window", 31_622_400, &|n| {
            limit(&format!(r#""max":1,"counter":"a","window":"{n}s""#)).replacen(r#""window":"day","#, "", 1)
        }),
    ];
    for (what, most, made) in made {
        document(&made(most));
        assert_eq!(faults(&made(most + 1)).len(), 1, "{what}");
    }
    let list = condition(&format!(r##""path":"args.a","op":"in","value":[{}]"##, many(10_001, "#")));
    assert!(faults(&list)[0].ends_with("The list has at most 10000 values."));
    let rules = document(&made_of(MAX_CONDITIONS)).all_tools.deny_if;
    assert_eq!(rules.iter().map(|rule| rule.conditions.len()).sum::<usize>(), MAX_CONDITIONS);
    let large = |n: usize| format!(r#""tools":{{}}{}"#, " ".repeat(n));
    let frame = r#"{"version":"1","default":"allow","tools":{}}"#.len();
    document(&large(MAX_BYTES - frame));
    assert_eq!(faults(&large(MAX_BYTES - frame + 1)).len(), 1);
}

#[test]
fn what_has_no_pattern_is_read_behind_too_many() {
    let one = |op: &str, value: &str| format!(r#"{{"path":"args.a","op":"{op}","value":{value}}}"#);
    let all = [many(600, &one("regex", r#""(""#)), one("eq", "1"), one("lt", "true")].join(",");
    let told = faults(&all_tools(&format!(r#""deny_if":[{{"conditions":[{all}]}}]"#)));
    assert_eq!(told.len(), 100, "faults are told up to so many");
    let all = [many(501, &one("regex", r##""a#""##)), one("regex", r#""(""#), one("lt", "true")].join(",");
    let told = faults(&all_tools(&format!(r#""deny_if":[{{"conditions":[{all}]}}]"#)));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].ends_with("/500/value: A policy has at most 500 different patterns."), "{told:?}");
    assert!(told[1].contains("/502/value: The value has to be a number, a moment"), "{told:?}");
}

/// Conditions of so many rules, as one list of them.
fn denied_by(conditions: &str) -> String {
    all_tools(&format!(r#""deny_if":[{{"conditions":[{conditions}]}}]"#))
}

#[test]
fn a_pattern_that_is_written_again_counts_once() {
    let one = r#"{"path":"args.a","op":"regex","value":"^[a-z-]+$"}"#;
    let schema = r#"{"path":"args.a","op":"matches_schema","value":{"pattern":"^a","minLength":1}}"#;
    document(&denied_by(&many(900, one)));
    document(&denied_by(&many(900, schema)));
    let few = r##"{"path":"args.a","op":"matches_schema","value":{"pattern":"^a","minLength":#}}"##;
    let told = faults(&denied_by(&many(501, few)));
    assert!(told.len() == 1 && told[0].contains("/500/value: A policy has at most 500"), "{told:?}");
}

#[test]
fn patterns_are_bounded_together_by_what_they_are_compiled_to() {
    let one = r##"{"path":"args.a","op":"regex","value":"[ab]*a[ab]{1000}c#"}"##;
    document(&denied_by(&many(20, one)));
    let told = faults(&denied_by(&many(450, one)));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("The patterns of a policy take at most 16 MiB together"), "{told:?}");
}

#[test]
fn what_has_to_be_some_is_some() {
    for (none, one) in [
        (r#""hide":[""]"#.to_owned(), r#""hide":["a"]"#.to_owned()),
        (r#""tools":{"a":{"concurrency":0}}"#.to_owned(), r#""tools":{"a":{"concurrency":1}}"#.to_owned()),
        (limit(r#""max":1,"counter":"""#), limit(r#""max":0,"counter":"a""#)),
        (
            condition(r#""path":"args.a","op":"type","value":[]"#),
            condition(r#""path":"args.a","op":"type","value":["null"]"#),
        ),
        (
            condition(r#""path":"args.a","op":"length","value":[3,2]"#),
            condition(r#""path":"args.a","op":"length","value":[2,2]"#),
        ),
        (
            condition(r#""path":"args.a","op":"between","value":[3,2]"#),
            condition(r#""path":"args.a","op":"between","value":[2,2.0]"#),
        ),
        (
            condition(r#""path":"args.a","op":"cidr","value":[]"#),
            condition(r#""path":"args.a","op":"cidr","value":"::1""#),
        ),
    ] {
        assert_eq!(faults(&none).len(), 1, "{none}");
        document(&one);
    }
}

#[test]
fn times_are_read_with_their_units() {
    let asked = |within: &str| {
        let rule = format!(r#"{{"conditions":[],"within":"{within}"}}"#);
        all_tools(&format!(r#""require_approval_if":[{rule}]"#))
    };
    for (within, seconds) in
        [("1s", 1), ("90s", 90), ("7m", 420), ("3h", 10_800), ("2d", 172_800), ("366d", 31_622_400)]
    {
        assert_eq!(document(&asked(within)).all_tools.ask_if[0].ask.within, seconds, "{within}");
    }
    for within in ["0s", "367d", "31622401s", "5w", "s", "", "-1s", "1.5h", "99999999d", "1é"] {
        assert_eq!(faults(&asked(within)).len(), 1, "{within}");
    }
}

#[test]
fn what_is_of_a_wrong_kind_is_told_once() {
    for (rest, fault) in [
        (r#""tools":[]"#, "/tools: Tools are an object"),
        (r#""tools":{"a":5}"#, "/tools/a: This has to be an object."),
        (r#""all_tools":[]"#, "/all_tools: This has to be an object."),
        (r#""all_tools":{"require":{}}"#, "/all_tools/require: This has to be a list."),
        (r#""all_tools":{"require":[1]}"#, "/all_tools/require/0: This has to be an object."),
        (
            r#""all_tools":{"require":[{"conditions":[[]]}]}"#,
            "/all_tools/require/0/conditions/0: This has to be an object.",
        ),
        (r#""all_tools":{"limits":[null]}"#, "/all_tools/limits/0: This has to be an object."),
        (r#""tools":{"a":{"rate_limit":1}}"#, "/tools/a/rate_limit: This has to be an object."),
        (r#""tools":{"a":{"rate_limit":{"window":1}}}"#, "/tools/a/rate_limit: The number max is missing."),
        (r#""tools":{"a":{"redact":["args"]}}"#, "/tools/a/redact/0: A place to mask begins with"),
        (r#""mode":"Observe""#, "/mode: This is one of: enforce, observe. Did you mean observe?"),
        (r#""unreviewed_tools":"allow""#, "/unreviewed_tools: This is one of: deny, default."),
    ] {
        let told = faults(rest);
        assert!(told.len() == 1 && told[0].starts_with(fault), "{rest}: {told:?}");
    }
    let deep = format!(r#""tools":{{"a":{{"redact":["args{}"]}}}}"#, ".a".repeat(33));
    assert_eq!(faults(&deep), ["/tools/a/redact/0: A place to mask has at most 32 steps."]);
}

#[test]
fn conditions_that_compare_with_the_wrong_kind_are_told_once() {
    for (rest, fault) in [
        (r#""op":"exists""#, ": A condition says by path what it looks at."),
        (r#""path":"args.a""#, ": A condition says by op how it compares."),
        (r#""path":5,"op":"exists""#, "/path: This has to be a text."),
        (r#""path":"args.a","op":5"#, "/op: This has to be a text."),
        (r#""path":"args..a","op":"exists""#, "/path: A path is made of keys"),
        (r#""path":"arg.a","op":"exists""#, "/path: A path begins with"),
        (r#""path":"args.a","op":"lt""#, "/value: This key is missing: lt needs a value."),
        (r#""path":"args.a","op":"equals""#, "/op: There is no such comparison. Did you mean eq?"),
        (
            r#""path":"args.a","op":"regexp","value":"a""#,
            "/op: There is no such comparison. Did you mean regex?",
        ),
        (r#""path":"args.a","op":"ltt""#, "/op: There is no such comparison. Did you mean lt?"),
        (r#""path":"args.a","op":"ltt","value":1"#, "/op: There is no such comparison. Did you mean lt?"),
        (r#""path":"args.a","op":"exists","value":1"#, "/value: The value has to be true or false."),
        (r#""path":"args.a","op":"in","value":1"#, "/value: The value has to be a list."),
        (r#""path":"args.a","op":"glob","value":1"#, "/value: The value has to be a text."),
        (r#""path":"args.a","op":"regex","value":1"#, "/value: The value has to be a pattern"),
        (r#""path":"args.a","op":"between","value":1"#, "/value: The value has to be a list of two: the"),
        (r#""path":"args.a","op":"between","value":[1]"#, "/value: The value has to be a list of two of one"),
        (
            r#""path":"args.a","op":"between","value":[1,null]"#,
            "/value: The value has to be a list of two of one",
        ),
        (r#""path":"args.a","op":"length","value":"1""#, "/value: The value has to be a length"),
        (r#""path":"args.a","op":"length","value":[1]"#, "/value: The value has to be a length"),
        (r#""path":"args.a","op":"length","value":-1"#, "/value: The value has to be a length"),
        (
            r#""path":"args.a","op":"type","value":"text""#,
            "/value: The value has to be one or more of: null, boolean,",
        ),
        (r#""path":"args.a","op":"exists","quantifier":"some""#, "/quantifier: This is one of: any, all."),
    ] {
        let told = faults(&condition(rest));
        let fault = format!("/all_tools/require/0/conditions/0{fault}");
        assert!(told.len() == 1 && told[0].starts_with(&fault), "{rest}: {told:?}");
    }
}

#[test]
fn limits_look_at_one_value_in_the_arguments() {
    for (rest, fault) in [
        (r#""distinct":"args.a[*]""#, "distinct: This leads to one value"),
        (r#""distinct":"user.id""#, "distinct: This leads to one value"),
        (r#""distinct":5"#, "distinct: This has to be a text."),
        (r#""increment_from":"args.a[*].b""#, "increment_from: This leads to one value"),
        (r#""increment_from":"user.teams""#, "increment_from: This leads to one value"),
        (r#""increment":-1"#, "increment: This has to be a number that is not negative."),
        (r#""count_errors":"no""#, "count_errors: This is true or false."),
    ] {
        let told = faults(&limit(&format!(r#""max":1,"counter":"a",{rest}"#)));
        let fault = format!("/all_tools/limits/0/{fault}");
        assert!(told.len() == 1 && told[0].starts_with(&fault), "{rest}: {told:?}");
    }
    let both = limit(r#""max":1,"counter":"a","increment":1,"increment_from":"args.a""#);
    assert_eq!(faults(&both), ["/all_tools/limits/0: Write either increment or increment_from."]);
    for text in ["", "d", "5", "0s", "s", "weeks"] {
        let told = faults(&all_tools(&format!(
            r#""limits":[{{"max":1,"counter":"a","scope":"org","window":"{text}"}}]"#
        )));
        assert!(told.len() == 1 && told[0].starts_with("/all_tools/limits/0/window: "), "{text}: {told:?}");
    }
}

#[test]
fn approvers_are_of_three_kinds_and_have_a_name() {
    let asked = |approvers: &str| {
        all_tools(&format!(r#""require_approval_if":[{{"conditions":[],"approvers":"{approvers}"}}]"#))
    };
    for approvers in ["team:sre", "role:auditor", "user:ada@example.com", "team:a:b"] {
        let document = document(&asked(approvers));
        assert_eq!(document.all_tools.ask_if[0].ask.approvers.written(), approvers);
    }
    for approvers in ["team:", ":sre", "sre", "group:sre", "Team:sre"] {
        assert_eq!(
            faults(&asked(approvers)),
            ["/all_tools/require_approval_if/0/approvers: Approvers are team:…, role:… or user:…."]
        );
    }
}

#[test]
fn no_more_than_a_hundred_faults_are_told() {
    for (wrong, told) in [(99, 99), (100, 100), (101, 100)] {
        assert_eq!(faults(&format!(r#""hide":[{}]"#, many(wrong, "#"))).len(), told);
    }
}

#[test]
fn parts_have_a_canonical_form_of_their_own() {
    let checks = r#"{"require":[{"conditions":[{"path":"args.a","op":"length","value":2},{"path":"args.b","op":"length","value":[2,3]}]}]}"#;
    let all = document(&format!(r#""all_tools":{checks}"#)).all_tools;
    assert_eq!(all.canonical(), checks);
    assert_eq!(format!(r#"{{"require":[{}]}}"#, all.require[0].canonical()), checks);
}
