//! How a change to a row that others may change too ended.

/// The outcome of a change that expected a certain version of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T = ()> {
    /// Done; for most changes with the row's new version.
    Changed(T),
    /// The row is there but not as the caller saw it: somebody else was first.
    Stale,
    /// No such row in this organization.
    Missing,
}

impl<T> Outcome<T> {
    /// The same outcome about something else.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Changed(value) => Outcome::Changed(f(value)),
            Self::Stale => Outcome::Stale,
            Self::Missing => Outcome::Missing,
        }
    }
}
