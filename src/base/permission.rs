//! What a person or key may do in an organization, and which role carries it.
//!
//! Invariant: roles never affect what an agent may call; they are about the console and the admin API only.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A person's role in one organization, strongest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Role {
    /// Everything, ownership and deletion included.
    Owner,
    /// Everything but ownership and deletion.
    Admin,
    /// Policies and what is needed to write them.
    PolicyManager,
    /// Decides calls that wait for a human.
    Approver,
    /// Reads the record, changes nothing.
    Auditor,
    /// Uses agents; sees only their own things.
    Member,
}

impl Role {
    /// All roles, strongest first.
    pub const ALL: [Self; 6] =
        [Self::Owner, Self::Admin, Self::PolicyManager, Self::Approver, Self::Auditor, Self::Member];

    /// The name in the database, the API and scripts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::PolicyManager => "policy_manager",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Member => "member",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::PolicyManager => "Policy manager",
            Self::Approver => "Approver",
            Self::Auditor => "Auditor",
            Self::Member => "Member",
        }
    }

    /// One sentence for the person who chooses a role.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Owner => "Does everything, names other owners, deletes the organization.",
            Self::Admin => "Manages people, servers, keys, settings and the gate.",
            Self::PolicyManager => "Writes and publishes policies, reads the audit log.",
            Self::Approver => "Decides calls that wait for a human.",
            Self::Auditor => "Reads and exports the audit log, changes nothing.",
            Self::Member => "Connects accounts and uses agents.",
        }
    }

    /// Whether the role carries a permission.
    pub fn may(self, permission: Permission) -> bool {
        permission.held_by().contains(&self)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose owner, admin, policy_manager, approver, auditor or member")]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(NotARole)
    }
}

use Role::{Admin, Approver, Auditor, Member, Owner, PolicyManager};

macro_rules! permissions {
    ($($name:ident $scope:literal $label:literal [$($role:ident),*];)*) => {
        /// One thing that can be allowed; its text form is also the scope of an API key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Permission {
            $(#[doc = $label] $name,)*
        }

        impl Permission {
            /// Every permission, in the order of the role matrix.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The scope of an API key that carries it.
            pub const fn scope(self) -> &'static str {
                match self { $(Self::$name => $scope,)* }
            }

            /// What it lets a person do, as a sentence without subject.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// The roles that carry it, strongest first.
            pub const fn held_by(self) -> &'static [Role] {
                match self { $(Self::$name => &[$($role),*],)* }
            }
        }
    };
}

permissions! {
    OrgRead "org:read" "See the overview and the settings" [Owner, Admin];
    OrgWrite "org:write" "Change the settings" [Owner, Admin];
    OrgDelete "org:delete" "Delete the organization" [Owner];
    OwnersWrite "owners:write" "Name owners and take ownership away" [Owner];
    MembersRead "members:read" "See who is here" [Owner, Admin];
    MembersWrite "members:write" "Invite, change roles, off-board" [Owner, Admin];
    TeamsRead "teams:read" "See teams" [Owner, Admin];
    TeamsWrite "teams:write" "Create and change teams" [Owner, Admin];
    ServiceAccountsRead "service-accounts:read" "See service accounts" [Owner, Admin];
    ServiceAccountsWrite "service-accounts:write" "Create and change service accounts" [Owner, Admin];
    ApiKeysRead "api-keys:read" "See API keys" [Owner, Admin];
    ApiKeysWrite "api-keys:write" "Create and revoke API keys" [Owner, Admin];
    ServersRead "servers:read" "See servers and their tools" [Owner, Admin, PolicyManager];
    ServersWrite "servers:write" "Add, change, review and delete servers" [Owner, Admin];
    ProvidersRead "providers:read" "See OAuth providers" [Owner, Admin];
    ProvidersWrite "providers:write" "Register, change and delete OAuth providers" [Owner, Admin];
    ConnectionsOwn "connections:own" "Connect accounts of one's own" [Owner, Admin, PolicyManager, Approver, Auditor, Member];
    ConnectionsRead "connections:read" "See the connected accounts of everybody, never their tokens" [Owner, Admin];
    ConnectionsWrite "connections:write" "End the connected accounts of others" [Owner, Admin];
    GrantsRead "grants:read" "See the grants of everybody" [Owner, Admin];
    GrantsWrite "grants:write" "Create, suspend and revoke grants" [Owner, Admin];
    SecretsRead "secrets:read" "See the secrets of the organization and its teams, never their values" [Owner, Admin];
    SecretsWrite "secrets:write" "Add, change, rotate and delete those secrets" [Owner, Admin];
    SecretsOwn "secrets:own" "Keep secrets of one's own, which nobody else sees" [Owner, Admin, PolicyManager, Approver, Auditor, Member];
    AccessAsk "access:ask" "Ask for access in one's own name" [Owner, Admin, PolicyManager, Approver, Auditor, Member];
    PoliciesRead "policies:read" "See policies, their versions and what they decide" [Owner, Admin, PolicyManager, Auditor];
    PoliciesWrite "policies:write" "Write, publish and attach policies" [Owner, Admin, PolicyManager];
    ApprovalsRead "approvals:read" "See every call that waits for a human" [Owner, Admin, PolicyManager, Approver, Auditor];
    ApprovalsDecide "approvals:decide" "Decide calls that wait for a human, where a rule names them" [Owner, Admin, PolicyManager, Approver, Auditor, Member];
    GateRead "gate:read" "See the gate and who it affects" [Owner, Admin];
    GateWrite "gate:write" "Close and open the gate" [Owner, Admin];
    AuditRead "audit:read" "Read the audit log" [Owner, Admin, PolicyManager, Auditor];
    AuditExport "audit:export" "Export the audit log" [Owner, Admin, Auditor];
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scope())
    }
}

/// The text names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope")]
pub struct NotAScope;

impl FromStr for Permission {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        Self::ALL.iter().copied().find(|p| p.scope() == text).ok_or(NotAScope)
    }
}

/// A person's role in one team.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum TeamRole {
    /// Manages the team and its admins, may delete it.
    Owner,
    /// Manages the team's members.
    Admin,
    /// Belongs to the team.
    Member,
}

impl TeamRole {
    /// All team roles, strongest first.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Admin, Self::Member];

    /// The name in the database, the API and scripts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Owner => "Team owner",
            Self::Admin => "Team admin",
            Self::Member => "Team member",
        }
    }
}

impl FromStr for TeamRole {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(NotARole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_may_everything_and_a_member_only_what_concerns_themselves() {
        let members = [
            Permission::ConnectionsOwn,
            Permission::SecretsOwn,
            Permission::AccessAsk,
            Permission::ApprovalsDecide,
        ];
        for permission in Permission::ALL {
            assert!(Role::Owner.may(*permission));
            assert_eq!(Role::Member.may(*permission), members.contains(permission));
        }
    }

    #[test]
    fn names_read_back() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        for permission in Permission::ALL {
            assert_eq!(permission.scope().parse(), Ok(*permission));
        }
    }
}
