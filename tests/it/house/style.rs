//! Sizes, names and leftovers.

use crate::house::{
    no_faults,
    source::{files, read, rust},
};

const LINES_OF_A_FILE: usize = 600;

/// Words that say nothing about what a thing is.
const EMPTY_NAMES: [&str; 13] = [
    "util", "utils", "helper", "helpers", "manager", "common", "misc", "data", "info", "service", "services",
    "types", "shared",
];

/// Promises to do something later belong into an issue.
const LEFTOVERS: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Where leftovers are looked for.
const WRITTEN_BY_US: [&str; 9] =
    ["src", "tests", "templates", "static", "migrations", "docs", "scripts", "benches", ".ci"];
const VENDORED: [&str; 1] = ["static/vendor/"];

#[test]
fn no_file_is_too_long() {
    let mut faults = Vec::new();
    for file in rust("src").into_iter().chain(rust("tests")) {
        if file.length() > LINES_OF_A_FILE {
            faults.push(format!("{}: {} lines without tests", file.path, file.length()));
        }
    }
    no_faults(&faults);
}

#[test]
fn files_are_named_after_what_they_hold() {
    let mut faults = Vec::new();
    for file in rust("src").into_iter().chain(rust("tests")) {
        let segments = file.path.split('/').map(|segment| segment.trim_end_matches(".rs"));
        faults.extend(
            segments
                .filter(|segment| EMPTY_NAMES.contains(segment))
                .map(|name| format!("{}: {name}", file.path)),
        );
    }
    no_faults(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let endings =
        [".rs", ".html", ".txt", ".css", ".js", ".sql", ".md", ".toml", ".sh", "/run", "/sql", "/prepare"];
    let mut faults = Vec::new();
    for path in WRITTEN_BY_US.iter().flat_map(|folder| files(folder, &endings)) {
        if VENDORED.iter().any(|vendored| path.starts_with(vendored)) {
            continue;
        }
        for (number, line) in read(&path).unwrap_or_default().lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            if words.any(|word| LEFTOVERS.contains(&word)) {
                faults.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    no_faults(&faults);
}

#[test]
fn tests_neither_sleep_nor_hide() {
    let mut faults = Vec::new();
    for file in rust("src").into_iter().chain(rust("tests")) {
        for hidden in [["#", "[", "ignore"], ["#", "[", "should_panic"]] {
            faults.extend(
                file.lines_with(&hidden).iter().map(|line| format!("{}:{line}: {}", file.path, hidden[2])),
            );
        }
        let is_test = file.path.starts_with("tests/it/") && !file.path.starts_with("tests/it/kit/");
        if is_test {
            faults.extend(
                file.lines_with(&["sleep", "("]).iter().map(|line| format!("{}:{line}: sleeps", file.path)),
            );
        }
    }
    no_faults(&faults);
}
