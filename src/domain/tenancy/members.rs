//! Memberships: who is in an organization with which role, and how far somebody may change that.

use time::{Duration, OffsetDateTime};

use crate::base::{
    ids::{TeamId, UserId},
    permission::{Permission, Role},
};

/// A person in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their address, as they wrote it.
    pub email: String,
    /// Their role here.
    pub role: Role,
    /// In how many teams they are.
    pub teams: i64,
    /// When they joined.
    pub created_at: OffsetDateTime,
    /// When the membership last changed.
    pub updated_at: OffsetDateTime,
    /// When they were last seen here, to about five minutes.
    pub last_seen_at: Option<OffsetDateTime>,
    /// Rises with every change.
    pub version: i64,
}

/// Which members a caller wants to see.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    /// A part of the name or address.
    pub q: Option<String>,
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only those in this team.
    pub team: Option<TeamId>,
}

/// Whether a person became a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Joined {
    /// They are one now.
    Joined,
    /// They were one before; their role stays as it was.
    AlreadyMember,
}

/// How far somebody's right to manage people reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// Nobody.
    Nobody,
    /// Everybody who is not an owner.
    NonOwners,
    /// Everybody.
    Everyone,
}

impl Reach {
    /// The reach of one who holds certain permissions, be it a person or a key.
    pub fn of(may: impl Fn(Permission) -> bool) -> Self {
        match (may(Permission::MembersWrite), may(Permission::OwnersWrite)) {
            (true, true) => Self::Everyone,
            (true, false) => Self::NonOwners,
            (false, _) => Self::Nobody,
        }
    }

    /// The reach that a role carries.
    pub fn of_role(role: Role) -> Self {
        Self::of(|permission| role.may(permission))
    }
}

/// The owners of one organization, locked until the transaction ends, so that nobody else changes them
/// meanwhile.
///
/// Only `store::members::lock_owners` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners(Vec<UserId>);

impl Owners {
    pub(super) const fn locked(owners: Vec<UserId>) -> Self {
        Self(owners)
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether the person is one of them.
    pub fn include(&self, user: UserId) -> bool {
        self.0.contains(&user)
    }

    /// Whether nobody else is an owner, so that the organization would be without one if the person were not.
    pub fn would_be_none_without(&self, user: UserId) -> bool {
        self.0.iter().all(|owner| *owner == user)
    }
}

/// Whether a sighting is worth writing down: at most one in five minutes.
pub fn is_touch_due(last_seen_at: Option<OffsetDateTime>, now: OffsetDateTime) -> bool {
    last_seen_at.is_none_or(|seen| seen <= now - Duration::minutes(5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn reach_follows_the_role() {
        let reaches: Vec<_> = Role::ALL.into_iter().map(Reach::of_role).collect();
        use Reach::{Everyone, Nobody, NonOwners};
        assert_eq!(reaches, [Everyone, NonOwners, Nobody, Nobody, Nobody, Nobody]);
    }

    #[test]
    fn a_key_that_may_write_owners_but_not_members_reaches_nobody() {
        assert_eq!(Reach::of(|permission| permission == Permission::OwnersWrite), Reach::Nobody);
    }

    #[test]
    fn a_sighting_is_written_once_in_five_minutes() {
        let now = datetime!(2026-11-21 12:00 UTC);
        assert!(is_touch_due(None, now));
        assert!(!is_touch_due(Some(now - Duration::seconds(299)), now));
        assert!(is_touch_due(Some(now - Duration::minutes(5)), now));
        assert!(!is_touch_due(Some(now + Duration::hours(1)), now));
    }
}
