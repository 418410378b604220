//! Servers and what belongs to them, as the API writes them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    base::ids::{ServerId, UserId},
    domain::servers::{
        CatalogueChange, Declared, Drift, Era, Server, ServerEntry, Severity, ToolName, Transport,
    },
    flow::catalogue::StepReport,
    web::kit::json::Versioned,
};

/// A server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Server")]
pub(super) struct ServerView {
    id: ServerId,
    slug: String,
    name: String,
    description: String,
    transport: Transport,
    url: String,
    /// Whether agents may reach it.
    enabled: bool,
    /// What it says of itself; not to be trusted.
    declared: DeclaredView,
    catalogue: CatalogueView,
    /// The person who added it; null where a service account did.
    created_by: Option<UserId>,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: OffsetDateTime,
    version: i64,
}

/// What a server says of itself, as last heard.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeclaredServer")]
pub(super) struct DeclaredView {
    /// `modern` since revision 2026-07-28, `legacy` before.
    era: Option<Era>,
    protocol_version: Option<String>,
    name: Option<String>,
    version: Option<String>,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    capabilities: Option<Box<RawValue>>,
    instructions: Option<String>,
}

/// When the catalogue was last read.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CatalogueState")]
struct CatalogueView {
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    refreshed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    tried_at: Option<OffsetDateTime>,
    /// Why the last try failed; the last good catalogue stays in force.
    error: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    error_since: Option<OffsetDateTime>,
}

impl From<Declared> for DeclaredView {
    fn from(declared: Declared) -> Self {
        Self {
            era: declared.era,
            protocol_version: declared.protocol_version,
            name: declared.name,
            version: declared.version,
            capabilities: declared.capabilities.and_then(|text| raw(&text)),
            instructions: declared.instructions.map(|text| text.to_string()),
        }
    }
}

impl From<Server> for ServerView {
    fn from(server: Server) -> Self {
        Self {
            id: server.id,
            slug: server.slug.to_string(),
            name: server.name,
            description: server.description,
            transport: server.transport,
            url: server.url,
            enabled: server.is_enabled,
            declared: server.declared.into(),
            catalogue: CatalogueView {
                refreshed_at: server.refreshed.at,
                tried_at: server.refreshed.tried_at,
                error: server.refreshed.error,
                error_since: server.refreshed.error_since,
            },
            created_by: server.created_by,
            created_at: server.created_at,
            updated_at: server.updated_at,
            version: server.version,
        }
    }
}

impl From<ServerEntry> for ServerView {
    fn from(entry: ServerEntry) -> Self {
        entry.server.into()
    }
}

impl Versioned for ServerView {
    fn version(&self) -> i64 {
        self.version
    }
}

/// One step on the way to a catalogue.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServerStep")]
pub(super) struct StepView {
    /// `address`, `dns`, `tcp`, `tls`, `auth`, `protocol` or `tools`.
    step: &'static str,
    /// `passed`, `failed` or `not_reached`.
    state: &'static str,
    /// What was found; empty where nothing was.
    fact: String,
    /// Why the way ends here.
    cause: Option<String>,
    /// What to do about it.
    fix: Option<String>,
    took_ms: u64,
}

impl From<StepReport> for StepView {
    fn from(step: StepReport) -> Self {
        Self {
            step: step.name.as_str(),
            state: step.state.as_str(),
            fact: step.fact,
            cause: step.cause,
            fix: step.fix,
            took_ms: u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// What a reading changed, by the names of tools.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CatalogueChange")]
pub(super) struct ChangeView {
    /// Tools that were not there before and wait for review.
    new: Vec<String>,
    /// Tools that differ from what was accepted.
    changed: Vec<String>,
    /// Tools that look again as they were accepted.
    restored: Vec<String>,
    /// Tools that are no longer offered.
    gone: Vec<String>,
    /// Whether a prompt, resource or template came, went or changed.
    items_changed: bool,
}

impl From<CatalogueChange> for ChangeView {
    fn from(change: CatalogueChange) -> Self {
        let names = |list: Vec<ToolName>| list.iter().map(ToolName::to_string).collect();
        Self {
            new: names(change.new),
            changed: names(change.changed),
            restored: names(change.restored),
            gone: names(change.gone),
            items_changed: change.items_changed,
        }
    }
}

/// One difference between an accepted and an offered definition.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ToolDrift")]
pub(super) struct DriftView {
    kind: &'static str,
    severity: Severity,
    /// Where in the definition, such as `inputSchema.properties.path`.
    path: String,
    sentence: String,
    before: Option<String>,
    after: Option<String>,
}

impl From<Drift> for DriftView {
    fn from(drift: Drift) -> Self {
        Self {
            kind: drift.kind.as_str(),
            severity: drift.severity,
            path: drift.path,
            sentence: drift.sentence,
            before: drift.before,
            after: drift.after,
        }
    }
}

/// A wire object, letter for letter.
pub(super) fn raw(text: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(text).ok()
}
