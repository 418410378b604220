//! Finding out how a server wants to be spoken to, as a client that speaks both eras (revision 2026-07-28,
//! "Backward Compatibility"): a modern request first, then the handshake, then the transport of 2024.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    domain::servers::{Declared, Era, Transport},
    flow::catalogue::talk::{Heard, LEGACY, MODERN, TalkError, Talker, us},
};

/// A conversation that has begun.
pub(super) struct Opened {
    /// What the server said of itself.
    pub(super) declared: Declared,
    /// Which of the two HTTP transports it speaks.
    pub(super) transport: Transport,
    /// Whether it has prompts.
    pub(super) has_prompts: bool,
    /// Whether it has resources.
    pub(super) has_resources: bool,
}

/// The request that a conversation begins with.
pub(super) const FIRST: &str = "server/discover";

/// Method not found, by JSON-RPC.
const NO_SUCH_METHOD: i64 = -32601;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Discovered {
    #[serde(default)]
    supported_versions: Vec<String>,
    #[serde(default)]
    capabilities: Option<Box<RawValue>>,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default, rename = "_meta")]
    meta: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    protocol_version: String,
    #[serde(default)]
    capabilities: Option<Box<RawValue>>,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    server_info: Value,
}

/// Goes on from the answer to the first request.
///
/// `wanted` is the transport that the server is said to speak; where nobody said, the old one is tried too.
pub(super) async fn open(
    talker: &mut Talker<'_>,
    discovered: Heard,
    wanted: Option<Transport>,
) -> Result<Opened, TalkError> {
    let knows_no_discovery = match discovered {
        Ok(result) => match modern(&result) {
            Some(opened) => return Ok(opened),
            None => false,
        },
        Err(error) if error.is_final() => return Err(error),
        Err(TalkError::Rpc { status: StatusCode::NOT_FOUND, code: NO_SUCH_METHOD, .. }) => true,
        Err(_) => false,
    };
    match handshake(talker, Transport::Http).await {
        Ok(opened) => Ok(opened),
        Err(error) if error.is_final() => Err(error),
        // A modern server owes us discovery; one without it is taken at its word that there is no handshake.
        Err(TalkError::Rpc { status: StatusCode::NOT_FOUND, code: NO_SUCH_METHOD, .. })
            if knows_no_discovery =>
        {
            (talker.era, talker.version) = (Era::Modern, Some(MODERN));
            Ok(opened(Era::Modern, MODERN, None, None, &Value::Null))
        }
        Err(TalkError::Status(status)) if may_be_old(status) => match (old(talker).await, wanted) {
            (Ok(opened), None) => Ok(opened),
            (Ok(_), Some(_)) => Err(TalkError::OldTransport),
            (Err(_), _) => Err(TalkError::Status(status)),
        },
        Err(error) => Err(error),
    }
}

/// Begins a conversation by the transport of 2024, on a stream that is already there.
pub(super) async fn open_old(talker: &mut Talker<'_>) -> Result<Opened, TalkError> {
    handshake(talker, Transport::Sse).await
}

async fn old(talker: &mut Talker<'_>) -> Result<Opened, TalkError> {
    let reply = talker.send(talker.stream_request()).await?;
    let stream = talker.open_stream(reply).await?;
    talker.stream = Some(stream);
    open_old(talker).await
}

/// What a server answers that knows nothing of requests to this address (revision 2025-03-26, "Backwards
/// Compatibility").
const fn may_be_old(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 404 | 405)
}

fn modern(result: &RawValue) -> Option<Opened> {
    let found: Discovered = serde_json::from_str(result.get()).ok()?;
    if !found.supported_versions.iter().any(|version| version == MODERN) {
        return None;
    }
    let info = found.meta.get("io.modelcontextprotocol/serverInfo").unwrap_or(&Value::Null);
    Some(opened(Era::Modern, MODERN, found.capabilities, found.instructions, info))
}

async fn handshake(talker: &mut Talker<'_>, transport: Transport) -> Result<Opened, TalkError> {
    (talker.era, talker.version) = (Era::Legacy, None);
    let offer = json!({"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": us()});
    let Value::Object(offer) = offer else { return Err(TalkError::NotMcp) };
    let result = talker.ask("initialize", offer).await?;
    let found: Initialized = serde_json::from_str(result.get()).map_err(|_| TalkError::NotMcp)?;
    let version = LEGACY.into_iter().find(|version| *version == found.protocol_version);
    let version = version.ok_or(TalkError::Version)?;
    talker.version = Some(version);
    talker.tell("notifications/initialized").await;
    let opened = opened(Era::Legacy, version, found.capabilities, found.instructions, &found.server_info);
    Ok(Opened { transport, ..opened })
}

fn opened(
    era: Era,
    version: &str,
    capabilities: Option<Box<RawValue>>,
    instructions: Option<String>,
    info: &Value,
) -> Opened {
    let declares = |name: &str| {
        let capabilities = capabilities.as_ref().map(|raw| raw.get()).unwrap_or_default();
        serde_json::from_str::<Value>(capabilities).is_ok_and(|all| all[name].is_object())
    };
    let text = |name: &str| info[name].as_str().map(str::to_owned);
    Opened {
        has_prompts: declares("prompts"),
        has_resources: declares("resources"),
        transport: Transport::Http,
        declared: Declared {
            era: Some(era),
            protocol_version: Some(version.to_owned()),
            name: text("name"),
            version: text("version"),
            capabilities: capabilities.map(|raw| raw.get().into()),
            instructions: instructions.map(Into::into),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovered(text: &str) -> Option<Opened> {
        modern(&RawValue::from_string(text.to_owned()).expect("JSON"))
    }

    #[test]
    fn discovery_counts_only_where_a_modern_version_is_named() {
        let text = r#"{"supportedVersions":["2025-11-25","2026-07-28"],"capabilities":{"tools":{},"prompts":{}},
            "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"x","version":"1"}}}"#;
        let opened = discovered(text).expect("modern");
        assert_eq!((opened.has_prompts, opened.has_resources), (true, false));
        assert_eq!(opened.declared.name.as_deref(), Some("x"));
        assert_eq!(opened.declared.capabilities.as_deref(), Some(r#"{"tools":{},"prompts":{}}"#));
        for other in ["{}", r#"{"supportedVersions":["2025-11-25"]}"#, "[]", r#"{"supportedVersions":3}"#] {
            assert!(discovered(other).is_none(), "{other}");
        }
    }
}
