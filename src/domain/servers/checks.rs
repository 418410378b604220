//! How a server has been doing.

use time::{Date, Duration, OffsetDateTime};

/// How long answers are kept.
pub const HISTORY_TTL: Duration = Duration::days(14);

/// One look at a server's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// When.
    pub at: OffsetDateTime,
    /// How long it took.
    pub latency_ms: i32,
    /// How it went.
    pub outcome: Checked,
}

/// How a look went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The server answered as it should.
    Well,
    /// It did not.
    Failed {
        /// The step at which it ended.
        step: String,
        /// Why.
        cause: String,
    },
}

/// The looks of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayHealth {
    /// The day, in UTC.
    pub day: Date,
    /// How many went well.
    pub well: i64,
    /// How many did not.
    pub failed: i64,
    /// The median time that those which went well took.
    pub latency_ms: Option<i32>,
    /// Why the last that failed did.
    pub cause: Option<String>,
}

impl DayHealth {
    /// A day without a look.
    pub const fn empty(day: Date) -> Self {
        Self { day, well: 0, failed: 0, latency_ms: None, cause: None }
    }
}

/// Fourteen days up to `now`, oldest first; days without a look are there and empty.
pub fn days(found: Vec<DayHealth>, now: OffsetDateTime) -> Vec<DayHealth> {
    let today = now.to_offset(time::UtcOffset::UTC).date();
    let span = HISTORY_TTL.whole_days();
    (0..span)
        .rev()
        .map(|back| today - Duration::days(back))
        .map(|day| found.iter().find(|d| d.day == day).cloned().unwrap_or_else(|| DayHealth::empty(day)))
        .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_strip_has_fourteen_days_whatever_was_found() {
        let found = vec![DayHealth { well: 3, ..DayHealth::empty(date!(2026 - 11 - 20)) }];
        let strip = days(found, datetime!(2026-11-21 0:30 +1));
        assert_eq!(strip.len(), 14);
        assert_eq!(strip[13], DayHealth { well: 3, ..DayHealth::empty(date!(2026 - 11 - 20)) });
        assert_eq!(strip[0], DayHealth::empty(date!(2026 - 11 - 07)));
    }
}
