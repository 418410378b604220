//! The rules of the house that a machine can hold: architecture, style, schema and tenancy.
//!
//! Each test's lists stand at the top of its file, with a reason in every row. A row that nothing needs any more
//! is refused like a missing one.

mod authority;
mod imports;
mod schema;
mod seed;
mod settings;
mod source;
mod statements;
mod style;
mod templates;
mod tenants;

pub(crate) use statements::statement_of;

/// Fails with one line per fault.
#[track_caller]
fn no_faults(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Compares a list that was found with the list that is allowed.
#[track_caller]
fn exactly(rule: &str, found: &[String], allowed: &[(&str, &str)]) {
    let mut faults: Vec<_> = found
        .iter()
        .filter(|found| !allowed.iter().any(|(name, _)| name == found))
        .map(|found| format!("{found}: not in the list of what may {rule}"))
        .collect();
    for (name, _) in allowed.iter().filter(|(name, _)| !found.iter().any(|found| found == name)) {
        faults.push(format!("{name}: listed, but does not {rule} any more"));
    }
    no_faults(&faults);
}
