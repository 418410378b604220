//! What the params of a message say, as far as anything depends on it.
//!
//! A member of the wrong type is a fault and not an absence: a `requestState` that is no string must not pass for a
//! request without one.

use std::borrow::Cow;

use crate::protocol::mcp::{
    message::Id,
    raw::{Kind, Raw},
    strict::{Outline, role::Role},
};

/// The params of a request or a notification.
#[derive(Clone, Debug, Default)]
pub struct Params<'a> {
    raw: Option<Raw<'a>>,
    outline: Option<Outline<'a>>,
}

/// A member that has another type than the protocol says, or is missing where it must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("params.{key} must be {wanted}")]
pub struct BadParam {
    /// Where it stands, from params on.
    pub key: &'static str,
    /// What it must be.
    pub wanted: &'static str,
}

/// A member that may be absent.
pub type Peek<T> = Result<Option<T>, BadParam>;

/// What a modern request says of itself.
#[derive(Clone, Debug)]
pub struct SelfDescription<'a> {
    /// The version it speaks.
    pub version: Cow<'a, str>,
    /// What the client can do.
    pub capabilities: Raw<'a>,
    /// Which software the client claims to be. Never trusted.
    pub client: Option<Raw<'a>>,
    /// From which level on it wants log messages.
    pub log_level: Option<Cow<'a, str>>,
}

pub(super) const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(super) const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

impl<'a> Params<'a> {
    pub(super) const fn new(outline: Outline<'a>, raw: Option<Raw<'a>>) -> Self {
        Self { raw, outline: Some(outline) }
    }

