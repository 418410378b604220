//! What a tool says of itself, read from its definition on the wire.
//!
//! Hints are claims of the server: a start for classifying a tool, never a reason to trust it.

mod mirrors;

use std::borrow::Cow;

use crate::protocol::mcp::{
    canonical::canonical,
    headers::Mirror,
    raw::{Kind, Raw},
    strict::folds_to,
};

pub use crate::protocol::mcp::schema::mirrors::BadMirror;

/// A tool's definition.
#[derive(Clone, Debug)]
pub struct Tool<'a> {
    /// The name it is called by.
    pub name: Cow<'a, str>,
    /// The name it is shown by.
    pub title: Option<Cow<'a, str>>,
    /// What it is said to do.
    pub description: Option<Cow<'a, str>>,
    /// What it is said to be like.
    pub hints: Hints,
    /// What its arguments look like.
    pub input_schema: Option<Raw<'a>>,
    /// What its structured results look like.
    pub output_schema: Option<Raw<'a>>,
    raw: Raw<'a>,
}

/// What a server claims about a tool; nothing is what it did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may destroy.
    pub destructive: Option<bool>,
    /// Calling it twice does no more than calling it once.
    pub idempotent: Option<bool>,
    /// It reaches beyond the server's own world.
    pub open_world: Option<bool>,
}

/// Why a definition is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTool {
    /// It is no object, or has no name.
    #[error("a tool is an object with a name")]
    Unnamed,
    /// A member has the wrong type.
    #[error("the tool's {0} has the wrong type")]
    WrongType(&'static str),
    /// Two readers could take different members for the same one.
    #[error("the tool has a member that differs from {0} only in case")]
    CaseVariant(&'static str),
}

/// The members that are read here.
const MEMBERS: [&str; 6] = ["name", "title", "description", "inputSchema", "outputSchema", "annotations"];

impl<'a> Tool<'a> {
    /// Reads a definition.
    ///
    /// # Errors
    /// When it has no name, or a member that is read here has the wrong type or a double in another case.
    pub fn read(raw: Raw<'a>) -> Result<Self, BadTool> {
        let mut found = [None; MEMBERS.len()];
        for member in raw.members() {
            let key = member.key.string().ok_or(BadTool::Unnamed)?;
            match MEMBERS.iter().position(|name| folds_to(&key, name)) {
                Some(at) if MEMBERS[at] == key => found[at] = Some(member.value),
                Some(at) => return Err(BadTool::CaseVariant(MEMBERS[at])),
                None => {}
            }
        }
        let [name, title, description, input_schema, output_schema, annotations] = found;
        let name =
            name.as_ref().and_then(Raw::string).filter(|name| !name.is_empty()).ok_or(BadTool::Unnamed)?;
        let annotated = object("annotations", annotations)?;
        let title = match text("title", title)? {
            Some(title) => Some(title),
            None => text("title", annotated.and_then(|annotations| annotations.get("title")))?,
        };
        Ok(Self {
            name,
            title,
            description: text("description", description)?,
            hints: annotated.map(Hints::read).transpose()?.unwrap_or_default(),
            input_schema: object("inputSchema", input_schema)?,
            output_schema: object("outputSchema", output_schema)?,
            raw,
        })
    }

    /// The whole definition as it came.
    pub const fn raw(&self) -> Raw<'a> {
        self.raw
    }

    /// Which arguments a modern client repeats in headers.
    ///
    /// # Errors
    /// When the schema asks for a header in a way that the protocol forbids; such a tool is not to be offered.
    pub fn mirrors(&self) -> Result<Vec<Mirror>, BadMirror> {
        self.input_schema.map_or(Ok(Vec::new()), mirrors::read)
    }

    /// The definition written canonically: what a fingerprint is taken of, unknown members included.
    pub fn fingerprint_input(&self) -> Vec<u8> {
        canonical(self.raw)
    }
}

