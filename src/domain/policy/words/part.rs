//! What a part of a document means, found by the pointer under which the record keeps it.

use crate::domain::policy::{
    document::{Action, Document},
    words::{Exception, Phrase, exceptions, of_checks},
};

/// The part that a JSON pointer (RFC 6901) names, as a decision does; nothing where the document has no such part.
pub fn part(document: &Document, pointer: &str) -> Option<Phrase> {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let steps: Vec<String> = steps.collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    match *steps.as_slice() {
        ["default"] => {
            Some(Phrase::of(format!("tools that are not named: {} always", verb(document.default))))
        }
        ["unreviewed_tools"] => Some(Phrase::of("deny tools that nobody reviewed")),
        ["hide", at] => {
            let pattern = document.hide.get(at.parse::<usize>().ok()?)?;
            Some(Phrase::of("hide ").code(pattern.to_string()))
        }
        ["all_tools", kind, at] => {
            Some(Phrase::of("every tool: ").and(found(of_checks(&document.all_tools), kind, at)?))
        }
        ["tools", key, kind, ref at @ ..] => {
            let (_, rules) = document.tools.iter().find(|(pattern, _)| pattern.to_string() == key)?;
            let phrase = match (kind, at) {
                ("action", []) => Phrase::of(format!("{} always", verb(rules.action))),
                (_, []) => found(exceptions(rules), kind, "0")?,
                (_, [at]) => found(exceptions(rules), kind, at)?,
                _ => return None,
            };
            Some(Phrase::default().code(key).say(": ").and(phrase))
        }
        _ => None,
    }
}

const fn verb(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::RequireApproval => "ask",
        Action::Deny => "deny",
    }
}

fn found(all: Vec<Exception>, kind: &str, at: &str) -> Option<Phrase> {
    let at: usize = at.parse().ok()?;
    all.into_iter().find(|one| one.kind.key() == kind && one.at == at).map(|one| one.words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    #[test]
    fn a_pointer_of_a_decision_leads_to_its_words() {
        let document = document::read(
            br#"{"version":"1","default":"deny","hide":["class:financial"],"all_tools":{"deny_if":[{"conditions":[]}]},
                "tools":{"a/b":{"action":"require_approval","concurrency":2,"require":[{"mode":"observe","conditions":[]}]}}}"#,
        )
        .expect("a document");
        let said = |pointer: &str| part(&document, pointer).map(|phrase| phrase.plain());
        for (pointer, words) in [
            ("/default", "tools that are not named: deny always"),
            ("/unreviewed_tools", "deny tools that nobody reviewed"),
            ("/hide/0", "hide class:financial"),
            ("/all_tools/deny_if/0", "every tool: deny always"),
            ("/tools/a~1b/action", "a/b: ask always"),
            ("/tools/a~1b/concurrency", "a/b: at most 2 at once"),
            ("/tools/a~1b/require/0", "a/b: require nothing, only tried"),
        ] {
            assert_eq!(said(pointer).as_deref(), Some(words), "{pointer}");
        }
        for pointer in ["", "/hide/1", "/tools/x/action", "/tools/a~1b/deny_if/0", "/tools/a~1b/require/0/x"]
        {
            assert_eq!(said(pointer), None, "{pointer}");
        }
    }
}
