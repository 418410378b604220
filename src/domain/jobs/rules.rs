//! When a failed job runs again, and how long things are kept.

use time::{Duration, OffsetDateTime};

/// How long a replica holds a job without renewing.
pub const LEASE_TTL: Duration = Duration::minutes(2);
/// How long finished jobs stay in the operator's list.
pub const FINISHED_TTL: Duration = Duration::days(7);
/// After how many attempts a job is kept for the operator.
pub const MAX_ATTEMPTS: i32 = 10;
/// The same for a turn of a job that comes round by the clock: its next turn is another attempt.
pub const MAX_TURN_ATTEMPTS: i32 = 3;
/// How much of an error the operator's list keeps, in characters.
pub const ERROR_LENGTH: usize = 500;

const FIRST_PAUSE: Duration = Duration::seconds(5);
const LONGEST_PAUSE: Duration = Duration::hours(1);

/// How long to wait after the given failed attempt: 5 s, doubled each time, at most an hour, and up to a quarter
/// more so that jobs which failed together do not come back together.
pub fn pause_after(attempt: i32, dice: u16) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(16);
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
    pause + pause / 4 * (f64::from(dice) / f64::from(u16::MAX))
}

/// When a job runs again after a failed attempt, or nothing where that was the last one.
pub fn next_attempt(
    attempt: i32,
    max_attempts: i32,
    now: OffsetDateTime,
    dice: u16,
) -> Option<OffsetDateTime> {
    (attempt < max_attempts).then(|| now + pause_after(attempt, dice))
}

/// Cuts an error to what the list keeps.
pub fn shorten(error: &str) -> String {
    // Postgres text cannot hold a NUL.
    error.chars().filter(|c| *c != '\0').take(ERROR_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_from_five_seconds_to_an_hour() {
        let seconds: Vec<i64> = [1, 2, 3, 9, 10, 11, 40].map(|n| pause_after(n, 0).whole_seconds()).to_vec();
        assert_eq!(seconds, [5, 10, 20, 1280, 2560, 3600, 3600]);
        assert_eq!(pause_after(1, u16::MAX), Duration::milliseconds(6250));
    }

    #[test]
    fn the_last_attempt_has_no_next() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert!(next_attempt(9, 10, now, 0).is_some());
        assert_eq!(next_attempt(10, 10, now, 0), None);
        assert_eq!(next_attempt(11, 10, now, 0), None);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_shorter_than_the_first_nor_longer_than_the_cap_and_its_jitter(n: i32, dice: u16) {
            let pause = pause_after(n, dice);
            prop_assert!(pause >= FIRST_PAUSE && pause <= LONGEST_PAUSE * 5 / 4);
        }

        #[test]
        fn a_kept_error_is_short_and_fits_a_text_column(error in "\\PC*|[\0a]*") {
            let kept = shorten(&error);
            prop_assert!(kept.chars().count() <= ERROR_LENGTH && !kept.contains('\0'));
        }
    }
}
