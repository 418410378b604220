//! Who did something, as the record keeps it.

use std::{fmt, net::IpAddr};

use crate::base::ids::{ApiKeyId, GrantId, RequestId, ServiceAccountId, SessionId, TeamId, UserId};

/// The one who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody has signed in yet.
    Nobody,
    /// A person in a browser.
    User {
        /// The person.
        user: UserId,
        /// Their session.
        session: SessionId,
    },
    /// A script with an API key.
    ApiKey {
        /// The key.
        key: ApiKeyId,
        /// The person or service account the key belongs to.
        owner: KeyOwner,
    },
    /// An agent with a token of a grant.
    Grant {
        /// The grant.
        grant: GrantId,
        /// In whose name it calls.
        principal: Principal,
    },
    /// Portreeve itself: a job or the command line.
    System,
}

/// In whose name an agent calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// A person.
    User(UserId),
    /// A team.
    Team(TeamId),
    /// A service account.
    ServiceAccount(ServiceAccountId),
}

impl Principal {
    /// The kind, in the database and outside.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Team(_) => "team",
            Self::ServiceAccount(_) => "service_account",
        }
    }

    /// The id's outside form.
    pub fn id_text(self) -> String {
        self.to_string()
    }

    /// The person, where it is one.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Team(_) | Self::ServiceAccount(_) => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Team(team) => team.fmt(f),
            Self::ServiceAccount(account) => account.fmt(f),
        }
    }
}

/// Whom an API key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// A person; the key dies with their membership.
    User(UserId),
    /// A service account.
    ServiceAccount(ServiceAccountId),
}

impl Actor {
    /// The kind of actor, as the record names it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::User { .. } => "user",
            Self::ApiKey { .. } => "api_key",
            Self::Grant { .. } => "grant",
            Self::System => "system",
        }
    }

    /// The person behind the act, where there is one.
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User { user, .. }
            | Self::ApiKey { owner: KeyOwner::User(user), .. }
            | Self::Grant { principal: Principal::User(user), .. } => Some(*user),
            _ => None,
        }
    }

    /// The outside form of the actor's own id, for the record.
    pub fn id_text(&self) -> Option<String> {
        match self {
            Self::User { user, .. } => Some(user.to_string()),
            Self::ApiKey { key, .. } => Some(key.to_string()),
            Self::Grant { grant, .. } => Some(grant.to_string()),
            Self::Nobody | Self::System => None,
        }
    }
}

/// From where and within which request something was asked.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The request.
    pub request: RequestId,
    /// The caller's address, as the operator's proxy settings let us know it.
    pub ip: Option<IpAddr>,
    /// The caller's software, as it names itself, at most 300 characters.
    pub user_agent: Option<String>,
}
