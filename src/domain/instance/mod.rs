//! The installation itself: whether it is set up, who may sign up, and which replicas run it.
//!
//! Owns the one row of `instance` and the table `replicas`.
//!
//! Lacks on purpose: what the command line and the environment configure; that is `base/config`.
//!
//! Invariant: an installation is set up once. Of two people with the same link, one wins and the other is
//! told.
//! Invariant: the set-up link is stored as a hash, and no longer after it was used.

mod store;

use std::{fmt, str::FromStr};

use time::{Duration, OffsetDateTime};

use crate::base::{
    crypto::{digest::Digest, token::Token},
    ids::ReplicaId,
};

pub use store::{
    database, delete_replica, delete_stale_replicas, find, insert_replica, list_replicas, mark_seen,
    mark_set_up, set_set_up_token, update_sign_up,
};

/// How often a replica says that it lives.
pub const HEARTBEAT: Duration = Duration::seconds(15);
/// A replica silent for longer is taken for dead.
pub const SILENCE: Duration = Duration::seconds(60);

/// Who may make an account without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// Nobody.
    Closed,
    /// Whoever holds an invitation.
    Invitation,
    /// Anybody.
    Open,
}

impl SignUp {
    /// All modes, strictest first.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Invitation, Self::Open];

    /// The name in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invitation => "invitation",
            Self::Open => "open",
        }
    }

    /// One sentence for the operator who chooses.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Closed => "Nobody makes an account; people who have one can be invited.",
            Self::Invitation => "Whoever is invited to an organization makes an account.",
            Self::Open => "Anybody makes an account and their own organization.",
        }
    }
}

impl fmt::Display for SignUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose closed, invitation or open")]
pub struct NotASignUp;

impl FromStr for SignUp {
    type Err = NotASignUp;

    fn from_str(text: &str) -> Result<Self, NotASignUp> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(NotASignUp)
    }
}

/// What is true of the whole installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    set_up_token_hash: Option<Digest>,
    /// When the first person set it up.
    pub set_up_at: Option<OffsetDateTime>,
    /// Who may sign up.
    pub sign_up: SignUp,
    /// When this row last changed.
    pub updated_at: OffsetDateTime,
    /// Rises with every change.
    pub version: i64,
}

impl Instance {
    /// Whether somebody set it up.
    pub const fn is_set_up(&self) -> bool {
        self.set_up_at.is_some()
    }

    /// Whether the token is that of the set-up link, which works until somebody used it.
    pub fn admits(&self, token: &Token) -> bool {
        !self.is_set_up() && self.set_up_token_hash.is_some_and(|hash| token.matches(&hash))
    }
}

/// What the database says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFigures {
    /// Its version, such as `15.8`.
    pub version: String,
    /// How many bytes it takes.
    pub bytes: i64,
    /// Connections to it, ours and others'.
    pub connections: i64,
    /// How many it allows.
    pub max_connections: i64,
    /// How many migrations were applied.
    pub migrations: i64,
    /// The newest of them, as a number that begins with its date.
    pub newest_migration: i64,
}

/// One running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its id, new with every start.
    pub id: ReplicaId,
    /// The version it runs.
    pub version: String,
    /// Where it listens.
    pub listen: String,
    /// When it started.
    pub started_at: OffsetDateTime,
    /// When it last said that it lives.
    pub seen_at: OffsetDateTime,
}

impl Replica {
    /// Whether it was heard of lately.
    pub fn is_alive(&self, now: OffsetDateTime) -> bool {
        now - self.seen_at <= SILENCE
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::base::{crypto::token::TokenKind, ids::SealedId};

    #[test]
    fn a_set_up_link_works_until_somebody_used_it() {
        let (token, other) = (
            Token::issue(TokenKind::SetUp, SealedId::fresh()),
            Token::issue(TokenKind::SetUp, SealedId::fresh()),
        );
        let now = datetime!(2026-01-01 0:00 UTC);
        let fresh = Instance {
            set_up_token_hash: Some(token.hash()),
            set_up_at: None,
            sign_up: SignUp::Invitation,
            updated_at: now,
            version: 1,
        };
        assert!(fresh.admits(&token) && !fresh.admits(&other));
        assert!(!Instance { set_up_at: Some(now), ..fresh.clone() }.admits(&token));
        assert!(!Instance { set_up_token_hash: None, ..fresh }.admits(&token));
    }

    #[test]
    fn modes_read_back() {
        for mode in SignUp::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert_eq!("Open".parse::<SignUp>(), Err(NotASignUp));
    }
}
