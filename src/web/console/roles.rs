//! The role matrix: what each role carries, from the values that decide it.

use askama::Template;

use crate::{
    base::permission::{Permission, Role},
    web::{
        console::shell_of,
        kit::{
            ask::OrgPage,
            page::{PageResult, page},
            parts::Crumb,
            routes::{Access, Routes},
            shell::Shell,
        },
    },
};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().page("/o/{org}/roles", Access::Member, matrix)
}

/// The matrix, with the reader's own role pointed out.
#[derive(Template)]
#[template(path = "console/members/roles.html")]
struct RolesPage {
    shell: Shell,
    crumbs: Vec<Crumb>,
    mine: Role,
}

async fn matrix(ask: OrgPage) -> PageResult {
    let crumbs = if ask.cx.may(Permission::MembersRead) {
        vec![Crumb::to("Members", format!("/o/{}/members", ask.cx.org.slug))]
    } else {
        Vec::new()
    };
    page(&RolesPage { shell: shell_of::org(&ask, "Roles").await?, crumbs, mine: ask.cx.role })
}

#[cfg(test)]
pub(super) fn samples() -> Vec<crate::web::kit::samples::Sample> {
    use crate::web::kit::{
        samples::{sample, shell},
        shell::Base,
    };

    let crumbs = vec![Crumb::to("Members", "/o/acme/members")];
    vec![sample(
        "roles",
        &RolesPage { shell: shell(Base::Organization, "Roles"), crumbs, mine: Role::PolicyManager },
    )]
}
