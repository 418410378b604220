//! Calls of the same tool before, as the page of an approval shows them.

use time::OffsetDateTime;

use crate::flow::actions::approvals::{PastOutcome, Similar, SimilarCall};

/// What the tool was called for before.
pub(super) struct Past {
    /// The counts in words.
    pub(super) summary: String,
    pub(super) lines: Vec<PastLine>,
    /// Whether only calls in the viewer's own name are among them.
    pub(super) is_own_only: bool,
}

/// A call before.
pub(super) struct PastLine {
    pub(super) href: String,
    pub(super) at: OffsetDateTime,
    pub(super) agent: String,
    /// In whose name; empty where nobody is named.
    pub(super) person: String,
    pub(super) is_same_agent: bool,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    pub(super) arguments: &'static str,
}

impl Past {
    /// `log` is where events have their pages; empty for who may not read the log.
    pub(super) fn of(log: &str, similar: Similar) -> Self {
        Self {
            summary: similar.sentence(),
            is_own_only: !similar.is_of_everybody,
            lines: similar.calls.into_iter().map(|call| PastLine::of(log, call)).collect(),
        }
    }
}

impl PastLine {
    fn of(log: &str, call: SimilarCall) -> Self {
        let (tone, glyph, word) = look(call.outcome);
        let own = || call.request.map(|request| format!("/c/{request}")).unwrap_or_default();
        Self {
            href: if log.is_empty() { own() } else { format!("{log}/{}", call.event) },
            at: call.at,
            agent: call.agent,
            person: call.person.unwrap_or_default(),
            is_same_agent: call.is_same_agent,
            tone,
            glyph,
            word,
            arguments: match call.has_same_arguments {
                Some(true) => "the same",
                Some(false) => "others",
                None => "not on record",
            },
        }
    }
}

const fn look(outcome: PastOutcome) -> (&'static str, &'static str, &'static str) {
    match outcome {
        PastOutcome::Made => ("allow", "ok", "Made"),
        PastOutcome::Failed => ("rule", "warn", "Failed"),
        PastOutcome::Open => ("quiet", "clock", "No end on record"),
        PastOutcome::Asked => ("ask", "ask", "Asked about"),
        PastOutcome::Limited => ("deny", "deny", "Beyond a limit"),
        PastOutcome::Denied => ("deny", "deny", "Denied"),
    }
}

#[cfg(test)]
pub(super) fn sample_past(text: &str, count: usize) -> Past {
    let line = |at: usize| PastLine {
        href: "/o/acme/audit/x".into(),
        at: crate::web::kit::samples::AT,
        agent: text.into(),
        person: if at == 0 { String::new() } else { text.into() },
        is_same_agent: at == 0,
        tone: "allow",
        glyph: "ok",
        word: "Made",
        arguments: "the same",
    };
    Past { summary: text.into(), lines: (0..count).map(line).collect(), is_own_only: count == 0 }
}
