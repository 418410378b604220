//! What became of a change that says which version it was made from.

/// The outcome of an update with an expected version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update<T> {
    /// It happened; both states are for the record.
    Done {
        /// The row as it was.
        before: T,
        /// The row as it is.
        after: T,
    },
    /// Somebody changed the row first.
    Conflict {
        /// The row as they left it.
        current: T,
    },
    /// There is no such row.
    NotFound,
}

/// The outcome of a deletion with an expected version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal<T> {
    /// It happened.
    Done {
        /// The row as it was.
        was: T,
    },
    /// Somebody changed the row first.
    Conflict {
        /// The row as they left it.
        current: T,
    },
    /// There is no such row.
    NotFound,
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
