//! Links sent by mail: to prove an address, reset a password, move to another address.
//!
//! Invariant: of one purpose a person has at most one link that works: the newest, unused, in its time.

use time::{Duration, OffsetDateTime};

use crate::base::{
    email::Email,
    ids::{MailTokenId, UserId},
};

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Proves the address that the person signed up with.
    VerifyEmail,
    /// Lets the person set a new password. It never stands for a second factor.
    ResetPassword,
    /// Proves a new address and moves the person to it.
    ChangeEmail,
}

impl Purpose {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
        }
    }

    /// How long the link works.
    pub const fn ttl(self) -> Duration {
        match self {
            Self::VerifyEmail | Self::ChangeEmail => Duration::hours(24),
            Self::ResetPassword => Duration::minutes(30),
        }
    }
}

/// A link that works.
#[derive(Clone, Debug)]
pub struct MailToken {
    /// Its id.
    pub id: MailTokenId,
    /// Whose it is.
    pub user: UserId,
    /// The address it was sent to, which using it proves.
    pub email: Email,
    /// When it stops working.
    pub expires_at: OffsetDateTime,
}
