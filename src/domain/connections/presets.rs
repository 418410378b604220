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
    /// Older versions, for providers that were made from them.
    #[serde(default)]
    former: Vec<Preset>,
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

/// The preset of this short name in this version; nothing where it is not among those that are kept.
pub(super) fn preset_at(slug: &str, version: i32) -> Option<&'static Preset> {
    let mut all = PRESETS.preset.iter().chain(&PRESETS.former);
    all.find(|preset| preset.slug == slug && preset.version == version)
}

/// Providers that people look for and that cannot be presets.
pub fn elsewhere() -> &'static [Elsewhere] {
    &PRESETS.elsewhere
}

impl Preset {
    /// The day on which what it says was last checked.
    pub fn checked_on(&self) -> &str {
        self.checked_on.as_deref().unwrap_or(&PRESETS.checked_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_versions_are_of_presets_that_are_there_and_each_is_kept_once() {
        for one in &PRESETS.former {
            let present = preset(&one.slug).expect("a preset of that name");
            assert!(one.version > 0 && one.version < present.version, "{} {}", one.slug, one.version);
        }
        let all: Vec<_> = PRESETS.preset.iter().chain(&PRESETS.former).collect();
        for one in &all {
            let same = all.iter().filter(|other| (&other.slug, other.version) == (&one.slug, one.version));
            assert_eq!((same.count(), one.version > 0), (1, true), "{} {}", one.slug, one.version);
        }
    }
}
