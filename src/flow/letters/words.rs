//! Words that enter a letter from outside, made harmless once.

use std::fmt;

use time::{OffsetDateTime, UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

/// How long such a line may be, in characters.
const LENGTH: usize = 120;

/// One line of text that a person or a program gave: a name, a device, an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Turns every run of white space and control characters into one space, drops characters that are invisible or
    /// reverse the reading direction, and cuts what is too long.
    pub fn of(text: impl AsRef<str>) -> Self {
        let visible = |c: &char| !is_deceptive(*c);
        let spaced: String =
            text.as_ref().chars().filter(visible).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() <= LENGTH {
            return Self(line);
        }
        Self(line.chars().take(LENGTH - 1).chain(['…']).collect())
    }
}

/// Unicode's invisible format characters that have no place in a name: marks and overrides of direction, zero widths
/// other than the joiners that scripts and emoji need, line separators, tags.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

impl<T: AsRef<str>> From<T> for Line {
    fn from(text: T) -> Self {
        Self::of(text)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");

/// A moment as a letter tells it: in UTC, because a letter does not know where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(OffsetDateTime);

impl From<OffsetDateTime> for Moment {
    fn from(at: OffsetDateTime) -> Self {
        Self(at)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_offset(UtcOffset::UTC).format(MOMENT).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_line_stays_one_line_and_reads_in_one_direction() {
        assert_eq!(
            Line::of("  Ada\r\nBcc: x@y.example\t Lovelace ").to_string(),
            "Ada Bcc: x@y.example Lovelace"
        );
        assert_eq!(Line::of("safe\u{202e}gpj.exe\u{2028}next").to_string(), "safegpj.exe next");
        assert_eq!(Line::of("👩\u{200d}💻 Łucja").to_string(), "👩\u{200d}💻 Łucja");
        let long = Line::of("x".repeat(500)).to_string();
        assert_eq!((long.chars().count(), long.ends_with('…')), (LENGTH, true));
    }

    #[test]
    fn a_moment_is_told_in_utc() {
        assert_eq!(Moment::from(datetime!(2026-11-03 01:05 +2)).to_string(), "2 November 2026, 23:05 UTC");
    }

    proptest! {
        #[test]
        fn no_line_holds_a_break(text in any::<String>()) {
            let line = Line::of(&text).to_string();
            let broken = line.chars().any(|c| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c));
            prop_assert!(!broken);
            prop_assert!(line.chars().count() <= LENGTH);
        }
    }
}
