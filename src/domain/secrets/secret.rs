//! A secret, whose it is, and who may know of it.

use std::str::FromStr;

use time::{Duration, OffsetDateTime};

use crate::{
    base::ids::{DataKeyId, SecretId, TeamId, UserId},
    domain::secrets::rules::UNUSED_AFTER,
};

/// Whose a secret can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The organization's: the same value for everybody.
    Org,
    /// A team's: the same value for its members.
    Team,
    /// A person's own.
    User,
}

impl Scope {
    /// All of them, the widest first.
    pub const ALL: [Self; 3] = [Self::Org, Self::Team, Self::User];

    /// The name in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Team => "team",
            Self::User => "user",
        }
    }

    /// The word on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Org => "Organization",
            Self::Team => "Team",
            Self::User => "Personal",
        }
    }
}

/// The text names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose org, team or user")]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(NotAScope)
    }
}

/// Whose a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretOwner {
    /// The organization's.
    Org,
    /// This team's.
    Team(TeamId),
    /// This person's.
    User(UserId),
}

impl SecretOwner {
    /// The kind of owner.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Org => Scope::Org,
            Self::Team(_) => Scope::Team,
            Self::User(_) => Scope::User,
        }
    }

    /// The team, where it is a team's.
    pub const fn team(self) -> Option<TeamId> {
        match self {
            Self::Team(team) => Some(team),
            Self::Org | Self::User(_) => None,
        }
    }

    /// The person, where it is a person's.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Org | Self::Team(_) => None,
        }
    }
}

/// The team of a team's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamOfSecret {
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// A secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// Its id; the sealed value is bound to it.
    pub id: SecretId,
    /// Whose it is.
    pub owner: SecretOwner,
    /// The team, where it is a team's.
    pub team: Option<TeamOfSecret>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// After how many days it should get a new value.
    pub rotate_after_days: Option<i32>,
    /// The short names of the servers that ask for a secret of this scope and name.
    pub used_by: Vec<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// When the present value came.
    pub rotated_at: OffsetDateTime,
    /// When a call last carried it, to a few minutes.
    pub last_used_at: Option<OffsetDateTime>,
    /// Rises with every change.
    pub version: i64,
}

impl StoredSecret {
    /// Whether the present value is older than it should get.
    pub fn is_overdue(&self, now: OffsetDateTime) -> bool {
        self.rotate_after_days.is_some_and(|days| now - self.rotated_at > Duration::days(days.into()))
    }

    /// Whether no server asks for it, or none was sent it for a long time.
    pub fn is_unused(&self, now: OffsetDateTime) -> bool {
        let last = self.last_used_at.unwrap_or(self.rotated_at).max(self.rotated_at);
        self.used_by.is_empty() || now - last > UNUSED_AFTER
    }
}

/// A secret's value as the vault sealed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// The secret.
    pub id: SecretId,
    /// The data key that opens it.
    pub key: DataKeyId,
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// Which secrets somebody may know of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Those of the organization and of all teams.
    pub is_wide: bool,
    /// Those of these teams.
    pub teams: Vec<TeamId>,
    /// Those of this person.
    pub own: Option<UserId>,
}

/// Which secrets a list shows.
#[derive(Clone, Debug, Default)]
pub struct SecretFilter {
    /// A part of the name.
    pub q: Option<String>,
    /// Only those of this scope.
    pub scope: Option<Scope>,
    /// Only those of this team.
    pub team: Option<TeamId>,
}

/// A secret of their own that a person is asked for and does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The names of the servers that ask for it.
    pub servers: Vec<String>,
}

/// Members who have no secret of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// How many there are.
    pub count: i64,
    /// The first of them by name.
    pub first: Vec<String>,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-27 12:00 UTC);

    fn secret() -> StoredSecret {
        StoredSecret {
            id: SecretId::fresh(),
            owner: SecretOwner::Org,
            team: None,
            name: "github_token".to_owned(),
            description: String::new(),
            rotate_after_days: None,
            used_by: vec!["github".to_owned()],
            created_at: NOW,
            updated_at: NOW,
            rotated_at: NOW,
            last_used_at: None,
            version: 1,
        }
    }

    #[test]
    fn scopes_read_back_and_owners_have_one() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        let (team, user) = (TeamId::fresh(), UserId::fresh());
        assert_eq!(SecretOwner::Team(team).team(), Some(team));
        assert_eq!(SecretOwner::User(user).user(), Some(user));
        assert_eq!(SecretOwner::Org.scope(), Scope::Org);
    }

    #[test]
    fn a_value_is_overdue_when_it_is_older_than_it_should_get() {
        let monthly = StoredSecret { rotate_after_days: Some(30), ..secret() };
        assert!(!monthly.is_overdue(NOW + Duration::days(30)));
        assert!(monthly.is_overdue(NOW + Duration::days(30) + Duration::SECOND));
        assert!(!secret().is_overdue(NOW + Duration::days(9_000)));
    }

    #[test]
    fn a_secret_is_unused_where_nothing_asks_for_it_or_nothing_was_sent_it_for_long() {
        assert!(!secret().is_unused(NOW + UNUSED_AFTER));
        assert!(secret().is_unused(NOW + UNUSED_AFTER + Duration::SECOND));
        let used = StoredSecret { last_used_at: Some(NOW + Duration::days(60)), ..secret() };
        assert!(!used.is_unused(NOW + UNUSED_AFTER + Duration::SECOND));
        assert!(StoredSecret { used_by: Vec::new(), ..secret() }.is_unused(NOW));
    }
}
