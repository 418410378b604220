//! What a draft would change about last week's calls, as a strip of figures.

use crate::flow::actions::policies::{Affected, Replay, ReplayEnded, ReplayOutcome};

/// What a draft would change, in figures.
#[derive(Clone)]
pub(super) struct Impact {
    /// Whether there is a draft.
    pub(super) has_draft: bool,
    /// How many calls were tried, and from when.
    pub(super) tried: String,
    /// Whom it is about; empty for who may not know.
    pub(super) affected: String,
    /// The page with the calls.
    pub(super) href: String,
    pub(super) figures: Vec<Figure>,
    /// What else has to be known.
    pub(super) notes: Vec<String>,
}

/// One figure.
#[derive(Clone)]
pub(super) struct Figure {
    pub(super) href: String,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) figure: String,
    pub(super) label: &'static str,
    pub(super) hint: String,
    pub(super) is_zero: bool,
    pub(super) is_current: bool,
    pub(super) is_flagged: bool,
}

impl Impact {
    pub(super) fn of(base: &str, replay: Option<&Replay>, current: Option<ReplayOutcome>) -> Self {
        let Some(replay) = replay else {
            return Self {
                has_draft: false,
                tried: String::new(),
                affected: String::new(),
                href: base.to_owned(),
                figures: Vec::new(),
                notes: Vec::new(),
            };
        };
        let counts = &replay.counts;
        let figure = |outcome: ReplayOutcome, tone, glyph, label, hint: String| {
            let count = counts.of(outcome);
            Figure {
                href: format!("{base}?outcome={}", outcome.as_str()),
                tone,
                glyph,
                figure: grouped(count),
                label,
                hint,
                is_zero: count == 0,
                is_current: current == Some(outcome),
                is_flagged: outcome == ReplayOutcome::NewlyAllowed && counts.flagged > 0,
            }
        };
        let untold = counts.of(ReplayOutcome::Unknown) > 0;
        let widens = match (counts.of(ReplayOutcome::NewlyAllowed), counts.flagged) {
            (0, _) if untold => "none that can be told".to_owned(),
            (0, _) => "nothing widens".to_owned(),
            (_, 0) => "all of them only read".to_owned(),
            (_, flagged) => format!("{} do more than read", grouped(flagged)),
        };
        let outside = match counts.outside {
            0 => String::new(),
            outside => format!("{} it has no say about", grouped(outside)),
        };
        Self {
            has_draft: true,
            tried: tried_words(replay),
            affected: replay.affected.as_ref().map(|all| affected_words(all, untold)).unwrap_or_default(),
            href: base.to_owned(),
            figures: vec![
                figure(ReplayOutcome::NewlyDenied, "deny", "deny", "newly denied", String::new()),
                figure(ReplayOutcome::NewlyAsked, "ask", "ask", "will need approval", String::new()),
                figure(
                    ReplayOutcome::NewlyAllowed,
                    if counts.flagged > 0 { "deny" } else { "allow" },
                    if counts.flagged > 0 { "warn" } else { "ok" },
                    "newly allowed",
                    widens,
                ),
                figure(ReplayOutcome::Unchanged, "quiet", "dash", "unchanged", outside),
                figure(ReplayOutcome::Unknown, "quiet", "info", "cannot be told", String::new()),
                figure(ReplayOutcome::LeftOut, "quiet", "x", "left out", String::new()),
            ],
            notes: notes(replay),
        }
    }

    #[cfg(test)]
    pub(super) fn sample(counts: [u32; 6]) -> Self {
        use crate::{
            flow::actions::policies::{LimitNote, ReplayCounts},
            web::kit::samples::AT,
        };
        let replay = Replay {
            policy: super::sample_policy(),
            is_draft: true,
            from: AT,
            to: AT,
            calls: counts.iter().sum(),
            ended: Some(ReplayEnded::Calls),
            reaches: Some(AT),
            counts: ReplayCounts::sample(counts),
            limits: LimitNote { all: 2, new: 1 },
            affected: Some(Affected { people: 6, agents: 3, named: Vec::new() }),
            items: None,
        };
        Self::of("/o/acme/policies/github/replay", Some(&replay), Some(ReplayOutcome::NewlyAllowed))
    }

    /// The four that are always shown.
    pub(super) fn main(&self) -> &[Figure] {
        &self.figures[..self.figures.len().min(4)]
    }

    /// The others, where there are such calls.
    pub(super) fn others(&self) -> impl Iterator<Item = &Figure> {
        self.figures.iter().skip(4).filter(|figure| !figure.is_zero || figure.is_current)
    }
}

fn tried_words(replay: &Replay) -> String {
    let calls = match replay.calls {
        0 => return "No agent called anything in the last 7 days.".to_owned(),
        1 => "1 real call".to_owned(),
        calls => format!("{} real calls", grouped(calls)),
    };
    match replay.ended {
        None => format!("Tried on {calls} of the last 7 days."),
        Some(ReplayEnded::Time) => format!("Tried on the newest {calls}; stopped after 3 seconds."),
        Some(ReplayEnded::Calls) => format!("Tried on the newest {calls}, which is as many as are tried."),
    }
}

/// Who would notice; `untold` where there are calls of which nothing can be told.
fn affected_words(affected: &Affected, untold: bool) -> String {
    let counted = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    match (affected.people, affected.agents) {
        (_, 0) if untold => "As far as can be told, nobody would notice.".to_owned(),
        (_, 0) => "Nobody would notice.".to_owned(),
        (0, agents) => format!("{} would notice.", counted(agents, "agent", "agents")),
        (people, agents) => format!(
            "{} and {} would notice.",
            counted(people, "person", "people"),
            counted(agents, "agent", "agents")
        ),
    }
}

fn notes(replay: &Replay) -> Vec<String> {
    let mut notes = Vec::new();
    if replay.policy.places.is_none() {
        notes.push("The policy is in force nowhere, so it has no say about any call yet.".to_owned());
    }
    if replay.counts.of(ReplayOutcome::Unknown) > 0 {
        notes.push(
            "What depends on arguments can be told only where an approval kept them; it is not guessed."
                .to_owned(),
        );
    }
    let new = match (replay.limits.all, replay.limits.new) {
        (_, 0) => "",
        (1, _) => " It is new or changed.",
        (_, 1) => " One of them is new or changed.",
        _ => " Some of them are new or changed.",
    };
    match replay.limits.all {
        0 => {}
        1 => notes.push(format!("The draft has a limit. Limits are not counted here.{new}")),
        all => notes.push(format!("The draft has {all} limits. Limits are not counted here.{new}")),
    }
    notes
}

/// A number with a comma between thousands.
pub(super) fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(
            [0, 999, 4_760, 50_000, 1_234_567].map(grouped),
            ["0", "999", "4,760", "50,000", "1,234,567"]
        );
    }
}
