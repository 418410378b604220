//! Portreeve: the keeper of the gate between AI agents and the tools they call.
//!
//! One crate, five floors and a roof. Imports only go down:
//! `base ← protocol, io ← domain ← flow ← web ← app`. See `docs/architecture.md`.

pub mod base;
pub mod protocol;
pub mod io;
pub mod domain;
pub mod flow;
pub mod web;
pub mod app;
