//! The lines of a document around the part that decided.

use crate::web::kit::pretty::pretty;

/// How many lines stand before and after the part.
const AROUND: usize = 2;
/// How many lines of the part are shown.
const MOST: usize = 14;

/// A line of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CodeLine {
    pub(super) number: usize,
    pub(super) text: String,
    /// Whether it belongs to the part.
    pub(super) is_part: bool,
}

/// The lines around the part of a document that a JSON pointer leads to, or as far as it leads.
pub(super) fn around(document: &str, pointer: &str) -> Vec<CodeLine> {
    let text = pretty(document);
    let lines: Vec<&str> = text.lines().collect();
    let (from, to) = place(&lines, pointer);
    let to_shown = to.min(from + MOST);
    let (first, last) = (from.saturating_sub(AROUND), (to_shown + AROUND).min(lines.len()));
    let shown = lines.iter().enumerate().take(last).skip(first);
    shown
        .map(|(at, line)| CodeLine {
            number: at + 1,
            text: (*line).to_owned(),
            is_part: (from..to_shown).contains(&at),
        })
        .collect()
}

/// From which line to before which one the part stands. Each level of the layout is indented by two.
fn place(lines: &[&str], pointer: &str) -> (usize, usize) {
    let (mut from, mut to) = (0, lines.len());
    for (depth, token) in pointer.split('/').skip(1).enumerate() {
        let token = token.replace("~1", "/").replace("~0", "~");
        let indent = 2 * (depth + 1);
        let is_child = |line: &str| {
            line.len() - line.trim_start().len() == indent && !line.trim_start().starts_with(['}', ']'])
        };
        let children: Vec<usize> = (from + 1..to).filter(|at| is_child(lines[*at])).collect();
        let is_list = lines.get(from).is_some_and(|line| line.ends_with('['));
        let key = format!("{}: ", serde_json::Value::from(token.as_str()));
        let found = if is_list {
            token.parse().ok().filter(|at: &usize| *at < children.len())
        } else {
            children.iter().position(|at| lines[*at].trim_start().starts_with(&key))
        };
        let Some(found) = found else { break };
        // The bracket that closes the parent belongs to no child.
        let end = children.get(found + 1).copied().unwrap_or(to.saturating_sub(1));
        (from, to) = (children[found], end.max(children[found] + 1));
    }
    (from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"version":"1","default":"deny","tools":{"a/b":{"deny_if":[{"conditions":[]},{"name":"x","conditions":[]}]},"c":{}}}"#;

    fn part(pointer: &str) -> String {
        let lines = around(DOCUMENT, pointer);
        let part: Vec<_> = lines.iter().filter(|line| line.is_part).map(|line| line.text.trim()).collect();
        part.join(" ")
    }

    #[test]
    fn the_part_is_found_by_its_pointer() {
        assert_eq!(part("/default"), r#""default": "deny","#);
        assert_eq!(part("/tools/a~1b/deny_if/1"), r#"{ "name": "x", "conditions": [] }"#);
        assert_eq!(part("/tools/c"), r#""c": {}"#);
    }

    #[test]
    fn what_is_left_out_of_a_document_is_shown_by_what_it_would_stand_in() {
        assert_eq!(part("/tools/c/action"), r#""c": {}"#);
        assert!(part("/unreviewed_tools").starts_with('{'));
    }
}
