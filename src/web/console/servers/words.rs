//! How servers, tools and their health are shown: words, tones, and the strip of fourteen days.

use std::{collections::HashMap, time::Duration};

use time::{format_description::StaticFormatDescription, macros::format_description};

use crate::{
    base::risk::Class,
    domain::servers::{DayHealth, Drift, Server, Severity, Tool, ToolName, ToolState},
    flow::catalogue::{StepName, StepReport, StepState},
};

const DAY: StaticFormatDescription = format_description!("[day padding:none] [month repr:short]");

/// A word with its tone and icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
}

const fn word(tone: &'static str, glyph: &'static str, word: &'static str) -> Word {
    Word { tone, glyph, word }
}

/// How a server is.
pub(super) const fn server_word(server: &Server) -> Word {
    if !server.is_enabled {
        word("quiet", "hide", "Disabled")
    } else if server.refreshed.error.is_some() {
        word("deny", "warn", "Failing")
    } else if server.refreshed.at.is_none() {
        word("quiet", "clock", "Not read yet")
    } else {
        word("allow", "ok", "Working")
    }
}

/// Where a tool stands.
pub(super) const fn state_word(state: ToolState) -> Word {
    match state {
        ToolState::New => word("ask", "plus", "New"),
        ToolState::Reviewed => word("allow", "ok", "Reviewed"),
        ToolState::Changed => word("ask", "warn", "Changed"),
        ToolState::Refused => word("deny", "deny", "Refused"),
        ToolState::Gone => word("quiet", "dash", "Gone"),
    }
}

/// The tone of a class.
pub(in crate::web::console) const fn class_tone(class: Class) -> &'static str {
    match class {
        Class::Read => "",
        Class::Write => "rule",
        Class::Execute => "ask",
        Class::Destructive | Class::Financial => "deny",
    }
}

/// How much a difference matters.
pub(super) const fn severity_word(severity: Severity) -> Word {
    match severity {
        Severity::Low => word("quiet", "info", "Low"),
        Severity::Medium => word("ask", "warn", "Medium"),
        Severity::High => word("deny", "deny", "High"),
    }
}

