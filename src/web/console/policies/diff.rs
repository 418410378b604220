//! Two documents side by side: what changes, in words and in lines.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::{
    domain::policy::{
        document,
        words::{Difference, Effect, differences},
    },
    web::{
        console::policies::{Piece, pieces},
        kit::pretty::pretty,
    },
};

/// How many lines around a change are shown.
const AROUND: usize = 3;
/// Beyond so many lines nobody compares by eye, and comparing takes its time.
const MOST_LINES: usize = 20_000;
/// How many lines of a comparison a page shows.
const MOST_SHOWN: usize = 600;
/// How many changes in words a page shows.
const MOST_WORDS: usize = 200;

/// What changes from one document to another.
pub(super) struct Changes {
    /// By key, the policy as a whole first.
    pub(super) groups: Vec<ChangeGroup>,
    /// How many changes there are.
    pub(super) count: usize,
    /// How many of them let more pass, or may.
    pub(super) loosening: usize,
    pub(super) lines: Vec<DiffLine>,
    /// Why not all of it is shown; empty where it is.
    pub(super) cut: &'static str,
}

/// What changes under one key.
pub(super) struct ChangeGroup {
    /// The key; empty for the policy as a whole.
    pub(super) key: String,
    pub(super) rows: Vec<ChangeRow>,
}

pub(super) struct ChangeRow {
    pub(super) pieces: Vec<Piece>,
    pub(super) tone: &'static str,
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
}

/// A line of a comparison.
pub(in crate::web::console) struct DiffLine {
    /// `add`, `del`, `gap` or nothing.
    pub(in crate::web::console) class: &'static str,
    pub(in crate::web::console) mark: &'static str,
    /// The number of the line after the change, or before it where it is gone.
    pub(in crate::web::console) number: usize,
    pub(in crate::web::console) text: String,
}

impl Changes {
    /// From one document to another; what is not there yet is nothing.
    pub(super) fn of(before: Option<&str>, after: &str) -> Self {
        let nothing = r#"{"version":"1","default":"deny"}"#;
        let all =
            match (document::read(before.unwrap_or(nothing).as_bytes()), document::read(after.as_bytes())) {
                (Ok(before), Ok(after)) => differences(&before, &after),
                _ => Vec::new(),
            };
        let (lines, mut cut) = compared(&before.map(pretty).unwrap_or_default(), &pretty(after));
        if all.len() > MOST_WORDS {
            cut = "There are more changes than can be shown here. The documents have them all.";
        }
        Self {
            count: all.len(),
            loosening: all.iter().filter(|one| matches!(one.effect, Effect::Looser | Effect::Either)).count(),
            groups: grouped(all),
            lines,
            cut,
        }
    }
}

fn grouped(all: Vec<Difference>) -> Vec<ChangeGroup> {
    let mut groups: Vec<ChangeGroup> = Vec::new();
    for one in all.into_iter().take(MOST_WORDS) {
        let key = one.key.clone().unwrap_or_default();
        let row = row(one);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.rows.push(row),
            None => groups.push(ChangeGroup { key, rows: vec![row] }),
        }
    }
    groups
}

fn row(one: Difference) -> ChangeRow {
    let (tone, glyph, word) = match one.effect {
        Effect::Looser => ("deny", "warn", "Lets more pass"),
        Effect::Either => ("ask", "warn", "May let more pass"),
        Effect::Stricter => ("quiet", "lock", "Lets less pass"),
        Effect::Neutral => ("quiet", "dash", "Decides the same"),
    };
    ChangeRow { pieces: pieces(one.words), tone, glyph, word }
}

/// The lines of two texts that differ, with a few around them, and why some are left out.
pub(in crate::web::console) fn compared(before: &str, after: &str) -> (Vec<DiffLine>, &'static str) {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if old.len() + new.len() > MOST_LINES {
        return (Vec::new(), "They are too long to be compared line by line.");
    }
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let mut lines = Vec::new();
    for (at, group) in similar::group_diff_ops(ops, AROUND).into_iter().enumerate() {
        if at > 0 {
            lines.push(DiffLine { class: "gap", mark: "", number: 0, text: "…".to_owned() });
        }
        for op in group {
            push(&mut lines, &op, &old, &new);
        }
    }
    let is_cut = lines.len() > MOST_SHOWN;
    lines.truncate(MOST_SHOWN);
    (lines, if is_cut { "More lines differ than can be shown here." } else { "" })
}

fn push(lines: &mut Vec<DiffLine>, op: &DiffOp, old: &[&str], new: &[&str]) {
    let line =
        |class, mark, at: usize, text: &str| DiffLine { class, mark, number: at + 1, text: text.to_owned() };
    if let DiffOp::Equal { .. } = op {
        lines.extend(op.new_range().map(|at| line("", "", at, new[at])));
        return;
    }
    lines.extend(op.old_range().map(|at| line("del", "−", at, old[at])));
    lines.extend(op.new_range().map(|at| line("add", "+", at, new[at])));
}

/// A text in numbered lines.
pub(super) fn numbered(text: &str) -> Vec<DiffLine> {
    let line =
        |(at, text): (usize, &str)| DiffLine { class: "", mark: "", number: at + 1, text: text.to_owned() };
    text.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_with_their_numbers_and_a_few_around_them() {
        let old: Vec<String> = (1..=20).map(|n| format!("line {n}")).collect();
        let mut new = old.clone();
        new[9] = "changed".to_owned();
        let (lines, cut) = compared(&old.join("\n"), &new.join("\n"));
        let shown: Vec<_> = lines.iter().map(|line| (line.class, line.number)).collect();
        let around = |n| ("", n);
        assert_eq!(
            shown,
            [around(7), around(8), around(9), ("del", 10), ("add", 10), around(11), around(12), around(13)]
        );
        assert_eq!(cut, "");
        assert!(compared("a", "a").0.is_empty());
    }

    #[test]
    fn what_loosens_is_counted() {
        let changes = Changes::of(
            Some(r#"{"version":"1","default":"deny","hide":["a"]}"#),
            r#"{"version":"1","default":"allow","hide":["a","b"]}"#,
        );
        assert_eq!((changes.count, changes.loosening, changes.groups.len()), (2, 1, 1));
    }
}
