//! What the parts of a document mean, in words: for whoever does not read JSON.
//!
//! Nothing of a part is left out, so that two parts that decide differently are never said in the same words.

mod condition;
mod difference;
mod exception;
mod part;

pub use condition::{OPERATOR_WORDS, conditions};
pub use difference::{Difference, Effect, differences};
pub use exception::{Exception, ExceptionKind, duration, duration_code, exceptions, of_checks};
pub use part::part;

/// A piece of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bit {
    /// Words.
    Say(String),
    /// A name, a path or a value, as documents write it.
    Code(String),
}

/// A few words with the names and values among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phrase(pub Vec<Bit>);

impl Phrase {
    /// Begins with words.
    pub fn of(words: impl Into<String>) -> Self {
        Self::default().say(words)
    }

    /// Words more.
    #[must_use]
    pub fn say(mut self, words: impl Into<String>) -> Self {
        let words = words.into();
        match self.0.last_mut() {
            Some(Bit::Say(before)) => before.push_str(&words),
            _ => self.0.push(Bit::Say(words)),
        }
        self
    }

    /// A name, a path or a value more.
    #[must_use]
    pub fn code(mut self, text: impl Into<String>) -> Self {
        self.0.push(Bit::Code(text.into()));
        self
    }

    /// Another phrase more.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for bit in other.0 {
            self = match bit {
                Bit::Say(words) => self.say(words),
                Bit::Code(text) => self.code(text),
            };
        }
        self
    }

    /// Without marks, for a name that a screen reader says.
    pub fn plain(&self) -> String {
        let text = |bit: &Bit| match bit {
            Bit::Say(text) | Bit::Code(text) => text.clone(),
        };
        self.0.iter().map(text).collect()
    }
}

/// So many of something.
pub(super) fn counted(count: u32, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_behind_words_are_one_piece() {
        let phrase = Phrase::of("a ").say("b ").code("c").and(Phrase::default().code("d").say(" e"));
        let (say, code) = (|text: &str| Bit::Say(text.to_owned()), |text: &str| Bit::Code(text.to_owned()));
        assert_eq!(phrase, Phrase(vec![say("a b "), code("c"), code("d"), say(" e")]));
        assert_eq!(phrase.plain(), "a b cd e");
        assert_eq!((counted(1, "day"), counted(2, "day")), ("1 day".to_owned(), "2 days".to_owned()));
    }
}
