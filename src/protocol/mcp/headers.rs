//! What the headers of a modern request repeat of its body, and whether they agree.
//!
//! The body is the truth; a header that says something else is refused, because whoever stands in between may have
//! believed it (streamable HTTP of 2026-07-28, "Server Validation").

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::protocol::mcp::{
    message::Request,
    method::Method,
    params,
    raw::{Kind, Raw},
    strict::{self, Limits},
};

/// An argument of a tool that a header repeats: `Mcp-Param-{header}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The name behind `Mcp-Param-`.
    pub header: String,
    /// The keys from `arguments` down to the value.
    pub path: Vec<String>,
}

/// A header that does not agree with the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Header mismatch: {header} {fault}")]
pub struct HeaderMismatch {
    /// Which header.
    pub header: Cow<'static, str>,
    /// How it does not agree.
    pub fault: HeaderFault,
}

/// How a header does not agree with the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// It is required.
    #[error("is missing")]
    Missing,
    /// It is there more than once, and readers differ in which one they take.
    #[error("is there more than once")]
    Repeated,
    /// Its characters or its encoding are bad.
    #[error("has characters or an encoding that are not allowed")]
    Malformed,
    /// It says something else than the body.
    #[error("does not match the body")]
    Differs,
    /// It repeats what the body does not have.
    #[error("repeats a value that the body does not have")]
    Unexpected,
}

const VERSION: &str = "MCP-Protocol-Version";
const METHOD: &str = "Mcp-Method";
const NAME: &str = "Mcp-Name";
const PARAM: &str = "Mcp-Param-";

/// Compares the headers of a modern request with its body. `mirrors` are those of the tool that is called; headers
/// that no mirror asks for are ignored, as the specification wants of intermediaries.
///
/// # Errors
/// With the first header that does not agree.
pub fn verify<'h>(
    headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
    request: &Request<'_>,
    mirrors: &[Mirror],
) -> Result<(), HeaderMismatch> {
    let mut ours = Vec::with_capacity(8);
    for (name, value) in headers {
        if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"mcp-")) {
            ours.push((name, value));
        }
    }
    verify_ours(&ours, request, mirrors)
}

type Header<'h> = (&'h [u8], &'h [u8]);

