//! What stands in the rail.
//!
//! Invariant: a page a person may not open is not in their rail. That is a courtesy; the doors refuse anyway.

use crate::base::permission::Permission;

/// A titled group of places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RailGroup {
    /// Its title; empty for the first group.
    pub title: &'static str,
    /// Its places.
    pub items: Vec<RailItem>,
}

/// One place in the rail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RailItem {
    /// Its name.
    pub label: &'static str,
    /// Where it is.
    pub href: String,
    /// Its icon in the sprite.
    pub icon: &'static str,
    /// Whether the page that is shown belongs to it.
    pub current: bool,
    /// How many things wait there; nothing is shown for none.
    pub waiting: u32,
}

/// One line of a rail before it is known who looks at it.
struct Place(&'static str, &'static str, &'static str, Option<Permission>);

type Plan = &'static [(&'static str, &'static [Place])];

const ORGANIZATION: Plan = &[
    (
        "",
        &[
            Place("Overview", "", "home", Some(Permission::OrgRead)),
            Place("Approvals", "/approvals", "inbox", Some(Permission::ApprovalsDecide)),
            Place("Access requests", "/access", "key", Some(Permission::GrantsRead)),
            Place("Audit log", "/audit", "log", Some(Permission::AuditRead)),
        ],
    ),
    (
        "Access",
        &[
            Place("Policies", "/policies", "shield", Some(Permission::PoliciesRead)),
            Place("Agents", "/agents", "bot", Some(Permission::GrantsRead)),
            Place("Servers", "/servers", "server", Some(Permission::ServersRead)),
            Place("Providers", "/providers", "plug", Some(Permission::ProvidersRead)),
            Place("Secrets", "/secrets", "lock", Some(Permission::SecretsRead)),
            Place("Usage", "/usage", "rule", Some(Permission::PoliciesRead)),
        ],
    ),
    (
        "People",
        &[
            Place("Members", "/members", "users", Some(Permission::MembersRead)),
            Place("Teams", "/teams", "team", Some(Permission::TeamsRead)),
        ],
    ),
    (
        "Organization",
        &[
            Place("Service accounts", "/service-accounts", "bot", Some(Permission::ServiceAccountsRead)),
            Place("API keys", "/api-keys", "key", Some(Permission::ApiKeysRead)),
            Place("Settings", "/settings", "gear", Some(Permission::OrgRead)),
        ],
    ),
];

const ACCOUNT: Plan = &[
    (
        "Your account",
        &[
            Place("Connected accounts", "/accounts", "plug", None),
            Place("My agents", "/agents", "bot", None),
            Place("My secrets", "/secrets", "lock", None),
            Place("Requests", "/requests", "inbox", None),
            Place("Access requests", "/access", "key", None),
            Place("Activity", "/activity", "log", None),
        ],
    ),
    ("You", &[Place("Profile", "/profile", "user", None), Place("Organizations", "/orgs", "org", None)]),
    (
        "Security",
        &[
            Place("Password and passkeys", "/security", "shield", None),
            Place("Sessions", "/sessions", "laptop", None),
        ],
    ),
];

const OPERATOR: Plan = &[
    (
        "",
        &[
            Place("Health", "", "pulse", None),
            Place("Organizations", "/orgs", "org", None),
            Place("Audit log", "/audit", "log", None),
        ],
    ),
    (
        "Machinery",
        &[
            Place("Keys", "/keys", "key", None),
            Place("Jobs", "/jobs", "clock", None),
            Place("Outbox", "/outbox", "mail", None),
            Place("Settings", "/settings", "gear", None),
        ],
    ),
];

/// The rail of an organization's pages, for somebody who holds these permissions and looks at `path`.
pub fn organization(slug: &str, holds: &[Permission], path: &str) -> Vec<RailGroup> {
    lay(ORGANIZATION, &format!("/o/{slug}"), path, |permission| holds.contains(&permission))
}

/// The rail of a person's own pages.
pub fn account(path: &str) -> Vec<RailGroup> {
    lay(ACCOUNT, "/me", path, |_| true)
}

/// The rail of the operator's pages.
pub fn operator(path: &str) -> Vec<RailGroup> {
    lay(OPERATOR, "/ops", path, |_| true)
}

fn lay(plan: Plan, base: &str, path: &str, may: impl Fn(Permission) -> bool) -> Vec<RailGroup> {
    let path = path.trim_end_matches('/');
    let item = |place: &Place| {
        let href = format!("{base}{}", place.1);
        let inside =
            !place.1.is_empty() && path.strip_prefix(&href).is_some_and(|rest| rest.starts_with('/'));
        RailItem { label: place.0, current: path == href || inside, href, icon: place.2, waiting: 0 }
    };
    plan.iter()
        .map(|(title, places)| RailGroup {
            title,
            items: places.iter().filter(|place| place.3.is_none_or(&may)).map(item).collect(),
        })
        .filter(|group| !group.items.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::permission::Role;

    fn rail_of(role: Role, path: &str) -> Vec<RailItem> {
        let holds: Vec<Permission> = Permission::ALL.iter().copied().filter(|p| role.may(*p)).collect();
        organization("acme", &holds, path).into_iter().flat_map(|group| group.items).collect()
    }

    #[test]
    fn a_page_one_may_not_open_is_not_in_the_rail() {
        let labels = |role| rail_of(role, "/o/acme").iter().map(|item| item.label).collect::<Vec<_>>();
        assert_eq!(labels(Role::Auditor), ["Approvals", "Audit log", "Policies", "Usage"]);
        assert_eq!(labels(Role::Member), ["Approvals"]);
        assert_eq!(labels(Role::PolicyManager), ["Approvals", "Audit log", "Policies", "Servers", "Usage"]);
        assert_eq!(labels(Role::Owner).len(), 15);
    }

    #[test]
    fn no_group_is_called_like_a_place_in_it() {
        for groups in [organization("acme", Permission::ALL, ""), account(""), operator("")] {
            for group in groups {
                assert!(group.items.iter().all(|item| item.label != group.title), "{}", group.title);
            }
        }
    }

    #[test]
    fn exactly_one_place_is_current_and_only_on_its_own_pages() {
        let current = |path| {
            let items = rail_of(Role::Owner, path);
            items.into_iter().filter(|item| item.current).map(|item| item.label).collect::<Vec<_>>()
        };
        assert_eq!(current("/o/acme"), ["Overview"]);
        assert_eq!(current("/o/acme/"), ["Overview"]);
        assert_eq!(current("/o/acme/members/usr_1/offboard"), ["Members"]);
        assert_eq!(current("/o/acme/membersonly"), Vec::<&str>::new());
        assert_eq!(current("/o/acme/gate"), Vec::<&str>::new());
    }
}
