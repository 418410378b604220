//! The gate at work: real requests through the real router to a scripted server, and what the record says of them.

mod account_sessions;
mod accounts;
mod answers;
mod apart;
mod approvals;
mod bridge;
mod handles;
mod kept;
mod limits;
mod lists;
mod merged;
mod narrowed;
mod opening;
mod policies;
mod record;
mod secrets;
mod stage;
mod stops;
mod streams;
mod suggested;
mod table;
mod tasks;
mod votes;
mod waits;
mod without_people;
