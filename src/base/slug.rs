//! Short names for URLs.

use std::{fmt, str::FromStr};

/// A lower-case name for a URL: letters, digits and single hyphens, 2 to 40 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(String);

/// Why a text is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASlug {
    /// Outside 2 to 40 characters.
    #[error("use 2 to 40 characters")]
    Length,
    /// Something other than a to z, 0 to 9 and hyphen.
    #[error("use only a to z, 0 to 9 and hyphens")]
    Letter,
    /// A hyphen at an end, or two in a row.
    #[error("a hyphen stands between two letters or digits")]
    Hyphen,
    /// The shape of an id.
    #[error("choose a name that does not look like an id")]
    LooksLikeId,
}

impl Slug {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest slug to a free text, or `fallback` where nothing usable is left.
    pub fn suggest(text: &str, fallback: &str) -> String {
        let mut slug = String::new();
        for c in text.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(40);
        let slug = slug.trim_end_matches('-');
        if slug.len() < 2 { fallback.to_owned() } else { slug.to_owned() }
    }
}

impl FromStr for Slug {
    type Err = NotASlug;

    fn from_str(text: &str) -> Result<Self, NotASlug> {
        if !(2..=40).contains(&text.len()) {
            return Err(NotASlug::Length);
        }
        if text.as_bytes().get(3) == Some(&b'_') {
            return Err(NotASlug::LooksLikeId);
        }
        if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(NotASlug::Letter);
        }
        if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
            return Err(NotASlug::Hyphen);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_suggestion_is_a_slug(text in ".{0,60}") {
            prop_assert!(Slug::suggest(&text, "team").parse::<Slug>().is_ok());
        }
    }

    #[test]
    fn bad_slugs_say_why() {
        for (text, why) in [
            ("a", NotASlug::Length),
            ("Acme", NotASlug::Letter),
            ("a--b", NotASlug::Hyphen),
            ("-ab", NotASlug::Hyphen),
            ("org_x", NotASlug::LooksLikeId),
        ] {
            assert_eq!(text.parse::<Slug>(), Err(why), "{text}");
        }
    }
}
