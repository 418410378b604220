//! Sizes and spans in words.

use time::Duration;

/// A size, such as `12.3 MB`.
pub(super) fn size(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// A span, such as `4 s` or `3 days`, in its largest whole unit.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.whole_seconds().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A count with its noun, which takes an `s` unless there is one.
pub(super) fn count(number: i64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_told_in_their_largest_unit() {
        assert_eq!(
            [size(0), size(999), size(12_345_678), size(250_000_000_000)],
            ["0 bytes", "999 bytes", "12.3 MB", "250 GB"]
        );
        assert_eq!(
            [span(Duration::seconds(4)), span(Duration::minutes(3)), span(Duration::days(3))],
            ["4 s", "3 min", "3 days"]
        );
        assert_eq!([count(1, "data key"), count(0, "letter")], ["1 data key", "0 letters"]);
    }
}
