//! What an agent is handed to take a call up again that waits for something, and what it means when it comes back.
//!
//! A call that its server answers with a question is made again with the answer and a state. It is the same call still: it
//! was counted, and agreed to, when it was made first. So is one for which a human was asked, and whose agent was led to a
//! page meanwhile.
//!
//! Invariant: a state stands for one more round of exactly the call that it was handed out for. The statement that records
//! the round holds that; whoever presents a state again, or with another call, makes a new call.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    base::{
        crypto::digest::{self, Digest},
        ids::{ApprovalId, EventId},
    },
    domain::{
        audit::{ArgumentsPart, CallPart, Hex},
        servers::Fingerprint,
    },
    flow::proxy::{
        handles::{HandleKind, Handles, Holder, Unknown},
        record,
        route::Call,
    },
};

/// How long a call may rest between two rounds before it is a new one. Rounds that were made are kept in mind for longer.
const RESTS: i64 = 24 * 60 * 60;

/// What a state stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A state of the server.
    Server {
        /// Its own text.
        text: String,
        /// The round before.
        round: Option<Round>,
    },
    /// A human was asked, and the agent was led to the page.
    Asked {
        /// The approval.
        approval: ApprovalId,
    },
    /// A secret was missing, and the agent was led to where its person adds it.
    Missing,
}

impl State {
    /// Seals it for whom it is handed to.
    pub fn seal(&self, handles: &Handles, holder: Holder) -> String {
        handles.seal(HandleKind::State, holder, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Opens what [`State::seal`] made for the same holder.
    ///
    /// # Errors
    /// Where it was made for somebody else, or by nobody.
    pub fn open(handles: &Handles, holder: Holder, handle: &str) -> Result<Self, Unknown> {
        let text = handles.open(HandleKind::State, holder, handle)?;
        serde_json::from_slice(&text).map_err(|_| Unknown)
    }
}

/// One round of a call that is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Its intent.
    pub intent: EventId,
    /// When it was recorded, in seconds.
    at: i64,
    /// Of exactly what was called, and of the policies that let it pass.
    called: Hex<32>,
    /// Whether humans had agreed to it.
    pub is_agreed: bool,
}

impl Round {
    /// The round that is on record with these facts.
    pub fn of(
        intent: EventId,
        at: OffsetDateTime,
        part: &CallPart,
        policies: &Digest,
        is_agreed: bool,
    ) -> Self {
        let called = Called {
            method: part.method.as_deref().unwrap_or_default(),
            subject: part.subject.as_deref().unwrap_or_default(),
            arguments: part.arguments.as_ref(),
            fingerprint: part.fingerprint,
        };
        Self { intent, at: at.unix_timestamp(), called: Hex(called.digest(policies)), is_agreed }
    }

    /// Whether a call is another round of the same: what is called, how it is defined and which policies let it pass are
    /// as they were, and it is not too long ago.
    pub fn goes_on(
        &self,
        call: &Call<'_>,
        fingerprint: Option<Fingerprint>,
        policies: &Digest,
        now: OffsetDateTime,
    ) -> bool {
        let Some(request) = call.request() else { return false };
        let subject = call.subject().unwrap_or_default();
        let arguments = record::arguments(request);
        let called = Called {
            method: request.method().name(),
            subject: &subject,
            arguments: arguments.as_ref(),
            fingerprint: fingerprint.map(|fingerprint| Hex(fingerprint.0)),
        };
        self.called == Hex(called.digest(policies)) && now.unix_timestamp() - self.at < RESTS
    }
}

/// What makes a call the one it is.
struct Called<'a> {
    method: &'a str,
    subject: &'a str,
    arguments: Option<&'a ArgumentsPart>,
    fingerprint: Option<Hex<32>>,
}

impl Called<'_> {
    fn digest(&self, policies: &Digest) -> Digest {
        let mut bytes = Vec::with_capacity(256);
        for text in ["portreeve/round/1", self.method, self.subject] {
            bytes.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        for digest in [self.arguments.map(|arguments| arguments.digest), self.fingerprint] {
            bytes.push(u8::from(digest.is_some()));
            bytes.extend_from_slice(&digest.map_or([0; 32], |digest| digest.0));
        }
        bytes.extend_from_slice(policies);
        digest::sha256(&bytes)
    }
}
