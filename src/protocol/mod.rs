//! Floor 1: wire formats, pure. Bytes go in, values come out.
//!
//! Deliberately lacks sockets, clocks, async and every noun of ours: what a message means to Portreeve is decided
//! above. Invariant: nothing here panics or grows without bound on any input.

pub mod mcp;
pub mod oauth;
