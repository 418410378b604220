//! The one strict scan of a body.
//!
//! Owns what counts as one unambiguous JSON text: UTF-8, one value and nothing behind it, no key twice in an object
//! at any depth, no key that only case tells apart from one we act on, no lone surrogate, no number beyond a double,
//! and bounds on length, depth, keys and numbers. Deliberately lacks a tree: it keeps the members of the few objects
//! that a message is read by, and everything else stays text.

pub mod chars;
mod fault;
mod keys;
pub mod role;
mod scanner;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::protocol::mcp::{
    raw::Raw,
    strict::{keys::Entry, role::Role, scanner::Scanner},
};

pub use crate::protocol::mcp::strict::fault::{Fault, Reason};
pub use crate::protocol::mcp::strict::keys::folds_to;

/// How much of everything a text may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole text; never more than 4 GiB.
    pub bytes: usize,
    /// Containers inside each other.
    pub depth: u32,
    /// Bytes of one key, as written.
    pub key: usize,
    /// Bytes of one number, as written.
    pub number: usize,
}

impl Limits {
    /// The usual bounds with another length of the whole.
    pub const fn of(bytes: usize) -> Self {
        Self { bytes, depth: 64, key: 1024, number: 128 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(4 << 20)
    }
}

/// A text that passed the scan, and the members of the objects that messages are read by.
#[derive(Clone, Debug)]
pub struct Outline<'a> {
    text: &'a str,
    root: Range<usize>,
    entries: Vec<Entry>,
}

impl<'a> Outline<'a> {
    /// The whole value, without the spaces around it.
    pub fn root(&self) -> Raw<'a> {
        self.cut(self.root.clone())
    }

    /// The value of a key of the object that plays this role, where there is one.
    pub fn get(&self, role: Role, key: &str) -> Option<Raw<'a>> {
        let print = keys::print(key.as_bytes());
        let is_it = |entry: &&Entry| entry.role == role && entry.print == print && entry.says(self.text, key);
        self.entries.iter().find(is_it).map(|entry| self.cut(entry.value()))
    }

    fn cut(&self, place: Range<usize>) -> Raw<'a> {
        Raw::new(&self.text[place.clone()], place.start)
    }
}

/// Scans the body of a message.
///
/// # Errors
/// With the first reason why it is not one unambiguous JSON text, and where; an array is refused as a batch.
pub fn scan<'a>(body: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Fault> {
    let mut scanner = Scanner::new(body, limits)?;
    let root = scanner.whole(Role::Envelope)?;
    Ok(Outline { text: scanner.text, root, entries: scanner.entries })
}

/// Scans any JSON text by the same rules, such as one that was kept; arrays are welcome, and no key is a named one.
///
/// # Errors
/// As for [`scan`].
pub fn check<'a>(text: &'a [u8], limits: &Limits) -> Result<Raw<'a>, Fault> {
    let mut scanner = Scanner::new(text, limits)?;
    let place = scanner.whole(Role::Other)?;
    Ok(Raw::new(&scanner.text[place.clone()], place.start))
}
