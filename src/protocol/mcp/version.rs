//! The revisions of the protocol, and which of its two eras a message belongs to.

use std::{borrow::Cow, fmt};

use crate::protocol::mcp::{
    message::Message,
    method::Method,
    params::{self, Params},
    raw::Raw,
};

/// A published revision, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 2024-11-05: two endpoints, HTTP with SSE.
    V2024_11_05,
    /// 2025-03-26: streamable HTTP.
    V2025_03_26,
    /// 2025-06-18: the version header.
    V2025_06_18,
    /// 2025-11-25: the last one with a handshake.
    V2025_11_25,
    /// 2026-07-28: every request describes itself.
    V2026_07_28,
}

/// How the two sides come to terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// By an `initialize` handshake that opens a session.
    Legacy,
    /// By what every single request says of itself.
    Modern,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];
    /// The newest.
    pub const LATEST: Self = Self::V2026_07_28;
    /// The newest with a handshake.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// What a legacy request without the version header speaks, by the transport of 2025-06-18.
    pub const UNSAID: Self = Self::V2025_03_26;

    /// The revision's name, its date.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == text)
    }

    /// Whether requests of this revision describe themselves.
    pub fn is_modern(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// The era of the revision.
    pub fn era(self) -> Era {
        if self.is_modern() { Era::Modern } else { Era::Legacy }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a message says about the version it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken<'a> {
    /// The era, which is always known.
    pub era: Era,
    /// The version as the message says it: in its `_meta` or `initialize`, else in the header.
    pub said: Option<Cow<'a, str>>,
}

impl Spoken<'_> {
    /// The revision; `Err` where one is named that nobody here speaks, or whose era is the other one.
    ///
    /// # Errors
    /// When the version is not one of ours.
    pub fn version(&self) -> Result<Version, UnknownVersion> {
        match &self.said {
            Some(said) => {
                let known = Version::parse(said).filter(|version| version.era() == self.era);
                known.ok_or(UnknownVersion)
            }
            None if self.era == Era::Modern => Ok(Version::LATEST),
            None => Ok(Version::UNSAID),
        }
    }
}

/// A version that is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unsupported protocol version")]
pub struct UnknownVersion;

/// Tells the era and version of a message that a client sent with this value of `MCP-Protocol-Version`.
///
/// The body decides: a request that carries modern `_meta` is modern. So is one whose header names the first modern
/// revision or a later date, and one whose method came with the modern era. All others are legacy.
pub fn spoken<'a>(message: &Message<'a>, header: Option<&'a [u8]>) -> Spoken<'a> {
    let header = header.map(|value| String::from_utf8_lossy(value.trim_ascii()));
    let nothing = Params::default();
    let (method, params) = match message {
        Message::Request(request) => (Some(request.method()), &request.params),
        Message::Notification(notification) => (Some(notification.method()), &notification.params),
        Message::Response(_) => (None, &nothing),
    };
    let inside = params.meta(params::VERSION);
    let is_modern = inside.is_some()
        || params.meta(params::CAPABILITIES).is_some()
        || header.as_deref().is_some_and(names_modern)
        || method.is_some_and(Method::is_modern_only);
    if is_modern {
        return Spoken { era: Era::Modern, said: inside.as_ref().and_then(Raw::string).or(header) };
    }
    let is_handshake = method == Some(Method::Initialize);
    let proposed = if is_handshake { params.protocol_version().ok().flatten() } else { None };
    Spoken { era: Era::Legacy, said: proposed.or(header) }
}

/// Whether a header names a date from the first modern revision on, published or not.
fn names_modern(header: &str) -> bool {
    let is_date = header.len() == 10
        && header
            .bytes()
            .enumerate()
            .all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    is_date && header >= Version::V2026_07_28.name()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::mcp::{message::parse, strict::Limits};

    fn heard(body: &str, header: Option<&str>) -> (Era, Result<Version, UnknownVersion>) {
        let message = parse(body.as_bytes(), &Limits::default()).expect("a good message");
        let spoken = spoken(&message, header.map(str::as_bytes));
        (spoken.era, spoken.version())
    }

    #[test]
    fn versions_are_ordered_and_read_back() {
        for version in Version::ALL {
            assert_eq!(Version::parse(version.name()), Some(version));
        }
        assert!(Version::ALL.is_sorted());
        assert!(Version::LATEST.is_modern() && !Version::LATEST_LEGACY.is_modern());
        assert_eq!(Version::parse("2026-07-28 "), None);
    }

    #[test]
    fn the_body_tells_the_era_before_the_header_does() {
        let plain = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let discover = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#;
        let initialize =
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
        let meta = |version: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}}}}}"#
            )
        };
        let cases = [
            (plain, None, Era::Legacy, Ok(Version::V2025_03_26)),
            (plain, Some(" 2025-11-25\t"), Era::Legacy, Ok(Version::V2025_11_25)),
            (plain, Some("1999-01-01"), Era::Legacy, Err(UnknownVersion)),
            (plain, Some("2026-07-28"), Era::Modern, Ok(Version::V2026_07_28)),
            (plain, Some("2031-01-01"), Era::Modern, Err(UnknownVersion)),
            (plain, Some("9"), Era::Legacy, Err(UnknownVersion)),
            (discover, None, Era::Modern, Ok(Version::V2026_07_28)),
            (initialize, None, Era::Legacy, Ok(Version::V2025_06_18)),
            (&meta("2026-07-28"), None, Era::Modern, Ok(Version::V2026_07_28)),
            (&meta("1900-01-01"), Some("2025-11-25"), Era::Modern, Err(UnknownVersion)),
            (&meta("2025-11-25"), Some("2025-11-25"), Era::Modern, Err(UnknownVersion)),
        ];
        for (body, header, era, version) in cases {
            assert_eq!(heard(body, header), (era, version), "{body} {header:?}");
        }
    }
}
