//! The corpus of decisions in `tests/policy`: documents, calls, and what becomes of them. Behind it what cases do not say.

use std::{fs, path::PathBuf, sync::Arc};

use crate::{
    base::risk::Class,
    domain::policy::{
        cases::Cases,
        document,
        engine::{
            Call, Effect, Facts, Layer, LayerName, List, Outcome, Part, Program, Tool, Verdict, decide,
        },
    },
    protocol::mcp::strict::{self, Limits},
};

fn files() -> Vec<(String, Cases)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a readable file");
        let cases = Cases::read(&text).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        (path.display().to_string(), cases)
    };
    paths.into_iter().map(read).collect()
}

fn assert_decided(files: &[(String, Cases)]) {
    let each = files.iter().flat_map(|(path, cases)| {
        cases.deviations().into_iter().map(move |deviation| format!("{path}: {deviation}"))
    });
    let faults: Vec<String> = each.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_case_of_the_corpus_is_decided_as_it_says() {
    let files = files();
    assert_decided(&files);
    let count: usize = files.iter().map(|(_, cases)| cases.count()).sum();
    assert!(count >= 400, "the corpus has {count} cases");
}

#[test]
fn every_case_of_the_corpus_that_is_not_allowed_names_what_decides() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/policy");
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a readable file");
        let written: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for case in written["cases"].as_array().expect("cases") {
            let is_allowed = case["verdict"] == "allow";
            assert!(is_allowed || case["rule"].is_string(), "{}: {}", path.display(), case["name"]);
        }
    }
}

#[test]
fn documents_of_the_corpus_decide_the_same_in_canonical_form() {
    let again = files().into_iter().map(|(path, cases)| {
        let programs = cases.programs().iter().map(|(layer, program)| {
            let text = program.document().canonical();
            let read =
                document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?} in {text}"));
            assert_eq!(read.canonical(), text, "{path}");
            (*layer, Program::new(Arc::new(read)))
        });
        let programs = programs.collect();
        (path, cases.under(programs))
    });
    assert_decided(&again.collect::<Vec<_>>());
}

