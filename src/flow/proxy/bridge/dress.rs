//! The same message in the dress of the other era: the few members in which the eras differ, and no other byte.

use serde_json::{Value, json};

use crate::protocol::mcp::{
    message::Request,
    method::{Method, Target},
    raw::{Kind, Raw},
    splice::{Change, Conflict, Edits},
    strict::{self, Limits},
    version::{Era, Version},
};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// From which level on a server may tell a client of the old era what it does, until the client says otherwise.
const USUAL_LEVEL: &[u8] = b"\"info\"";

/// A request as a server of the old era takes it, under an id and a progress token of ours.
///
/// # Errors
/// Where the request is not of this body.
pub(super) fn request_to_legacy(
    body: &[u8],
    request: &Request<'_>,
    id: &str,
    token: &str,
) -> Result<Vec<u8>, Conflict> {
    let mut edits = Edits::of(body);
    edits.replace(request.id.raw(), id.as_bytes());
    if let Some(params) = request.params.raw() {
        edits.change(params, &[Change::Remove("requestState"), Change::Remove("inputResponses")]);
        if let Some(meta) = params.get("_meta").filter(|meta| meta.kind() == Kind::Object) {
            let mut changes = vec![
                Change::Remove(VERSION),
                Change::Remove(CAPABILITIES),
                Change::Remove(CLIENT),
                Change::Remove(LOG_LEVEL),
            ];
            if meta.get("progressToken").is_some() {
                changes.push(Change::Set("progressToken", token.as_bytes()));
            }
            edits.change(meta, &changes);
        }
    }
    edits.apply()
}

/// What a request of the modern era says of whoever sends it, as JSON.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// What the client can do.
    pub capabilities: String,
    /// Which software it claims to be.
    pub client: Option<String>,
}

/// The answers to what a server asked for, on the way back to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Again {
    /// By the server's own keys.
    pub responses: String,
    /// What the server wants back.
    pub state: Option<String>,
}

/// A request as a server of the modern era takes it.
///
/// # Errors
/// Where the request is not of this body.
pub(super) fn request_to_modern(
    body: &[u8],
    request: &Request<'_>,
    id: &str,
    sender: &Sender,
    again: Option<&Again>,
) -> Result<Vec<u8>, Conflict> {
    let version = format!("\"{}\"", Version::LATEST.name());
    let mut of_sender = vec![
        Change::Set(VERSION, version.as_bytes()),
        Change::Set(CAPABILITIES, sender.capabilities.as_bytes()),
        Change::Set(LOG_LEVEL, USUAL_LEVEL),
    ];
    if let Some(client) = &sender.client {
        of_sender.push(Change::Set(CLIENT, client.as_bytes()));
    }
    let mut of_params = vec![Change::Remove("task")];
    let state = again.and_then(|again| again.state.as_deref()).map(|state| Value::from(state).to_string());
    if let Some(again) = again {
        of_params.push(Change::Set("inputResponses", again.responses.as_bytes()));
        of_params.push(match &state {
            Some(state) => Change::Set("requestState", state.as_bytes()),
            None => Change::Remove("requestState"),
        });
    }
    let meta = whole(&of_sender);
    let mut edits = Edits::of(body);
    edits.replace(request.id.raw(), id.as_bytes());
    match request.params.raw() {
        Some(params) => {
            match params.get("_meta").filter(|meta| meta.kind() == Kind::Object) {
                Some(meta) => edits.change(meta, &of_sender),
                None => of_params.push(Change::Set("_meta", meta.as_bytes())),
            }
            edits.change(params, &of_params);
        }
        None => {
            let params = format!("{{\"_meta\":{meta}}}");
            let root = strict::check(body, &Limits::of(body.len())).map_err(|_| Conflict)?;
            edits.change(root, &[Change::Set("params", params.as_bytes())]);
        }
    }
    edits.apply()
}

