//! Pages, as somebody at the console sees them.

mod api_docs;
mod api_keys;
mod approvals;
mod audit;
mod crowded;
mod door;
mod gate;
mod grants;
mod invitations;
mod jump;
mod lists;
mod me;
mod members;
mod offboarding;
mod ops;
mod overview;
mod policies;
mod policies_tried;
mod policies_words;
mod secrets;
mod servers;
mod service_accounts;
mod settings;
mod suggested;
mod team_members;
mod teams;
