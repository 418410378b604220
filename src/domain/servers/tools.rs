//! One tool of a server, and what people decided about it.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{ids::UserId, risk::Class},
    domain::servers::Fingerprint,
};

/// The name of a tool as its server gives it: 1 to 256 visible characters.
///
/// Wider than the protocol's advice, for servers in the field do not all follow it; [`ToolName::oddity`] says where
/// one does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolName(Arc<str>);

/// The text cannot name a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tool's name has 1 to 256 visible characters")]
pub struct NotAToolName;

impl ToolName {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, to keep.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// What is unusual about the name; `None` for one of 1 to 128 of `[A-Za-z0-9_.-/]`.
    pub fn oddity(&self) -> Option<&'static str> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        if !self.0.is_ascii() {
            Some("The name holds letters outside ASCII, some of which look like others.")
        } else if !self.0.chars().all(is_plain) {
            Some("The name holds characters that some clients refuse.")
        } else if self.0.len() > 128 {
            Some("The name is longer than 128 characters, which some clients refuse.")
        } else {
            None
        }
    }
}

impl FromStr for ToolName {
    type Err = NotAToolName;

    fn from_str(text: &str) -> Result<Self, NotAToolName> {
        let is_hidden = |c: char| {
            c.is_control()
                || c.is_whitespace()
                || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
                || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}')
        };
        let has_length = (1..=256).contains(&text.chars().count());
        if has_length && !text.chars().any(is_hidden) { Ok(Self(text.into())) } else { Err(NotAToolName) }
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a tool stands between being seen and being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ToolState {
    /// Nobody looked at it yet.
    New,
    /// It is as a person accepted it.
    Reviewed,
    /// It differs from what a person accepted.
    Changed,
    /// A person refused it as it is.
    Refused,
    /// The server no longer offers it.
    Gone,
}

impl ToolState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::New, Self::Reviewed, Self::Changed, Self::Refused, Self::Gone];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Reviewed => "reviewed",
            Self::Changed => "changed",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Reviewed => "Reviewed",
            Self::Changed => "Changed",
            Self::Refused => "Refused",
            Self::Gone => "Gone",
        }
    }

    /// Whether a person should look at it.
    pub const fn waits(self) -> bool {
        matches!(self, Self::New | Self::Changed)
    }

    /// The state of a tool that is offered with digest `seen`, after these decisions.
    pub fn of(seen: Fingerprint, accepted: Option<Fingerprint>, refused: Option<Fingerprint>) -> Self {
        if refused == Some(seen) {
            Self::Refused
        } else if accepted == Some(seen) {
            Self::Reviewed
        } else if accepted.is_some() {
            Self::Changed
        } else {
            Self::New
        }
    }
}

/// The text names no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose new, reviewed, changed, refused or gone")]
pub struct NotAToolState;

impl FromStr for ToolState {
    type Err = NotAToolState;

    fn from_str(text: &str) -> Result<Self, NotAToolState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAToolState)
    }
}

/// How much a thing matters, mildest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Severity {
    /// Look when you have time.
    Low,
    /// Look before you go on.
    Medium,
    /// Look closely.
    High,
}

impl Severity {
    /// All severities, mildest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// How much a class matters by itself.
    pub const fn of(class: Class) -> Self {
        match class {
            Class::Read => Self::Low,
            Class::Write => Self::Medium,
            Class::Execute | Class::Destructive | Class::Financial => Self::High,
        }
    }

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The text names no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose low, medium or high")]
pub struct NotASeverity;

impl FromStr for Severity {
    type Err = NotASeverity;

    fn from_str(text: &str) -> Result<Self, NotASeverity> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == text).ok_or(NotASeverity)
    }
}

/// Who or what chose a tool's class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ClassBy {
    /// Its name, its arguments, or the lack of any sign.
    Rule,
    /// Its own hints.
    Annotation,
    /// A person.
    Admin,
}

impl ClassBy {
    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Annotation => "annotation",
            Self::Admin => "admin",
        }
    }
}

