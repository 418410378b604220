//! A grant: its facts, and whether it is in force.

use std::{collections::BTreeSet, str::FromStr};

use time::OffsetDateTime;

use crate::{
    base::{
        actor::Principal,
        ids::{GrantId, PolicyId, ServerId, UserId},
        risk::Class,
    },
    domain::grants::{Bindings, LastUse},
};

/// Which servers a grant reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServersOf {
    /// Every server of the organization, also one that is added later.
    All,
    /// These; none where all of them have been deleted since.
    Some(BTreeSet<ServerId>),
}

impl ServersOf {
    /// Whether a server is among them.
    pub fn covers(&self, server: ServerId) -> bool {
        match self {
            Self::All => true,
            Self::Some(servers) => servers.contains(&server),
        }
    }
}

/// When, by whom and why something was suspended or revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// When.
    pub at: OffsetDateTime,
    /// Who; nobody where a service account or Portreeve itself did.
    pub by: Option<UserId>,
    /// Why; empty where nobody said.
    pub reason: String,
}

/// What an agent may do, in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Its name on pages.
    pub label: String,
    /// In whose name.
    pub principal: Principal,
    /// On which servers.
    pub servers: ServersOf,
    /// The strongest class of tools that may be called.
    pub ceiling: Class,
    /// The policy of its own layer; those of the layers above hold as well.
    pub policy: Option<PolicyId>,
    /// When it ends; never, where nobody said.
    pub expires_at: Option<OffsetDateTime>,
    /// From where and with which software.
    pub bindings: Bindings,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// Since when it rests.
    pub suspension: Option<Stop>,
    /// Since when it is over.
    pub revocation: Option<Stop>,
    /// Rises with every change; tokens and use are none.
    pub version: i64,
}

impl Grant {
    /// Whether it is in force, and if not, the first reason against it.
    pub fn state(&self, is_principal_active: bool, now: OffsetDateTime) -> GrantState {
        GrantState::of(
            self.revocation.is_some(),
            self.expires_at,
            is_principal_active,
            self.suspension.is_some(),
            now,
        )
    }

    /// Whether it is over for good or its time has passed, so that no token can be made for it.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        self.revocation.is_some() || self.expires_at.is_some_and(|at| at <= now)
    }
}

/// Whether a grant is in force, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantState {
    /// It is in force.
    Active,
    /// It rests until it is resumed.
    Suspended,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// The person or service account in whose name it acts is disabled.
    PrincipalGone,
}

impl GrantState {
    /// All states, as a filter offers them.
    pub const ALL: [Self; 5] =
        [Self::Active, Self::Suspended, Self::Expired, Self::Revoked, Self::PrincipalGone];

    /// The state that follows from the facts: what is final comes first.
    pub(super) fn of(
        is_revoked: bool,
        expires_at: Option<OffsetDateTime>,
        is_principal_active: bool,
        is_suspended: bool,
        now: OffsetDateTime,
    ) -> Self {
        if is_revoked {
            Self::Revoked
        } else if expires_at.is_some_and(|at| at <= now) {
            Self::Expired
        } else if !is_principal_active {
            Self::PrincipalGone
        } else if is_suspended {
            Self::Suspended
        } else {
            Self::Active
        }
    }

    /// The name in the API and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::PrincipalGone => "principal_gone",
        }
    }
}

/// The text names no state of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose active, suspended, expired, revoked or principal_gone")]
pub struct NotAGrantState;

impl FromStr for GrantState {
    type Err = NotAGrantState;

    fn from_str(text: &str) -> Result<Self, NotAGrantState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAGrantState)
    }
}

/// A grant in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantEntry {
    /// The grant.
    pub grant: Grant,
    /// Whether it is in force.
    pub state: GrantState,
    /// The name of the person, team or service account.
    pub principal_name: String,
    /// Their address or slug.
    pub principal_handle: String,
    /// The name of who made it, while they are a member.
    pub created_by_name: Option<String>,
    /// The name of who suspended it, while they are a member.
    pub suspended_by_name: Option<String>,
    /// The name of who revoked it, while they are a member.
    pub revoked_by_name: Option<String>,
    /// How many of its tokens are neither revoked nor expired.
    pub live_tokens: i64,
    /// The short name of its policy.
    pub policy_slug: Option<String>,
    /// The name of its policy.
    pub policy_name: Option<String>,
    /// The last call with any of its tokens.
    pub last_use: Option<LastUse>,
}

/// What a list of grants shows.
#[derive(Clone, Debug, Default)]
pub struct GrantFilter {
    /// Only those in the name of this one.
    pub principal: Option<Principal>,
    /// Only those that reach this server.
    pub server: Option<ServerId>,
    /// Only those in this state.
    pub state: Option<GrantState>,
    /// A part of the label, or of the principal's name.
    pub q: Option<String>,
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn grant() -> Grant {
        Grant {
            id: GrantId::fresh(),
            label: "Claude Code".to_owned(),
            principal: Principal::User(UserId::fresh()),
            servers: ServersOf::All,
            ceiling: Class::Read,
            policy: None,
            expires_at: Some(NOW + Duration::DAY),
            bindings: Bindings::default(),
            created_by: None,
            created_at: NOW,
            updated_at: NOW,
            suspension: None,
            revocation: None,
            version: 1,
        }
    }

    #[test]
    fn the_first_reason_against_a_grant_is_the_most_final() {
        let stop = Stop { at: NOW, by: None, reason: String::new() };
        let end = NOW + Duration::DAY;
        let grant = grant();
        assert_eq!(grant.state(true, end - Duration::SECOND), GrantState::Active);
        let suspended = Grant { suspension: Some(stop.clone()), ..grant };
        assert_eq!(suspended.state(true, NOW), GrantState::Suspended);
        assert_eq!(suspended.state(false, NOW), GrantState::PrincipalGone);
        assert_eq!(suspended.state(false, end), GrantState::Expired);
        assert_eq!(Grant { revocation: Some(stop), ..suspended }.state(false, end), GrantState::Revoked);
    }

    #[test]
    fn all_servers_cover_one_that_is_added_later_and_a_set_does_not() {
        let (named, other) = (ServerId::fresh(), ServerId::fresh());
        assert!(ServersOf::All.covers(other));
        let some = ServersOf::Some(BTreeSet::from([named]));
        assert!(some.covers(named) && !some.covers(other));
        assert!(!ServersOf::Some(BTreeSet::new()).covers(named));
    }

    #[test]
    fn states_read_back() {
        for state in GrantState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }
}
