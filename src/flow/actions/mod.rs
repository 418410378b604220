//! One function per thing a person may do, one file per noun.
//!
//! Invariant: an action on an organization begins with `cx.require(…)`, and a change ends with `audit::commit`.

pub mod access_requests;
pub mod api_keys;
pub mod approvals;
pub mod calls;
pub mod connections;
pub mod events;
pub mod export;
pub mod findings;
pub mod first_steps;
pub mod found;
pub mod frame;
pub mod gate;
pub mod grants;
pub mod idempotency;
pub mod invitations;
pub mod invite;
pub mod jump;
pub mod led_teams;
mod limits;
pub mod me;
pub mod members;
pub mod offboarding;
pub mod ops;
pub mod org_deletion;
pub mod orgs;
pub mod overview;
pub mod passkey;
pub mod policies;
pub mod prove;
pub mod providers;
pub mod recover;
pub mod secrets;
pub mod servers;
pub mod service_accounts;
pub mod set_up;
pub mod sign_in;
pub mod sign_up;
pub mod suspension;
pub mod team_members;
pub mod teams;
pub mod usage;
pub mod wiring;