/// The text names nobody who chooses a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a class is chosen by rule, annotation or admin")]
pub struct NotAClassBy;

impl FromStr for ClassBy {
    type Err = NotAClassBy;

    fn from_str(text: &str) -> Result<Self, NotAClassBy> {
        [Self::Rule, Self::Annotation, Self::Admin]
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or(NotAClassBy)
    }
}

/// A tool as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: ToolName,
    /// Its name for people, as the server gives it.
    pub title: Option<String>,
    /// The exact wire object as last seen.
    pub definition: Arc<str>,
    /// The digest of it.
    pub fingerprint: Fingerprint,
    /// The wire object that a person accepted.
    pub accepted_definition: Option<Arc<str>>,
    /// The digest of that.
    pub accepted_fingerprint: Option<Fingerprint>,
    /// The digest of a definition that a caller was shown in place of this one, and when.
    pub variant: Option<(Fingerprint, OffsetDateTime)>,
    /// Where it stands.
    pub state: ToolState,
    /// What it does at worst.
    pub class: Class,
    /// How much that matters.
    pub severity: Severity,
    /// Why it has that class.
    pub class_reason: String,
    /// Who or what chose the class.
    pub class_by: ClassBy,
    /// Whether agents may see and call it at all.
    pub is_enabled: bool,
    /// Scopes that a connected account needs for it.
    pub required_scopes: Vec<String>,
    /// When it was first offered.
    pub first_seen_at: OffsetDateTime,
    /// When it was last offered.
    pub seen_at: OffsetDateTime,
    /// When a person last accepted or refused it.
    pub reviewed_at: Option<OffsetDateTime>,
    /// Who did.
    pub reviewed_by: Option<UserId>,
    /// Rises with every change.
    pub version: i64,
}

/// What a person changes about a tool; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolChange {
    /// Another class, and why.
    pub class: Option<(Class, String)>,
    /// Back to the class that rules and hints give.
    pub resets_class: bool,
    /// Whether agents may see and call it.
    pub enabled: Option<bool>,
    /// Scopes that a connected account needs.
    pub required_scopes: Option<Vec<String>>,
}

/// Which tools a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolFilter {
    /// Part of the name or title.
    pub search: Option<String>,
    /// Only those in this state.
    pub state: Option<ToolState>,
    /// Only those of this class.
    pub class: Option<Class>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for state in ToolState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for severity in Severity::ALL {
            assert_eq!(severity.as_str().parse(), Ok(severity));
        }
        for by in [ClassBy::Rule, ClassBy::Annotation, ClassBy::Admin] {
            assert_eq!(by.as_str().parse(), Ok(by));
        }
    }

    #[test]
    fn a_tools_name_is_visible_and_odd_ones_are_told() {
        for name in ["get_issue", "repos/list.v2", "A-1"] {
            assert_eq!(name.parse::<ToolName>().expect(name).oddity(), None);
        }
        for name in ["получить", "get:issue", "a".repeat(129).as_str()] {
            assert!(name.parse::<ToolName>().expect(name).oddity().is_some());
        }
        for name in ["", "a b", "a\u{200b}b", "a\u{202e}b", "a\0", "a".repeat(257).as_str()] {
            assert_eq!(name.parse::<ToolName>(), Err(NotAToolName), "{name:?}");
        }
    }

    #[test]
    fn a_state_follows_from_what_is_seen_and_what_was_decided() {
        let [a, b, c] = [1, 2, 3].map(|n| Fingerprint([n; 32]));
        assert_eq!(ToolState::of(a, None, None), ToolState::New);
        assert_eq!(ToolState::of(a, Some(a), None), ToolState::Reviewed);
        assert_eq!(ToolState::of(b, Some(a), None), ToolState::Changed);
        assert_eq!(ToolState::of(b, Some(a), Some(b)), ToolState::Refused);
        assert_eq!(ToolState::of(a, Some(a), Some(a)), ToolState::Refused);
        assert_eq!(ToolState::of(c, Some(a), Some(b)), ToolState::Changed);
        assert_eq!(ToolState::of(c, None, Some(b)), ToolState::New);
    }
}
