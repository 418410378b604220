//! Times on pages.
//!
//! The server writes UTC, which is right for everyone; `static/app.js` turns each `<time>` into
//! the zone of the person who reads.

use time::{
    Date, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description,
};

/// The machine's form, for the `datetime` attribute.
pub fn machine(at: &OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// The words of a page without script: "21 Nov 2026, 14:32 UTC".
pub fn words(at: &OffsetDateTime) -> String {
    let form = format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC).format(form).unwrap_or_default()
}

/// Only the day: "21 Nov 2026".
pub fn day(at: &OffsetDateTime) -> String {
    let form = format_description!("[day padding:none] [month repr:short] [year]");
    at.to_offset(UtcOffset::UTC).format(form).unwrap_or_default()
}

/// A day that data writes as 2026-11-21, as people read it: "21 Nov 2026"; anything else as it is.
pub fn date(text: &str) -> String {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]"));
    day.map_or_else(|_| text.to_owned(), |date| self::day(&date.midnight().assume_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_in_utc_wherever_it_was_taken() {
        let at = time::macros::datetime!(2026-11-21 01:05:09 +2);
        assert_eq!(machine(&at), "2026-11-20T23:05:09Z");
        assert_eq!(words(&at), "20 Nov 2026, 23:05 UTC");
        assert_eq!(day(&at), "20 Nov 2026");
        assert_eq!((date("2026-11-05"), date("soon")), ("5 Nov 2026".to_owned(), "soon".to_owned()));
    }
}