/// One difference, ready to be shown.
pub(super) struct DriftRow {
    pub(super) severity: Word,
    pub(super) sentence: String,
    pub(super) path: String,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

/// Differences, ready to be shown.
pub(super) fn drift_rows(drifts: &[Drift]) -> Vec<DriftRow> {
    let lines = |text: &Option<String>| text.iter().flat_map(|text| text.lines()).map(shown).collect();
    let row = |drift: &Drift| DriftRow {
        severity: severity_word(drift.severity),
        sentence: said(&drift.sentence),
        path: drift.path.clone(),
        before: lines(&drift.before),
        after: lines(&drift.after),
    };
    drifts.iter().map(row).collect()
}

/// A line that a server wrote, with letters that hide or turn the text around them made visible.
pub(in crate::web::console) fn shown(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        let is_hidden = c.is_control() && c != '\t'
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if is_hidden {
            shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A sentence of ours about what a server wrote; names stand in quotes, as people write them.
pub(in crate::web::console) fn said(sentence: &str) -> String {
    let mut said = String::with_capacity(sentence.len());
    for (i, part) in shown(sentence).split('`').enumerate() {
        said.push_str(if i == 0 {
            ""
        } else if i % 2 == 1 {
            "“"
        } else {
            "”"
        });
        said.push_str(part);
    }
    said
}

/// A tool in a list.
pub(super) struct ToolRow {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) state: Word,
    pub(super) waits: bool,
    pub(super) is_on: bool,
    pub(super) class: &'static str,
    pub(super) class_tone: &'static str,
    pub(super) reason: String,
    pub(super) by_admin: bool,
    pub(super) fingerprint: String,
    pub(super) tag: String,
    pub(super) drift: Vec<DriftRow>,
    pub(super) warnings: Vec<String>,
}

impl ToolRow {
    /// Makes the row of a tool; `server` is the address of its server's page.
    pub(super) fn new(
        server: &str,
        tool: &Tool,
        drifts: &HashMap<ToolName, Vec<Drift>>,
        tag: String,
    ) -> Self {
        Self {
            href: format!("{server}/tools/{}", path_segment(tool.name.as_str())),
            name: shown(tool.name.as_str()),
            title: tool.title.as_deref().map(shown).unwrap_or_default(),
            state: state_word(tool.state),
            waits: tool.state.waits(),
            is_on: tool.is_enabled,
            class: tool.class.label(),
            class_tone: class_tone(tool.class),
            reason: said(&tool.class_reason),
            by_admin: tool.class_by == crate::domain::servers::ClassBy::Admin,
            fingerprint: tool.fingerprint.short(),
            tag,
            drift: drifts.get(&tool.name).map(|drifts| drift_rows(drifts)).unwrap_or_default(),
            warnings: warnings(tool),
        }
    }
}

/// What is odd about a tool.
pub(super) fn warnings(tool: &Tool) -> Vec<String> {
    let mut warnings: Vec<String> = tool.name.oddity().into_iter().map(str::to_owned).collect();
    // What was shown since the last reading may be a change that the next one finds.
    if tool.variant.is_some_and(|(_, at)| tool.seen_at > at) {
        let words = "An agent was shown another definition of it than the catalogue holds: the server does not show \
                     the same to everybody.";
        warnings.push(words.to_owned());
    }
    warnings
}

/// A name as one part of an address.
pub(super) fn path_segment(name: &str) -> String {
    name.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// The last fourteen days as bars.
pub(super) struct Strip {
    pub(super) bars: Vec<Bar>,
    pub(super) sentence: String,
}

/// One day.
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) class: &'static str,
    pub(super) day: String,
    pub(super) well: i64,
    pub(super) failed: i64,
    pub(super) latency: String,
    pub(super) cause: String,
}

impl Strip {
    /// Draws the days, oldest first.
    pub(super) fn new(days: &[DayHealth]) -> Self {
        let bars: Vec<Bar> = days.iter().enumerate().map(|(i, day)| Bar::new(i, day)).collect();
        let checks: i64 = days.iter().map(|day| day.well + day.failed).sum();
        let failed: i64 = days.iter().map(|day| day.failed).sum();
        let sentence = match (checks, failed) {
            (0, _) => "Not checked in the last 14 days.".to_owned(),
            (_, 0) => format!("All {checks} checks of the last 14 days went well."),
            _ => format!("{failed} of {checks} checks of the last 14 days failed."),
        };
        Self { bars, sentence }
    }
}

impl Bar {
    fn new(i: usize, day: &DayHealth) -> Self {
        let class = match (day.well, day.failed) {
            (0, 0) => "none",
            (_, 0) => "well",
            (0, _) => "down",
            _ => "part",
        };
        Self {
            x: i * 8,
            class,
            day: day.day.format(DAY).unwrap_or_default(),
            well: day.well,
            failed: day.failed,
            latency: day.latency_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
            cause: day.cause.as_deref().map(shown).unwrap_or_default(),
        }
    }
}

/// One step, ready to be shown.
pub(super) struct StepRow {
    pub(super) class: &'static str,
    pub(super) glyph: &'static str,
    pub(super) label: &'static str,
    pub(super) took: String,
    pub(super) text: String,
    pub(super) fix: String,
}

/// Steps, ready to be shown.
pub(super) fn step_rows(steps: &[StepReport]) -> Vec<StepRow> {
    let row = |step: &StepReport| {
        let (class, glyph) = match step.state {
            StepState::Passed => ("ok", "ok"),
            StepState::Failed => ("hit no", "deny"),
            StepState::NotReached => ("off", "dash"),
        };
        let is_reached = step.state != StepState::NotReached;
        StepRow {
            class,
            glyph,
            label: step.name.label(),
            took: if is_reached && step.took > Duration::ZERO { took(step.took) } else { String::new() },
            text: match &step.cause {
                Some(cause) => cause.clone(),
                None if is_reached => step.fact.clone(),
                None => "Not reached".to_owned(),
            },
            fix: step.fix.clone().unwrap_or_default(),
        }
    };
    steps.iter().map(row).collect()
}

/// The steps of a check that is going on: those that were taken, the one that is being taken, and those to come.
pub(super) fn rows_under_way(taken: &[StepReport]) -> Vec<StepRow> {
    let mut rows = step_rows(taken);
    let has_ended = taken.iter().any(|step| step.state == StepState::Failed);
    for (at, name) in StepName::ALL.into_iter().enumerate().skip(taken.len()) {
        let is_next = at == taken.len() && !has_ended;
        let (class, glyph, text) =
            if is_next { ("now", "clock", "Under way") } else { ("off", "dash", "Not reached yet") };
        rows.push(StepRow {
            class,
            glyph,
            label: name.label(),
            took: String::new(),
            text: text.to_owned(),
            fix: String::new(),
        });
    }
    rows
}

fn took(took: Duration) -> String {
    match took.as_millis() {
        0 => "under 1 ms".to_owned(),
        ms if ms < 10_000 => format!("{ms} ms"),
        _ => format!("{} s", took.as_secs()),
    }
}

/// The host of an address, as a list shows it.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// A definition with line breaks, for people.
pub(super) fn pretty(json: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.lines().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn hidden_letters_are_shown_and_names_fit_into_addresses() {
        assert_eq!(shown("a\u{200b}b\u{202e}"), "a⟨U+200B⟩b⟨U+202E⟩");
        assert_eq!(path_segment("repos/list.v2 ü"), "repos%2Flist%2Ev2%20%C3%BC");
        assert_eq!(host("https://mcp.example:8443/mcp?x"), "mcp.example:8443");
    }

    #[test]
    fn names_in_sentences_stand_in_quotes() {
        assert_eq!(said("Its name says `delete`."), "Its name says “delete”.");
        assert_eq!(said("`a` and `b\u{200b}`"), "“a” and “b⟨U+200B⟩”");
        assert_eq!(said("plain"), "plain");
    }

    #[test]
    fn a_strip_says_in_a_sentence_what_it_shows() {
        let day = |well, failed| DayHealth { well, failed, ..DayHealth::empty(date!(2026 - 11 - 20)) };
        let strip = Strip::new(&[day(0, 0), day(3, 0), day(1, 2), day(0, 1)]);
        assert_eq!(
            strip.bars.iter().map(|bar| bar.class).collect::<Vec<_>>(),
            ["none", "well", "part", "down"]
        );
        assert_eq!((strip.bars[1].x, strip.bars[1].day.as_str()), (8, "20 Nov"));
        assert_eq!(strip.sentence, "3 of 7 checks of the last 14 days failed.");
        assert_eq!(Strip::new(&[day(2, 0)]).sentence, "All 2 checks of the last 14 days went well.");
        assert_eq!(Strip::new(&[day(0, 0)]).sentence, "Not checked in the last 14 days.");
    }
}
