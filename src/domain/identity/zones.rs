//! Time zones by their names in the IANA database (release 2025b, public domain), one per line in
//! `time_zones.txt`.

use std::{fmt, str::FromStr};

const NAMES: &str = include_str!("time_zones.txt");

/// A time zone that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone(&'static str);

/// The text names no time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose a time zone such as Europe/Berlin")]
pub struct NotATimeZone;

impl TimeZone {
    /// Universal time, which everybody starts with.
    pub const UTC: Self = Self("UTC");

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// All of them in alphabetical order, for a list to choose from.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.lines().map(Self)
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for TimeZone {
    type Err = NotATimeZone;

    fn from_str(text: &str) -> Result<Self, NotATimeZone> {
        Self::all().find(|zone| zone.0 == text).ok_or(NotATimeZone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_exact_name() {
        assert_eq!("Europe/Berlin".parse::<TimeZone>().unwrap().as_str(), "Europe/Berlin");
        assert_eq!("UTC".parse(), Ok(TimeZone::UTC));
        for wrong in ["", "europe/berlin", "Europe/Berlin ", "Europe", "../etc/passwd", "CEST"] {
            assert_eq!(wrong.parse::<TimeZone>(), Err(NotATimeZone), "{wrong}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_has_no_blank_line() {
        let names: Vec<_> = TimeZone::all().map(TimeZone::as_str).collect();
        assert!(names.len() > 400);
        assert!(names.is_sorted());
        assert!(names.iter().all(|name| !name.trim().is_empty()));
    }
}