/// An object of these members.
fn whole(members: &[Change<'_>]) -> String {
    let members = members.iter().filter_map(|change| match change {
        Change::Set(key, json) => Some(format!("{}:{}", Value::from(*key), String::from_utf8_lossy(json))),
        Change::Remove(_) => None,
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// A result as an agent of this era reads it, under the agent's id.
///
/// # Errors
/// Where id or result are not of this body.
pub(super) fn result(
    body: &[u8],
    id: Raw<'_>,
    result: Raw<'_>,
    to: Era,
    agents: &str,
    method: Method<'_>,
) -> Result<Vec<u8>, Conflict> {
    let mut edits = Edits::of(body);
    edits.replace(id, agents.as_bytes());
    if result.kind() == Kind::Object {
        match to {
            Era::Legacy => {
                let changes = ["resultType", "ttlMs", "cacheScope"].map(Change::Remove);
                edits.change(result, &changes);
            }
            Era::Modern => {
                let mut changes = vec![Change::Set("resultType", b"\"complete\"")];
                if is_kept(method) {
                    changes.push(Change::Set("ttlMs", b"0"));
                    changes.push(Change::Set("cacheScope", b"\"private\""));
                }
                edits.change(result, &changes);
            }
        }
    }
    edits.apply()
}

/// Whether the modern era wants to know how long a result may be kept.
fn is_kept(method: Method<'_>) -> bool {
    matches!(method.target(), Target::List(_))
        || matches!(method, Method::ResourcesRead | Method::ServerDiscover)
}

/// The capabilities of a server of one era, as the bridge can offer them to an agent of the other: tasks are different
/// protocols.
pub(super) fn capabilities(said: Option<&str>) -> Value {
    let said: Value = said.and_then(|said| serde_json::from_str(said).ok()).unwrap_or_else(|| json!({}));
    let Value::Object(mut all) = said else { return json!({}) };
    all.remove("tasks");
    if let Some(Value::Object(extensions)) = all.get_mut("extensions") {
        extensions.remove("io.modelcontextprotocol/tasks");
    }
    Value::Object(all)
}

/// What a client of one era can do, said to a server of the other: without tasks, and without what the roots of an old
/// client may tell of themselves, for which there is no way.
pub(super) fn client_capabilities(said: &str) -> Value {
    let said: Value = serde_json::from_str(said).unwrap_or_else(|_| json!({}));
    let Value::Object(mut all) = said else { return json!({}) };
    all.remove("tasks");
    if let Some(Value::Object(extensions)) = all.get_mut("extensions") {
        extensions.remove("io.modelcontextprotocol/tasks");
    }
    if all.get("roots").is_some() {
        all.insert("roots".to_owned(), json!({}));
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::message::{self, Message, Outcome};

    fn request(body: &str) -> Request<'_> {
        match message::parse(body.as_bytes(), &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => unreachable!("{other:?}"),
        }
    }

    fn sender() -> Sender {
        Sender { capabilities: r#"{"roots":{}}"#.to_owned(), client: Some(r#"{"name":"old"}"#.to_owned()) }
    }

    fn text(body: Result<Vec<u8>, Conflict>) -> String {
        String::from_utf8(body.expect("no conflict")).expect("UTF-8")
    }

    #[test]
    fn a_request_loses_what_describes_it_and_nothing_else() {
        let body = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{ "name":"x","n":1.50,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","own":1e2,"progressToken":"p","io.modelcontextprotocol/clientCapabilities":{}},"requestState":"s","inputResponses":{}}}"#;
        let wanted = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{ "name":"x","n":1.50,"_meta":{"own":1e2,"progressToken":7}}}"#;
        assert_eq!(text(request_to_legacy(body.as_bytes(), &request(body), "7", "7")), wanted);
        let plain = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert_eq!(
            text(request_to_legacy(plain.as_bytes(), &request(plain), "7", "7")),
            plain.replace("1,", "7,")
        );
    }

    #[test]
    fn a_request_gets_what_describes_it_wherever_it_has_room() {
        let meta = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{}},"io.modelcontextprotocol/logLevel":"info","io.modelcontextprotocol/clientInfo":{"name":"old"}"#;
        for (params, wanted) in [
            (String::new(), format!(r#","params":{{"_meta":{{{meta}}}}}"#)),
            (
                r#","params":{"name":"x"}"#.to_owned(),
                format!(r#","params":{{"name":"x","_meta":{{{meta}}}}}"#),
            ),
            (
                r#","params":{"_meta":{"a":1},"task":{}}"#.to_owned(),
                format!(r#","params":{{"_meta":{{"a":1,{meta}}}}}"#),
            ),
        ] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call"{params}}}"#);
            let dressed = request_to_modern(body.as_bytes(), &request(&body), "1", &sender(), None);
            assert_eq!(text(dressed), format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call"{wanted}}}"#));
        }
        let body = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"x"}}"#;
        let again = Again { responses: r#"{"k":{}}"#.to_owned(), state: Some("s".to_owned()) };
        let dressed = text(request_to_modern(body.as_bytes(), &request(body), "1", &sender(), Some(&again)));
        assert!(dressed.contains(r#""inputResponses":{"k":{}},"requestState":"s""#), "{dressed}");
    }

    #[test]
    fn a_result_changes_by_the_few_members_that_one_era_alone_has() {
        let dressed = |body: &str, to, method| {
            let Ok(Message::Response(response)) = message::parse(body.as_bytes(), &Limits::default()) else {
                unreachable!("{body}")
            };
            let (Some(id), Outcome::Result(said)) = (response.id, response.outcome) else { unreachable!() };
            text(result(body.as_bytes(), id.raw(), said, to, "\"a\"", method))
        };
        let old = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[],"n":1.0}}"#;
        let new = r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[],"n":1.0,"resultType":"complete","ttlMs":0,"cacheScope":"private"}}"#;
        assert_eq!(dressed(old, Era::Modern, Method::ToolsList), new);
        let called = r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[],"n":1.0,"resultType":"complete"}}"#;
        assert_eq!(dressed(old, Era::Modern, Method::ToolsCall), called);
        let back = r#"{"jsonrpc":"2.0","id":"a","result":{"tools":[],"n":1.0}}"#;
        assert_eq!(dressed(new, Era::Legacy, Method::ToolsList), back);
    }

    #[test]
    fn what_does_not_cross_is_not_declared() {
        let said = r#"{"tools":{"listChanged":true},"tasks":{},"resources":{"subscribe":true,"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{},"x":{}}}"#;
        let wanted = json!({
            "tools": { "listChanged": true },
            "resources": { "subscribe": true, "listChanged": true },
            "extensions": { "x": {} },
        });
        assert_eq!(capabilities(Some(said)), wanted);
        assert_eq!(capabilities(None), json!({}));
        let client =
            client_capabilities(r#"{"roots":{"listChanged":true},"tasks":{},"sampling":{"tools":{}}}"#);
        assert_eq!(client, json!({ "roots": {}, "sampling": { "tools": {} } }));
    }
}
