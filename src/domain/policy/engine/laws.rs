//! What holds for all documents and all calls.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Call, Effect, Facts, Layer, LayerName, Listing, Outcome, Program, Tool, decide, decide_unseen, listing,
};
use crate::{
    base::risk::Class,
    domain::policy::document,
    protocol::mcp::strict::{self, Limits},
};

fn value() -> impl Strategy<Value = Value> {
    let text = vec!["a", "b", "ab", "10.0.0.1", "", "é", "e\u{301}", "STRASSE", "a\"\\\n", "🦀"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        (-3_i64..4).prop_map(Into::into),
        prop::sample::select(vec![1e300, -2.5e-7, 1.0, 0.5, 1e21]).prop_map(Into::into),
        prop::sample::select(text).prop_map(Into::into),
        prop::collection::vec((0_i64..3).prop_map(Value::from), 0..3).prop_map(Into::into),
    ]
}

fn object(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let strange = vec!["A", "é", "e\u{301}", "É", "straße", "STRASSE", "ключ", "a.b", "", "🦀"];
    let key = prop_oneof![
        4 => "[a-c]",
        1 => prop::sample::select(strange).prop_map(str::to_owned),
    ];
    let map = prop::collection::btree_map(key, inner, 0..4);
    map.prop_map(|map| Value::Object(map.into_iter().collect())).boxed()
}

/// Values within values, down to six levels.
fn nested(leaf: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let within = |inner: BoxedStrategy<Value>| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from), object(inner)]
    };
    leaf.prop_recursive(6, 32, 4, within).boxed()
}

/// Arguments, which now and then hold a text that is too long for some patterns.
fn arguments() -> impl Strategy<Value = Value> {
    let long = Just(Value::from("ab".repeat(15_000)));
    let any = nested(prop_oneof![24 => value(), 1 => long].boxed());
    prop_oneof![4 => object(any.clone()), 1 => any]
}

fn schema() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(true),
        json!({ "type": "object", "required": ["a"] }),
        json!({ "properties": { "a": { "type": "integer" }, "é": { "items": { "enum": [1, "a", { "b": 1 }] } } } }),
        json!({ "anyOf": [{ "pattern": "^a" }, { "uniqueItems": true, "maxItems": 2 }], "not": { "const": null } }),
        json!({ "patternProperties": { "^[ab]$": { "minimum": 0 } }, "additionalProperties": false }),
    ])
}

fn condition() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(vec![
        "args.a",
        "args.b",
        "args.c",
        "args.a.b",
        "args.a[0]",
        "args.b[*]",
        "args.a.b.c",
        "args.c[*].a",
        "args[*]",
        "args.é",
        "args.straße",
        "args",
        "user.role",
        "user.teams",
        "ip",
        "tool.name",
        "client.name",
    ]);
    let test = prop_oneof![
        (prop::sample::select(vec!["eq", "neq", "contains"]), nested(value().boxed())),
        (
            prop::sample::select(vec!["in", "not_in"]),
            prop::collection::vec(value(), 0..3).prop_map(Into::into)
        ),
        (prop::sample::select(vec!["lt", "lte", "gt", "gte"]), (-2_i64..3).prop_map(Into::into)),
        (Just("exists"), any::<bool>().prop_map(Into::into)),
        (
            prop::sample::select(vec!["starts_with", "ends_with", "glob", "regex"]),
            prop::sample::select(vec![json!("a"), json!("a"), json!("é"), json!("[ab]*a[ab]{100}c")])
        ),
        (Just("length"), (0_i64..3).prop_map(Into::into)),
        (Just("type"), prop::sample::select(vec!["string", "integer", "array"]).prop_map(Into::into)),
        (Just("cidr"), Just(json!("10.0.0.0/8"))),
        (Just("between"), Just(json!([-1, 1]))),
        (Just("matches_schema"), schema()),
    ];
    let quantifier = prop::sample::select(vec!["any", "all"]);
    (path, test, quantifier).prop_map(|(path, (op, value), quantifier)| {
        json!({ "path": path, "op": op, "value": value, "quantifier": quantifier })
    })
}

fn rules() -> impl Strategy<Value = Vec<Value>> {
    let rule =
        prop::collection::vec(condition(), 0..3).prop_map(|conditions| json!({ "conditions": conditions }));
    prop::collection::vec(rule, 0..3)
}

fn limits() -> impl Strategy<Value = Vec<Value>> {
    let limit = prop::sample::select(vec![
        json!({}),
        json!({ "increment_from": "args.a" }),
        json!({ "distinct": "args.b" }),
    ]);
    let limit = limit.prop_map(|mut limit| {
        limit["counter"] = json!("n");
        limit["window"] = json!("hour");
        limit["max"] = json!(3);
        limit["scope"] = json!("grant");
        limit
    });
    prop::collection::vec(limit, 0..2)
}

fn checks() -> impl Strategy<Value = Value> {
    (rules(), rules(), rules(), limits()).prop_map(|(require, deny_if, ask_if, limits)| {
        json!({ "require": require, "deny_if": deny_if, "require_approval_if": ask_if, "limits": limits })
    })
}

fn action() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["allow", "allow", "require_approval", "deny"])
}

fn policy() -> impl Strategy<Value = Value> {
    let tool = (action(), checks()).prop_map(|(action, mut tool)| {
        tool["action"] = json!(action);
        tool
    });
    let key = prop::sample::select(vec!["get", "g*", "*", "class:read", "class:write", "set"]);
    let hide = prop::collection::vec(prop::sample::select(vec!["set", "x*", "class:financial"]), 0..2);
    let mode = prop::sample::select(vec!["enforce", "enforce", "enforce", "observe"]);
    (mode, action(), checks(), prop::collection::btree_map(key, tool, 0..4), hide).prop_map(
        |(mode, default, all, tools, hide)| {
            json!({
                "version": "1", "mode": mode, "default": default, "all_tools": all, "hide": hide,
                "tools": Value::Object(tools.into_iter().map(|(key, tool)| (key.to_owned(), tool)).collect()),
            })
        },
    )
}

