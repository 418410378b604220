//! Starting and stopping: the built-in database, crashes at any moment, and every refusal to start.

mod commands;
mod crashes;
mod databases;
mod disk;
mod draining;
mod kills;
mod outages;
mod panics;
mod process;
mod refusals;
mod replicas;
mod secrets;
mod site;
