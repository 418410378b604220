//! The corpus of decisions in `tests/policy`: documents, calls, and what becomes of them.

use std::{fs, path::PathBuf, sync::Arc};

use crate::domain::policy::{cases::Cases, document, engine::Program};

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