/// What becomes of a call with these arguments, by what holds for all tools of a document.
fn verdict(mode: &str, all_tools: &str, args: &str) -> Verdict {
    let text = format!(r#"{{"version":"1","mode":"{mode}","default":"allow","all_tools":{all_tools}}}"#);
    let document = document::read(text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?} in {text}"));
    let program = Program::new(Arc::new(document));
    let arguments = strict::check(args.as_bytes(), &Limits::default()).expect("JSON");
    let tool = Tool { name: "get", class: Class::Read, is_reviewed: true };
    let call = Call { tool, arguments: Some(arguments), facts: Facts::default() };
    decide(&call, &[Layer { name: LayerName::Team, program: &program }])
}

#[test]
fn a_limit_that_only_observes_counts_and_says_so() {
    let limits = |mode: &str| {
        format!(r#"{{"limits":[{{"counter":"n","window":"day","max":1,"scope":"org","mode":"{mode}"}}]}}"#)
    };
    for (document, limit, is_observed) in
        [("enforce", "enforce", false), ("enforce", "observe", true), ("observe", "enforce", true)]
    {
        let verdict = verdict(document, &limits(limit), "{}");
        let counted: Vec<bool> = verdict.reservations.iter().map(|one| one.is_observed).collect();
        assert_eq!(counted, [is_observed], "{limit} in {document}");
    }
}

#[test]
fn a_limit_that_cannot_count_is_named_by_its_counter() {
    let limit =
        r#"{"limits":[{"counter":"spent","window":"day","max":1,"scope":"org","increment_from":"args.a"}]}"#;
    let Outcome::Deny(by) = verdict("enforce", limit, r#"{"a":-1}"#).outcome else { panic!("not denied") };
    assert_eq!((by.name.as_deref(), by.layer), (Some("spent"), Some(LayerName::Team)));
}

/// A rule of so many conditions on one place.
fn rule(count: usize, condition: &str) -> String {
    format!(r#"{{"conditions":[{}]}}"#, vec![condition; count].join(","))
}

const TOO_LARGE: &str = "The arguments are too large for the rules to be judged.";

#[test]
fn a_call_whose_arguments_are_too_large_for_the_rules_is_denied_where_they_cannot_be_judged() {
    let heavy = r#"{"path":"args.a","op":"regex","value":"[ab]*a[ab]{1000}c"}"#;
    let large = format!(r#"{{"a":"{}"}}"#, "a".repeat(10_000));
    for (list, part) in [
        ("require", "/all_tools/require/0"),
        ("deny_if", "/all_tools/deny_if/0"),
        ("require_approval_if", "/all_tools/require_approval_if/0"),
    ] {
        let rules = format!(r#"{{"{list}":[{}]}}"#, rule(1, heavy));
        let found = verdict("enforce", &rules, &large);
        let Outcome::Deny(by) = &found.outcome else { panic!("{list}: {:?}", found.outcome) };
        assert!(matches!(by.part, Part::Beyond(None, ..)), "{list}");
        assert_eq!((by.part.to_string().as_str(), by.words.as_deref()), (part, Some(TOO_LARGE)));
        assert_eq!(found.trace.outcome(), Effect::Deny, "the trace alone tells it");
        let small = verdict("enforce", &rules, r#"{"a":"abc"}"#);
        assert!(
            !matches!(&small.outcome, Outcome::Deny(by) if matches!(by.part, Part::Beyond(..))),
            "{list}"
        );
    }
}

#[test]
fn what_only_observes_is_not_judged_either_and_stops_nothing() {
    let heavy = rule(1, r#"{"path":"args.a","op":"regex","value":"[ab]*a[ab]{1000}c"}"#).replacen(
        '{',
        r#"{"mode":"observe","#,
        1,
    );
    let light = rule(1, r#"{"path":"args.a","op":"starts_with","value":"b"}"#);
    let large = format!(r#"{{"a":"{}"}}"#, "a".repeat(10_000));
    let rules = format!(r#"{{"deny_if":[{heavy},{heavy},{light}]}}"#);
    let found = verdict("enforce", &rules, &large);
    assert_eq!(found.outcome, Outcome::Allow);
    let told: Vec<_> =
        found.trace.layers[0].reasons.iter().map(|one| (one.is_observed, one.part.clone())).collect();
    assert_eq!(told, [(true, Part::Beyond(None, List::DenyIf, 0))], "it is told once");
    let observed = verdict("observe", &rules.replace(r#""mode":"observe","#, ""), &large);
    assert_eq!((observed.outcome, observed.trace.layers[0].effect()), (Outcome::Allow, Effect::Deny));
}

#[test]
fn ordinary_calls_are_far_from_too_large() {
    let text = "Lorem ipsum dolor sit amet. ".repeat(150);
    let args = format!(r#"{{"title":"x","body":"{text}","labels":["a","b"],"amount":12.5,"owner":"acme"}}"#);
    let each = [
        r#"{"path":"args.owner","op":"neq","value":"other"}"#,
        r#"{"path":"args.amount","op":"lt","value":500}"#,
        r#"{"path":"args.labels[*]","op":"not_in","value":["secret","legal"]}"#,
        r#"{"path":"args.owner","op":"regex","value":"^[a-z-]+$"}"#,
    ];
    let rules: Vec<String> = each.iter().map(|one| rule(250, one)).collect();
    let found = verdict("enforce", &format!(r#"{{"require":[{}]}}"#, rules.join(",")), &args);
    assert_eq!(found.outcome, Outcome::Allow, "a thousand conditions on four kilobytes");
    let scans = ["password|secret|token", r"\\bAKIA[0-9A-Z]{16}\\b", r"[\\w.-]+@[\\w.-]+"]
        .map(|pattern| rule(1, &format!(r#"{{"path":"args.body","op":"regex","value":"{pattern}"}}"#)));
    let found = verdict("enforce", &format!(r#"{{"deny_if":[{}]}}"#, scans.join(",")), &args);
    assert_eq!(found.outcome, Outcome::Allow);
}

#[test]
fn many_names_and_many_values_are_looked_at_once() {
    let names: Vec<String> =
        (0..1_000).map(|at| format!(r#"{{"path":"args.name{at}","op":"exists","value":false}}"#)).collect();
    let keys: Vec<String> = (0..8_000).map(|at| format!(r#""other{at}":{at}"#)).collect();
    let args = format!("{{{}}}", keys.join(","));
    let found =
        verdict("enforce", &format!(r#"{{"deny_if":[{{"conditions":[{}]}}]}}"#, names.join(",")), &args);
    let Outcome::Deny(by) = &found.outcome else { panic!("{:?}", found.outcome) };
    assert!(matches!(by.part, Part::Beyond(None, List::DenyIf, 0)), "eight million looks are too many");
    let values: Vec<String> = (0..10_000).map(|at| at.to_string()).collect();
    let condition =
        format!(r#"{{"path":"args.k[*]","op":"in","value":[{}],"quantifier":"all"}}"#, values.join(","));
    let args = format!(r#"{{"k":[{}]}}"#, vec!["9999"; 20_000].join(","));
    let found = verdict("enforce", &format!(r#"{{"require":[{}]}}"#, rule(1, &condition)), &args);
    assert_eq!(found.outcome, Outcome::Allow, "each value is one look");
}

#[test]
fn names_that_a_server_may_take_for_one_that_is_looked_at_are_denied() {
    let rules = r#"{"deny_if":[{"conditions":[{"path":"args.straße","op":"eq","value":1}]},
        {"conditions":[{"path":"args.café","op":"eq","value":1}]}]}"#;
    for (args, part) in [
        (r#"{"STRASSE":2}"#, "/all_tools/deny_if/0"),
        (r#"{"cafe\u0301":2}"#, "/all_tools/deny_if/1"),
        (r#"{"ＣＡＦÉ":2}"#, "/all_tools/deny_if/1"),
    ] {
        let found = verdict("enforce", rules, args);
        let Outcome::Deny(by) = &found.outcome else { panic!("{args}: {:?}", found.outcome) };
        assert_eq!(by.part.to_string(), part, "{args}");
    }
    assert_eq!(verdict("enforce", rules, r#"{"straße":2,"café":2,"cafe":2}"#).outcome, Outcome::Allow);
}
