//! Which passwords may be kept.
//!
//! Length first (OWASP ASVS 5.0, 6.2.1 and 6.2.9), then no common password (6.2.4), then nothing about the
//! person or their organization (6.2.11), then an estimate of the guesses it takes. No rules about kinds of
//! characters and no change after some time (6.2.5, 6.2.10). A password is taken as it was typed, never
//! trimmed or folded (6.2.8).

use std::{collections::HashSet, sync::LazyLock};

use zeroize::Zeroizing;

use crate::base::{email::Email, secret::Secret};

/// The fewest characters a password may have.
pub const MIN_CHARS: usize = 12;
/// The most characters a password may have.
pub const MAX_CHARS: usize = 200;

/// Stems and whole passwords everybody tries first, one per line, in lower case and in byte order.
const COMMON: &str = include_str!("common_passwords.txt");

static COMMON_SET: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());

/// A password that may be kept.
#[derive(Clone, Debug)]
pub struct NewPassword(Secret<String>);

/// Why a password may not be kept, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error("use at least {MIN_CHARS} characters; three or four unrelated words make a good password")]
    TooShort,
    /// Too many characters.
    #[error("use at most {MAX_CHARS} characters")]
    TooLong,
    /// On the list, or a listed word with a few signs around it.
    #[error("this password is among the first that are tried; choose unrelated words instead")]
    Common,
    /// Contains the person's address or name, or the organization's.
    #[error("leave out \"{0}\": names and addresses are tried first")]
    Personal(String),
    /// Easy to guess for another reason.
    #[error("this password is easy to guess; add one or two unrelated words")]
    Guessable,
}

/// What an attacker would know about the person, so that it counts for nothing in their password.
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<String>);

