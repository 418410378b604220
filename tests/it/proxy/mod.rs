//! The gate at work: real requests through the real router to a scripted server, and what the record says of them.

mod answers;
mod bridge;
mod handles;
mod lists;
mod merged;
mod opening;
mod record;
mod stage;
mod stops;
mod streams;
mod table;
