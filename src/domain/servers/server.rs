//! A server as it is kept.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::base::{
    ids::{ServerId, UserId},
    slug::{NotASlug, Slug},
};

/// The short name of a server: a slug that no page of the console shadows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerSlug(Slug);

/// Names that stand where a server's name would stand in an address.
const RESERVED: [&str; 3] = ["new", "probe", "known"];

/// Why a text cannot name a server in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAServerSlug {
    /// It is no slug at all.
    #[error(transparent)]
    NotASlug(#[from] NotASlug),
    /// A page stands there.
    #[error("this name is taken by a page; choose another")]
    Reserved,
}

impl ServerSlug {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ServerSlug {
    type Err = NotAServerSlug;

    fn from_str(text: &str) -> Result<Self, NotAServerSlug> {
        let slug: Slug = text.parse()?;
        if RESERVED.contains(&slug.as_str()) { Err(NotAServerSlug::Reserved) } else { Ok(Self(slug)) }
    }
}

impl fmt::Display for ServerSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Transport {
    /// Streamable HTTP, any revision.
    Http,
    /// HTTP with two endpoints and a stream, as of 2024.
    Sse,
    /// A child process.
    Stdio,
    /// An API turned into tools.
    Openapi,
}

impl Transport {
    /// All transports.
    pub const ALL: [Self; 4] = [Self::Http, Self::Sse, Self::Stdio, Self::Openapi];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sse => "sse",
            Self::Stdio => "stdio",
            Self::Openapi => "openapi",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http => "Streamable HTTP",
            Self::Sse => "HTTP with SSE",
            Self::Stdio => "stdio",
            Self::Openapi => "OpenAPI",
        }
    }
}

/// The text names no transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose http or sse")]
pub struct NotATransport;

impl FromStr for Transport {
    type Err = NotATransport;

    fn from_str(text: &str) -> Result<Self, NotATransport> {
        Self::ALL.into_iter().find(|transport| transport.as_str() == text).ok_or(NotATransport)
    }
}

/// Which generation of the protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Era {
    /// 2025-11-25 and earlier: a handshake, and sessions.
    Legacy,
    /// 2026-07-28 and later: every request stands for itself.
    Modern,
}

impl Era {
    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

/// The text names no era.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an era is legacy or modern")]
pub struct NotAnEra;

impl FromStr for Era {
    type Err = NotAnEra;

    fn from_str(text: &str) -> Result<Self, NotAnEra> {
        [Self::Legacy, Self::Modern].into_iter().find(|era| era.as_str() == text).ok_or(NotAnEra)
    }
}

/// What a server says of itself, as last heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// The generation of the protocol that it was found to speak.
    pub era: Option<Era>,
    /// The revision that was agreed on.
    pub protocol_version: Option<String>,
    /// Its software's name.
    pub name: Option<String>,
    /// Its software's version.
    pub version: Option<String>,
    /// Its capabilities, as the JSON object that it sent.
    pub capabilities: Option<Arc<str>>,
    /// What it tells models.
    pub instructions: Option<Arc<str>>,
}

/// When the catalogue was last read, and how that went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// The last time it was read.
    pub at: Option<OffsetDateTime>,
    /// The last time that was tried.
    pub tried_at: Option<OffsetDateTime>,
    /// Why the last try failed; `None` where it did not.
    pub error: Option<String>,
    /// Since when tries fail.
    pub error_since: Option<OffsetDateTime>,
    /// How many tries failed in a row.
    pub failures: i32,
}

/// An upstream MCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its short name.
    pub slug: ServerSlug,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How it is spoken to.
    pub transport: Transport,
    /// Where it is.
    pub url: String,
    /// Whether agents may reach it.
    pub is_enabled: bool,
    /// Who added it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: OffsetDateTime,
    /// When a person last changed it.
    pub updated_at: OffsetDateTime,
    /// Rises with every change a person makes.
    pub version: i64,
    /// What it says of itself.
    pub declared: Declared,
    /// How reading its catalogue goes.
    pub refreshed: Refreshed,
}

/// A server in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEntry {
    /// The server.
    pub server: Server,
    /// How many tools it offers now.
    pub tools: i64,
    /// How many of them wait for a person's look: new and changed ones.
    pub unreviewed: i64,
    /// How many credentials its requests carry.
    pub credentials: i64,
}

/// How many servers there are, and what needs somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerCount {
    /// All of them.
    pub servers: i64,
    /// Enabled ones whose catalogue cannot be read.
    pub failing: i64,
    /// Tools that wait for a person's look.
    pub unreviewed: i64,
}

/// Which servers a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFilter {
    /// Part of a name, slug or address.
    pub search: Option<String>,
    /// Only enabled or only disabled ones.
    pub enabled: Option<bool>,
    /// Only those whose catalogue cannot be read, or only those where it can.
    pub failing: Option<bool>,
    /// Only those with tools to review.
    pub unreviewed: bool,
}

/// How a path or a body names a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRef {
    /// By its id.
    Id(ServerId),
    /// By its slug.
    Slug(ServerSlug),
}

impl ServerRef {
    /// Reads a part of a path; `None` for what can name no server.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Id).ok().or_else(|| text.parse().map(Self::Slug).ok())
    }
}

impl From<ServerId> for ServerRef {
    fn from(id: ServerId) -> Self {
        Self::Id(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for transport in Transport::ALL {
            assert_eq!(transport.as_str().parse(), Ok(transport));
        }
        for era in [Era::Legacy, Era::Modern] {
            assert_eq!(era.as_str().parse(), Ok(era));
        }
    }

    #[test]
    fn a_path_names_a_server_by_id_or_slug_and_no_page_is_shadowed() {
        let id = ServerId::fresh();
        assert_eq!(ServerRef::parse(&id.to_string()), Some(ServerRef::Id(id)));
        assert!(matches!(ServerRef::parse("github"), Some(ServerRef::Slug(_))));
        assert_eq!(ServerRef::parse(&UserId::fresh().to_string()), None);
        for page in RESERVED {
            assert_eq!(page.parse::<ServerSlug>(), Err(NotAServerSlug::Reserved));
        }
    }
}
