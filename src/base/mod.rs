//! Floor 0: the words every other floor shares.
//!
//! Owns ids, clock, configuration, secrets in memory, paging and cryptography.
//! Invariant: nothing here does input or output, except `config`, which reads flags, environment and file.

pub mod actor;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod email;
pub mod faults;
pub mod ids;
pub mod leaver;
pub mod page;
pub mod permission;
pub mod reference;
pub mod risk;
pub mod secret;
pub mod secret_name;
pub mod slug;
pub mod trace;
pub mod unprinted;
pub mod update;
pub mod wording;
