//! Names, descriptions and other short texts that people type.

const LONGEST_NAME: usize = 100;
const LONGEST_DESCRIPTION: usize = 500;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadName {
    #[error("enter a name")]
    Empty,
    #[error("use at most 100 characters")]
    TooLong,
    #[error("leave out line breaks and control characters")]
    Control,
}

/// Why a text is no description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadDescription {
    #[error("use at most 500 characters")]
    TooLong,
    #[error("leave out control characters")]
    Control,
}

/// A name of 1 to 100 characters on one line, without spaces around it.
pub(super) fn parse_name(text: &str) -> Result<String, BadName> {
    let text = text.trim();
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(BadName::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(BadName::Control);
    }
    Ok(text.to_owned())
}

/// A description of at most 500 characters, which may have several lines.
pub(super) fn parse_description(text: &str) -> Result<String, BadDescription> {
    let text = text.trim().replace("\r\n", "\n");
    if text.chars().count() > LONGEST_DESCRIPTION {
        return Err(BadDescription::TooLong);
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(BadDescription::Control);
    }
    Ok(text)
}

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
    fn names_and_descriptions_have_bounds() {
        assert_eq!(parse_name(" GitHub "), Ok("GitHub".to_owned()));
        assert_eq!(parse_name(" "), Err(BadName::Empty));
        assert_eq!(parse_name(&"ü".repeat(101)), Err(BadName::TooLong));
        assert_eq!(parse_name("a\nb"), Err(BadName::Control));
        assert_eq!(parse_description("a\r\nb"), Ok("a\nb".to_owned()));
        assert_eq!(parse_description(&"ü".repeat(501)), Err(BadDescription::TooLong));
        assert_eq!(parse_description("\u{1b}[31m"), Err(BadDescription::Control));
    }

    #[test]
    fn what_a_server_sends_is_made_storable() {
        assert_eq!(clipped("a\0b\nc", 4), "a b ");
        assert_eq!(storable("a\0b\nc", 9), "ab\nc");
    }
}