    /// The whole object, where there is one.
    pub const fn raw(&self) -> Option<Raw<'a>> {
        self.raw
    }

    /// A member by its key.
    pub fn get(&self, key: &str) -> Option<Raw<'a>> {
        self.of(Role::Params, key)
    }

    /// A member of `_meta` by its key.
    pub fn meta(&self, key: &str) -> Option<Raw<'a>> {
        self.of(Role::Meta, key)
    }

    /// The name of a tool or a prompt.
    ///
    /// # Errors
    /// When it is no string, as for every member below.
    pub fn name(&self) -> Peek<Cow<'a, str>> {
        self.text("name")
    }

    /// The address of a resource.
    ///
    /// # Errors
    /// When it is no string.
    pub fn uri(&self) -> Peek<Cow<'a, str>> {
        self.text("uri")
    }

    /// The arguments of a tool or a prompt.
    ///
    /// # Errors
    /// When they are no object.
    pub fn arguments(&self) -> Peek<Raw<'a>> {
        self.object("arguments")
    }

    /// Where a list goes on.
    ///
    /// # Errors
    /// When it is no string.
    pub fn cursor(&self) -> Peek<Cow<'a, str>> {
        self.text("cursor")
    }

    /// What the server wants back when a request is repeated.
    ///
    /// # Errors
    /// When it is no string.
    pub fn request_state(&self) -> Peek<Cow<'a, str>> {
        self.text("requestState")
    }

    /// The answers to what the server asked before.
    ///
    /// # Errors
    /// When they are no object.
    pub fn input_responses(&self) -> Peek<Raw<'a>> {
        self.object("inputResponses")
    }

    /// The task that is asked about.
    ///
    /// # Errors
    /// When it is no string.
    pub fn task_id(&self) -> Peek<Cow<'a, str>> {
        self.text("taskId")
    }

    /// The request that a cancellation is about.
    ///
    /// # Errors
    /// When it is neither string nor integer.
    pub fn request_id(&self) -> Peek<Id<'a>> {
        id(self.get("requestId"), "requestId")
    }

    /// The token under which the caller wants to hear of progress, or under which progress is told.
    ///
    /// # Errors
    /// When it is neither string nor integer.
    pub fn progress_token(&self) -> Peek<Id<'a>> {
        match id(self.meta("progressToken"), "_meta.progressToken")? {
            Some(token) => Ok(Some(token)),
            None => id(self.get("progressToken"), "progressToken"),
        }
    }

    /// The version that `initialize` proposes.
    ///
    /// # Errors
    /// When it is no string.
    pub fn protocol_version(&self) -> Peek<Cow<'a, str>> {
        self.text("protocolVersion")
    }

    /// The software that `initialize` names. Never trusted.
    ///
    /// # Errors
    /// When it is no object.
    pub fn client(&self) -> Peek<Raw<'a>> {
        self.object("clientInfo")
    }

    /// What `initialize` says the client can do.
    ///
    /// # Errors
    /// When it is no object.
    pub fn capabilities(&self) -> Peek<Raw<'a>> {
        self.object("capabilities")
    }

    /// What a completion completes: the prompt's name or the template's address, by the key that has it.
    ///
    /// # Errors
    /// When there is neither or both, or it is no string.
    pub fn reference(&self) -> Result<(&'static str, Cow<'a, str>), BadParam> {
        let wanted =
            BadParam { key: "ref", wanted: "a reference to a prompt by name or to a resource by uri" };
        let (name, uri) = (self.of(Role::Ref, "name"), self.of(Role::Ref, "uri"));
        let (key, kind, value) = match (name, uri) {
            (Some(name), None) => ("name", "ref/prompt", name),
            (None, Some(uri)) => ("uri", "ref/resource", uri),
            _ => return Err(wanted),
        };
        let is_kind = self.of(Role::Ref, "type").is_some_and(|said| said.says(kind));
        let said = value.string().filter(|_| is_kind).ok_or(wanted)?;
        Ok((key, said))
    }

    /// A kind of change that a subscription asks for, by its key.
    pub fn listens(&self, key: &str) -> Option<Raw<'a>> {
        self.of(Role::Listen, key)
    }

    /// What a modern request must say of itself.
    ///
    /// # Errors
    /// When version or capabilities are missing, or a member has the wrong type.
    pub fn self_description(&self) -> Result<SelfDescription<'a>, BadParam> {
        let missing = |key, wanted| BadParam { key, wanted };
        let version = self.meta(VERSION).as_ref().and_then(Raw::string);
        let capabilities = self.meta(CAPABILITIES).filter(|raw| raw.kind() == Kind::Object);
        let client = self.meta(CLIENT);
        if client.is_some_and(|client| client.kind() != Kind::Object) {
            return Err(missing("_meta[\"io.modelcontextprotocol/clientInfo\"]", "an object"));
        }
        let log_level = self.meta(LOG_LEVEL);
        if log_level.is_some_and(|level| level.kind() != Kind::String) {
            return Err(missing("_meta[\"io.modelcontextprotocol/logLevel\"]", "a string"));
        }
        Ok(SelfDescription {
            version: version
                .ok_or_else(|| missing("_meta[\"io.modelcontextprotocol/protocolVersion\"]", "a string"))?,
            capabilities: capabilities.ok_or_else(|| {
                missing("_meta[\"io.modelcontextprotocol/clientCapabilities\"]", "an object")
            })?,
            client,
            log_level: log_level.as_ref().and_then(Raw::string),
        })
    }

    fn of(&self, role: Role, key: &str) -> Option<Raw<'a>> {
        self.outline.as_ref().and_then(|outline| outline.get(role, key))
    }

    fn text(&self, key: &'static str) -> Peek<Cow<'a, str>> {
        let Some(raw) = self.get(key) else { return Ok(None) };
        raw.string().map(Some).ok_or(BadParam { key, wanted: "a string" })
    }

    fn object(&self, key: &'static str) -> Peek<Raw<'a>> {
        match self.get(key) {
            Some(raw) if raw.kind() != Kind::Object => Err(BadParam { key, wanted: "an object" }),
            member => Ok(member),
        }
    }
}

fn id<'a>(member: Option<Raw<'a>>, key: &'static str) -> Peek<Id<'a>> {
    let Some(raw) = member else { return Ok(None) };
    Id::read(raw).map(Some).ok_or(BadParam { key, wanted: "a string or an integer" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::{
        message::{Message, parse},
        strict::Limits,
    };

    fn with(params: &str, test: impl FnOnce(&Params<'_>)) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{params}}}"#);
        let Ok(Message::Request(request)) = parse(body.as_bytes(), &Limits::default()) else {
            unreachable!("a request: {body}")
        };
        test(&request.params);
    }

    #[test]
    fn members_are_read_from_where_they_stand() {
        let params = r#"{"name":"a\u0062","uri":"u","arguments":{"name":"no"},"cursor":"c","taskId":"t",
            "requestState":"s","requestId":5,"_meta":{"progressToken":"p","cursor":"no"},"protocolVersion":"v"}"#;
        with(params, |params| {
            assert_eq!(params.name().unwrap().as_deref(), Some("ab"));
            assert_eq!(params.uri().unwrap().as_deref(), Some("u"));
            assert_eq!(params.arguments().unwrap().unwrap().text(), r#"{"name":"no"}"#);
            assert_eq!(params.cursor().unwrap().as_deref(), Some("c"));
            assert_eq!(params.task_id().unwrap().as_deref(), Some("t"));
            assert_eq!(params.request_state().unwrap().as_deref(), Some("s"));
            assert_eq!(params.request_id().unwrap().unwrap().key(), "5");
            assert_eq!(params.progress_token().unwrap().unwrap().key(), "\"p\"");
            assert_eq!(params.protocol_version().unwrap().as_deref(), Some("v"));
            assert_eq!(params.client().unwrap(), None);
        });
    }

    #[test]
    fn a_member_of_the_wrong_type_is_no_absence() {
        let params = r#"{"name":null,"uri":1,"arguments":[],"cursor":{},"taskId":7,"requestState":{"a":1},
            "inputResponses":"x","requestId":null,"_meta":{"progressToken":1.5}}"#;
        with(params, |params| {
            for key in [
                params.name().unwrap_err().key,
                params.uri().unwrap_err().key,
                params.arguments().unwrap_err().key,
                params.cursor().unwrap_err().key,
                params.task_id().unwrap_err().key,
                params.request_state().unwrap_err().key,
                params.input_responses().unwrap_err().key,
                params.request_id().unwrap_err().key,
                params.progress_token().unwrap_err().key,
            ] {
                assert!(!key.is_empty());
            }
            let fault = params.request_state().unwrap_err();
            assert_eq!(fault.to_string(), "params.requestState must be a string");
        });
    }

    #[test]
    fn a_completion_refers_to_one_thing() {
        with(r#"{"ref":{"type":"ref/prompt","name":"p"}}"#, |params| {
            assert_eq!(params.reference().unwrap(), ("name", "p".into()));
        });
        with(r#"{"ref":{"type":"ref/resource","uri":"u"}}"#, |params| {
            assert_eq!(params.reference().unwrap(), ("uri", "u".into()));
        });
        for bad in [
            "{}",
            r#"{"ref":{}}"#,
            r#"{"ref":{"type":"ref/prompt","name":"p","uri":"u"}}"#,
            r#"{"ref":{"type":"ref/resource","name":"p"}}"#,
            r#"{"ref":{"type":"ref/prompt","name":1}}"#,
        ] {
            with(bad, |params| assert!(params.reference().is_err(), "{bad}"));
        }
    }

    #[test]
    fn a_modern_request_names_version_and_capabilities() {
        let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
        let capabilities = r#""io.modelcontextprotocol/clientCapabilities":{"roots":{}}"#;
        with(&format!(r#"{{"_meta":{{{version},{capabilities}}}}}"#), |params| {
            let said = params.self_description().unwrap();
            assert_eq!((&*said.version, said.capabilities.text()), ("2026-07-28", r#"{"roots":{}}"#));
            assert!(said.client.is_none() && said.log_level.is_none());
        });
        for bad in [
            "{}".to_owned(),
            format!(r#"{{"_meta":{{{version}}}}}"#),
            format!(r#"{{"_meta":{{{capabilities}}}}}"#),
            format!(r#"{{"_meta":{{{version},{capabilities},"io.modelcontextprotocol/clientInfo":1}}}}"#),
            format!(r#"{{"_meta":{{{version},{capabilities},"io.modelcontextprotocol/logLevel":1}}}}"#),
            r#"{"_meta":[]}"#.to_owned(),
        ] {
            with(&bad, |params| assert!(params.self_description().is_err(), "{bad}"));
        }
    }
}
