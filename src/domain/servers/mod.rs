//! Servers: the upstream MCP servers of an organization, what requests to them carry, and their reviewed catalogue.
//!
//! Owns the tables `servers`, `server_credentials`, `tools`, `catalogue_items` and `server_checks`.
//!
//! Lacks on purpose: talking to servers, and sealing values; both happen in `flow`, which hands over what was
//! read and what was sealed.
//!
//! Invariant: what a server says of itself or of its tools is shown and compared, never trusted.
//! Invariant: a tool may be called only while its definition, as last seen, is the one a person accepted.
//! Invariant: a tool's own hints may lower its class only to what its name and arguments do not contradict.
//! Invariant: a credential's value is sealed before it is stored and is never part of an answer.

mod catalogue;
mod checks;
mod classify;
mod credentials;
mod decisions;
mod drift;
mod fingerprint;
mod known;
mod lookalike;
mod new_credential;
mod new_server;
mod server;
pub mod store;
mod texts;
mod tools;

pub use catalogue::{CatalogueChange, CatalogueItem, ItemKind, SeenItem, SeenTool, Snapshot};
pub use checks::{Check, Checked, DayHealth, HISTORY_TTL, days};
pub use classify::{Classified, classify};
pub use credentials::{Credential, CredentialSource, CredentialTarget, NamedProvider, SealedValue};
pub use decisions::{DecisionServer, DecisionTool};
pub use drift::{Drift, DriftKind, drift};
pub use fingerprint::{Fingerprint, NotCanonical, canonical, is_alike};
pub use known::{KnownAuth, KnownServer, KnownTool, known_at, known_server, known_servers};
pub use lookalike::{Lookalike, lookalikes, skeleton};
pub use new_credential::{BadCredential, CredentialForm, HeaderName, NewCredential};
pub use new_server::{NewServer, ServerForm, UpstreamUrl, parse_url};
pub use server::{
    Declared, Era, Refreshed, Server, ServerCount, ServerEntry, ServerFilter, ServerRef, ServerSlug,
    Transport,
};
pub use tools::{ClassBy, NotAToolName, Severity, Tool, ToolChange, ToolFilter, ToolName, ToolState};
