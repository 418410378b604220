//! What was read from a server at once, and what that changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::domain::servers::{
    Classified, Declared, Fingerprint, NotCanonical, ToolName, classify, texts::clipped,
};

const LONGEST_TITLE: usize = 300;
const LONGEST_KEY: usize = 2000;

/// Everything a server offered in one reading.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What it says of itself.
    pub declared: Declared,
    /// Its tools; no two of one name.
    pub tools: Vec<SeenTool>,
    /// Its prompts, resources and templates; no two of one kind and key.
    pub items: Vec<SeenItem>,
}

/// A tool as it was just read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTool {
    /// Its name.
    pub name: ToolName,
    /// Its name for people.
    pub title: Option<String>,
    /// The exact wire object.
    pub definition: Arc<str>,
    /// The digest of it.
    pub fingerprint: Fingerprint,
    /// The class that rules and hints give it.
    pub classified: Classified,
}

/// Why a wire object is no tool, prompt, resource or template that can be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It has no digest.
    #[error(transparent)]
    Digest(#[from] NotCanonical),
    /// It has no usable name or address.
    #[error("it has no usable name")]
    Name,
}

impl SeenTool {
    /// Reads the wire object of a tool.
    ///
    /// # Errors
    /// When it has no digest or no usable name.
    pub fn read(definition: &str) -> Result<Self, Unreadable> {
        let (definition, fingerprint, value) = read(definition)?;
        let name: ToolName =
            value["name"].as_str().and_then(|name| name.parse().ok()).ok_or(Unreadable::Name)?;
        let title = value["title"].as_str().or_else(|| value["annotations"]["title"].as_str());
        let title = title.map(|title| clipped(title.trim(), LONGEST_TITLE)).filter(|title| !title.is_empty());
        let classified = classify(&name, &value);
        Ok(Self { name, title, definition, fingerprint, classified })
    }
}

/// What stands in a catalogue besides tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// A prompt.
    Prompt,
    /// A resource.
    Resource,
    /// A template of resource addresses.
    Template,
}

impl ItemKind {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "template",
        }
    }

    /// The member of the wire object that names it.
    pub const fn key_member(self) -> &'static str {
        match self {
            Self::Prompt => "name",
            Self::Resource => "uri",
            Self::Template => "uriTemplate",
        }
    }
}

/// A prompt, resource or template as it was just read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenItem {
    /// Which of them.
    pub kind: ItemKind,
    /// A prompt's name, a resource's address.
    pub key: String,
    /// The exact wire object.
    pub definition: Arc<str>,
    /// The digest of it.
    pub fingerprint: Fingerprint,
}

impl SeenItem {
    /// Reads the wire object of a prompt, resource or template.
    ///
    /// # Errors
    /// When it has no digest or no usable name.
    pub fn read(kind: ItemKind, definition: &str) -> Result<Self, Unreadable> {
        let (definition, fingerprint, value) = read(definition)?;
        let is_usable = |key: &&str| {
            (1..=LONGEST_KEY).contains(&key.chars().count()) && !key.chars().any(char::is_control)
        };
        let key = value[kind.key_member()].as_str().filter(is_usable).ok_or(Unreadable::Name)?.to_owned();
        Ok(Self { kind, key, definition, fingerprint })
    }
}

fn read(definition: &str) -> Result<(Arc<str>, Fingerprint, Value), Unreadable> {
    let definition = definition.trim_ascii();
    let fingerprint = Fingerprint::of(definition)?;
    let value: Value = serde_json::from_str(definition).map_err(|_| NotCanonical)?;
    if value.is_object() { Ok((definition.into(), fingerprint, value)) } else { Err(Unreadable::Name) }
}

/// A prompt, resource or template as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueItem {
    /// A prompt's name, a resource's address.
    pub key: String,
    /// The exact wire object as last seen.
    pub definition: Arc<str>,
    /// The digest of it.
    pub fingerprint: Fingerprint,
    /// When it was last offered.
    pub seen_at: OffsetDateTime,
}

/// What a reading changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueChange {
    /// Tools that nobody has accepted and that were not there before.
    pub new: Vec<ToolName>,
    /// Tools that differ from what was accepted, and did not before.
    pub changed: Vec<ToolName>,
    /// Tools that returned, or changed back, to what was accepted.
    pub restored: Vec<ToolName>,
    /// Tools that are no longer offered.
    pub gone: Vec<ToolName>,
    /// Whether a prompt, resource or template came, went or changed.
    pub items_changed: bool,
    /// Whether anything changed that a decision about a call depends on; then the epoch has to rise.
    pub is_decisive: bool,
}

impl CatalogueChange {
    /// Whether a person would want to read about it.
    pub fn is_worth_telling(&self) -> bool {
        !(self.new.is_empty() && self.changed.is_empty() && self.restored.is_empty() && self.gone.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::risk::Class;

    #[test]
    fn a_tool_is_read_with_name_title_digest_and_class() {
        let tool = SeenTool::read(r#" {"name":"get_issue","title":"Get\nissue","inputSchema":{}} "#)
            .expect("a tool");
        assert_eq!((tool.name.as_str(), tool.title.as_deref()), ("get_issue", Some("Get issue")));
        assert_eq!(tool.classified.class, Class::Read);
        assert!(tool.definition.starts_with('{') && tool.definition.ends_with('}'));
        let titled = SeenTool::read(r#"{"name":"a","annotations":{"title":"B"}}"#).expect("a tool");
        assert_eq!(titled.title.as_deref(), Some("B"));
    }

    #[test]
    fn what_has_no_name_or_two_readings_is_left_out() {
        for bad in ["[]", "{}", r#"{"name":""}"#, r#"{"name":1}"#, r#"{"name":"a","name":"b"}"#, "x"] {
            assert!(SeenTool::read(bad).is_err(), "{bad}");
        }
        assert!(SeenItem::read(ItemKind::Resource, r#"{"name":"a"}"#).is_err());
        let item =
            SeenItem::read(ItemKind::Template, r#"{"name":"a","uriTemplate":"x://{y}"}"#).expect("an item");
        assert_eq!(item.key, "x://{y}");
    }
}
