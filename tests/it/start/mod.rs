//! Starting and stopping: the built-in database, crashes at any moment, and every refusal to start.

mod commands;
mod crashes;
mod draining;
mod process;
mod refusals;
