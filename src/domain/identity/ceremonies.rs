//! What lies between the steps of a sign-in, a passkey ceremony or the set-up: kept by us, named by a cookie.
//!
//! Invariant: a ceremony serves the one purpose it was begun for, for ten minutes, once.

use time::{Duration, OffsetDateTime};

use crate::base::ids::{CeremonyId, UserId};

/// How long a person has for the next step.
pub const TTL: Duration = Duration::minutes(10);

/// What a ceremony is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The password was right, a second factor is missing.
    SecondFactor,
    /// Somebody was asked for a passkey to sign in with.
    PasskeySignIn,
    /// A signed-in person was asked for a passkey, for a sensitive act.
    PasskeyProof,
    /// A signed-in person is adding a passkey.
    PasskeyRegistration,
    /// Somebody opened the set-up link.
    SetUp,
}

impl Purpose {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::PasskeySignIn => "passkey_sign_in",
            Self::PasskeyProof => "passkey_proof",
            Self::PasskeyRegistration => "passkey_registration",
            Self::SetUp => "set_up",
        }
    }
}

/// A ceremony under way.
#[derive(Clone, Debug)]
pub struct Ceremony<S> {
    /// Its id.
    pub id: CeremonyId,
    /// The person, where one is known.
    pub user: Option<UserId>,
    /// What was left for the next step.
    pub state: S,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}
