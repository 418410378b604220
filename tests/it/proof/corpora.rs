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

#[test]
fn every_kept_input_of_sign_ins_holds() {
    replay("oauth", checks::oauth);
}

#[test]
fn what_is_kept_of_sign_ins_holds_with_bytes_changed() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/oauth");
    for file in fs::read_dir(dir).expect("a corpus").flatten() {
        let input = fs::read(file.path()).expect("an input");
        for round in 0_u64..300 {
            let mut dice = checks::Dice::take(&round.to_le_bytes()).0;
            let mut changed = input.clone();
            for _ in 0..=dice.below(4) {
                // The first bytes say what is read; a letter that JSON, forms and headers give a meaning to is tried most.
                let at = 8 + dice.below(changed.len() - 8);
                let letter = b"\"\\{}[]&=%+,; \n\0\x7f\xff9"[dice.below(18)];
                match dice.below(4) {
                    0 => changed.truncate(at.max(9)),
                    1 => changed.insert(at, letter),
                    2 => drop(changed.remove(at)),
                    _ => changed[at] = letter,
                }
                changed.resize(changed.len().max(10), b' ');
            }
            let outcome = std::panic::catch_unwind(|| checks::oauth(&changed));
            assert!(outcome.is_ok(), "{:?}", String::from_utf8_lossy(&changed[8..]));
        }
    }
}
