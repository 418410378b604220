//! What a secret may be called, and what its value may be.

use time::Duration;

use crate::base::{faults::Faults, secret_name::SecretName, wording::parse_description};

/// How many secrets the organization, one team or one person may keep.
pub const MOST_OF_ONE: i64 = 200;
/// The longest time after which a new value can be asked for, in days.
pub const LONGEST_DAYS: i32 = 3650;
/// After how long without use a secret is pointed out.
pub const UNUSED_AFTER: Duration = Duration::days(90);

const LONGEST_VALUE: usize = 8_000;

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
