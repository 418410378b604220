//! The JSON API, as a script sees it.

mod access_requests;
mod api_keys;
mod events;
mod grants;
mod invitations;
mod me;
mod members;
mod orgs;
mod policies;
mod providers;
mod replay;
mod second_person;
mod secrets;
mod servers;
mod service_accounts;
mod suggested;
mod team_members;
mod teams;
