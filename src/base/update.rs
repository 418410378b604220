//! What became of a change that says which version it was made from.

/// The outcome of a change that expected a certain version of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Update<T = ()> {
    /// It happened; with the row's new version, the row that went, or a [`Change`].
    Done(T),
    /// The row is there but not as the caller saw it: somebody else was first.
    Conflict,
    /// There is no such row.
    NotFound,
}

/// A row before and after a change, for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// The row as it was.
    pub before: T,
    /// The row as it is.
    pub after: T,
}

impl<T> Update<T> {
    /// The same outcome about something else.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Update<U> {
        match self {
            Self::Done(value) => Update::Done(f(value)),
            Self::Conflict => Update::Conflict,
            Self::NotFound => Update::NotFound,
        }
    }
}

impl<T: Clone> Change<T> {
    /// Nothing was to be done: the row stands as the change wants it.
    pub fn none(row: T) -> Self {
        Self { before: row.clone(), after: row }
    }
}

/// Whether a change made from version `expected` may still be applied; `None` means from any version.
pub fn is_current(expected: Option<i64>, version: i64) -> bool {
    expected.is_none_or(|expected| expected == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_seen_or_none_is_current() {
        assert!(is_current(None, 3));
        assert!(is_current(Some(3), 3));
        assert!(!is_current(Some(2), 3));
    }
}
