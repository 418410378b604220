//! `roles` of the JSON API: the matrix, from the values that decide.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    base::permission::{Permission, Role},
    web::kit::{
        ask::KeyAsk,
        json::{self, ApiResult, Listed},
        openapi::Operation,
        routes::Routes,
    },
};

/// The operations.
pub fn routes() -> Routes {
    Routes::default().api(
        Operation::get("/orgs/{org}/roles", "listRoles")
            .about("Members", "List the roles, strongest first, with what each carries")
            .gives::<Listed<RoleView>>(StatusCode::OK),
        list,
    )
}

/// A role.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RoleMeaning")]
struct RoleView {
    role: Role,
    label: &'static str,
    /// One sentence about it.
    meaning: &'static str,
    /// What it carries, by the names that the scopes of a key have too.
    permissions: Vec<&'static str>,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        let carried = Permission::ALL.iter().filter(|permission| role.may(**permission));
        Self {
            role,
            label: role.label(),
            meaning: role.meaning(),
            permissions: carried.map(|permission| permission.scope()).collect(),
        }
    }
}

async fn list(_: KeyAsk) -> ApiResult {
    let items = Role::ALL.into_iter().map(RoleView::from).collect();
    Ok(json::plain(StatusCode::OK, &Listed { items, next_cursor: None }))
}
