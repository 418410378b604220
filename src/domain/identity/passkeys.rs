//! Passkeys as they are stored, and what can be wrong with one.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use webauthn_rs::prelude::{Passkey, WebauthnError};

use crate::{
    base::ids::{PasskeyId, UserId},
    domain::identity::users::{NotAName, tidy},
};

/// What a person calls a passkey: 1 to 60 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyName(String);

impl PasskeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PasskeyName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        tidy(text, 60).map(Self)
    }
}

/// A passkey as stored.
#[derive(Clone, Debug)]
pub struct StoredPasskey {
    /// Its id.
    pub id: PasskeyId,
    /// Whose it is.
    pub user: UserId,
    /// What they call it.
    pub name: String,
    /// The public half with its counter.
    pub credential: Credential,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When it last opened a door.
    pub last_used_at: Option<OffsetDateTime>,
}

/// The public half of a passkey with its counter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential(pub(super) Passkey);

impl Credential {
    /// The authenticator's name for it.
    pub fn id(&self) -> &[u8] {
        self.0.cred_id().as_ref()
    }
}

/// Why passkeys cannot be used at a base URL.
#[derive(Debug, thiserror::Error)]
pub enum PasskeysUnavailable {
    /// An address is no domain (WebAuthn Level 3, section 5.1.2: RP ID).
    #[error("passkeys need a host name such as localhost; this installation is reached by a bare address")]
    NeedHostName,
    /// Browsers offer passkeys in secure contexts only.
    #[error("passkeys need https, or the host name localhost")]
    NeedHttps,
    /// Anything else the library will not take.
    #[error("passkeys cannot be used at this URL")]
    Unusable(#[source] WebauthnError),
}

/// Why a ceremony failed.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The browser's answer is no WebAuthn answer.
    #[error("the browser's answer cannot be read")]
    Unreadable,
    /// There is no passkey to ask for.
    #[error("there is no passkey to ask for")]
    NoPasskeys,
    /// The answer does not prove what was asked.
    #[error("the passkey was not accepted")]
    Refused(#[source] WebauthnError),
}
