//! Names and descriptions that people type for what they make.

const LONGEST_NAME: usize = 100;
const LONGEST_DESCRIPTION: usize = 500;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing is there.
    #[error("enter a name")]
    Empty,
    /// It is too long.
    #[error("use at most 100 characters")]
    TooLong,
    /// It holds something that cannot be shown on one line.
    #[error("leave out line breaks and control characters")]
    Control,
}

/// Why a text is no description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDescription {
    /// It is too long.
    #[error("use at most 500 characters")]
    TooLong,
    /// It holds something that cannot be shown.
    #[error("leave out control characters")]
    Control,
}

/// A name of 1 to 100 characters on one line, without spaces around it.
///
/// # Errors
/// When it is none.
pub fn parse_name(text: &str) -> Result<String, BadName> {
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
///
/// # Errors
/// When it is too long, or holds what cannot be shown.
pub fn parse_description(text: &str) -> Result<String, BadDescription> {
    let text = text.trim().replace("\r\n", "\n");
    if text.chars().count() > LONGEST_DESCRIPTION {
        return Err(BadDescription::TooLong);
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(BadDescription::Control);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(parse_name("  Nightly build "), Ok("Nightly build".to_owned()));
        assert!(parse_name(&"ü".repeat(100)).is_ok());
        assert_eq!(parse_name(&"ü".repeat(101)), Err(BadName::TooLong));
        assert_eq!(parse_name(" \t "), Err(BadName::Empty));
        assert_eq!(parse_name("a\nb"), Err(BadName::Control));
    }

    #[test]
    fn descriptions_may_have_lines() {
        assert_eq!(parse_description("a\r\nb\n"), Ok("a\nb".to_owned()));
        assert_eq!(parse_description(""), Ok(String::new()));
        assert_eq!(parse_description(&"x".repeat(501)), Err(BadDescription::TooLong));
        assert_eq!(parse_description("a\0"), Err(BadDescription::Control));
        assert_eq!(parse_description("\u{1b}[31m"), Err(BadDescription::Control));
    }
}
