//! What tests stand on: a database of their own, a browser, a mail sink, HTTP clients and the app in process.
//!
//! Lacks on purpose: mocks of our own code.
//! Invariant: whatever a test starts dies with the test process, however that ends.

pub(crate) mod agents;
pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod calls;
pub(crate) mod cluster;
pub(crate) mod database;
mod driver;
pub(crate) mod fake_names;
pub(crate) mod fake_provider;
pub(crate) mod fake_server;
pub(crate) mod form;
pub(crate) mod http;
pub(crate) mod keeper;
mod stage;
pub(crate) mod people;
pub(crate) mod secrets;
pub(crate) mod smtp;
mod trial;
pub(crate) mod upstream;
