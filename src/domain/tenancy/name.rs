//! Names and descriptions that people give to organizations and teams.

use std::{fmt, str::FromStr};

/// A display name: 1 to 100 characters on one line, at least one of them visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// Nothing to see.
    #[error("enter a name")]
    Empty,
    /// Over 100 characters.
    #[error("use at most 100 characters")]
    Length,
    /// A character that would disturb the text around the name.
    #[error("use only printable characters on one line")]
    Letter,
}

/// A text of at most 500 characters, which may be empty and may have lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description(String);

/// Why a text is no description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADescription {
    /// Over 500 characters.
    #[error("use at most 500 characters")]
    Length,
    /// A character that cannot be shown.
    #[error("use only printable characters")]
    Letter,
}

/// Controls, and marks that turn the direction of, or hide in, the text around them: names stand in letters
/// to people who do not know the sender.
fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Joiners and variation selectors, which are seen only beside another character.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

impl Name {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let text = text.trim();
        if text.chars().any(is_disturbing) {
            return Err(NotAName::Letter);
        }
        if text.chars().all(|c| c.is_whitespace() || is_joiner(c)) {
            return Err(NotAName::Empty);
        }
        if text.chars().count() > 100 {
            return Err(NotAName::Length);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Description {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Description {
    type Err = NotADescription;

    fn from_str(text: &str) -> Result<Self, NotADescription> {
        // Browsers send the lines of a text area with CR LF (HTML, section 4.10.22.5).
        let text = text.trim().replace("\r\n", "\n");
        if text.chars().any(|c| c != '\n' && is_disturbing(c)) {
            return Err(NotADescription::Letter);
        }
        if text.chars().count() > 500 {
            return Err(NotADescription::Length);
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_parse_or_say_why() {
        for (text, wanted) in [
            ("  Acme & Sons ", Ok("Acme & Sons")),
            ("Ünïcode 漢字 👩\u{200d}🚀", Ok("Ünïcode 漢字 👩\u{200d}🚀")),
            ("", Err(NotAName::Empty)),
            (" \t ", Err(NotAName::Empty)),
            ("\u{200d}", Err(NotAName::Empty)),
            ("a\nb", Err(NotAName::Letter)),
            ("a\0b", Err(NotAName::Letter)),
            ("evil\u{202e}moc", Err(NotAName::Letter)),
        ] {
            assert_eq!(text.parse::<Name>().as_ref().map(Name::as_str), wanted.as_ref().copied(), "{text:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!("ü".repeat(100).parse::<Name>().is_ok());
        assert_eq!("ü".repeat(101).parse::<Name>(), Err(NotAName::Length));
        assert!("ü".repeat(500).parse::<Description>().is_ok());
        assert_eq!("ü".repeat(501).parse::<Description>(), Err(NotADescription::Length));
    }

    #[test]
    fn a_description_may_have_lines_or_be_empty() {
        assert_eq!("one\r\ntwo".parse::<Description>().expect("lines").as_str(), "one\ntwo");
        assert_eq!("  ".parse::<Description>(), Ok(Description::default()));
        assert_eq!("a\0".parse::<Description>(), Err(NotADescription::Letter));
    }

    proptest! {
        #[test]
        fn a_name_that_parsed_is_accepted_by_the_schema_and_parses_again(text in ".{0,120}") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert!((1..=100).contains(&name.as_str().chars().count()));
                prop_assert!(!name.as_str().contains('\0'));
                prop_assert_eq!(name.as_str().parse::<Name>(), Ok(name));
            }
        }
    }
}
