//! The API does what its document says: schemathesis makes up requests from it and judges the answers.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use portreeve::web::{self, kit::openapi};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{kit::keeper::own_folder, proof::world::world};

/// How many requests are made up for each operation and phase. A longer look: `SCHEMATHESIS_EXAMPLES=200`.
const EXAMPLES: &str = "15";

/// What the document cannot say: a stale `ETag` is answered with 412, a repeated slug with 409, and so on.
const SETTINGS: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422", "429"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "428", "429"]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_keeps_to_its_document() {
    let Some(program) = program() else {
        return;
    };
    let world = world().await;
    let app = world.copy().await;
    let folder = own_folder(&env::temp_dir(), "contract");
    let document = known(openapi::document(web::routes().operations()), &world.here);
    fs::write(folder.join("openapi.json"), document.to_string()).unwrap();
    fs::write(folder.join("schemathesis.toml"), SETTINGS).unwrap();
    let examples = env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let output = Command::new(program)
        .args(["--config-file", "schemathesis.toml", "run", "openapi.json", "--url", app.origin()])
        .args(["--header", &format!("Authorization: Bearer {}", world.key("owner"))])
        .args(["--checks", "all", "--max-examples", &examples, "--seed", "1", "--no-color"])
        .args(["--request-timeout", "20", "--suppress-health-check", "all", "--workers", "1"])
        .current_dir(&folder)
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.join("hypothesis"))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    // A run that lost its key would find nothing wrong.
    let answer = app.script(Some(world.key("owner"))).get("/api/v1/me").await;
    assert_eq!(answer.status, http::StatusCode::OK, "the run lost its key: {:#}", answer.body);
    fs::remove_dir_all(folder).ok();
}

/// The document with the seeded ids as the likely values of its path parameters: made-up ones are not found.
fn known(mut document: Value, values: &BTreeMap<&'static str, String>) -> Value {
    let methods = document["paths"].as_object_mut().unwrap().values_mut();
    for operation in methods.flat_map(|methods| methods.as_object_mut().unwrap().values_mut()) {
        // Indexing would write a null where there are none.
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            let Some(value) = values.get(name.as_str()).filter(|_| parameter["in"] == "path") else {
                continue;
            };
            // By its id, which stays when the run gives it another short name.
            parameter["schema"]["enum"] = if name == "org" {
                json!([values["org_id"]])
            } else {
                json!([value, "00000000-0000-7000-8000-000000000000"])
            };
        }
    }
    document
}

/// Where schemathesis is; `make test` brings it. Its absence is a failure only where somebody insists.
fn program() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/python/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain([own]);
    let found = folders.find_map(|folder| Some(folder.join("schemathesis")).filter(|file| file.is_file()));
    if found.is_none() {
        assert!(env::var_os("CI").is_none(), "no schemathesis: scripts/prepare test installs it");
        eprintln!("the API is not held against its document: scripts/prepare test installs schemathesis");
    }
    found
}