fn verify_ours(
    headers: &[Header<'_>],
    request: &Request<'_>,
    mirrors: &[Mirror],
) -> Result<(), HeaderMismatch> {
    let version = plain(headers, VERSION)?;
    if !request.params.meta(params::VERSION).is_some_and(|said| said.says(version)) {
        return Err(mismatch(VERSION, HeaderFault::Differs));
    }
    let method = request.method();
    if plain(headers, METHOD)? != method.name() {
        return Err(mismatch(METHOD, HeaderFault::Differs));
    }
    // A request without its name is refused for that, whatever the header says.
    if let Some(source) = method.header_name_source()
        && let Some(name) = request.params.get(source)
    {
        let header = decode(plain(headers, NAME)?).ok_or_else(|| mismatch(NAME, HeaderFault::Malformed))?;
        if !name.says(&header) {
            return Err(mismatch(NAME, HeaderFault::Differs));
        }
    }
    if method == Method::ToolsCall {
        let arguments = request.params.get("arguments");
        for mirror in mirrors {
            verify_mirror(headers, arguments, mirror)?;
        }
    }
    Ok(())
}

fn verify_mirror(
    headers: &[Header<'_>],
    arguments: Option<Raw<'_>>,
    mirror: &Mirror,
) -> Result<(), HeaderMismatch> {
    let name = format!("{PARAM}{}", mirror.header);
    let value = arguments.and_then(|arguments| arguments.reach(&mirror.path));
    let value = value.filter(|value| value.kind() != Kind::Null);
    let fault = match (sole(headers, &name), value) {
        (Err(fault), _) => fault,
        (Ok(None), None) => return Ok(()),
        // A client cannot write these as a header; the tool's schema refuses them.
        (Ok(None), Some(value)) if matches!(value.kind(), Kind::Array | Kind::Object) => return Ok(()),
        (Ok(None), Some(_)) => HeaderFault::Missing,
        (Ok(Some(_)), None) => HeaderFault::Unexpected,
        (Ok(Some(header)), Some(value)) => match decode(header) {
            Some(header) if repeats(&header, value) => return Ok(()),
            Some(_) => HeaderFault::Differs,
            None => HeaderFault::Malformed,
        },
    };
    Err(mismatch(name, fault))
}

/// Whether the header says what the value says.
fn repeats(header: &str, value: Raw<'_>) -> bool {
    match value.kind() {
        Kind::String => value.says(header),
        Kind::Bool => value.text() == header,
        Kind::Number => value.text() == header || is_same_integer(header, value.text()),
        Kind::Null | Kind::Array | Kind::Object => false,
    }
}

/// Whether two numbers are the same integer within the range that every reader keeps exactly: `42.0` is `42`.
fn is_same_integer(header: &str, body: &str) -> bool {
    const SAFE: f64 = 9_007_199_254_740_991.0;
    let is_number =
        strict::check(header.as_bytes(), &Limits::of(64)).is_ok_and(|raw| raw.kind() == Kind::Number);
    let (Ok(header), Ok(body)) = (header.parse::<f64>(), body.parse::<f64>()) else { return false };
    is_number && header == body && body.fract() == 0.0 && body.abs() <= SAFE
}

/// A header that must be there.
fn plain<'h>(headers: &[Header<'h>], name: &'static str) -> Result<&'h str, HeaderMismatch> {
    match sole(headers, name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(mismatch(name, HeaderFault::Missing)),
        Err(fault) => Err(mismatch(name, fault)),
    }
}

/// The one value of a header, without the spaces around it.
fn sole<'h>(headers: &[Header<'h>], name: &str) -> Result<Option<&'h str>, HeaderFault> {
    let mut values = headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
    let Some((_, value)) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(HeaderFault::Repeated);
    }
    let is_allowed = value.iter().all(|b| matches!(b, b'\t' | 0x20..=0x7e));
    let text = std::str::from_utf8(value).ok().filter(|_| is_allowed).ok_or(HeaderFault::Malformed)?;
    Ok(Some(text.trim_matches([' ', '\t'])))
}

/// What a header says, out of its base64 where it is so marked; nothing where that is bad.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(Cow::Borrowed(value));
    };
    String::from_utf8(STANDARD.decode(inner).ok()?).ok().map(Cow::Owned)
}

/// Writes a value for a header, in base64 where plain text would not survive or would be taken for base64.
pub fn encode(value: &str) -> Cow<'_, str> {
    let is_plain = value.bytes().all(|b| matches!(b, 0x20..=0x7e)) && value.trim_matches(' ') == value;
    let is_marked = value.starts_with("=?base64?") && value.ends_with("?=");
    if is_plain && !is_marked {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("=?base64?{}?=", STANDARD.encode(value)))
}

