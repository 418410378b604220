//! The master keys: from the settings, or made once and kept in the data directory.
//!
//! They lie in a folder of their own beside the database's, which the database's user cannot read.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{
    app::faults::{Fault, FaultKind},
    base::{
        config::{Config, MasterKey, master_keys},
        crypto::seal,
        secret::Secret,
    },
    domain::vault::MasterRing,
    io::db::builtin::{self, DataDir},
};

const FILE: &str = "master";

/// The keys to serve with; makes the first one before there is a database that needs it.
///
/// # Errors
/// When the key file is gone, open to others or damaged.
pub fn keys(config: &Config, data_dir: Option<&DataDir>) -> Result<Vec<MasterKey>, Fault> {
    let Some(dir) = data_dir else {
        return Ok(config.master_keys.clone());
    };
    if let Some(text) = dir.read_private(FILE)? {
        return parse(&text);
    }
    if dir.has_cluster() {
        return Err(missing(config));
    }
    let encoded = Zeroizing::new(STANDARD.encode(seal::new_key().expose()));
    let text = Secret::new(format!("k1:{}\n", *encoded));
    dir.write_private(FILE, &text)?;
    parse(&text)
}

/// The keys of a Portreeve that another process may be serving; makes none.
///
/// # Errors
/// When there are none, or they cannot be read.
pub fn existing(config: &Config) -> Result<Vec<MasterKey>, Fault> {
    if config.is_production() {
        return Ok(config.master_keys.clone());
    }
    match builtin::DataDir::peek_private(&config.data_dir, FILE)? {
        Some(text) => parse(&text),
        None => Err(missing(config)),
    }
}

/// Puts a new random master key in front of those in the data directory; returns all of them.
///
/// # Errors
/// When the key file cannot be read or written.
pub fn grow(config: &Config) -> Result<Vec<MasterKey>, Fault> {
    let mut outcome = Err(missing(config));
    builtin::DataDir::change_private(&config.data_dir, FILE, |text| {
        let text = text?;
        outcome = MasterRing::parse(text.expose().trim()).map(|ring| ring.grown().text()).map_err(|wrong| {
            let sentence = format!("the master key file in the data directory is damaged: {wrong}");
            Fault::new(FaultKind::Keys, sentence, "Restore it from a backup.")
        });
        let grown = outcome.as_ref().ok()?;
        Some(Secret::new(format!("{}\n", grown.expose())))
    })?;
    parse(&outcome?)
}

fn parse(text: &Secret<String>) -> Result<Vec<MasterKey>, Fault> {
    master_keys(text.expose().trim()).map_err(|wrong| {
        let sentence = format!("the master key file in the data directory is damaged: {wrong}");
        Fault::new(FaultKind::Keys, sentence, "Restore it from a backup.")
    })
}

fn missing(config: &Config) -> Fault {
    let path = config.data_dir.join("keys").join(FILE);
    let sentence = format!("the master key is missing: there is no file {}", path.display());
    Fault::new(
        FaultKind::Keys,
        sentence,
        "Restore it from a backup; without it sealed secrets cannot be opened.",
    )
}
