//! `portreeve audit`: an export of an organization's record, and its verification without a database.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    path::Path,
};

use crate::{
    app::{
        announce, beside,
        faults::{self, Fault, FaultKind},
    },
    base::config::Config,
    domain::audit::{self, Anchors, LaterAnchors, VerifyError},
    flow::{actions::export, fault::ActionError},
};

/// `portreeve audit verify`; `-` reads standard input.
///
/// # Errors
/// When a file cannot be read, or the export was altered.
pub fn verify(file: &Path, anchors: Option<&Path>) -> Result<(), Fault> {
    let anchors = match anchors {
        None => Anchors::none(),
        Some(path) => Anchors::read(BufReader::new(open(path)?)).map_err(|bad| {
            let sentence = format!("the anchors in {} cannot be used: {bad}", path.display());
            Fault::new(FaultKind::Altered, sentence, "Name the file that PORTREEVE_AUDIT_ANCHOR_FILE wrote.")
        })?,
    };
    let export: Box<dyn Read> =
        if file == Path::new("-") { Box::new(std::io::stdin()) } else { Box::new(open(file)?) };
    match audit::verify(BufReader::new(export), anchors, LaterAnchors::PassOver) {
        Ok(report) => {
            report.chains.iter().for_each(|chain| {
                let whose =
                    if chain.org.uuid().is_nil() { "the instance".to_owned() } else { chain.org.to_string() };
                announce::say(format_args!(
                    "{whose}: {} records, sealed to {}, anchored to {}",
                    chain.records, chain.sealed_to, chain.anchored_to
                ));
            });
            announce::say("Nothing was altered.");
            if !report.unvouched_keys.is_empty() {
                announce::say(
                    "No anchor vouches for the signing keys, so this proves only that the file agrees with itself.",
                );
            }
            Ok(())
        }
        Err(VerifyError::Altered(fault)) => Err(Fault::new(
            FaultKind::Altered,
            format!("the export was altered: {fault}"),
            "Export again and compare; keep this file as evidence.",
        )),
        Err(VerifyError::Io(error)) => Err(unreadable(file, &error)),
    }
}

/// `portreeve audit export`; without a file it goes to standard output.
///
/// # Errors
/// When there is no such organization, or the file cannot be written.
pub fn export(config: &Config, org: &str, out: Option<&Path>) -> Result<(), Fault> {
    let mut sink: Box<dyn Write + Send> = match out {
        None => Box::new(std::io::stdout()),
        Some(path) => Box::new(File::create(path).map_err(|error| {
            let sentence = format!("{} cannot be written: {}", path.display(), faults::reason(&error));
            Fault::new(FaultKind::Other, sentence, "Name another file with --out.")
        })?),
    };
    beside::run(config, async |beside| {
        export::export(&beside.ports, org, &mut sink).await.map_err(|error| match error {
            ActionError::NotFound => {
                let sentence = format!("there is no organization {org}");
                Fault::new(FaultKind::Refused, sentence, "Name it by its short name or its id.")
            }
            error => Fault::of_action(&error),
        })
    })
}

fn open(path: &Path) -> Result<File, Fault> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    let sentence = format!("{} cannot be read: {}", path.display(), faults::reason(error));
    Fault::new(FaultKind::Other, sentence, "Check the name and who may read it.")
}
