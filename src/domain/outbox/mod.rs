//! Letters that wait to be sent, and those kept for the operator where no mail server is set.
//!
//! Owns the table `letters`. Lacks on purpose what a letter says and how it is sealed: `flow/letters` renders it and
//! has the vault seal it; `io/mail` sends it.
//!
//! Invariant: what a letter says is stored sealed only, and wiped as soon as the letter was sent: a link in it may
//! open an account, and the operator has no business with a letter that arrived.
//! Invariant: a claimed letter is nobody else's until its lease ends; a replica that dies while sending loses it, so
//! a letter is sent at least once, always under the same message id.

pub mod rules;
pub mod store;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::base::{
    email::Email,
    ids::{DataKeyId, LetterId},
};

/// What a letter says, sealed by the vault for the table `letters`, column `sealed_content`, row of the letter.
#[derive(Clone, Debug)]
pub struct SealedContent {
    /// Whose data key it is: an organization's, or the instance's (nil).
    pub chain: Uuid,
    /// The data key that opens it.
    pub key: DataKeyId,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

/// A letter to be queued.
#[derive(Clone, Debug)]
pub struct NewLetter<'a> {
    /// The letter.
    pub id: LetterId,
    /// Whom it is for.
    pub recipient: &'a Email,
    /// Which letter it is, such as `reset_password`.
    pub kind: &'a str,
    /// What it says.
    pub content: SealedContent,
}

/// A letter that this replica holds while it tries to send it.
#[derive(Clone, Debug)]
pub struct ClaimedLetter {
    /// The letter.
    pub id: LetterId,
    /// Whom it is for.
    pub recipient: String,
    /// Which letter it is.
    pub kind: String,
    /// What it says.
    pub content: SealedContent,
    /// Which attempt this is, from 1; also the fence against earlier claims.
    pub attempt: i32,
    /// When it was queued.
    pub created_at: OffsetDateTime,
}

/// Where a letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LetterState {
    /// Waits for its first or next attempt.
    Queued,
    /// Kept for the operator: no mail server is set.
    Held,
    /// The mail server took it.
    Sent,
    /// Kept for the operator: it could not be sent.
    Failed,
}

impl LetterState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Held, Self::Sent, Self::Failed];

    /// The name in the database and in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// The name on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Held => "Held",
            Self::Sent => "Sent",
            Self::Failed => "Failed",
        }
    }
}

/// The text names no state of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose queued, held, sent or failed")]
pub struct NotALetterState;

impl std::str::FromStr for LetterState {
    type Err = NotALetterState;

    fn from_str(text: &str) -> Result<Self, NotALetterState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotALetterState)
    }
}

/// A letter as the operator's list shows it: without what it says.
#[derive(Clone, Debug)]
pub struct LetterRow {
    /// The letter.
    pub id: LetterId,
    /// Whom it is for.
    pub recipient: String,
    /// Which letter it is.
    pub kind: String,
    /// Where it stands.
    pub state: LetterState,
    /// How often sending was tried.
    pub attempts: i32,
    /// When it is tried next, where it is queued.
    pub next_attempt_at: OffsetDateTime,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: OffsetDateTime,
    /// When the mail server took it.
    pub sent_at: Option<OffsetDateTime>,
}

/// One letter with what it says.
#[derive(Clone, Debug)]
pub struct KeptLetter {
    /// The letter.
    pub row: LetterRow,
    /// What it says; nothing once it was sent.
    pub content: Option<SealedContent>,
}