fn program(policy: &Value) -> Program {
    let read = document::read(policy.to_string().as_bytes());
    Program::new(Arc::new(read.unwrap_or_else(|faults| panic!("{faults:?} in {policy}"))))
}

fn facts() -> Facts<'static> {
    Facts {
        user_role: Some("member"),
        user_teams: &["a", "b"],
        ip: "10.1.2.3".parse().ok(),
        ..Facts::default()
    }
}

/// A call's effect under some documents, whose order is that of the names given.
fn effect(arguments: &Value, tool: &str, policies: &[(LayerName, &Program)]) -> Effect {
    let text = arguments.to_string();
    let raw = strict::check(text.as_bytes(), &Limits::of(text.len())).expect("JSON");
    let layers: Vec<Layer<'_>> =
        policies.iter().map(|(name, program)| Layer { name: *name, program }).collect();
    let tool = Tool { name: tool, class: Class::Read, is_reviewed: true };
    let verdict = decide(&Call { tool, arguments: Some(raw), facts: facts() }, &layers);
    let effect = match verdict.outcome {
        Outcome::Allow => Effect::Allow,
        Outcome::Ask(needs) => {
            assert!(!needs.is_empty(), "somebody is asked");
            Effect::RequireApproval
        }
        Outcome::Deny(_) => Effect::Deny,
        Outcome::Hidden(_) => Effect::Hide,
    };
    if !layers.is_empty() {
        assert_eq!(verdict.trace.outcome(), effect, "the trace alone tells the verdict");
    }
    if let Some(unseen) = decide_unseen(&tool, &facts(), &layers).filter(|_| !layers.is_empty()) {
        assert_eq!(unseen.trace.outcome(), effect, "what is told without arguments holds with all of them");
    }
    if effect <= Effect::RequireApproval {
        assert_eq!(listing(&tool, &facts(), &layers), Listing::Shown, "what may be called is listed");
    }
    effect
}

fn tool() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["get", "got", "set", "xy"])
}

proptest! {
    #[test]
    fn the_strictest_layer_wins_in_any_order(
        policies in prop::collection::vec(policy(), 1..4), arguments in arguments(), tool in tool(),
    ) {
        let programs: Vec<Program> = policies.iter().map(program).collect();
        let each = programs.iter().map(|one| effect(&arguments, tool, &[(LayerName::Grant, one)])).max();
        let mut layers: Vec<_> = LayerName::ALL.into_iter().zip(&programs).collect();
        prop_assert_eq!(Some(effect(&arguments, tool, &layers)), each);
        layers.reverse();
        prop_assert_eq!(Some(effect(&arguments, tool, &layers)), each);
    }

    #[test]
    fn one_more_rule_or_limit_never_allows_more(
        policy in policy(), more in checks(), arguments in arguments(), tool in tool(), at in 0_usize..2,
    ) {
        let before = effect(&arguments, tool, &[(LayerName::Grant, &program(&policy))]);
        let mut stricter = policy;
        let places = ["/all_tools", "/tools/*", "/tools/get"];
        for place in &places[at..] {
            let Some(checks) = stricter.pointer_mut(place) else { continue };
            for list in ["require", "deny_if", "require_approval_if", "limits"] {
                let new = more[list].as_array().cloned().unwrap_or_default();
                if let Some(old) = checks[list].as_array_mut() {
                    old.extend(new);
                }
            }
        }
        prop_assert!(effect(&arguments, tool, &[(LayerName::Grant, &program(&stricter))]) >= before);
    }

    #[test]
    fn a_document_in_canonical_form_is_the_same_document(policy in policy(), arguments in arguments(), tool in tool()) {
        let one = program(&policy);
        let text = one.document().canonical();
        let again = program(&serde_json::from_str(&text).expect("JSON"));
        prop_assert_eq!(&again.document().canonical(), &text);
        let of = |program: &Program| effect(&arguments, tool, &[(LayerName::Grant, program)]);
        prop_assert_eq!(of(&one), of(&again));
    }

    #[test]
    fn rules_and_limits_that_only_observe_change_no_verdict(
        policy in policy(), more in checks(), arguments in arguments(), tool in tool(),
    ) {
        let before = effect(&arguments, tool, &[(LayerName::Grant, &program(&policy))]);
        let mut observing = policy;
        for place in ["/all_tools", "/tools/*", "/tools/get"] {
            let Some(checks) = observing.pointer_mut(place) else { continue };
            for list in ["require", "deny_if", "require_approval_if", "limits"] {
                let Some(old) = checks[list].as_array_mut() else { continue };
                let mut new = more[list].as_array().cloned().unwrap_or_default();
                new.iter_mut().for_each(|one| one["mode"] = json!("observe"));
                // What observes stands before and behind what does not.
                let behind = new.split_off(new.len() / 2);
                drop(old.splice(0..0, new));
                old.extend(behind);
            }
        }
        prop_assert_eq!(effect(&arguments, tool, &[(LayerName::Grant, &program(&observing))]), before);
    }

    #[test]
    fn without_a_document_nothing_is_allowed(arguments in arguments(), tool in tool()) {
        prop_assert_eq!(effect(&arguments, tool, &[]), Effect::Deny);
    }
}
