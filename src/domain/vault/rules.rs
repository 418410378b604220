//! When a data key has sealed enough.

use time::{Duration, OffsetDateTime};

/// Seals after which a data key retires: with random 96-bit nonces NIST SP 800-38D, section 8.3, allows 2^32.
pub const MOST_SEALS: i64 = 1 << 28;
/// Age at which a data key retires.
pub const LONGEST_AGE: Duration = Duration::days(90);
/// How long an unwrapped key may be used before its row is read again.
pub(super) const CACHE_TTL: Duration = Duration::seconds(60);
/// One seal in so many is written to the key's row, and counts for all of them.
pub(super) const COUNT_STEP: u16 = 4096;

/// Whether a data key should make room for a new one.
pub fn is_worn(created_at: OffsetDateTime, seals: i64, now: OffsetDateTime) -> bool {
    seals >= MOST_SEALS || now - created_at >= LONGEST_AGE
}

/// Whether a seal is the one that is counted, from two random bytes.
///
/// Counting by lot needs no memory: neither a restart nor an evicted cache entry loses a count, and over the
/// 2^28 seals of a key the estimate is off by less than 2 %.
pub(super) fn is_counted(lot: [u8; 2]) -> bool {
    u16::from_be_bytes(lot).is_multiple_of(COUNT_STEP)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_key_is_worn_by_seals_or_by_age() {
        let made = datetime!(2026-01-01 0:00 UTC);
        assert!(!is_worn(made, MOST_SEALS - 1, made + LONGEST_AGE - Duration::SECOND));
        assert!(is_worn(made, MOST_SEALS, made));
        assert!(is_worn(made, 0, made + LONGEST_AGE));
    }

    #[test]
    fn exactly_one_lot_in_each_step_is_counted() {
        let counted = (0..=u16::MAX).filter(|lot| is_counted(lot.to_be_bytes())).count();
        assert_eq!(counted * usize::from(COUNT_STEP), 1 << 16);
    }
}
