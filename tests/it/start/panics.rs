//! A defect is told by its place and never by its words, which could hold anything.

use std::process::{Command, Stdio};

use portreeve::{
    app::telemetry::Telemetry,
    base::{
        config::{LogFormat, TelemetrySettings},
        ids::ReplicaId,
    },
};
use tokio::runtime::Handle;

const CANARY: &str = "Canary-Panic-9d1c-never-to-be-seen";
/// Set for the process that is to panic: hook and log are a process's own, and this one's belong to all tests.
const MARK: &str = "PORTREEVE_TEST_PANIC";
const THIS: &str = "start::panics::a_panic_is_logged_by_its_place_alone";

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "the mark is no setting")]
async fn a_panic_is_logged_by_its_place_alone() {
    if let Some(format) = std::env::var_os(MARK) {
        let log_format = if format == "json" { LogFormat::Json } else { LogFormat::Text };
        let settings = TelemetrySettings { log: "trace".to_owned(), log_format, otlp_endpoint: None };
        let _telemetry =
            Telemetry::start(&settings, ReplicaId::fresh(), &Handle::current()).expect("a good level");
        panic!("{CANARY}");
    }
    for format in ["text", "json"] {
        let this = std::env::current_exe().expect("a path");
        let child = Command::new(this)
            .args(["--exact", THIS, "--nocapture"])
            .env(MARK, format)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let said = [child.stdout, child.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!child.status.success(), "it panicked: {said}");
        assert!(said.contains("a defect stopped this piece of work"), "{said}");
        assert!(said.contains("tests/it/start/panics.rs:"), "the place: {said}");
        assert!(!said.contains(CANARY), "{said}");
    }
}
