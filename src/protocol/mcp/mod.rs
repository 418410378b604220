//! The Model Context Protocol on the wire, in both of its eras, as raw text.
//!
//! Owns the one strict scan of a body, the envelope borrowed from it, the rules of versions and headers, frames of
//! event streams, and edits that touch only what they must. Deliberately lacks typed models of results: what is not
//! edited is passed on byte for byte, so a field that this room has never heard of arrives.
//!
//! Invariants:
//! - What was judged is what is sent: every value handed out is a slice of the scanned text and knows its place in it.
//! - A text that two readers could understand differently is refused, never repaired.
//! - No error repeats what the message said.

pub mod raw;
pub mod strict;
pub mod method;
pub mod message;
pub mod params;
pub mod version;
pub mod headers;
pub mod error;
pub mod sse;
pub mod splice;
pub mod list;
pub mod canonical;
pub mod schema;
