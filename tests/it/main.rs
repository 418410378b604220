//! Everything that needs more than memory, in one binary: the doors, the schema and the house rules.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may stop at once, tell the time, make ids and talk"
)]

mod api;
mod clock;
mod console;
mod egress;
mod house;
mod jobs;
mod kit;
mod mail;
mod proof;
mod proxy;
mod rooms;
mod start;
