//! Numbers as JSON writes them, compared exactly: no digit is lost to a machine's idea of a fraction.
//!
//! By hand, for the comparison must stay cheap whatever exponent somebody writes: `1e999999999` is two small numbers here
//! and never a billion zeros.

use std::{cmp::Ordering, fmt};

/// How many digits a number may have; more are no amount of anything.
const MOST_DIGITS: usize = 200;

/// An exact decimal number: `0.d₁d₂d₃… × 10^exponent`, without zeros at either end of its digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    is_negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

/// The text is no number of JSON, or one of too many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of at most 200 digits")]
pub struct NotANumber;

impl Number {
    /// Zero.
    pub const ZERO: Self = Self { is_negative: false, digits: Vec::new(), exponent: 0 };

    /// Reads a number as JSON writes it.
    ///
    /// # Errors
    /// Where it is none, or longer than anything that is counted.
    pub fn parse(text: &str) -> Result<Self, NotANumber> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], read_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_padded = whole.len() > 1 && whole.starts_with('0');
        if !is_digits(whole) || !is_digits(fraction) || is_padded || mantissa.len() > MOST_DIGITS {
            return Err(NotANumber);
        }
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        let leading = all.iter().take_while(|digit| **digit == 0).count();
        let trailing = all.iter().rev().take_while(|digit| **digit == 0).count();
        if leading == all.len() {
            return Ok(Self::ZERO);
        }
        let exponent = exponent.saturating_add(whole.len() as i64).saturating_sub(leading as i64);
        Ok(Self { is_negative, digits: all[leading..all.len() - trailing].to_vec(), exponent })
    }

    /// Whether it is below zero.
    pub const fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// Whether it has no fraction.
    pub fn is_whole(&self) -> bool {
        self.digits.len() as i64 <= self.exponent.max(0)
    }

    /// As a small count.
    pub fn to_count(&self) -> Option<u32> {
        // In its one form a count is digits alone: no sign, no fraction, no exponent.
        self.to_string().parse().ok()
    }

    /// What is left of it where so much is taken, nothing where that is all of it; none where the two are too far apart in
    /// size to be written together.
    pub fn left_of(&self, taken: &Self) -> Option<Self> {
        if self <= taken {
            return Some(Self::ZERO);
        }
        let lowest = |one: &Self| one.exponent.saturating_sub(one.digits.len() as i64);
        let (top, bottom) = (self.exponent.max(taken.exponent), lowest(self).min(lowest(taken)));
        let width =
            usize::try_from(top.saturating_sub(bottom)).ok().filter(|width| *width <= 2 * MOST_DIGITS)?;
        let spread = |one: &Self| {
            let above = usize::try_from(top - one.exponent).unwrap_or(width);
            let mut digits = vec![0; above];
            digits.extend_from_slice(&one.digits);
            digits.resize(width, 0);
            digits
        };
        let mut borrowed = 0;
        let digits = spread(self).into_iter().zip(spread(taken)).rev();
        let mut left: Vec<u8> = digits
            .map(|(from, take)| {
                let take = take + borrowed;
                borrowed = u8::from(from < take);
                from + 10 * borrowed - take
            })
            .collect();
        left.reverse();
        let leading = left.iter().take_while(|digit| **digit == 0).count();
        let trailing = left.iter().rev().take_while(|digit| **digit == 0).count();
        let digits = left[leading..left.len() - trailing].to_vec();
        Some(Self { is_negative: false, digits, exponent: top - leading as i64 })
    }

    fn cmp_size(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

fn read_exponent(text: &str) -> Result<i64, NotANumber> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotANumber);
    }
    // An exponent beyond all measure is one beyond all others: it saturates on its side.
    let size: i64 = digits
        .trim_start_matches('0')
        .get(..12)
        .map_or_else(|| digits.parse().unwrap_or(0), |_| i64::MAX / 4);
    Ok(if text.starts_with('-') { -size } else { size })
}

