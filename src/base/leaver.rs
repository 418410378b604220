//! What ends when a person leaves an organization: each part names its things, so that one page lists them
//! all.

/// One kind of thing that a leaver has, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaverItem {
    /// The thing, in the plural, as a page names it: "open invitations".
    pub noun: &'static str,
    /// How many the person has.
    pub count: i64,
    /// What happens to them, as the end of a sentence: "are withdrawn".
    pub what_happens: &'static str,
}
