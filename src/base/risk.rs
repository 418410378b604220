//! How much harm a tool can do: its class, and how sure we are of it.
//!
//! A grant's ceiling and a tool's class are compared by the order of [`Class`], mildest first. What a careful policy does
//! with a tool is a [`Handling`], which follows from its class where nothing else is known.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a call of a tool does at worst, mildest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Class {
    /// Looks at things.
    Read,
    /// Makes or changes things.
    Write,
    /// Runs code or commands.
    Execute,
    /// Removes or overwrites what cannot be had back.
    Destructive,
    /// Moves money.
    Financial,
}

impl Class {
    /// All classes, mildest first.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Execute, Self::Destructive, Self::Financial];

    /// The name in the database, the API and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
            Self::Destructive => "destructive",
            Self::Financial => "financial",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Execute => "Execute",
            Self::Destructive => "Destructive",
            Self::Financial => "Financial",
        }
    }

    /// What tools of this class do, as the end of a sentence that begins with "They".
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Read => "look at things and change nothing",
            Self::Write => "make or change things",
            Self::Execute => "run code or commands",
            Self::Destructive => "remove or overwrite what cannot be had back",
            Self::Financial => "move money",
        }
    }

    /// What a careful policy does with tools of this class.
    pub const fn handling(self) -> Handling {
        match self {
            Self::Read => Handling::Allow,
            Self::Write => Handling::LimitWrites,
            Self::Execute => Handling::LimitExecutions,
            Self::Destructive => Handling::Hide,
            Self::Financial => Handling::Ask,
        }
    }

    /// Whether a ceiling lets tools of this class pass.
    pub fn is_within(self, ceiling: Self) -> bool {
        self <= ceiling
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a careful policy does with a tool, mildest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Handling {
    /// It lets every call pass.
    Allow,
    /// It lets as many calls pass as there should be of those that change things.
    LimitWrites,
    /// It lets as many calls pass as there should be of those that run something.
    LimitExecutions,
    /// It asks a human.
    Ask,
    /// It keeps the tool out of sight.
    Hide,
}

impl Handling {
    /// All of them, mildest first.
    pub const ALL: [Self; 5] = [Self::Allow, Self::LimitWrites, Self::LimitExecutions, Self::Ask, Self::Hide];

    /// The name in documents of the API and in data.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::LimitWrites => "limit_writes",
            Self::LimitExecutions => "limit_executions",
            Self::Ask => "ask",
            Self::Hide => "hide",
        }
    }
}

/// The text names no class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose read, write, execute, destructive or financial")]
pub struct NotAClass;

impl FromStr for Class {
    type Err = NotAClass;

    fn from_str(text: &str) -> Result<Self, NotAClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or(NotAClass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_a_ceiling_lets_milder_classes_pass() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
            assert!(Class::Read.is_within(class) && class.is_within(Class::Financial));
        }
        assert!(!Class::Destructive.is_within(Class::Write));
    }
}
