//! The one way out: every HTTP request that this program makes for somebody leaves through [`Egress`].
//!
//! Lacks on purpose: redirects, proxies from the environment, cookies, caches and HTTP/2; why is told in
//! `docs/decisions/0007-outbound-requests.md`.
//! Invariant: no connection is opened to an address that [`AddressPolicy`] did not let pass in the same breath; names
//! are resolved once for each connection, and it goes only to what passed.
//! Invariant: a request is written at most once. It goes out a second time only where not a byte of it was written.
//! Invariant: no error and no debug text shows the path, query or headers of a request: tokens travel in them.

pub mod address;
pub mod body;
pub mod client;
pub mod error;
mod pool;
pub mod resolve;
pub mod stages;
pub mod target;
pub mod tls;
mod wire;
