//! The JSON API, one file per noun.

pub mod access_requests;
pub mod api_keys;
pub mod approvals;
pub mod connections;
pub mod events;
pub mod gate;
pub mod grants;
pub mod invitations;
pub mod me;
pub mod members;
pub mod orgs;
pub mod policies;
pub mod reference;
pub mod providers;
pub mod roles;
pub mod secrets;
pub mod servers;
pub mod service_accounts;
pub mod team_members;
pub mod teams;
pub mod usage;
pub mod wiring;

use crate::web::kit::routes::Routes;

/// All operations.
pub fn routes() -> Routes {
    Routes::default()
        .and(access_requests::routes())
        .and(api_keys::routes())
        .and(approvals::routes())
        .and(connections::routes())
        .and(events::routes())
        .and(gate::routes())
        .and(grants::routes())
        .and(invitations::routes())
        .and(me::routes())
        .and(members::routes())
        .and(orgs::routes())
        .and(policies::routes())
        .and(reference::routes())
        .and(providers::routes())
        .and(roles::routes())
        .and(secrets::routes())
        .and(servers::routes())
        .and(service_accounts::routes())
        .and(team_members::routes())
        .and(teams::routes())
        .and(usage::routes())
        .and(wiring::routes())
}
