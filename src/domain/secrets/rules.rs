//! What a secret may be called, and what its value may be.

use std::{fmt, str::FromStr};

use time::Duration;

use crate::base::{faults::Faults, wording::parse_description};

/// How many secrets the organization, one team or one person may keep.
pub const MOST_OF_ONE: i64 = 200;
/// The longest time after which a new value can be asked for, in days.
pub const LONGEST_DAYS: i32 = 3650;
/// After how long without use a secret is pointed out.
pub const UNUSED_AFTER: Duration = Duration::days(90);

const LONGEST_NAME: usize = 100;
const LONGEST_VALUE: usize = 8_000;

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

/// Why a text cannot be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecretValue {
    /// Nothing is there.
    #[error("enter the value")]
    Empty,
    /// It is too long.
    #[error("use at most {LONGEST_VALUE} characters")]
    TooLong,
    /// White space that would be lost on the way.
    #[error("leave out the spaces at the beginning and the end")]
    Padded,
    /// Something that no header can carry.
    #[error(
        "use only printable characters of ASCII, for headers carry nothing else; encode others, as in base64"
    )]
    Unprintable,
}

/// Checks a value: whatever a server asks it for, a request can carry it.
///
/// # Errors
/// Why it cannot be one. The error says nothing of the value.
pub fn parse_value(value: &str) -> Result<(), BadSecretValue> {
    if value.is_empty() {
        return Err(BadSecretValue::Empty);
    }
    if value.len() > LONGEST_VALUE {
        return Err(BadSecretValue::TooLong);
    }
    if value.trim() != value {
        return Err(BadSecretValue::Padded);
    }
    // RFC 9110, section 5.5, without the bytes that only old senders use.
    if value.bytes().all(|b| matches!(b, b' '..=b'~')) { Ok(()) } else { Err(BadSecretValue::Unprintable) }
}

/// What a person types about a secret, besides its value.
#[derive(Clone, Copy, Debug)]
pub struct SecretForm<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub description: &'a str,
    /// After how many days it should get a new value.
    pub rotate_after_days: Option<i32>,
}

/// What may be kept of a secret, besides its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretTerms {
    /// Its name.
    pub name: SecretName,
    /// What it is for.
    pub description: String,
    /// After how many days it should get a new value.
    pub rotate_after_days: Option<i32>,
}

impl SecretTerms {
    /// Takes what somebody typed.
    ///
    /// # Errors
    /// Every fault with its field: `name`, `description`, `rotate_after_days`.
    pub fn parse(form: SecretForm<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let name = faults.check("name", form.name.parse::<SecretName>());
        let description = faults.check("description", parse_description(form.description));
        let rotate_after_days = form.rotate_after_days;
        if rotate_after_days.is_some_and(|days| !(1..=LONGEST_DAYS).contains(&days)) {
            faults.add("rotate_after_days", format!("choose 1 to {LONGEST_DAYS} days, or none"));
        }
        match (name, description) {
            (Some(name), Some(description)) => {
                faults.into_result(Self { name, description, rotate_after_days })
            }
            _ => Err(faults),
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

    #[test]
    fn values_can_be_carried_by_any_request() {
        assert_eq!(parse_value("x$&y z~"), Ok(()));
        assert_eq!(parse_value(""), Err(BadSecretValue::Empty));
        assert_eq!(parse_value(&"x".repeat(8_001)), Err(BadSecretValue::TooLong));
        for padded in [" a", "a ", "\ta", "a\n"] {
            assert_eq!(parse_value(padded), Err(BadSecretValue::Padded), "{padded:?}");
        }
        for bad in ["a\r\nX-Evil: 1", "a\0b", "schön", "a\u{7f}"] {
            assert_eq!(parse_value(bad), Err(BadSecretValue::Unprintable), "{bad:?}");
        }
    }

    #[test]
    fn every_fault_is_named_with_its_field() {
        let long = "x".repeat(501);
        let form = SecretForm { name: "X", description: &long, rotate_after_days: Some(0) };
        let faults = SecretTerms::parse(form).expect_err("all are bad");
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["name", "description", "rotate_after_days"]);
        let form = SecretForm { name: "x", description: "", rotate_after_days: Some(LONGEST_DAYS) };
        assert!(SecretTerms::parse(form).is_ok());
        let form = SecretForm { rotate_after_days: Some(LONGEST_DAYS + 1), ..form };
        assert!(SecretTerms::parse(form).is_err());
    }
}
