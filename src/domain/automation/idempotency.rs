//! Requests that carry an `Idempotency-Key`.

use time::{Duration, OffsetDateTime};

use crate::base::ids::{DataKeyId, SealedId};

/// How long an answer is kept, and a key taken.
pub const ANSWER_TTL: Duration = Duration::hours(24);

/// What a request with an idempotency key has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Carry the request out, then `finish` with the answer, or `release` where nothing was changed.
    New(SealedId),
    /// The same request is being carried out, or was cut short with an outcome nobody knows.
    ///
    /// Such a claim stays taken for a day: doing nothing is safe, doing it twice is not.
    InProgress {
        /// Since when.
        since: OffsetDateTime,
    },
    /// Give this answer again.
    Replay(Answer),
    /// The key was used for another request.
    Mismatch,
}

/// The answer that was given, sealed: it may hold a token that is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The row that keeps it; the sealed bytes are bound to `idempotency_keys.sealed_answer` of this row.
    pub row: SealedId,
    /// The HTTP status.
    pub status: u16,
    /// The data key that opens it.
    pub data_key: DataKeyId,
    /// The sealed body.
    pub sealed: Vec<u8>,
}
