//! What a secret is called, by whoever keeps it and by whoever asks for it.

use std::{fmt, str::FromStr};

const LONGEST_NAME: usize = 100;

/// What a secret is called: a name that credential maps and scripts can say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no name of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecretName {
    /// Nothing is there.
    #[error("enter a name, such as github_token")]
    Empty,
    /// It is too long.
    #[error("use at most {LONGEST_NAME} characters")]
    TooLong,
    /// It holds something else.
    #[error("use only a to z, 0 to 9 and the marks _ . - and begin with a letter or digit")]
    Form,
}

impl FromStr for SecretName {
    type Err = BadSecretName;

    fn from_str(text: &str) -> Result<Self, BadSecretName> {
        let text = text.trim();
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let first = *text.as_bytes().first().ok_or(BadSecretName::Empty)?;
        if text.chars().count() > LONGEST_NAME {
            return Err(BadSecretName::TooLong);
        }
        if is_plain(first) && text.bytes().all(|b| is_plain(b) || b"_.-".contains(&b)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadSecretName::Form)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_maps_and_scripts_can_say() {
        assert_eq!(
            " github_token ".parse::<SecretName>().map(|name| name.to_string()),
            Ok("github_token".into())
        );
        assert!("0.a-b_c".parse::<SecretName>().is_ok());
        for bad in ["_a", "-a", ".a", "A", "a b", "a/b", "ü", "a\nb", "a\0b"] {
            assert_eq!(bad.parse::<SecretName>(), Err(BadSecretName::Form), "{bad:?}");
        }
        assert_eq!("  ".parse::<SecretName>(), Err(BadSecretName::Empty));
        assert_eq!("a".repeat(101).parse::<SecretName>(), Err(BadSecretName::TooLong));
        assert!("a".repeat(100).parse::<SecretName>().is_ok());
    }
}
