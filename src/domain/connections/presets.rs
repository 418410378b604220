//! The presets: a data file with the day it was checked.
//!
//! What rests on hearsay is marked in the data and told to whoever uses it.

use std::sync::LazyLock;

use crate::domain::connections::preset::{Elsewhere, Preset};

/// The file; facts, and sentences about them.
const FILE: &str = include_str!("presets.toml");

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    checked_on: String,
    preset: Vec<Preset>,
    elsewhere: Vec<Elsewhere>,
}

static PRESETS: LazyLock<File> =
    LazyLock::new(|| toml::from_str(FILE).expect("the data file is checked by a test"));

/// All presets, by name.
pub fn presets() -> &'static [Preset] {
    &PRESETS.preset
}

/// The preset of this short name.
pub fn preset(slug: &str) -> Option<&'static Preset> {
    PRESETS.preset.iter().find(|preset| preset.slug == slug)
}

/// Providers that people look for and that cannot be presets.
pub fn elsewhere() -> &'static [Elsewhere] {
    &PRESETS.elsewhere
}

/// The day on which the presets were last checked.
pub fn presets_checked_on() -> &'static str {
    &PRESETS.checked_on
}
