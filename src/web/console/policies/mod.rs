//! Policies: what agents may do.

mod impact;
mod replay;

use crate::web::kit::routes::Routes;

/// The routes.
pub fn routes() -> Routes {
    Routes::default().and(replay::routes())
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    replay::samples()
}

/// A policy that is in force for everybody.
#[cfg(test)]
fn sample_policy() -> crate::domain::policy::kept::Policy {
    use crate::{
        base::ids::PolicyId,
        domain::policy::kept::{Places, Policy},
        web::kit::samples::AT,
    };
    Policy {
        id: PolicyId::fresh(),
        slug: "github".into(),
        name: "GitHub".into(),
        description: String::new(),
        server: None,
        live: Some(14),
        draft: None,
        places: Places { is_org: true, ..Places::default() },
        created_at: AT,
        updated_at: AT,
        version: 1,
    }
}
