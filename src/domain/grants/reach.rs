//! What a grant reaches, by name: servers and counts of their tools.

use crate::base::{ids::ServerId, risk::Class};

/// A server by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedServer {
    /// Its id.
    pub id: ServerId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether agents may reach it.
    pub is_enabled: bool,
}

/// How many tools of one class a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolCount {
    /// The server.
    pub server: ServerId,
    /// The class.
    pub class: Class,
    /// Whether they are reviewed and switched on.
    pub is_callable: bool,
    /// How many.
    pub tools: i64,
}
