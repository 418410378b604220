//! What a person may see of a failed action.

use std::error::Error;

use time::Duration;

use crate::{
    base::{faults::Faults, permission::Permission, update::Update},
    domain::{
        grants::GrantRefusal, policy::document::Fault as DocumentFault, tenancy::TenancyRefusal,
        vault::VaultError,
    },
    io::db::DbError,
};

/// What an action returns.
pub type ActionResult<T> = Result<T, ActionError>;

/// Why an action did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// Some fields cannot be accepted; each says why and what to do.
    #[error("some fields need attention")]
    Fields(Faults),
    /// A policy's document cannot be accepted; each fault says where, why and what to write instead.
    #[error("the document has faults")]
    Document(Vec<DocumentFault>),
    /// The thing does not exist, or the caller may not know of it.
    #[error("not found")]
    NotFound,
    /// The caller's role or key does not carry the permission.
    #[error("this needs the permission {0}")]
    Forbidden(Permission),
    /// The caller may not do this, for a reason of its own.
    #[error("{0}")]
    Refused(Refused),
    /// Nobody is signed in, or the key is not good.
    #[error("sign in first")]
    NotSignedIn,
    /// The person must prove once more that it is them.
    #[error("confirm that it is you")]
    NeedsProof,
    /// The organization asks for a second factor that the person has not set up.
    #[error("set up a second factor first")]
    NeedsSecondFactor,
    /// Someone else changed the thing in between.
    #[error("this was changed by someone else in the meantime")]
    Changed,
    /// Too many attempts.
    #[error("too many attempts")]
    TooMany {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The database is away or busy; nothing was changed.
    #[error("the database is not available right now")]
    Away(#[source] DbError),
    /// The database went away at the very end: whether the change was kept is not known.
    #[error("it is not known whether the change was kept")]
    Unsettled(#[source] DbError),
    /// The database's disk is full; nothing was changed.
    #[error("the database's disk is full")]
    DiskFull(#[source] DbError),
    /// The machine has no room for this kind of work right now.
    #[error("too much work at once")]
    Busy,
    /// A defect.
    #[error("something went wrong on our side")]
    Defect(#[source] Box<dyn Error + Send + Sync>),
}

/// A refusal with a stable code for scripts and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refused {
    /// Stable, in snake case.
    pub code: &'static str,
    /// What is so, and what to do.
    pub sentence: String,
}

impl ActionError {
    /// A refusal with its own code.
    pub fn refused(code: &'static str, sentence: impl Into<String>) -> Self {
        Self::Refused(Refused { code, sentence: sentence.into() })
    }

    /// One field cannot be accepted.
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.add(field, message);
        Self::Fields(faults)
    }

    /// A defect.
    pub fn defect(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Defect(Box::new(error))
    }

    /// The stable code that the API answers and the log carries.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Fields(_) => "invalid_fields",
            Self::Document(_) => "invalid_document",
            Self::NotFound => "not_found",
            Self::Forbidden(_) => "forbidden",
            Self::Refused(refused) => refused.code,
            Self::NotSignedIn => "not_signed_in",
            Self::NeedsProof => "needs_proof",
            Self::NeedsSecondFactor => "needs_second_factor",
            Self::Changed => "changed_meanwhile",
            Self::TooMany { .. } => "too_many_attempts",
            Self::Away(_) => "database_away",
            Self::Unsettled(_) => "outcome_unknown",
            Self::DiskFull(_) => "disk_full",
            Self::Busy => "busy",
            Self::Defect(_) => "internal_error",
        }
    }
}

impl From<DbError> for ActionError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Away(_) | DbError::Busy(_) => Self::Away(error),
            DbError::Unsettled(_) => Self::Unsettled(error),
            DbError::DiskFull(_) => Self::DiskFull(error),
            DbError::Rule { .. } | DbError::Other(_) => Self::Defect(Box::new(error)),
        }
    }
}

impl From<Faults> for ActionError {
    fn from(faults: Faults) -> Self {
        Self::Fields(faults)
    }
}

impl From<TenancyRefusal> for ActionError {
    fn from(refusal: TenancyRefusal) -> Self {
        Self::refused(refusal.code(), refusal.to_string())
    }
}

impl From<GrantRefusal> for ActionError {
    fn from(refusal: GrantRefusal) -> Self {
        match refusal {
            GrantRefusal::NotYours => Self::NotFound,
            other => Self::refused(other.code(), other.to_string()),
        }
    }
}

impl From<VaultError> for ActionError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Db(error) => error.into(),
            other => Self::Defect(Box::new(other)),
        }
    }
}

/// What a change that expected a version came to, as an action's result.
pub fn settled<T>(outcome: Update<T>) -> ActionResult<T> {
    match outcome {
        Update::Done(value) => Ok(value),
        Update::Conflict => Err(ActionError::Changed),
        Update::NotFound => Err(ActionError::NotFound),
    }
}
