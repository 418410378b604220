//! Which tools a key of a document is about: one by its name, those of a glob, or those of a class.

use std::fmt;

use crate::base::risk::Class;

/// Which tools.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// The one of this name.
    Exact(String),
    /// Those whose name a text with `*` for anything fits.
    Glob(String),
    /// Those of a class.
    Class(Class),
}

/// Why a text names no tools.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPattern {
    /// Nothing, or too much.
    #[error("a tool's name has 1 to 256 characters")]
    Length,
    /// A class that is none.
    #[error("there is no class {0}; choose read, write, execute, destructive or financial")]
    Class(String),
}

impl Pattern {
    /// Reads a key.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, NotAPattern> {
        if text.is_empty() || text.chars().count() > 256 {
            return Err(NotAPattern::Length);
        }
        if let Some(class) = text.strip_prefix("class:") {
            let class = class.parse().map_err(|_| NotAPattern::Class(class.chars().take(40).collect()))?;
            return Ok(Self::Class(class));
        }
        let text = text.to_owned();
        Ok(if text.contains('*') { Self::Glob(text) } else { Self::Exact(text) })
    }

    /// Whether a tool is one of these.
    pub fn is_about(&self, tool: &str, class: Class) -> bool {
        match self {
            Self::Exact(name) => name == tool,
            Self::Glob(glob) => fits(glob, tool),
            Self::Class(of) => *of == class,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) | Self::Glob(text) => f.write_str(text),
            Self::Class(class) => write!(f, "class:{class}"),
        }
    }
}

/// Whether a text fits a glob, in which `*` stands for any number of characters. Takes time by the sum of their lengths:
/// what stands between two stars is looked for once, for the first place that it is found at leaves the most behind it.
pub fn fits(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == text };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut left) = text.strip_prefix(start).and_then(|text| text.strip_suffix(end)) else {
        return false;
    };
    for part in middle.split('*') {
        let Some((_, behind)) = left.split_once(part) else { return false };
        left = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_whole_names() {
        for (glob, text) in [
            ("*", ""),
            ("*", "a"),
            ("get_*", "get_issue"),
            ("*_a*b", "x_a_ab"),
            ("a*a", "aa"),
            ("**", "é"),
            ("a", "a"),
            ("a*b*c*d", "abbcbcd"),
            ("*a**b*", "ab"),
        ] {
            assert!(fits(glob, text), "{glob} {text}");
        }
        for (glob, text) in [
            ("get_*", "forget_x"),
            ("a*a", "a"),
            ("*b", "abc"),
            ("", "a"),
            ("a", ""),
            ("a*b*c", "acb"),
            ("a*bc*cd", "abcd"),
            ("*b*b*", "abc"),
        ] {
            assert!(!fits(glob, text), "{glob} {text}");
        }
        assert!(!fits(&"*a".repeat(50), &"b".repeat(10_000)));
    }

    #[test]
    fn keys_are_names_globs_or_classes() {
        assert_eq!(Pattern::parse("get"), Ok(Pattern::Exact("get".into())));
        assert_eq!(Pattern::parse("get*"), Ok(Pattern::Glob("get*".into())));
        assert_eq!(Pattern::parse("class:write"), Ok(Pattern::Class(Class::Write)));
        assert_eq!(Pattern::parse("class:writes"), Err(NotAPattern::Class("writes".into())));
        assert_eq!(Pattern::parse(""), Err(NotAPattern::Length));
        assert_eq!(Pattern::parse("class:read").map(|pattern| pattern.to_string()), Ok("class:read".into()));
        for (text, tool, is_about) in [
            ("class:write", "x", false),
            ("class:read", "x", true),
            ("x", "x", true),
            ("y", "x", false),
            ("x*", "xy", true),
            ("y*", "xy", false),
        ] {
            let pattern = Pattern::parse(text).expect("a pattern");
            assert_eq!(pattern.is_about(tool, Class::Read), is_about, "{text}");
        }
        assert!(Pattern::parse(&"é".repeat(256)).is_ok());
        assert_eq!(Pattern::parse(&"x".repeat(257)), Err(NotAPattern::Length));
    }
}
