//! The envelope: request, notification or response, borrowed from the body.

use std::borrow::Cow;

use crate::protocol::mcp::{
    method::Method,
    params::Params,
    raw::{Kind, Raw},
    strict::{self, Limits, Outline, role::Role},
};

/// One message.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// Asks for an answer.
    Request(Request<'a>),
    /// Tells something.
    Notification(Notification<'a>),
    /// Answers a request.
    Response(Response<'a>),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What the answer will carry.
    pub id: Id<'a>,
    /// What it is about.
    pub params: Params<'a>,
    method: Cow<'a, str>,
    method_raw: Raw<'a>,
}

/// A notification.
#[derive(Clone, Debug)]
pub struct Notification<'a> {
    /// What it is about.
    pub params: Params<'a>,
    method: Cow<'a, str>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The id of the request; only an error about something that could not be read has none.
    pub id: Option<Id<'a>>,
    /// What became of the request.
    pub outcome: Outcome<'a>,
    outline: Outline<'a>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It was answered.
    Result(Raw<'a>),
    /// It failed, by the protocol.
    Error(Raw<'a>),
}

/// The id of a request: a string or an integer, as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Id<'a>(Raw<'a>);

/// Why a body is no message, and the id to answer under where one could be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct Malformed<'a> {
    /// What is wrong.
    pub fault: BadMessage,
    /// The id of the request, where the envelope has a good one.
    pub id: Option<Id<'a>>,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// It did not pass the strict scan.
    #[error(transparent)]
    Text(#[from] strict::Fault),
    /// It is no object.
    #[error("a message is a JSON object")]
    NotAnObject,
    /// `jsonrpc` is missing, or not "2.0".
    #[error("jsonrpc must be \"2.0\"")]
    JsonRpc,
    /// `method` is no string, or empty.
    #[error("method must be a string that is not empty")]
    Method,
    /// `id` is neither string nor integer.
    #[error("id must be a string or an integer")]
    Id,
    /// `params` is no object.
    #[error("params must be an object")]
    Params,
    /// `error` is no object with an integer `code`.
    #[error("error must be an object with an integer code")]
    Error,
    /// It could be taken for a request and for a response, or for none.
    #[error("a message has exactly one of method, result and error")]
    Ambiguous,
}

impl BadMessage {
    /// A code that stays the same, for logs, tests and records.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Text(fault) => fault.reason.code(),
            Self::NotAnObject => "not_an_object",
            Self::JsonRpc => "bad_jsonrpc",
            Self::Method => "bad_method",
            Self::Id => "bad_id",
            Self::Params => "bad_params",
            Self::Error => "bad_error",
            Self::Ambiguous => "ambiguous_message",
        }
    }
}

/// Reads a body as one message.
///
/// # Errors
/// With the first reason why it is none.
pub fn parse<'a>(body: &'a [u8], limits: &Limits) -> Result<Message<'a>, Malformed<'a>> {
    let outline = strict::scan(body, limits).map_err(|fault| Malformed { fault: fault.into(), id: None })?;
    let id = outline.get(Role::Envelope, "id").and_then(Id::read);
    Message::read(outline).map_err(|fault| Malformed { fault, id })
}

impl<'a> Message<'a> {
    /// Reads the envelope of a text that was scanned.
    ///
    /// # Errors
    /// When it is neither request, notification nor response.
    pub fn read(outline: Outline<'a>) -> Result<Self, BadMessage> {
        let member = |key| outline.get(Role::Envelope, key);
        if outline.root().kind() != Kind::Object {
            return Err(BadMessage::NotAnObject);
        }
        if !member("jsonrpc").is_some_and(|version| version.says("2.0")) {
            return Err(BadMessage::JsonRpc);
        }
        let id = member("id");
        match (member("method"), member("result"), member("error")) {
            (Some(method), None, None) => Self::call(outline, id, method),
            (None, Some(result), None) => {
                let id = id.and_then(Id::read).ok_or(BadMessage::Id)?;
                Ok(Self::Response(Response { id: Some(id), outcome: Outcome::Result(result), outline }))
            }
            (None, None, Some(error)) => Self::failure(outline, id, error),
            _ => Err(BadMessage::Ambiguous),
        }
    }

