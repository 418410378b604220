//! Floor 1, hands: sockets, files, processes and SQL connections.
//!
//! Lacks on purpose: our nouns. A room up here knows bytes and rows, not organizations.

pub mod anchors;
pub mod db;
pub mod disk;
pub mod mail;
pub mod net;
