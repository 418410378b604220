//! A person: one login, member of any number of organizations.

use std::{fmt, str::FromStr};

use time::OffsetDateTime;

use crate::{
    base::{
        email::Email,
        ids::{OrgId, UserId},
    },
    domain::identity::zones::TimeZone,
};

/// A person as stored.
#[derive(Clone, Debug)]
pub struct User {
    /// The person's id.
    pub id: UserId,
    /// The address they sign in with.
    pub email: Email,
    /// What they are called.
    pub name: PersonName,
    /// When the address was proven; never for an address only claimed.
    pub email_verified_at: Option<OffsetDateTime>,
    /// Whether they can sign in by password.
    pub has_password: bool,
    /// When the password was last set by the person.
    pub password_changed_at: Option<OffsetDateTime>,
    /// Whether they run this installation.
    pub is_operator: bool,
    /// Light, dark, or as the browser says.
    pub theme: Theme,
    /// Where their clock stands.
    pub time_zone: TimeZone,
    /// Whether single keys act in the console.
    pub shortcuts: Shortcuts,
    /// The organization they looked at last.
    pub last_org: Option<OrgId>,
    /// When they were shut out of the installation.
    pub disabled_at: Option<OffsetDateTime>,
    /// When they signed up.
    pub created_at: OffsetDateTime,
    /// When anything above last changed.
    pub updated_at: OffsetDateTime,
    /// Grows with every change; a second writer must name the one they saw.
    pub version: i64,
}

impl User {
    /// Whether the address is proven.
    pub const fn is_verified(&self) -> bool {
        self.email_verified_at.is_some()
    }

    /// Whether the person is shut out.
    pub const fn is_disabled(&self) -> bool {
        self.disabled_at.is_some()
    }
}

/// What is needed to make a person.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The address they sign in with.
    pub email: Email,
    /// What they are called.
    pub name: PersonName,
    /// Whether the address is already proven, by a letter's link or by the one who holds the machine.
    pub standing: EmailStanding,
    /// Whether they run this installation.
    pub rank: Rank,
}

/// Whether an address is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailStanding {
    /// Only said so far.
    Claimed,
    /// Proven.
    Verified,
}

/// Whether a person runs the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Anybody.
    Ordinary,
    /// Sees the operator's pages.
    Operator,
}

/// What a person chooses about themselves, all at once as the profile form sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What they are called.
    pub name: PersonName,
    /// Light, dark, or as the browser says.
    pub theme: Theme,
    /// Where their clock stands.
    pub time_zone: TimeZone,
    /// Whether single keys act in the console.
    pub shortcuts: Shortcuts,
}

/// How the console is lit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the browser says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The text names no theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose system, light or dark")]
pub struct NotATheme;

impl FromStr for Theme {
    type Err = NotATheme;

    fn from_str(text: &str) -> Result<Self, NotATheme> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text).ok_or(NotATheme)
    }
}

/// Whether single keys act in the console (WCAG 2.2, 2.1.4 asks that they can be switched off).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shortcuts {
    /// They act.
    #[default]
    On,
    /// They do not.
    Off,
}

impl Shortcuts {
    /// Whether they act.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

impl From<bool> for Shortcuts {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// What a person is called: 1 to 100 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonName(String);

/// The text cannot be a person's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// Nothing but blanks.
    #[error("enter a name")]
    Empty,
    /// More than the limit.
    #[error("use at most {0} characters")]
    TooLong(usize),
    /// A line break, or a character that turns the direction of the text around it.
    #[error("use letters and signs on one line only")]
    Unprintable,
}

impl PersonName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PersonName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        tidy(text, 100).map(Self)
    }
}

/// One line of visible text, without blanks around it, of at most `max` characters.
pub(super) fn tidy(text: &str, max: usize) -> Result<String, NotAName> {
    let text = text.trim();
    // Bidirectional controls could make one name read like another (Unicode TR 36, 3.2).
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.is_empty() {
        Err(NotAName::Empty)
    } else if text.chars().count() > max {
        Err(NotAName::TooLong(max))
    } else if text.chars().any(|c| c.is_control() || turns(c) || matches!(c, '\u{2028}' | '\u{2029}')) {
        Err(NotAName::Unprintable)
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_without_blanks_around_it() {
        assert_eq!("  Ada Lovelace ".parse::<PersonName>().unwrap().as_str(), "Ada Lovelace");
        assert_eq!("Ж".repeat(100).parse::<PersonName>().unwrap().as_str().chars().count(), 100);
        assert_eq!(" \t ".parse::<PersonName>(), Err(NotAName::Empty));
        assert_eq!("x".repeat(101).parse::<PersonName>(), Err(NotAName::TooLong(100)));
        assert_eq!("Ada\nLovelace".parse::<PersonName>(), Err(NotAName::Unprintable));
        assert_eq!("Ada\u{202e}ecalevoL".parse::<PersonName>(), Err(NotAName::Unprintable));
    }

    #[test]
    fn a_theme_reads_back_as_it_is_written() {
        for theme in Theme::ALL {
            assert_eq!(theme.as_str().parse(), Ok(theme));
        }
        assert_eq!("Dark".parse::<Theme>(), Err(NotATheme));
    }
}
