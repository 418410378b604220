//! What fuzzing was begun with and what it found, tried by the same checks at every run of the tests.

use std::{fs, path::Path};

#[path = "../../../fuzz/checks/mod.rs"]
mod checks;

/// Feeds everything kept for a target to its check; says which input it was where one fails.
fn replay(target: &str, check: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut tried = 0;
    for kept in ["corpus", "crashes"] {
        for file in fs::read_dir(root.join(kept).join(target)).into_iter().flatten().flatten() {
            let input = fs::read(file.path()).expect("an input");
            let outcome = std::panic::catch_unwind(|| check(&input));
            assert!(outcome.is_ok(), "{} fails", file.path().display());
            tried += 1;
        }
    }
    assert!(tried >= 4, "only {tried} inputs are kept for {target}");
}

#[test]
fn every_kept_input_of_the_envelope_holds() {
    replay("envelope", checks::envelope);
}

#[test]
fn every_kept_input_of_the_event_stream_holds() {
    replay("stream", checks::stream);
}

#[test]
fn every_kept_input_of_the_handles_holds() {
    replay("handle", checks::handle);
}

#[test]
fn every_kept_input_of_the_edits_holds() {
    replay("edit", checks::edit);
}
