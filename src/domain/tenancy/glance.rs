//! What the overview counts, and which first steps an organization has put behind it.

use std::str::FromStr;

use crate::base::{ids::UserId, permission::Role};

/// Counts of people and what leads to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeopleCount {
    /// Members.
    pub members: i64,
    /// Teams.
    pub teams: i64,
    /// Invitations that can be accepted.
    pub open: i64,
    /// Those of them that end soon.
    pub ending: i64,
    /// Invitations that ran out and were neither sent again nor withdrawn.
    pub expired: i64,
    /// All invitations ever sent.
    pub invited: i64,
}

/// A member by name only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberName {
    /// The person.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their role here.
    pub role: Role,
}

/// How a first step was put behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepMark {
    /// It was done.
    Done,
    /// Somebody decided to go without it.
    Skipped,
}

impl StepMark {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
        }
    }
}

/// The text names no mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected done or skipped")]
pub struct NotAStepMark;

impl FromStr for StepMark {
    type Err = NotAStepMark;

    fn from_str(text: &str) -> Result<Self, NotAStepMark> {
        [Self::Done, Self::Skipped].into_iter().find(|mark| mark.as_str() == text).ok_or(NotAStepMark)
    }
}
