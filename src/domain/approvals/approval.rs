//! An approval: what is asked, by whom, and what came of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::base::{
    crypto::digest::Digest,
    ids::{ApprovalId, DataKeyId, GrantId, RequestId, ServerId, UserId},
};

/// Exactly one call, so that any other is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact<'a> {
    /// The grant.
    pub grant: GrantId,
    /// The server.
    pub server: ServerId,
    /// The tool.
    pub tool: &'a str,
    /// Its definition.
    pub fingerprint: Digest,
    /// The digest of the arguments' canonical form.
    pub arguments: Digest,
    /// The digest of the policies that had a say, in their versions.
    pub policies: Digest,
}

/// Somebody who has to agree, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenNeed {
    /// The layer that asks.
    pub layer: String,
    /// The policy, by its short name.
    pub policy: String,
    /// Its version.
    pub version: i32,
    /// The part of its document, as a JSON pointer.
    pub rule: String,
    /// The name of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who may agree: `role:`, `team:` or `user:` with which.
    pub approvers: String,
    /// How many have to.
    pub quorum: u32,
}

impl WrittenNeed {
    /// Who may agree, in words.
    pub fn in_words(&self) -> String {
        let count = self.quorum.max(1);
        match self.approvers.split_once(':') {
            Some(("role", role)) if count == 1 => format!("anyone with the role {role}"),
            Some(("role", role)) => format!("any {count} with the role {role}"),
            Some(("team", team)) if count == 1 => format!("anyone of the team {team}"),
            Some(("team", team)) => format!("any {count} of the team {team}"),
            Some(("user", user)) => user.to_owned(),
            _ => "an admin".to_owned(),
        }
    }
}

/// Arguments that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The digest of their canonical form.
    pub digest: Vec<u8>,
    /// That form, sealed.
    pub sealed: Vec<u8>,
    /// By which key.
    pub key: DataKeyId,
}

/// A request for an approval.
#[derive(Clone, Debug)]
pub struct NewApproval<'a> {
    /// Its id, made before, for the arguments are sealed for it.
    pub id: ApprovalId,
    /// For what.
    pub exact: Exact<'a>,
    /// The grant's name.
    pub grant_label: &'a str,
    /// The person in whose name the agent acts.
    pub user: Option<UserId>,
    /// The name of who asks.
    pub requester_name: &'a str,
    /// The software.
    pub client_name: Option<&'a str>,
    /// The server's short name.
    pub server_slug: &'a str,
    /// What the tool does at worst.
    pub class: &'static str,
    /// The arguments, sealed.
    pub sealed_arguments: &'a [u8],
    /// By which key.
    pub key: DataKeyId,
    /// Who has to agree.
    pub needs: &'a [WrittenNeed],
    /// The request that asked.
    pub request: RequestId,
    /// Until when it may be decided.
    pub expires_at: OffsetDateTime,
}

/// A call that waits, or waited, for a human.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Where it stands.
    pub state: ApprovalState,
    /// The grant.
    pub grant: GrantId,
    /// Its name then.
    pub grant_label: String,
    /// The person in whose name the agent acts.
    pub user: Option<UserId>,
    /// The name of who asks.
    pub requester_name: String,
    /// The software, as it names itself.
    pub client_name: Option<String>,
    /// The server.
    pub server: ServerId,
    /// Its short name.
    pub server_slug: String,
    /// The tool.
    pub tool: String,
    /// What it does at worst.
    pub class: String,
    /// The tool's definition.
    pub fingerprint: Vec<u8>,
    /// The digest of the policies that had a say, in their versions.
    pub policies_digest: Vec<u8>,
    /// The arguments that it is for.
    pub arguments: Kept,
    /// What was asked, where somebody agreed to other arguments.
    pub asked: Option<Kept>,
    /// Who has to agree.
    pub needs: Vec<WrittenNeed>,
    /// The request that asked.
    pub request: RequestId,
    /// When it was asked.
    pub asked_at: OffsetDateTime,
    /// Until when it may be decided.
    pub expires_at: OffsetDateTime,
    /// When whoever asks last reminded of it.
    pub nudged_at: Option<OffsetDateTime>,
    /// Whether it is for one call only.
    pub is_single: bool,
    /// Until when it may be used.
    pub valid_until: Option<OffsetDateTime>,
    /// What was said with the decision.
    pub reason: String,
    /// When it was decided.
    pub decided_at: Option<OffsetDateTime>,
    /// Who decided it last.
    pub decided_by_name: Option<String>,
    /// When it was taken back after somebody had agreed.
    pub revoked_at: Option<OffsetDateTime>,
    /// Who took it back then, while they are a member.
    pub revoked_by_name: Option<String>,
    /// How often it was used.
    pub uses: i32,
    /// Rises with every change.
    pub version: i64,
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApprovalState {
    /// Nobody decided yet.
    Pending,
    /// It may be used.
    Approved,
    /// It may not.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Whoever asked no longer wants it, or what was agreed to was revoked.
    Withdrawn,
}

impl ApprovalState {
    /// All states, as a filter offers them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Approved, Self::Denied, Self::Expired, Self::Withdrawn];

    /// The name in the API and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// The text names no state of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose pending, approved, denied, expired or withdrawn")]
pub struct NotAnApprovalState;

impl FromStr for ApprovalState {
    type Err = NotAnApprovalState;

    fn from_str(text: &str) -> Result<Self, NotAnApprovalState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAnApprovalState)
    }
}

impl Approval {
    /// Where it stands at a moment: what nobody decided in time is expired, whether or not somebody wrote it down.
    pub fn state_at(&self, now: OffsetDateTime) -> ApprovalState {
        match self.state {
            ApprovalState::Pending if self.expires_at <= now => ApprovalState::Expired,
            state => state,
        }
    }

    /// The arguments as they were asked.
    pub fn as_asked(&self) -> &Kept {
        self.asked.as_ref().unwrap_or(&self.arguments)
    }

    /// Whether it is for arguments of this digest.
    pub fn is_for(&self, arguments: &Digest) -> bool {
        self.arguments.digest == arguments
    }

    /// Whether a call may use it at a moment.
    pub fn is_usable(&self, now: OffsetDateTime) -> bool {
        self.state == ApprovalState::Approved
            && self.valid_until.is_some_and(|until| until > now)
            && (!self.is_single || self.uses == 0)
    }
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub user: UserId,
    /// Their name, while they are a member.
    pub name: Option<String>,
    /// Whether they agreed.
    pub is_approved: bool,
    /// For how many minutes they agreed; none for one call.
    pub minutes: Option<u32>,
    /// What they said with it.
    pub reason: String,
    /// When.
    pub at: OffsetDateTime,
}

/// Which approvals a list shows.
#[derive(Clone, Debug, Default)]
pub struct ApprovalFilter {
    /// Only those that stand so.
    pub state: Option<ApprovalState>,
    /// Only those in the name of this person.
    pub user: Option<UserId>,
    /// Only those of this grant.
    pub grant: Option<GrantId>,
}