    fn call(outline: Outline<'a>, id: Option<Raw<'a>>, raw: Raw<'a>) -> Result<Self, BadMessage> {
        let method = raw.string().filter(|method| !method.is_empty()).ok_or(BadMessage::Method)?;
        let params = outline.get(Role::Envelope, "params");
        if params.is_some_and(|params| params.kind() != Kind::Object) {
            return Err(BadMessage::Params);
        }
        let params = Params::new(outline, params);
        let Some(id) = id else {
            return Ok(Self::Notification(Notification { params, method }));
        };
        let id = Id::read(id).ok_or(BadMessage::Id)?;
        Ok(Self::Request(Request { id, params, method, method_raw: raw }))
    }

    fn failure(outline: Outline<'a>, id: Option<Raw<'a>>, error: Raw<'a>) -> Result<Self, BadMessage> {
        let id = match id {
            Some(raw) if raw.kind() != Kind::Null => Some(Id::read(raw).ok_or(BadMessage::Id)?),
            _ => None,
        };
        if !outline.get(Role::Failure, "code").is_some_and(|code| code.is_integer()) {
            return Err(BadMessage::Error);
        }
        Ok(Self::Response(Response { id, outcome: Outcome::Error(error), outline }))
    }
}

impl<'a> Request<'a> {
    /// What it asks for.
    pub fn method(&self) -> Method<'_> {
        Method::parse(&self.method)
    }

    /// The method as it stands in the body.
    pub const fn method_raw(&self) -> Raw<'a> {
        self.method_raw
    }
}

impl Notification<'_> {
    /// What it tells.
    pub fn method(&self) -> Method<'_> {
        Method::parse(&self.method)
    }
}

impl<'a> Response<'a> {
    /// A member of the result, where the result is an object.
    pub fn result(&self, key: &str) -> Option<Raw<'a>> {
        self.outline.get(Role::Result, key)
    }

    /// A member of the `_meta` of the result.
    pub fn meta(&self, key: &str) -> Option<Raw<'a>> {
        self.outline.get(Role::Meta, key)
    }

    /// The code of the error; nothing where there is none, or none that fits.
    pub fn error_code(&self) -> Option<i64> {
        self.outline.get(Role::Failure, "code").and_then(|code| code.integer())
    }

    /// The `data` of the error.
    pub fn error_data(&self) -> Option<Raw<'a>> {
        self.outline.get(Role::Failure, "data")
    }
}

impl<'a> Id<'a> {
    /// Takes a value as an id, where it is one.
    pub fn read(raw: Raw<'a>) -> Option<Self> {
        (raw.kind() == Kind::String || raw.is_integer()).then_some(Self(raw))
    }

    /// The value as it stands in the body.
    pub const fn raw(&self) -> Raw<'a> {
        self.0
    }

    /// One text for every way of writing the same id; a string never has that of a number.
    pub fn key(&self) -> Cow<'a, str> {
        match self.0.string() {
            Some(Cow::Owned(said)) => Cow::Owned(format!("\"{said}\"")),
            _ => Cow::Borrowed(self.0.text()),
        }
    }
}

