//! When a letter is tried again, and how long letters are kept.

use time::{Duration, OffsetDateTime};

/// How long a replica may take to send one letter.
pub const LEASE_TTL: Duration = Duration::minutes(5);
/// How long a sent letter stays in the operator's list.
pub const SENT_TTL: Duration = Duration::days(7);
/// How long a held or failed letter stays; no link in a letter lives longer.
pub const KEPT_TTL: Duration = Duration::days(30);
/// After how many attempts, a little more than a day, a letter is kept for the operator.
pub const MAX_ATTEMPTS: i32 = 14;
/// How much of an error the operator's list keeps, in characters.
pub const ERROR_LENGTH: usize = 500;

const FIRST_PAUSE: Duration = Duration::seconds(30);
const LONGEST_PAUSE: Duration = Duration::hours(6);

/// When a letter is tried again after a failed attempt, or nothing where that was the last one: 30 s, doubled each
/// time, at most six hours, and up to a quarter more so that letters do not come back together.
pub fn next_attempt(attempt: i32, now: OffsetDateTime, dice: u16) -> Option<OffsetDateTime> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0);
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
    Some(now + pause + pause / 4 * (f64::from(dice) / f64::from(u16::MAX)))
}

/// Cuts an error to what the list keeps.
pub fn shorten(error: &str) -> String {
    // Postgres text cannot hold a NUL.
    error.chars().filter(|c| *c != '\0').take(ERROR_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_tried_for_a_little_more_than_a_day() {
        let mut now = OffsetDateTime::UNIX_EPOCH;
        let mut attempts = 1;
        while let Some(next) = next_attempt(attempts, now, 0) {
            assert!(next > now);
            now = next;
            attempts += 1;
        }
        assert_eq!(attempts, MAX_ATTEMPTS);
        let hours = (now - OffsetDateTime::UNIX_EPOCH).whole_hours();
        assert!((24..36).contains(&hours), "{hours}");
    }

    #[test]
    fn jitter_adds_a_quarter_at_the_most() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(next_attempt(1, now, 0), Some(now + Duration::seconds(30)));
        assert_eq!(next_attempt(1, now, u16::MAX), Some(now + Duration::milliseconds(37_500)));
    }

    #[test]
    fn a_letter_kept_for_the_operator_outlives_every_link_in_it() {
        // The longest is an invitation's: 720 hours, by the rule orgs_invitation_hours_range.
        assert!(KEPT_TTL >= Duration::hours(720));
    }
}
