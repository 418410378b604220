//! Keys of the object being read: whether one came before, in the same or in another case.

use std::{borrow::Cow, collections::HashSet, ops::Range};

use crate::protocol::mcp::strict::{chars::unescape, fault::Reason, role::Role};

/// From how many keys on an object is remembered in a set. Below, comparing is faster than hashing.
const FEW: usize = 24;

/// A member seen: where it stands, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) role: Role,
    /// Says quickly that two keys differ.
    pub(super) print: u32,
    has_escape: bool,
    /// The inside of the key.
    key: Range<usize>,
    value: Range<usize>,
}

impl Entry {
    /// The value's place.
    pub(super) fn value(&self) -> Range<usize> {
        self.value.clone()
    }

    /// Notes where the value turned out to be.
    pub(super) fn set_value(&mut self, place: Range<usize>) {
        self.value = place;
    }

    /// Whether the key says exactly this.
    pub(super) fn says(&self, text: &str, key: &str) -> bool {
        self.said(text) == key
    }

    fn said<'a>(&self, text: &'a str) -> Cow<'a, str> {
        said(&text[self.key.clone()], self.has_escape)
    }
}

/// What the inside of a key says.
pub(super) fn said(inner: &str, has_escape: bool) -> Cow<'_, str> {
    if has_escape { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) }
}

/// The object being read.
pub(super) struct Frame<'a> {
    pub(super) role: Role,
    /// Where its members begin among all entries.
    pub(super) base: usize,
    count: usize,
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> Frame<'a> {
    pub(super) const fn new(role: Role, base: usize) -> Self {
        Self { role, base, count: 0, many: None }
    }

    /// Takes a key in and answers which entry stands for its member; an object of many keys without a role has none.
    ///
    /// # Errors
    /// When a key before it, or a named one, is the same or differs only in case.
    pub(super) fn admit(
        &mut self,
        entries: &mut Vec<Entry>,
        text: &'a str,
        key: Range<usize>,
        said: Cow<'a, str>,
    ) -> Result<Option<usize>, Reason> {
        let print = print_of(&said);
        if self.role.has_variant(&said, print) {
            return Err(Reason::CaseVariant);
        }
        let has_escape = matches!(said, Cow::Owned(_));
        self.compare(&entries[self.base..], text, said, print)?;
        self.count += 1;
        if self.many.is_some() && self.role == Role::Other {
            return Ok(None);
        }
        entries.push(Entry { role: self.role, print, has_escape, key, value: 0..0 });
        Ok(Some(entries.len() - 1))
    }

    /// Compares a key with those before it.
    fn compare(
        &mut self,
        entries: &[Entry],
        text: &'a str,
        said: Cow<'a, str>,
        print: u32,
    ) -> Result<(), Reason> {
        if self.count >= FEW {
            let role = self.role;
            let own = entries.iter().filter(|entry| entry.role == role);
            let many =
                self.many.get_or_insert_with(|| own.map(|entry| form(role, entry.said(text))).collect());
            if many.insert(form(role, said.clone())) {
                return Ok(());
            }
            if role == Role::Other {
                return Err(Reason::DuplicateKey);
            }
        }
        for entry in entries {
            if entry.print != print || entry.role != self.role {
                continue;
            }
            let before = entry.said(text);
            if before == said {
                return Err(Reason::DuplicateKey);
            }
            if self.role == Role::Arguments && fold(&before) == fold(&said) {
                return Err(Reason::CaseVariant);
            }
        }
        Ok(())
    }
}

/// The form in which a key is remembered: arguments without regard to case.
fn form(role: Role, said: Cow<'_, str>) -> Cow<'_, str> {
    if role == Role::Arguments { Cow::Owned(fold(&said)) } else { said }
}

/// The key without regard to case, letter by letter, as readers that ignore case have it: by way of the capital, so that
/// all small letters of one capital are one, such as the long s and the sign of the Kelvin beside those of ASCII. A letter
/// that would become several stays as it is.
fn fold(key: &str) -> String {
    let fold = |c: char| match c {
        c if c.is_ascii() => c.to_ascii_lowercase(),
        c => one(c, one(c, c.to_uppercase()).to_lowercase()),
    };
    key.chars().map(fold).collect()
}

/// The one letter that others are, or the letter itself.
fn one(itself: char, mut others: impl Iterator<Item = char>) -> char {
    match (others.next(), others.next()) {
        (Some(one), None) => one,
        _ => itself,
    }
}

/// Whether the key is this name, but for case.
pub fn folds_to(key: &str, name: &str) -> bool {
    if key.is_ascii() && name.is_ascii() { key.eq_ignore_ascii_case(name) } else { fold(key) == fold(name) }
}

/// A number that is the same for keys that differ only in case.
fn print_of(key: &str) -> u32 {
    if key.is_ascii() { print(key.as_bytes()) } else { print(fold(key).as_bytes()) }
}

/// [`print_of`] for keys of ASCII: the length and three letters.
pub(super) const fn print(key: &[u8]) -> u32 {
    if key.is_empty() {
        return 0;
    }
    let last = key.len() - 1;
    let letters = [key[0] | 0x20, key[last / 2] | 0x20, key[last] | 0x20];
    u32::from_le_bytes([letters[0], letters[1], letters[2], (key.len() & 0xff) as u8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_letter_has_one_form() {
        for (one, other) in
            [("CLÉ", "clé"), ("ſtate", "State"), ("\u{212a}ey", "key"), ("ΣΑΣ", "σας"), ("ДА", "да")]
        {
            assert!(folds_to(one, other) && folds_to(other, one), "{one} {other}");
            assert_eq!(print_of(one), print_of(other), "{one} {other}");
        }
        for (one, other) in [("é", "è"), ("ß", "ss"), ("clé", "cle"), ("İ", "i")] {
            assert!(!folds_to(one, other) && !folds_to(other, one), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn keys_that_differ_only_in_case_have_one_print(key in "[a-zA-Z_/éſK]{0,12}") {
            let shout = key.to_ascii_uppercase();
            prop_assert_eq!(print_of(&key), print_of(&shout));
            prop_assert_eq!(print_of(&key), print_of(&fold(&key)));
            prop_assert!(folds_to(&key, &shout) && folds_to(&shout, &key));
        }
    }
}
