//! The corpus of decisions in `tests/policy`: documents, calls, and what becomes of them. Behind it what cases do not say.

use std::{fs, path::PathBuf, sync::Arc};

use crate::{
    base::risk::Class,
    domain::policy::{
        cases::Cases,
        document,
        engine::{Call, Facts, Layer, LayerName, Outcome, Program, Tool, Verdict, decide},
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
