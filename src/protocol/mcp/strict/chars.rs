//! Runs of characters and what escapes say.

use std::char::decode_utf16;

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first byte from `at` on that is a quotation mark, a backslash or a control character; else the end.
pub(in crate::protocol::mcp) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return at + (stops.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).map_or(bytes.len(), |plain| at + plain)
}

/// The high bit of each byte to stop at. Bytes above the first such one may be marked wrongly: a borrow runs upward.
fn stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    (below(quote, 1) | below(backslash, 1) | below(word, 0x20)) & HIGHS
}

/// What the inside of a string says. The escapes are known to be good; a bad one would be left out.
pub(in crate::protocol::mcp) fn unescape(inner: &str) -> String {
    let mut said = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(plain) = rest.find('\\') {
        said.push_str(&rest[..plain]);
        let escape = &rest[plain + 1..];
        let (length, letter) = match escape.as_bytes().first() {
            Some(b'u') => {
                let (length, letter) = unit_or_pair(escape);
                (length, letter)
            }
            Some(b'n') => (1, Some('\n')),
            Some(b't') => (1, Some('\t')),
            Some(b'r') => (1, Some('\r')),
            Some(b'b') => (1, Some('\u{8}')),
            Some(b'f') => (1, Some('\u{c}')),
            Some(letter @ (b'"' | b'\\' | b'/')) => (1, Some(char::from(*letter))),
            _ => (0, None),
        };
        said.extend(letter);
        rest = escape.get(length..).unwrap_or_default();
    }
    said.push_str(rest);
    said
}

/// Reads `uXXXX`, or `uXXXX\uXXXX` where the first is the high half of a pair.
fn unit_or_pair(escape: &str) -> (usize, Option<char>) {
    let Some(first) = unit(escape.as_bytes(), 1) else { return (1, None) };
    let second = if is_high(first) { unit(escape.as_bytes(), 7) } else { None };
    let letter = decode_utf16([first].into_iter().chain(second)).next().and_then(Result::ok);
    (if second.is_some() { 11 } else { 5 }, letter)
}

/// The four hexadecimal digits at `at`.
pub(in crate::protocol::mcp::strict) fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// Whether it is the first half of a surrogate pair.
pub(in crate::protocol::mcp::strict) const fn is_high(unit: u16) -> bool {
    matches!(unit, 0xd800..=0xdbff)
}

/// Whether it is the second half of a surrogate pair.
pub(in crate::protocol::mcp::strict) const fn is_low(unit: u16) -> bool {
    matches!(unit, 0xdc00..=0xdfff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_fast_search_finds_what_a_slow_one_finds(
            bytes in proptest::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'"'), 20 => Just(b'a'), 5 => Just(0xff)], 0..80),
            at in 0usize..10,
        ) {
            let slow = (at..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\' | 0..=0x1f));
            prop_assert_eq!(plain_end(&bytes, at), slow.unwrap_or(bytes.len()));
        }

        #[test]
        fn what_serde_escapes_is_unescaped(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescape(&written[1..written.len() - 1]), text);
        }
    }

    #[test]
    fn every_escape_says_its_character() {
        assert_eq!(unescape(r#"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00x"#), "\"\\/\u{8}\u{c}\n\r\tAé😀x");
    }
}
