//! HTML pages, one file per noun.

pub mod access;
pub mod api_docs;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod calls;
mod conditions;
mod findings;
pub mod found;
pub mod gate;
pub mod grants;
pub mod home;
pub mod invitations;
pub mod invite;
pub mod jump;
mod leave;
pub mod me;
pub mod members;
pub mod offboarding;
pub mod ops;
pub mod overview;
pub mod policies;
pub mod prove;
pub mod providers;
pub mod recover;
pub mod roles;
#[cfg(test)]
mod samples;
pub mod secrets;
pub mod servers;
pub mod service_accounts;
pub mod set_up;
pub mod settings;
pub mod shell_of;
pub mod sign_in;
pub mod sign_up;
pub mod team_members;
pub mod teams;
pub mod usage;
pub mod wiring;
mod traces;

use crate::web::kit::routes::Routes;

/// All pages.
pub fn routes() -> Routes {
    Routes::default()
        .and(access::routes())
        .and(api_docs::routes())
        .and(api_keys::routes())
        .and(approvals::routes())
        .and(audit::routes())
        .and(calls::routes())
        .and(found::routes())
        .and(gate::routes())
        .and(grants::routes())
        .and(home::routes())
        .and(invitations::routes())
        .and(invite::routes())
        .and(jump::routes())
        .and(me::routes())
        .and(members::routes())
        .and(offboarding::routes())
        .and(ops::routes())
        .and(overview::routes())
        .and(policies::routes())
        .and(prove::routes())
        .and(providers::routes())
        .and(recover::routes())
        .and(roles::routes())
        .and(secrets::routes())
        .and(servers::routes())
        .and(service_accounts::routes())
        .and(set_up::routes())
        .and(settings::routes())
        .and(sign_in::routes())
        .and(sign_up::routes())
        .and(team_members::routes())
        .and(teams::routes())
        .and(usage::routes())
        .and(wiring::routes())
}
