//! A recorded call as it is judged anew: what was called, under what, and why it could not be made any more.

use std::net::IpAddr;

use time::OffsetDateTime;

use crate::{
    base::ids::{ApprovalId, GrantId, ServerId},
    domain::{
        audit::{Attempt, AttemptedCall},
        grants::GrantState,
    },
    flow::decision::{Absence, names},
    protocol::mcp::method::{ListKind, Method, Target},
};

/// Why a call of last week could not be made now, whatever policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Its grant is not there any more.
    GrantGone,
    /// Its grant is not in force.
    Grant(GrantState),
    /// It was refused before anybody knew for which server it was.
    Nowhere,
    /// The server is not there any more.
    ServerGone,
    /// The server is switched off.
    ServerDisabled,
    /// The grant does not reach the server any more.
    ServerBeyondGrant,
    /// The tool may not be called.
    Tool(Absence),
}

impl LeftOut {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::GrantGone => "grant_gone",
            Self::Grant(GrantState::Revoked) => "grant_revoked",
            Self::Grant(GrantState::Expired) => "grant_expired",
            Self::Grant(GrantState::PrincipalGone) => "principal_gone",
            Self::Grant(GrantState::Suspended | GrantState::Active) => "grant_suspended",
            Self::Nowhere => "server_not_known",
            Self::ServerGone => "server_gone",
            Self::ServerDisabled => "server_disabled",
            Self::ServerBeyondGrant => "server_beyond_grant",
            Self::Tool(absence) => absence.code(),
        }
    }

    /// The same in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::GrantGone => "The grant is no longer there.",
            Self::Grant(GrantState::Revoked) => "The grant was revoked.",
            Self::Grant(GrantState::Expired) => "The grant has expired.",
            Self::Grant(GrantState::PrincipalGone) => "Whoever it acted for has left or is disabled.",
            Self::Grant(GrantState::Suspended | GrantState::Active) => "The grant is suspended.",
            Self::Nowhere => "It was refused before its server was known.",
            Self::ServerGone => "The server is no longer there.",
            Self::ServerDisabled => "The server is switched off.",
            Self::ServerBeyondGrant => "The grant no longer reaches the server.",
            Self::Tool(Absence::Nowhere | Absence::Gone) => "The server has no such tool.",
            Self::Tool(Absence::New) => "The tool was not reviewed.",
            Self::Tool(Absence::Refused) => "An admin refused the tool.",
            Self::Tool(Absence::Disabled) => "The tool is switched off.",
            Self::Tool(Absence::Reserved) => "The tool has a name that policies use for something else.",
            Self::Tool(Absence::AboveCeiling(..)) => "The tool is above the ceiling of the grant.",
        }
    }
}

/// What is known of a call's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Given {
    /// It had none.
    Nothing,
    /// They have this digest.
    Digest([u8; 32]),
    /// The record does not hold even that, but perhaps an approval does.
    Unseen(Option<ApprovalId>),
}

/// What was called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Thing {
    /// A tool.
    Tool(String),
    /// Something that is read, by the name that policies use.
    Read(String),
    /// A method of an extension, by the name that policies use.
    Method(String),
}

impl Thing {
    /// What was called; none where policies have no say about it.
    pub(super) fn of(call: &AttemptedCall) -> Option<Self> {
        let method = call.method.as_deref()?;
        let named = |kind| Some(Self::Read(names::name_in(kind, call.subject.as_deref()?).into_owned()));
        match Method::parse(method).target() {
            Target::Tool => Some(Self::Tool(call.subject.clone()?)),
            Target::Prompt => named(ListKind::Prompts),
            Target::Resource => named(ListKind::Resources),
            Target::Unknown => Some(Self::Method(format!("method:{method}"))),
            _ => None,
        }
    }

    /// The name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Tool(name) | Self::Read(name) | Self::Method(name) => name,
        }
    }
}

/// Which facts of a call any policy looks at: calls that differ in others only are equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Regards {
    pub(super) client: bool,
    pub(super) ip: bool,
    pub(super) time: bool,
}

/// Calls with the same key come to the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) grant: GrantId,
    pub(super) server: Option<ServerId>,
    pub(super) thing: Thing,
    pub(super) given: Given,
    client: Option<(String, Option<String>)>,
    ip: Option<IpAddr>,
    at: Option<OffsetDateTime>,
}

impl Key {
    /// The key of a call; none where no policy has a say about it.
    pub(super) fn of(attempt: &Attempt, regards: Regards) -> Option<Self> {
        let call = &attempt.call;
        let thing = Thing::of(call)?;
        let given = match (&thing, &call.arguments) {
            (Thing::Tool(_), Some(arguments)) if arguments.keys.is_empty() => Given::Nothing,
            (Thing::Tool(_), Some(arguments)) => Given::Digest(arguments.digest.0),
            // Refusals were once recorded without them.
            (Thing::Tool(_), None) if !attempt.is_allowed => Given::Unseen(call.approval),
            _ => Given::Nothing,
        };
        let client = call.client.as_ref().filter(|_| regards.client);
        Some(Self {
            grant: call.grant?,
            server: call.server,
            thing,
            given,
            client: client.map(|client| (client.name.clone(), client.version.clone())),
            ip: attempt.ip.filter(|_| regards.ip),
            at: regards.time.then_some(attempt.at),
        })
    }
}
