//! API keys: what a script carries.

use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use crate::{
    base::{
        actor::KeyOwner,
        ids::{ApiKeyId, OrgId, UserId},
        permission::{Permission, Role},
    },
    domain::automation::Scopes,
};

/// How often the last use is written down at the most: a busy script must not become a row updated all day.
pub(super) const TOUCH_EVERY: Duration = Duration::minutes(1);

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: KeyOwner,
    /// What it may at the most.
    pub scopes: Scopes,
    /// The last letters of the token.
    pub tail: String,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// From where.
    pub last_used_ip: Option<IpAddr>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// By whom.
    pub revoked_by: Option<UserId>,
    /// Rises with every change; use is none.
    pub version: i64,
}

impl ApiKey {
    /// Whether the last use is long enough ago to be written down again.
    pub fn is_touch_due(&self, now: OffsetDateTime) -> bool {
        self.last_used_at.is_none_or(|at| now - at >= TOUCH_EVERY)
    }

    /// Whether the key works, as far as the key, its owner and its organization say.
    pub fn state(&self, owner: &KeyOwnerFacts, now: OffsetDateTime) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|at| at <= now) {
            KeyState::Expired
        } else if owner.is_disabled {
            KeyState::OwnerDisabled
        } else if owner.is_org_closed {
            KeyState::OrgClosed
        } else {
            KeyState::Live
        }
    }
}

/// What decides about a key besides the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyOwnerFacts {
    /// The person or service account is disabled.
    pub is_disabled: bool,
    /// The organization is suspended or deleted.
    pub is_org_closed: bool,
}

/// Whether a key works, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    Live,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// Its owner is disabled.
    OwnerDisabled,
    /// Its organization is suspended or deleted.
    OrgClosed,
}

impl KeyState {
    /// The name in the API and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::OwnerDisabled => "owner_disabled",
            Self::OrgClosed => "org_closed",
        }
    }
}

/// A key in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyEntry {
    /// The key.
    pub key: ApiKey,
    /// Whether it works.
    pub state: KeyState,
    /// The owner's name.
    pub owner_name: String,
    /// The owner's address or slug.
    pub owner_handle: String,
    /// The name of who made it, while they are a member.
    pub created_by_name: Option<String>,
}

/// What a list of keys shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyFilter {
    /// Only keys of this owner.
    pub owner: Option<KeyOwner>,
    /// Only live, revoked or expired keys; a disabled owner's key counts as live here.
    pub state: Option<KeyState>,
}

/// A key that somebody presented, with what is needed to admit it.
#[derive(Clone, Debug)]
pub struct PresentedKey {
    /// The organization.
    pub org: OrgId,
    /// The key.
    pub key: ApiKey,
    /// Whether it works.
    pub state: KeyState,
    /// The owner's role in the organization, now.
    pub owner_role: Role,
    /// The owner's name.
    pub owner_name: String,
}

impl PresentedKey {
    /// Whether the key carries a permission: by its scopes, and by its owner's role.
    pub fn may(&self, permission: Permission) -> bool {
        self.state == KeyState::Live && self.key.scopes.cover(permission) && self.owner_role.may(permission)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn key() -> ApiKey {
        ApiKey {
            id: ApiKeyId::fresh(),
            name: "Deploy".to_owned(),
            owner: KeyOwner::User(UserId::fresh()),
            scopes: Scopes::All,
            tail: "wxyz".to_owned(),
            created_by: None,
            created_at: NOW,
            expires_at: Some(NOW + Duration::DAY),
            last_used_at: None,
            last_used_ip: None,
            revoked_at: None,
            revoked_by: None,
            version: 1,
        }
    }

    #[test]
    fn the_first_reason_against_a_key_is_its_own() {
        let (fine, disabled) =
            (KeyOwnerFacts::default(), KeyOwnerFacts { is_disabled: true, is_org_closed: true });
        let key = key();
        let end = NOW + Duration::DAY;
        assert_eq!(key.state(&fine, end - Duration::SECOND), KeyState::Live);
        assert_eq!(key.state(&fine, end), KeyState::Expired);
        assert_eq!(key.state(&disabled, NOW), KeyState::OwnerDisabled);
        assert_eq!(key.state(&KeyOwnerFacts { is_disabled: false, ..disabled }, NOW), KeyState::OrgClosed);
        assert_eq!(ApiKey { revoked_at: Some(NOW), ..key }.state(&disabled, end), KeyState::Revoked);
    }

    #[test]
    fn a_presented_key_may_what_scopes_and_role_share() {
        let scopes = Scopes::parse(&["audit:read", "gate:write"]).expect("good");
        let presented = PresentedKey {
            org: OrgId::fresh(),
            key: ApiKey { scopes, ..key() },
            state: KeyState::Live,
            owner_role: Role::Auditor,
            owner_name: "Ada".to_owned(),
        };
        assert!(presented.may(Permission::AuditRead));
        assert!(!presented.may(Permission::AuditExport), "outside the scopes");
        assert!(!presented.may(Permission::GateWrite), "outside the role");
        assert!(!PresentedKey { state: KeyState::Revoked, ..presented }.may(Permission::AuditRead));
    }

    #[test]
    fn use_is_written_down_once_a_minute() {
        let used = |ago| ApiKey { last_used_at: Some(NOW - ago), ..key() }.is_touch_due(NOW);
        assert!(key().is_touch_due(NOW));
        assert!(!used(Duration::seconds(59)));
        assert!(used(Duration::minutes(1)));
    }
}
