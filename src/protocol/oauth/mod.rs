//! OAuth 2 as its clients speak it: what is sent, and what comes back in the dialects that providers really use.
//!
//! Owns PKCE and state values, authorization URLs, how a client proves itself, requests for tokens and about them, the
//! reading of token answers and the sorting of failures, labels of accounts, callbacks, claims of id tokens, metadata
//! and challenges. Lacks on purpose: the sending of a request, the clock and randomness, which come in as arguments,
//! and every provider's particulars, which come in as values.
//!
//! Invariants:
//! - A token, a code, a client's secret or its key is never part of an error or of a debug text.
//! - A value that fills a gap in an address never changes the host that was written there, beyond what its rule says.
//! - What a provider says of itself is read within bounds and shown cleaned; no answer makes anything here panic.

pub mod proof;
pub mod address;
pub mod request;
pub mod assertion;
pub mod client;
pub mod authorize;
pub mod token;
pub mod document;
pub mod answer;
pub mod failure;
pub mod call;
pub mod label;
pub mod claims;
pub mod callback;
pub mod metadata;
pub mod challenge;
pub mod registration;
