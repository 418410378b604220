//! A few kills of `tests/kill-trials calls`, which anybody may run with hundreds.

use std::{
    path::Path,
    process::{Command, Stdio},
};

#[test]
fn calls_outlive_kills_of_replicas_and_of_postgres_on_record_and_under_authority() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kill-trials");
    let mut command = Command::new(script);
    command.args(["calls", "8", "--seed", "20"]).stdin(Stdio::null());
    command.env("PORTREEVE_BIN", env!("CARGO_BIN_EXE_portreeve"));
    let done = command.output().expect("python3 is there");
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(done.status.success(), "{said}");
    for words in ["without an intent 0", "without an outcome 0, with two 0", "passed afterwards 0"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
