//! Time arrives as a value: the system's clock in service, a settable one in tests.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use time::OffsetDateTime;

/// Tells the time; clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's own clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn settable(start: OffsetDateTime) -> Self {
        Self(Some(Arc::new(AtomicI64::new((start.unix_timestamp_nanos() / 1_000) as i64))))
    }

    /// The present moment, to the microsecond as Postgres keeps it.
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's time is read")]
    pub fn now(&self) -> OffsetDateTime {
        let micros = match &self.0 {
            Some(micros) => micros.load(Ordering::SeqCst),
            None => (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000) as i64,
        };
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
            .expect("microseconds in an i64 are within the calendar for 290,000 years")
    }

    /// Moves a settable clock; the system's clock ignores it.
    pub fn advance(&self, by: time::Duration) {
        if let Some(micros) = &self.0 {
            micros.fetch_add(by.whole_microseconds() as i64, Ordering::SeqCst);
        }
    }
}
