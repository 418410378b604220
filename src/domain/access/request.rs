//! A request for access: what is asked for, by whom, and what came of it.

use std::str::FromStr;

use time::OffsetDateTime;

use crate::base::{
    ids::{AccessRequestId, GrantId, RequestId, ServerId, UserId},
    risk::Class,
};

/// What is asked for on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// These tools, in order, each once.
    Tools(Vec<String>),
    /// All tools of a class.
    Class(Class),
}

impl Asked {
    /// The names of tools; none where a class is asked for.
    pub fn tools(&self) -> &[String] {
        match self {
            Self::Tools(tools) => tools,
            Self::Class(_) => &[],
        }
    }

    /// The class, where one is asked for.
    pub const fn class(&self) -> Option<Class> {
        match self {
            Self::Tools(_) => None,
            Self::Class(class) => Some(*class),
        }
    }

    /// In a few words: `create_issue and 2 more`, or `read tools`.
    pub fn words(&self) -> String {
        match self {
            Self::Class(class) => format!("{} tools", class.as_str()),
            Self::Tools(tools) => match tools.as_slice() {
                [] => "nothing".to_owned(),
                [one] => one.clone(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            },
        }
    }
}

/// A request that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccess {
    /// Its id.
    pub id: AccessRequestId,
    /// Who asks.
    pub user: UserId,
    /// Their name.
    pub requester_name: String,
    /// On which server.
    pub server: ServerId,
    /// Its short name.
    pub server_slug: String,
    /// For what.
    pub asked: Asked,
    /// Why.
    pub why: String,
    /// For how many hours.
    pub hours: i32,
    /// The call that was denied.
    pub request: Option<RequestId>,
    /// Until when it may be decided.
    pub expires_at: OffsetDateTime,
}

/// A request for access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRequest {
    /// Its id.
    pub id: AccessRequestId,
    /// Where it stands.
    pub state: AccessState,
    /// Who asks.
    pub user: UserId,
    /// Their name then.
    pub requester_name: String,
    /// On which server.
    pub server: ServerId,
    /// Its short name then.
    pub server_slug: String,
    /// For what.
    pub asked: Asked,
    /// Why.
    pub why: String,
    /// For how many hours.
    pub hours: i32,
    /// The call that was denied.
    pub request: Option<RequestId>,
    /// When it was asked.
    pub asked_at: OffsetDateTime,
    /// Until when it may be decided.
    pub expires_at: OffsetDateTime,
    /// When it was decided.
    pub decided_at: Option<OffsetDateTime>,
    /// Who decided it, while they are a member.
    pub decided_by_name: Option<String>,
    /// What was said with the decision.
    pub reason: String,
    /// The tools that were given; none where a class was.
    pub given_tools: Vec<String>,
    /// For how many hours they were given.
    pub given_hours: Option<i32>,
    /// The grant that came of it.
    pub grant: Option<GrantId>,
    /// Rises with every change.
    pub version: i64,
}

impl AccessRequest {
    /// Where it stands at a moment: what nobody decided in time is expired, whether or not somebody wrote it down.
    pub fn state_at(&self, now: OffsetDateTime) -> AccessState {
        match self.state {
            AccessState::Pending if self.expires_at <= now => AccessState::Expired,
            state => state,
        }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessState {
    /// Nobody decided yet.
    Pending,
    /// It was given, or a part of it.
    Approved,
    /// It was not.
    Refused,
    /// Whoever asked no longer wants it.
    Withdrawn,
    /// Nobody decided in time.
    Expired,
}

impl AccessState {
    /// All states, as a filter offers them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Approved, Self::Refused, Self::Withdrawn, Self::Expired];

    /// The name in the API and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// The text names no state of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("choose pending, approved, refused, withdrawn or expired")]
pub struct NotAnAccessState;

impl FromStr for AccessState {
    type Err = NotAnAccessState;

    fn from_str(text: &str) -> Result<Self, NotAnAccessState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(NotAnAccessState)
    }
}

/// Which requests a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccessFilter {
    /// Only those that stand so.
    pub state: Option<AccessState>,
    /// Only those of this person.
    pub user: Option<UserId>,
}
