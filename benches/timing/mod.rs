//! How long something takes, for the measurements that print nanoseconds.

use std::time::{Duration, Instant};

/// Nanoseconds of one run, in the best of twenty rounds.
pub(crate) fn time(run: impl Fn()) -> f64 {
    let round = |times: u32| {
        let start = Instant::now();
        (0..times).for_each(|_| run());
        start.elapsed()
    };
    let mut times = 1;
    while round(times) < Duration::from_millis(5) {
        times *= 2;
    }
    let best = (0..20).map(|_| round(times)).min().unwrap_or_default();
    best.as_nanos() as f64 / f64::from(times)
}
