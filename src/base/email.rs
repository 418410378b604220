//! E-mail addresses.

use std::{fmt, str::FromStr};

/// A deliverable-looking address; compares without regard to ASCII case and to nothing else.
///
/// Unicode normalization is left out on purpose: two spellings that merely look alike stay two addresses,
/// so nobody can claim another person's invitation with a look-alike.
#[derive(Clone)]
pub struct Email {
    text: String,
    key: String,
}

/// The text is no e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("enter an e-mail address such as name@example.com")]
pub struct NotAnEmail;

impl Email {
    /// As the person wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form that two spellings of one address share.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`.
    pub fn local(&self) -> &str {
        self.text.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.text.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for Email {
    type Err = NotAnEmail;

    fn from_str(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(NotAnEmail)?;
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:\"@".contains(c);
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let domain_ok = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label);
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && local.chars().all(plain)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        if text.len() > 254 || !domain_ok || !local_ok {
            return Err(NotAnEmail);
        }
        Ok(Self { text: text.to_owned(), key: text.to_ascii_lowercase() })
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Email {}
impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_or_say_so() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "ünï@exämple.de", " a@b.co "] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@b",
            "@b.co",
            "a@b..co",
            "a b@c.de",
            "a@-b.co",
            "a@b.co\r\nBcc: x@y.z",
            ".a@b.co",
            "a@@b.co",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }

    #[test]
    fn case_is_ignored_and_look_alikes_are_not_equal() {
        let (a, b): (Email, Email) = ("A@b.co".parse().expect("good"), "a@B.co".parse().expect("good"));
        assert_eq!(a, b);
        let (k, kelvin): (Email, Email) =
            ("k@b.co".parse().expect("good"), "\u{212A}@b.co".parse().expect("good"));
        assert_ne!(k, kelvin);
    }
}
