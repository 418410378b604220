//! What we answer by ourselves: errors of JSON-RPC, and tool results that say why a call was not made.
//!
//! Bodies are written as bytes. Ids and data are raw JSON that was checked before; texts are escaped here.

use crate::protocol::mcp::{message::Id, raw::Raw, version::Era};

/// An error code of JSON-RPC or of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body is no JSON.
    ParseError,
    /// The body is no message.
    InvalidRequest,
    /// Nobody here knows the method.
    MethodNotFound,
    /// The params are wrong, or name what is not there.
    InvalidParams,
    /// We failed.
    InternalError,
    /// A resource is not there, as legacy servers said it.
    ResourceNotFound,
    /// A modern header does not agree with the body.
    HeaderMismatch,
    /// The client has not declared what the call needs.
    MissingCapability,
    /// The version is not spoken here.
    UnsupportedVersion,
    /// A legacy call has to wait for the person to visit an address.
    UrlElicitationRequired,
}

impl Code {
    /// The number on the wire.
    pub const fn number(self) -> i32 {
        match self {
            Self::ParseError => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::InternalError => -32603,
            Self::ResourceNotFound => -32002,
            Self::HeaderMismatch => -32020,
            Self::MissingCapability => -32021,
            Self::UnsupportedVersion => -32022,
            Self::UrlElicitationRequired => -32042,
        }
    }

    /// Whether an error of this number, as the body of a refusal, shows that the server speaks the modern era.
    pub fn proves_modern(number: i64) -> bool {
        [Self::HeaderMismatch, Self::MissingCapability, Self::UnsupportedVersion]
            .iter()
            .any(|code| i64::from(code.number()) == number)
    }
}

/// The body of an error. Without an id, legacy JSON-RPC wants `null` and the modern schema wants none.
pub fn error(era: Era, id: Option<Id<'_>>, code: Code, message: &str, data: Option<Raw<'_>>) -> Vec<u8> {
    let mut body = Vec::with_capacity(128 + message.len());
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    match (id, era) {
        (Some(id), _) => {
            body.extend_from_slice(b",\"id\":");
            body.extend_from_slice(id.raw().text().as_bytes());
        }
        (None, Era::Legacy) => body.extend_from_slice(b",\"id\":null"),
        (None, Era::Modern) => {}
    }
    body.extend_from_slice(b",\"error\":{\"code\":");
    body.extend_from_slice(code.number().to_string().as_bytes());
    body.extend_from_slice(b",\"message\":");
    write_string(&mut body, message);
    if let Some(data) = data {
        body.extend_from_slice(b",\"data\":");
        body.extend_from_slice(data.text().as_bytes());
    }
    body.extend_from_slice(b"}}");
    body
}

/// The body that answers a request with this result.
pub fn result(id: Id<'_>, result: Raw<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + result.text().len());
    begin_result(&mut body, id);
    body.extend_from_slice(result.text().as_bytes());
    body.push(b'}');
    body
}

/// The body that answers a tool call with an error that the model can read, and `decision` with the same as values.
pub fn tool_refusal(era: Era, id: Id<'_>, text: &str, decision: Option<Raw<'_>>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256 + text.len());
    begin_result(&mut body, id);
    body.push(b'{');
    if era == Era::Modern {
        body.extend_from_slice(b"\"resultType\":\"complete\",");
    }
    body.extend_from_slice(b"\"content\":[{\"type\":\"text\",\"text\":");
    write_string(&mut body, text);
    body.extend_from_slice(b"}],\"isError\":true");
    if let Some(decision) = decision {
        body.extend_from_slice(b",\"_meta\":{\"portreeve/decision\":");
        body.extend_from_slice(decision.text().as_bytes());
        body.push(b'}');
    }
    body.extend_from_slice(b"}}");
    body
}

fn begin_result(body: &mut Vec<u8>, id: Id<'_>) {
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    body.extend_from_slice(id.raw().text().as_bytes());
    body.extend_from_slice(b",\"result\":");
}

/// Writes a text as a JSON string, always in the same way: only quotation marks, backslashes and control characters are
/// escaped.
pub(super) fn write_string(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("a text serializes into memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::{
        message::{Message, parse},
        strict::{Limits, check},
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn raw(text: &str) -> Raw<'_> {
        check(text.as_bytes(), &Limits::default()).expect("good JSON")
    }

    fn value(body: &[u8]) -> Value {
        assert!(parse(body, &Limits::default()).is_ok(), "we read what we write");
        serde_json::from_slice(body).expect("JSON")
    }

    proptest! {
        #[test]
        fn whatever_a_text_holds_the_body_says_it(text in any::<String>()) {
            let id = Id::read(raw("\"a\\u0062\"")).unwrap();
            let body = error(Era::Modern, Some(id), Code::InvalidParams, &text, Some(raw("{\"x\":[1]}")));
            prop_assert_eq!(value(&body), json!({
                "jsonrpc": "2.0", "id": "ab", "error": {"code": -32602, "message": text, "data": {"x": [1]}},
            }));
            let body = tool_refusal(Era::Legacy, id, &text, Some(raw("{\"code\":\"gate_closed\"}")));
            prop_assert_eq!(value(&body), json!({
                "jsonrpc": "2.0", "id": "ab", "result": {
                    "content": [{"type": "text", "text": text}], "isError": true,
                    "_meta": {"portreeve/decision": {"code": "gate_closed"}},
                },
            }));
        }
    }

    #[test]
    fn the_eras_differ_in_what_they_want() {
        let id = Id::read(raw("7")).unwrap();
        let refusal = value(&tool_refusal(Era::Modern, id, "no", None));
        assert_eq!(refusal["result"]["resultType"], "complete");
        assert_eq!(value(&tool_refusal(Era::Legacy, id, "no", None))["result"].get("resultType"), None);
        let without = |era| value(&error(era, None, Code::ParseError, "no", None));
        assert_eq!(without(Era::Legacy).get("id"), Some(&Value::Null));
        assert_eq!(without(Era::Modern).get("id"), None);
    }

    #[test]
    fn a_result_is_passed_on_as_it_is() {
        let body = result(Id::read(raw("7")).unwrap(), raw("{\"a\" : 1.0}"));
        assert_eq!(body, br#"{"jsonrpc":"2.0","id":7,"result":{"a" : 1.0}}"#);
        let Ok(Message::Response(response)) = parse(&body, &Limits::default()) else {
            unreachable!("a response")
        };
        assert_eq!(response.result("a").map(|value| value.text()), Some("1.0"));
    }

    #[test]
    fn only_modern_codes_prove_a_modern_server() {
        assert!(Code::proves_modern(-32022) && Code::proves_modern(-32020));
        assert!(!Code::proves_modern(-32601) && !Code::proves_modern(-32600) && !Code::proves_modern(0));
    }
}