impl Hints {
    fn read(annotations: Raw<'_>) -> Result<Self, BadTool> {
        let hint = |key: &'static str| match annotations.get(key) {
            Some(raw) if raw.kind() != Kind::Null => raw.boolean().map(Some).ok_or(BadTool::WrongType(key)),
            _ => Ok(None),
        };
        Ok(Self {
            read_only: hint("readOnlyHint")?,
            destructive: hint("destructiveHint")?,
            idempotent: hint("idempotentHint")?,
            open_world: hint("openWorldHint")?,
        })
    }
}

/// Some servers write `null` for what they do not have.
fn text<'a>(name: &'static str, raw: Option<Raw<'a>>) -> Result<Option<Cow<'a, str>>, BadTool> {
    match raw.filter(|raw| raw.kind() != Kind::Null) {
        Some(raw) => raw.string().map(Some).ok_or(BadTool::WrongType(name)),
        None => Ok(None),
    }
}

fn object<'a>(name: &'static str, raw: Option<Raw<'a>>) -> Result<Option<Raw<'a>>, BadTool> {
    match raw.filter(|raw| raw.kind() != Kind::Null) {
        Some(raw) if raw.kind() != Kind::Object => Err(BadTool::WrongType(name)),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::strict::{Limits, check};

    fn tool(text: &str) -> Result<Tool<'_>, BadTool> {
        Tool::read(check(text.as_bytes(), &Limits::default()).expect("good JSON"))
    }

    #[test]
    fn a_definition_is_read_and_what_it_does_not_say_stays_unsaid() {
        let text = r#"{"name":"drop_table","description":"Drops \"it\"","inputSchema":{"type":"object"},
            "outputSchema":null,"annotations":{"title":"Drop","destructiveHint":true,"idempotentHint":false},"x":1}"#;
        let tool = tool(text).unwrap();
        assert_eq!((&*tool.name, tool.title.as_deref()), ("drop_table", Some("Drop")));
        assert_eq!(tool.description.as_deref(), Some("Drops \"it\""));
        assert_eq!(tool.input_schema.map(|schema| schema.text()), Some(r#"{"type":"object"}"#));
        assert_eq!(tool.output_schema, None);
        let hints = Hints { destructive: Some(true), idempotent: Some(false), ..Hints::default() };
        assert_eq!(tool.hints, hints);
        assert_eq!(tool.raw().text(), text);
    }

    #[test]
    fn a_definition_that_could_be_read_in_two_ways_is_none() {
        for (text, fault) in [
            ("3", BadTool::Unnamed),
            ("{}", BadTool::Unnamed),
            (r#"{"name":""}"#, BadTool::Unnamed),
            (r#"{"name":"a","Name":"b"}"#, BadTool::CaseVariant("name")),
            (r#"{"name":"a","inputschema":{}}"#, BadTool::CaseVariant("inputSchema")),
            (r#"{"name":"a","title":1}"#, BadTool::WrongType("title")),
            (r#"{"name":"a","inputSchema":true}"#, BadTool::WrongType("inputSchema")),
            (r#"{"name":"a","annotations":{"readOnlyHint":"true"}}"#, BadTool::WrongType("readOnlyHint")),
        ] {
            assert_eq!(tool(text).err(), Some(fault), "{text}");
        }
    }

    #[test]
    fn the_fingerprint_sees_every_member_and_no_spelling() {
        let one = tool(r#"{"name":"a","icons":[{"src":"x"}],"inputSchema":{"a":1,"b":"\u0062"}}"#).unwrap();
        let same = tool(r#"{ "inputSchema" : {"b":"b","a":1},"icons":[{"src":"x"}],"name":"a"}"#).unwrap();
        let other = tool(r#"{"name":"a","icons":[{"src":"y"}],"inputSchema":{"a":1,"b":"b"}}"#).unwrap();
        assert_eq!(one.fingerprint_input(), same.fingerprint_input());
        assert_ne!(one.fingerprint_input(), other.fingerprint_input());
    }
}
