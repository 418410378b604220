//! Differences in what people and models read.

use serde_json::Value;

use crate::domain::servers::{
    Severity,
    drift::{Drift, DriftKind, other, shown},
};

/// Phrases of texts that address the model instead of describing the tool.
const ORDERS: [&str; 20] = [
    "<important",
    "<system",
    "<secret",
    "<hidden",
    "ignore previous",
    "ignore all",
    "ignore the",
    "disregard",
    "do not tell",
    "don't tell",
    "do not mention",
    "never mention",
    "without telling",
    "before using this tool",
    "before using any",
    "always call",
    "system prompt",
    "id_rsa",
    ".ssh",
    "api key",
];

/// A description that changed; grave where the new one gives orders or hides letters.
pub(super) fn description(path: &str, was: &Value, is: &Value, sentence: &str) -> Drift {
    let new = is.as_str().unwrap_or_default();
    let (severity, sentence) = match suspicion(was.as_str().unwrap_or_default(), new) {
        Some(suspicion) => (Severity::High, format!("{sentence} {suspicion}")),
        None => (Severity::Medium, sentence.to_owned()),
    };
    shown(Drift { kind: DriftKind::Description, ..other(severity, path, &sentence) }, was, is)
}

/// A title that changed.
pub(super) fn title(path: &str, was: &Value, is: &Value) -> Drift {
    let hidden = is.as_str().is_some_and(has_hidden_letters);
    let (severity, sentence) = if hidden {
        (Severity::High, "Its title changed. The new one holds letters that cannot be seen.")
    } else {
        (Severity::Low, "Its title changed.")
    };
    shown(Drift { kind: DriftKind::Title, ..other(severity, path, sentence) }, was, is)
}

/// What is suspicious about a text that was not so about the one before.
fn suspicion(was: &str, is: &str) -> Option<String> {
    if has_hidden_letters(is) && !has_hidden_letters(was) {
        return Some("The new text holds letters that cannot be seen.".to_owned());
    }
    let (was, is) = (was.to_lowercase(), is.to_lowercase());
    let order = ORDERS.iter().find(|order| is.contains(**order) && !was.contains(**order))?;
    Some(format!("The new text says `{order}`, as texts do that give orders to models."))
}

fn has_hidden_letters(text: &str) -> bool {
    text.chars().any(|c| {
        c.is_control() && !matches!(c, '\n' | '\r' | '\t')
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    })
}
