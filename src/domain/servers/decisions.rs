//! What a decision about a call needs to know of servers.

use std::sync::Arc;

use crate::{
    base::{ids::ServerId, risk::Class},
    domain::servers::{Credential, Declared, Fingerprint, ServerSlug, ToolName, ToolState, Transport},
};

/// A server, as decisions see it.
#[derive(Clone, Debug)]
pub struct DecisionServer {
    /// Its id.
    pub id: ServerId,
    /// Its short name.
    pub slug: ServerSlug,
    /// Its name.
    pub name: Arc<str>,
    /// Whether agents may reach it.
    pub is_enabled: bool,
    /// How it is spoken to.
    pub transport: Transport,
    /// Where it is.
    pub url: Arc<str>,
    /// What its requests carry, in order; values are sealed.
    pub credentials: Vec<Credential>,
    /// What it says of itself.
    pub declared: Declared,
    /// Its tools by name, without those that are gone.
    pub tools: Vec<DecisionTool>,
}

impl DecisionServer {
    /// The tool of that name.
    pub fn tool(&self, name: &str) -> Option<&DecisionTool> {
        self.tools.binary_search_by(|tool| tool.name.as_str().cmp(name)).ok().map(|at| &self.tools[at])
    }
}

/// A tool, as decisions see it.
#[derive(Clone, Debug)]
pub struct DecisionTool {
    /// Its name.
    pub name: ToolName,
    /// Where it stands; only a reviewed one may be called.
    pub state: ToolState,
    /// Whether agents may see and call it at all.
    pub is_enabled: bool,
    /// What it does at worst.
    pub class: Class,
    /// The digest of its definition, as it was last seen: of a reviewed one that is what a person accepted.
    pub fingerprint: Fingerprint,
    /// What a person accepted, as it came; there for reviewed and enabled tools only.
    pub accepted_definition: Option<Arc<str>>,
    /// Scopes that a connected account needs for it.
    pub required_scopes: Vec<String>,
}

impl DecisionTool {
    /// Whether it is reviewed and switched on.
    pub fn is_callable(&self) -> bool {
        self.state == ToolState::Reviewed && self.is_enabled
    }
}