fn mismatch(header: impl Into<Cow<'static, str>>, fault: HeaderFault) -> HeaderMismatch {
    HeaderMismatch { header: header.into(), fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::message::{Message, parse};
    use proptest::prelude::*;

    fn outcome(method: &str, params: &str, headers: &[(&str, &str)]) -> Result<(), HeaderFault> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}{params}}}}}"#
        );
        let Ok(Message::Request(request)) = parse(body.as_bytes(), &Limits::default()) else {
            unreachable!("a request: {body}")
        };
        let mirrors = [
            Mirror { header: "Region".to_owned(), path: vec!["region".to_owned()] },
            Mirror { header: "Limit".to_owned(), path: vec!["page".to_owned(), "limit".to_owned()] },
        ];
        let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        verify(headers, &request, &mirrors).map_err(|mismatch| mismatch.fault)
    }

    const V: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");

    #[test]
    fn version_method_and_name_agree_with_the_body() {
        use HeaderFault::{Differs, Malformed, Missing, Repeated};
        let list = ("mcp-METHOD", "tools/list");
        assert_eq!(outcome("tools/list", "", &[V, list]), Ok(()));
        assert_eq!(outcome("tools/list", "", &[("mcp-protocol-version", " 2026-07-28\t"), list]), Ok(()));
        assert_eq!(outcome("tools/list", "", &[list]), Err(Missing));
        assert_eq!(outcome("tools/list", "", &[V]), Err(Missing));
        assert_eq!(outcome("tools/list", "", &[V, list, list]), Err(Repeated));
        assert_eq!(outcome("tools/list", "", &[V, ("Mcp-Method", "TOOLS/LIST")]), Err(Differs));
        assert_eq!(outcome("tools/list", "", &[("MCP-Protocol-Version", "2025-11-25"), list]), Err(Differs));
        assert_eq!(outcome("tools/list", "", &[V, ("Mcp-Method", "tools/list\u{e9}")]), Err(Malformed));
        let (call, get) = (("Mcp-Method", "tools/call"), ("Mcp-Method", "tasks/get"));
        let named = |header| outcome("tools/call", r#","name":"Grüße""#, &[V, call, ("Mcp-Name", header)]);
        assert_eq!(named("=?base64?R3LDvMOfZQ==?="), Ok(()));
        assert_eq!(named("=?base64?R3LDvMOfZQ?="), Err(Malformed));
        assert_eq!(named("=?BASE64?R3LDvMOfZQ==?="), Err(Differs));
        assert_eq!(outcome("tools/call", r#","name":"x""#, &[V, call]), Err(Missing));
        assert_eq!(outcome("tools/call", "", &[V, call]), Ok(()));
        assert_eq!(outcome("tasks/get", r#","taskId":"t1""#, &[V, get, ("Mcp-Name", "t1")]), Ok(()));
        assert_eq!(outcome("tasks/get", r#","taskId":"t1""#, &[V, get, ("Mcp-Name", "t2")]), Err(Differs));
    }

    #[test]
    fn arguments_with_a_mirror_agree_with_their_headers() {
        use HeaderFault::{Differs, Malformed, Missing, Repeated, Unexpected};
        let call = |arguments: &str, extra: &[(&str, &str)]| {
            let mut headers = vec![V, ("Mcp-Method", "tools/call"), ("Mcp-Name", "x")];
            headers.extend(extra);
            outcome("tools/call", &format!(r#","name":"x","arguments":{arguments}"#), &headers)
        };
        let region = |header| call(r#"{"region":"us-west1"}"#, &[("mcp-param-region", header)]);
        assert_eq!(region(" us-west1 "), Ok(()));
        assert_eq!(region("=?base64?dXMtd2VzdDE=?="), Ok(()));
        assert_eq!(region("US-WEST1"), Err(Differs));
        assert_eq!(region("=?base64?%%%?="), Err(Malformed));
        assert_eq!(call(r#"{"region":"us-west1"}"#, &[]), Err(Missing));
        assert_eq!(call(r#"{"region":null}"#, &[]), Ok(()));
        assert_eq!(call("{}", &[("Mcp-Param-Other", "x")]), Ok(()));
        assert_eq!(call("{}", &[("Mcp-Param-Region", "x")]), Err(Unexpected));
        assert_eq!(
            call(r#"{"region":"a"}"#, &[("Mcp-Param-Region", "a"), ("Mcp-Param-REGION", "a")]),
            Err(Repeated)
        );
        let limit = |body: &str, header| {
            call(&format!(r#"{{"page":{{"limit":{body}}}}}"#), &[("Mcp-Param-Limit", header)])
        };
        for (body, header) in [("42", "42"), ("42", "42.0"), ("4.2e1", "42"), ("-7", "-7"), ("true", "true")]
        {
            assert_eq!(limit(body, header), Ok(()), "{body} {header}");
        }
        for (body, header) in [
            ("42", "43"),
            ("42", "+42"),
            ("42", "0x2a"),
            ("42", "\"42\""),
            ("1", "inf"),
            ("true", "True"),
            ("9007199254740993", "9007199254740992"),
            ("[42]", "42"),
        ] {
            assert_eq!(limit(body, header), Err(Differs), "{body} {header}");
        }
        assert_eq!(limit("9007199254740993", "9007199254740993"), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_fit_for_a_header_and_decodes(text in any::<String>()) {
            let header = encode(&text);
            prop_assert!(header.bytes().all(|b| matches!(b, 0x20..=0x7e)));
            let decoded = decode(header.trim_matches([' ', '\t']));
            prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
        }
    }
}
