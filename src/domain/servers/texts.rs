//! Texts that a server sent, made fit to be kept and shown.

/// The beginning of a text that a server sent, without what cannot be stored or shown on one line.
pub(super) fn clipped(text: &str, longest: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect()
}

/// A text of several lines that a server sent, without the one character that Postgres cannot keep.
pub(super) fn storable(text: &str, longest: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_sends_is_made_storable() {
        assert_eq!(clipped("a\0b\nc", 4), "a b ");
        assert_eq!(storable("a\0b\nc", 9), "ab\nc");
    }
}
