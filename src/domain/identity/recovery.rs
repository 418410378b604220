//! Recovery codes: what a person keeps on paper for the day the phone is gone.
//!
//! Each has 120 random bits, so a plain SHA-256 keeps it (OWASP ASVS 5.0, 6.5.2 asks for 112).

use crate::base::{
    crypto::{digest, digest::Digest, random},
    secret::Secret,
};

/// How many codes a person gets at once.
pub const COUNT: usize = 10;

/// Crockford's base32: no letter looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// One code.
#[derive(Clone, Debug)]
pub struct RecoveryCode(Secret<[u8; 15]>);

impl RecoveryCode {
    /// A new set.
    pub fn fresh_set() -> [Self; COUNT] {
        std::array::from_fn(|_| Self(Secret::new(random::bytes())))
    }

    /// The code as it is shown, once: six groups of four.
    pub fn text(&self) -> Secret<String> {
        let mut text = String::with_capacity(29);
        for (i, five) in self.0.expose().chunks(5).enumerate() {
            let n = five.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
            for digit in 0..8 {
                if digit % 4 == 0 && i + digit > 0 {
                    text.push('-');
                }
                text.push(char::from(ALPHABET[(n >> (35 - 5 * digit)) as usize & 31]));
            }
        }
        Secret::new(text)
    }

    /// Reads what a person typed; forgives case, blanks, hyphens and letters that look like digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = zeroize::Zeroizing::new([0u8; 15]);
        let mut digits = 0;
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let value = value_of(c)?;
            let slot = digits * 5;
            // Each digit's five bits lie within two neighboring bytes.
            let bits = u16::from(value) << (11 - slot % 8);
            *bytes.get_mut(slot / 8)? |= (bits >> 8) as u8;
            if bits & 0xff != 0 {
                *bytes.get_mut(slot / 8 + 1)? |= (bits & 0xff) as u8;
            }
            digits += 1;
        }
        (digits == 24).then(|| Self(Secret::new(*bytes)))
    }

    /// What is stored of it.
    pub fn hash(&self) -> Digest {
        digest::sha256(self.0.expose())
    }

    /// Whether it is the code whose hash was stored; takes the same time wherever they differ.
    pub fn matches(&self, stored: &[u8]) -> bool {
        digest::same(&self.hash(), stored)
    }
}

fn value_of(c: char) -> Option<u8> {
    let c = match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    ALPHABET.iter().position(|a| char::from(*a) == c).and_then(|i| u8::try_from(i).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_has_ten_different_codes_in_six_groups() {
        let set = RecoveryCode::fresh_set();
        let texts: std::collections::HashSet<_> =
            set.iter().map(|code| code.text().expose().clone()).collect();
        assert_eq!(texts.len(), COUNT);
        for text in &texts {
            assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 6], "{text}");
        }
        assert!(!format!("{set:?}").contains(texts.iter().next().unwrap()));
    }

    #[test]
    fn a_code_is_forgiven_its_spelling() {
        let code = RecoveryCode(Secret::new([0; 15]));
        assert_eq!(code.text().expose(), "0000-0000-0000-0000-0000-0000");
        for spelling in
            ["000000000000000000000000", " OOOO oooo 0000 0000 0000 0000 ", "0000-0000-00000000-0000-0000"]
        {
            assert!(RecoveryCode::parse(spelling).unwrap().matches(&code.hash()), "{spelling}");
        }
        for wrong in [
            "",
            "0000",
            "0000-0000-0000-0000-0000-000",
            "0000-0000-0000-0000-0000-00000",
            "u000-0000-0000-0000-0000-0000",
        ] {
            assert!(RecoveryCode::parse(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_code_reads_back_as_it_is_shown(bytes in any::<[u8; 15]>()) {
            let code = RecoveryCode(Secret::new(bytes));
            let read = RecoveryCode::parse(&code.text().expose().to_uppercase()).unwrap();
            prop_assert_eq!(read.0.expose(), &bytes);
            prop_assert!(read.matches(&code.hash()));
        }

        #[test]
        fn another_code_never_matches(a in any::<[u8; 15]>(), b in any::<[u8; 15]>()) {
            prop_assume!(a != b);
            prop_assert!(!RecoveryCode(Secret::new(a)).matches(&RecoveryCode(Secret::new(b)).hash()));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            prop_assert!(RecoveryCode::parse(&text).is_none_or(|code| code.text().expose().len() == 29));
        }
    }
}