impl Known {
    /// What is known: their address, their name, and names of their organizations, with all words in them.
    pub fn about(email: &Email, name: &str, orgs: &[&str]) -> Self {
        let texts = [email.as_str(), email.local(), email.domain(), name, "portreeve"];
        let mut words = Vec::new();
        for text in texts.into_iter().chain(orgs.iter().copied()) {
            let text = text.to_lowercase();
            words.extend(text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
            words.push(text);
        }
        // Shorter words turn up inside unrelated ones; an ending such as "com" says nothing.
        words.retain(|word| word.chars().count() >= 4 && !matches!(word.as_str(), "mail" | "info"));
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.dedup();
        Self(words)
    }
}

impl NewPassword {
    /// Checks a password; takes a few milliseconds of one core.
    ///
    /// # Errors
    /// When it may not be kept; the text says what to do.
    pub fn parse(password: Secret<String>, known: &Known) -> Result<Self, WeakPassword> {
        let text = password.expose();
        let length = text.chars().count();
        if length < MIN_CHARS {
            return Err(WeakPassword::TooShort);
        }
        if length > MAX_CHARS {
            return Err(WeakPassword::TooLong);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        if let Some(word) = known.0.iter().find(|word| lower.contains(*word)) {
            return Err(WeakPassword::Personal(word.clone()));
        }
        if is_common(&lower) {
            return Err(WeakPassword::Common);
        }
        let inputs: Vec<&str> = known.0.iter().map(String::as_str).collect();
        if zxcvbn::zxcvbn(text, &inputs).score() < zxcvbn::Score::Three {
            return Err(WeakPassword::Guessable);
        }
        Ok(Self(password))
    }

    /// The password itself, to be hashed.
    pub(super) const fn secret(&self) -> &Secret<String> {
        &self.0
    }
}

/// Whether a lower-case password is listed: as it is, within a few signs, or with signs in place of letters.
fn is_common(lower: &str) -> bool {
    let is_sign = |c: char| !c.is_alphabetic();
    // Signs at the front may stand for letters, so both are tried: with them and without.
    let forms =
        [lower, near(lower, lower.trim_end_matches(is_sign)), near(lower, lower.trim_matches(is_sign))];
    forms.into_iter().any(|form| {
        let plain: Zeroizing<String> = Zeroizing::new(form.chars().map(letter_for).collect());
        [form, &plain].into_iter().any(|form| is_listed(form) || is_repeated(form))
    })
}

fn is_listed(text: &str) -> bool {
    COMMON_SET.contains(text)
}

/// The core of a text, unless what was cut off is more than a year and a few marks.
fn near<'a>(text: &'a str, core: &'a str) -> &'a str {
    if text.chars().count() - core.chars().count() <= 8 { core } else { text }
}

/// Whether the text is one listed or short piece over and over.
fn is_repeated(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let period = (1..=chars.len() / 2)
        .find(|p| chars.len().is_multiple_of(*p) && chars.chunks(*p).all(|c| *c == chars[..*p]));
    period.is_some_and(|p| p <= 6 || is_listed(&chars[..p].iter().collect::<String>()))
}

const fn letter_for(sign: char) -> char {
    match sign {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(password: &str) -> Result<(), WeakPassword> {
        let known =
            Known::about(&"ada.lovelace@engine.example".parse().unwrap(), "Ada Byron", &["Analytical Works"]);
        NewPassword::parse(Secret::new(password.to_owned()), &known).map(|_| ())
    }

    #[test]
    fn the_list_is_long_sorted_and_in_lower_case() {
        let lines: Vec<_> = COMMON.lines().collect();
        assert!(lines.iter().filter(|line| line.len() >= MIN_CHARS).count() >= 3_000);
        assert!(lines.is_sorted());
        assert_eq!(COMMON_SET.len(), lines.len());
        assert!(
            lines.iter().all(|line| line.len() >= 4 && line.to_lowercase() == **line && line.trim() == *line)
        );
    }

    #[test]
    fn passphrases_and_random_passwords_are_good() {
        for good in [
            "tangled orbit mulberry vessel",
            "kV9#wq2Lr7pX",
            "Ein Fuchs baute gestern ein Klavier",
            "zimne żaby tańczą nocą",
            "7492-glacier-tuba-9917",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(&"tangled orbit mulberry ".repeat(9)[..200]), Ok(()));
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert_eq!(check("kV9#wq2Lr7p"), Err(WeakPassword::TooShort));
        assert_eq!(check("żżżżżżżżżżż"), Err(WeakPassword::TooShort));
        assert_eq!(check(&"x".repeat(201)), Err(WeakPassword::TooLong));
        assert_eq!(check(""), Err(WeakPassword::TooShort));
    }

    #[test]
    fn common_passwords_are_refused_in_every_dress() {
        for bad in [
            "passwordpassword",
            "Password2024!",
            "P@ssw0rd!!2025",
            "!!!Welcome2026",
            "$ecret!!2024",
            "p4$$w0rdp4$$w0rd",
            "1qaz2wsx3edc4rfv",
            "123456789012",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "iloveyousunshine",
            "correcthorsebatterystaple",
        ] {
            assert_eq!(check(bad), Err(WeakPassword::Common), "{bad}");
        }
    }

    #[test]
    fn what_is_known_of_a_person_is_refused_and_named() {
        for (bad, word) in [
            ("xX-Lovelace-8817-Qz", "lovelace"),
            ("tangled Byron mulberry", "byron"),
            ("analytical orbit 99 tuba", "analytical"),
            ("my-portreeve-97-glacier", "portreeve"),
        ] {
            assert_eq!(check(bad), Err(WeakPassword::Personal(word.into())), "{bad}");
        }
    }

    #[test]
    fn short_words_of_a_name_do_not_forbid_longer_ones() {
        assert_eq!(check("cicada orbit mulberry vessel"), Ok(()));
    }

    #[test]
    fn what_is_easily_guessed_is_refused() {
        for bad in ["jenniferkimberly", "zxcvfdsaqwer", "bananamonkey7"] {
            assert_eq!(check(bad), Err(WeakPassword::Guessable), "{bad}");
        }
    }

    #[test]
    fn errors_say_what_to_do_and_never_repeat_the_password() {
        let error = check("Password2024!").unwrap_err().to_string();
        assert!(error.contains("choose unrelated words"));
        assert!(!error.contains("2024"));
        let kept = NewPassword::parse(Secret::new("kV9#wq2Lr7pX".into()), &Known::default()).unwrap();
        assert!(!format!("{kept:?}").contains("kV9"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_gets_an_answer_and_short_ones_always_the_same(text in "\\PC{0,40}") {
            let answer = check(&text);
            prop_assert_eq!(text.chars().count() < MIN_CHARS, answer == Err(WeakPassword::TooShort));
        }

        #[test]
        fn no_listed_word_gets_good_by_a_year(line in 0usize..5_000, year in 1950u32..2030) {
            let word = COMMON.lines().filter(|line| line.chars().all(char::is_alphabetic)).nth(line).unwrap();
            let dressed = format!("{word}{year}!");
            prop_assert!(check(&dressed).is_err(), "{}", dressed);
        }
    }
}