impl PartialEq for Id<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Id<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Message<'_>, Malformed<'_>> {
        parse(body.as_bytes(), &Limits::default())
    }

    fn fault(body: &str) -> BadMessage {
        read(body).expect_err("a bad message").fault
    }

    #[test]
    fn the_three_kinds_of_message_are_told_apart() {
        let body = r#"{"id":"a\u0062","params":{"name":"x"},"method":"tools\/call","jsonrpc":"2.0"}"#;
        let Ok(Message::Request(request)) = read(body) else { unreachable!("a request") };
        assert_eq!(request.method(), Method::ToolsCall);
        assert_eq!(&body[request.method_raw().place()], r#""tools\/call""#);
        assert_eq!((request.id.raw().text(), &*request.id.key()), (r#""a\u0062""#, "\"ab\""));
        let Ok(Message::Notification(told)) = read(r#"{"jsonrpc":"2.0","method":"x/y"}"#) else {
            unreachable!("a notification")
        };
        assert_eq!(told.method(), Method::Other("x/y"));
        let body = r#"{"jsonrpc":"2.0","id":-3,"result":{"resultType":"task","_meta":{"a":1}}}"#;
        let Ok(Message::Response(response)) = read(body) else { unreachable!("a response") };
        assert_eq!(response.id.map(|id| id.key()).as_deref(), Some("-3"));
        assert!(response.result("resultType").is_some_and(|kind| kind.says("task")));
        assert_eq!(response.meta("a").and_then(|value| value.integer()), Some(1));
        for id in ["", "\"id\":null,"] {
            let body =
                format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32700,"message":"","data":[1]}}}}"#);
            let Ok(Message::Response(response)) = read(&body) else { unreachable!("a response") };
            assert_eq!((response.id, response.error_code()), (None, Some(-32700)));
            assert_eq!(response.error_data().map(|data| data.text()), Some("[1]"));
        }
    }

    #[test]
    fn an_envelope_that_could_be_read_in_two_ways_is_refused() {
        let cases = [
            ("3", BadMessage::NotAnObject),
            ("\"jsonrpc\"", BadMessage::NotAnObject),
            (r#"{"id":1,"method":"x"}"#, BadMessage::JsonRpc),
            (r#"{"jsonrpc":2.0,"id":1,"method":"x"}"#, BadMessage::JsonRpc),
            (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, BadMessage::Method),
            (r#"{"jsonrpc":"2.0","id":1,"method":""}"#, BadMessage::Method),
            (r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, BadMessage::Id),
            (r#"{"jsonrpc":"2.0","id":1.0,"method":"x"}"#, BadMessage::Id),
            (r#"{"jsonrpc":"2.0","id":1e3,"method":"x"}"#, BadMessage::Id),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#, BadMessage::Id),
            (r#"{"jsonrpc":"2.0","id":true,"method":"x"}"#, BadMessage::Id),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#, BadMessage::Params),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":null}"#, BadMessage::Params),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","result":{}}"#, BadMessage::Ambiguous),
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}"#, BadMessage::Ambiguous),
            (r#"{"jsonrpc":"2.0","id":1}"#, BadMessage::Ambiguous),
            (r#"{"jsonrpc":"2.0","result":{}}"#, BadMessage::Id),
            (r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, BadMessage::Id),
            (r#"{"jsonrpc":"2.0","id":1,"error":null}"#, BadMessage::Error),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"code":"1"}}"#, BadMessage::Error),
        ];
        for (body, wanted) in cases {
            assert_eq!(fault(body), wanted, "{body}");
        }
        assert_eq!(fault("[]").code(), "batch");
    }

    #[test]
    fn a_refusal_knows_the_id_to_answer_under() {
        let id = |body| read(body).expect_err("a bad message").id.map(|id| id.key().into_owned());
        assert_eq!(id(r#"{"id":7,"method":"x"}"#).as_deref(), Some("7"));
        assert_eq!(id(r#"{"id":7.5,"method":"x"}"#), None);
        assert_eq!(id(r#"{"id":7,"#), None);
    }

    #[test]
    fn ids_are_the_same_when_they_say_the_same() {
        let id = |text: &'static str| {
            Id::read(strict::check(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
        };
        assert_eq!(id(r#""a\u0062""#), id("\"ab\""));
        assert_ne!(id("\"1\""), id("1"));
        assert_ne!(id("1"), id("-1"));
    }
}