impl From<u32> for Number {
    fn from(count: u32) -> Self {
        Self::parse(&count.to_string()).unwrap_or(Self::ZERO)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_size(other),
            (true, true) => other.cmp_size(self),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// In the one form that equal numbers share, with an exponent where zeros would be many.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let sign = if self.is_negative { "-" } else { "" };
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let len = digits.len() as i64;
        match self.exponent {
            point if point >= len && point <= 21 => {
                write!(f, "{sign}{digits}{}", "0".repeat((point - len) as usize))
            }
            point if point > 0 && point < len => {
                write!(f, "{sign}{}.{}", &digits[..point as usize], &digits[point as usize..])
            }
            point if point <= 0 && point > -20 => {
                write!(f, "{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
            }
            point => {
                let fraction = if len > 1 { format!(".{}", &digits[1..]) } else { String::new() };
                write!(f, "{sign}{}{fraction}e{}", &digits[..1], point - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect("a number")
    }

    #[test]
    fn numbers_are_equal_however_they_are_written() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.10", "1E-1"),
            ("-0", "0.000"),
            ("12.50", "125e-1"),
            ("0e9", "0"),
        ] {
            assert_eq!(number(one), number(other), "{one} {other}");
        }
    }

    #[test]
    fn no_digit_is_lost() {
        assert!(number("0.1") < number("0.10000000000000000000000000000000001"));
        assert!(number("9007199254740993") > number("9007199254740992"));
        assert!(number("1e999999999999999999999") > number("1e99999999"));
        assert!(number("1e-999999999999999999999") < number("1e-9"));
        assert!(number("-5") < number("-4.9") && number("-1e9") < number("0"));
    }

    #[test]
    fn what_is_no_number_of_json_is_none() {
        let long = "1".repeat(MOST_DIGITS + 1);
        assert!(Number::parse(&long[1..]).is_ok());
        for text in ["", "-", "01", "1.", ".5", "+1", "1e", "1e+", "0x1", "NaN", "1 ", "--1", long.as_str()] {
            assert_eq!(Number::parse(text), Err(NotANumber), "{text}");
        }
    }

    #[test]
    fn each_number_has_one_form() {
        for (one, form) in [
            ("1e20", "100000000000000000000"),
            ("1e21", "1e21"),
            ("-12e30", "-1.2e31"),
            ("1230e-1", "123"),
            ("12.3", "12.3"),
            ("1e-20", "0.00000000000000000001"),
            ("1e-21", "1e-21"),
            ("-0.50", "-0.5"),
            ("-0", "0"),
        ] {
            assert_eq!(number(one).to_string(), form);
        }
    }

    #[test]
    fn counts_are_small_and_whole() {
        assert_eq!(number("1e3").to_count(), Some(1000));
        assert_eq!(number("4294967295").to_count(), Some(u32::MAX));
        assert_eq!(number("-0").to_count(), Some(0));
        for text in ["1.5", "-1", "4294967296", "1e99"] {
            assert_eq!(number(text).to_count(), None, "{text}");
        }
        assert!(number("1.50e1").is_whole() && !number("1.5").is_whole() && number("0").is_whole());
    }

    #[test]
    fn what_is_left_is_exact() {
        let left = |most: &str, taken: &str| {
            let number = |text| Number::parse(text).expect("a number");
            number(most).left_of(&number(taken)).map(|left| left.to_string())
        };
        for (most, taken, rest) in [
            ("100", "0", "100"),
            ("100", "99.5", "0.5"),
            ("1", "0.9", "0.1"),
            ("1000", "1", "999"),
            ("0.3", "0.1", "0.2"),
            ("2", "2", "0"),
            ("2", "7", "0"),
            ("12.5", "10.25", "2.25"),
        ] {
            assert_eq!(left(most, taken).as_deref(), Some(rest), "{most} - {taken}");
        }
        assert_eq!(left("1e500", "1"), None);
    }

    proptest! {
        #[test]
        fn order_is_that_of_integers(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000, scale in 0_u32..9) {
            let scaled = |n: i64| number(&format!("{n}e-{scale}"));
            prop_assert_eq!(scaled(a).cmp(&scaled(b)), a.cmp(&b));
        }

        #[test]
        fn what_is_written_is_read_as_the_same(text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?") {
            let read = number(&text);
            let written = read.to_string();
            prop_assert_eq!(&number(&written), &read, "{} {}", text, written);
            prop_assert_eq!(number(&written).to_string(), written);
        }
    }
}
