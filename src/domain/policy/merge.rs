//! Two documents that began as one, brought together part by part: what only one side changed is taken from it, and
//! what both changed somebody chooses.
//!
//! Invariant: what comes out has every part of one side or the other, or what somebody wrote in its place.

use std::collections::BTreeMap;

use crate::{
    domain::policy::{
        document::{Document, MAX_BYTES},
        literal::write_text,
    },
    protocol::mcp::strict::{self, Limits},
};

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// What is there now.
    Theirs,
    /// What is to be kept.
    Yours,
}

/// A part in which the two sides differ. Texts are canonical JSON; nothing where the part is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The part: a key of the document, or `tools` and a key of it.
    pub part: PartName,
    /// What both began from.
    pub base: Option<String>,
    /// What is there now.
    pub theirs: Option<String>,
    /// What is to be kept.
    pub yours: Option<String>,
}

/// The name of a part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartName {
    /// A key of the document.
    Whole(String),
    /// A key of `tools`.
    Tool(String),
}

impl PartName {
    /// As people read it.
    pub fn text(&self) -> &str {
        match self {
            Self::Whole(key) | Self::Tool(key) => key,
        }
    }
}

impl Meeting {
    /// The side that alone changed it; nothing where both did.
    pub fn suggested(&self) -> Option<Side> {
        if self.base == self.theirs {
            Some(Side::Yours)
        } else if self.base == self.yours {
            Some(Side::Theirs)
        } else {
            None
        }
    }
}

/// Why what was chosen makes no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was written for {0} is not JSON")]
pub struct NotJson(pub String);

/// The parts in which two documents differ that began as a third.
pub fn meetings(base: &Document, theirs: &Document, yours: &Document) -> Vec<Meeting> {
    let (base, theirs, yours) = (parts(base), parts(theirs), parts(yours));
    let mut names: Vec<&PartName> = theirs.keys().chain(yours.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let meeting = |name: &PartName| Meeting {
        part: name.clone(),
        base: base.get(name).cloned(),
        theirs: theirs.get(name).cloned(),
        yours: yours.get(name).cloned(),
    };
    names.into_iter().map(meeting).filter(|one| one.theirs != one.yours).collect()
}

/// The text of a document with the parts of one, but for those that were chosen; nothing takes a part away.
///
/// # Errors
/// Where what was written is not JSON. Whether it makes sense is for whoever reads the document.
pub fn joined(theirs: &Document, chosen: &[(PartName, Option<String>)]) -> Result<String, NotJson> {
    let mut all = parts(theirs);
    for (name, text) in chosen {
        match text {
            None => drop(all.remove(name)),
            Some(text) => {
                strict::check(text.as_bytes(), &Limits::of(MAX_BYTES))
                    .map_err(|_| NotJson(name.text().to_owned()))?;
                all.insert(name.clone(), text.clone());
            }
        }
    }
    let mut out = r#"{"version":"1""#.to_owned();
    let (whole, tools): (Vec<_>, Vec<_>) =
        all.iter().partition(|(name, _)| matches!(name, PartName::Whole(_)));
    for (name, text) in whole {
        out.push(',');
        member(name.text(), text, &mut out);
    }
    if !tools.is_empty() {
        out.push_str(r#","tools":{"#);
        for (at, (name, text)) in tools.into_iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            member(name.text(), text, &mut out);
        }
        out.push('}');
    }
    out.push('}');
    Ok(out)
}

fn member(key: &str, text: &str, out: &mut String) {
    write_text(key, out);
    out.push(':');
    out.push_str(text);
}

/// The parts of a document with their canonical texts.
fn parts(document: &Document) -> BTreeMap<PartName, String> {
    let text = document.canonical();
    let mut parts = BTreeMap::new();
    let Ok(root) = strict::check(text.as_bytes(), &Limits::of(text.len())) else { return parts };
    for one in root.members() {
        match one.key.string().as_deref() {
            None | Some("version") => {}
            Some("tools") => {
                for tool in one.value.members() {
                    if let Some(key) = tool.key.string() {
                        parts.insert(PartName::Tool(key.into_owned()), tool.value.text().to_owned());
                    }
                }
            }
            Some(key) => drop(parts.insert(PartName::Whole(key.to_owned()), one.value.text().to_owned())),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::document;

    fn read(rest: &str) -> Document {
        document::read(format!(r#"{{"version":"1",{rest}}}"#).as_bytes()).expect("a document")
    }

    #[test]
    fn what_one_side_changed_is_suggested_and_what_both_changed_is_not() {
        let base = read(r#""default":"deny","tools":{"a":{},"b":{},"c":{}}"#);
        let theirs = read(
            r#""default":"deny","hide":["x"],"tools":{"a":{"action":"deny"},"b":{},"c":{"concurrency":1}}"#,
        );
        let yours = read(r#""default":"deny","tools":{"a":{},"c":{"concurrency":2}}"#);
        let found: Vec<_> = meetings(&base, &theirs, &yours)
            .into_iter()
            .map(|one| (one.part.text().to_owned(), one.suggested()))
            .collect();
        let one = |name: &str, side| (name.to_owned(), side);
        let (theirs_side, yours_side) = (Some(Side::Theirs), Some(Side::Yours));
        assert_eq!(
            found,
            [one("hide", theirs_side), one("a", theirs_side), one("b", yours_side), one("c", None)]
        );
    }

    #[test]
    fn what_was_chosen_makes_one_document() {
        let theirs = read(r#""default":"deny","hide":["x"],"tools":{"a":{"action":"deny"},"b":{}}"#);
        let tool = |name: &str| PartName::Tool(name.to_owned());
        let chosen = [
            (PartName::Whole("hide".into()), None),
            (tool("b"), None),
            (tool("c/d"), Some(r#"{ "concurrency": 2 }"#.to_owned())),
        ];
        let text = joined(&theirs, &chosen).expect("JSON");
        let made = document::read(text.as_bytes()).expect("a document").canonical();
        assert_eq!(
            made,
            r#"{"version":"1","default":"deny","tools":{"a":{"action":"deny"},"c/d":{"concurrency":2}}}"#
        );
        assert_eq!(joined(&theirs, &[]).expect("JSON"), theirs.canonical());
    }

    #[test]
    fn nothing_is_slipped_in_beside_a_part() {
        let theirs = read(r#""default":"deny""#);
        let chosen = [(PartName::Tool("a".into()), Some(r#"{}},"default":"allow","x":{"y":{}"#.to_owned()))];
        assert_eq!(joined(&theirs, &chosen), Err(NotJson("a".to_owned())));
    }
}
