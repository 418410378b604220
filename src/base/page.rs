//! Keyset paging: a page of rows and where the next one starts.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// How many rows a list returns when nobody says.
pub const DEFAULT_LIMIT: u16 = 50;
/// How many rows a list returns at the most.
pub const MAX_LIMIT: u16 = 200;

/// What a caller asks of a list.
#[derive(Clone, Debug)]
pub struct PageRequest<K> {
    /// How many rows at the most.
    pub limit: u16,
    /// The key of the last row seen, where the caller goes on.
    pub after: Option<K>,
}

impl<K> PageRequest<K> {
    /// The first page of the default size.
    pub const fn first() -> Self {
        Self { limit: DEFAULT_LIMIT, after: None }
    }

    /// One more than the limit, so that a store can tell whether more follows.
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

impl<K: DeserializeOwned> PageRequest<K> {
    /// Reads the query parameters `limit` and `cursor`.
    ///
    /// # Errors
    /// When the limit is outside 1 to 200 or the cursor is not one of ours.
    pub fn parse(limit: Option<u16>, cursor: Option<&str>) -> Result<Self, BadPage> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(BadPage::Limit);
        }
        let after = match cursor {
            None | Some("") => None,
            Some(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadPage::Cursor)?;
                Some(serde_json::from_slice(&bytes).map_err(|_| BadPage::Cursor)?)
            }
        };
        Ok(Self { limit, after })
    }
}

/// Why a page cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPage {
    /// The limit is out of range.
    #[error("limit is a number from 1 to 200")]
    Limit,
    /// The cursor was not made by this list.
    #[error("cursor is not one that this list gave; start again without it")]
    Cursor,
}

/// The text of a key, as callers send it back.
pub fn cursor(key: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("a key of plain values serializes"))
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts the surplus row that [`PageRequest::fetch`] asked for and makes the cursor from the last row kept.
    pub fn cut<K: Serialize>(mut items: Vec<T>, limit: u16, key: impl Fn(&T) -> K) -> Self {
        let more = items.len() > usize::from(limit);
        items.truncate(usize::from(limit));
        let next = items.last().filter(|_| more).map(|last| cursor(&key(last)));
        Self { items, next }
    }

    /// The same page of other things.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_is_refused() {
        let page = Page::cut(vec![1u32, 2, 3], 2, |n| *n);
        assert_eq!(page.items, [1, 2]);
        let next = PageRequest::<u32>::parse(None, page.next.as_deref()).expect("our own cursor");
        assert_eq!(next.after, Some(2));
        assert_eq!(PageRequest::<u32>::parse(None, Some("x")).err(), Some(BadPage::Cursor));
        assert_eq!(PageRequest::<u32>::parse(Some(0), None).err(), Some(BadPage::Limit));
        assert_eq!(PageRequest::<u32>::parse(Some(201), None).err(), Some(BadPage::Limit));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        assert_eq!(Page::cut(vec![1u32, 2], 2, |n| *n).next, None);
    }
}
