//! Every reason for which a call does not go on, each with its step and its stable code; its words stand in [`words`].

mod words;

use std::borrow::Cow;

use crate::{
    base::{
        ids::ApprovalId,
        trace::{Finding, Step, Trace},
    },
    domain::audit::{CallPart, PolicyPart},
    flow::{
        decision::{Absence, Denial},
        proxy::{
            admit::Known,
            approve::{Waiting, Word},
            reached::Reached,
            unconnected::Unconnected,
        },
    },
    io::db::OrgScope,
    io::net::error::EgressError,
    protocol::mcp::{headers::HeaderMismatch, message::BadMessage},
};

/// A refusal with all that was known of the call by then.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Who called, where that was found out.
    pub known: Option<Known>,
    /// What was called, for the record.
    pub part: CallPart,
    /// The short name of the server that it was for, where it was told to which.
    pub server: Option<String>,
    /// The id of the request as it was written, to be answered with.
    pub id: Option<String>,
    /// Whether the request is a tool call, which is answered by a result that a model reads.
    pub is_tool_call: bool,
    /// Whether the request speaks the modern era.
    pub is_modern: bool,
}

/// Why a call does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The emergency stop.
    GateClosed {
        /// The reason given.
        reason: String,
    },
    /// The operator suspended the organization.
    OrgSuspended,
    /// No token was carried.
    NoToken,
    /// What was carried is no token of ours, or none that we know.
    UnknownToken,
    /// Too many such tokens came from the same network.
    TooManyUnknown {
        /// When to come back, in seconds.
        retry_after: u32,
    },
    /// The token has ended.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// The token is another organization's.
    ForeignEndpoint,
    /// The grant is bound to other software.
    ClientNotBound {
        /// The software, as it names itself.
        client: Option<String>,
    },
    /// The grant is bound to other networks.
    NetworkNotBound,
    /// The grant rests.
    GrantSuspended {
        /// The reason given.
        reason: Option<String>,
    },
    /// The grant has ended.
    GrantExpired,
    /// The grant was revoked.
    GrantRevoked {
        /// The reason given.
        reason: Option<String>,
    },
    /// Who the grant is for is no longer here.
    PrincipalGone,
    /// No such server, or none of the grant's.
    ServerUnknown,
    /// The server is switched off.
    ServerDisabled {
        /// Its name.
        server: String,
    },
    /// Its transport is not served.
    TransportUnserved {
        /// Its name.
        server: String,
    },
    /// The message is not well-formed.
    Malformed {
        /// What is wrong with it.
        fault: BadMessage,
        /// Its id as written, where one could be read.
        id: Option<String>,
    },
    /// A header says something other than the body.
    HeaderMismatch(HeaderMismatch),
    /// A member of the parameters is missing or of another kind.
    BadParams {
        /// What is wrong.
        what: String,
    },
    /// The agent did not say that it knows tasks.
    TasksUndeclared,
    /// The session, task or state is none of this grant's on this server.
    HandleUnknown,
    /// A method that is not passed on for this grant, or for none.
    MethodUnserved {
        /// The method.
        method: String,
    },
    /// No such tool, as far as this agent may know.
    ToolUnknown {
        /// The name asked for.
        tool: String,
        /// Why, for the record.
        why: Absence,
    },
    /// No server of the merged endpoint has a prompt or resource of that name.
    Unlisted {
        /// What was asked for.
        kind: &'static str,
        /// Its name or address.
        name: String,
    },
    /// The message speaks a revision that nobody here does.
    VersionUnserved {
        /// As it names it.
        version: String,
    },
    /// The tool's definition changed and was not reviewed.
    ToolChanged {
        /// Its name.
        tool: String,
    },
    /// A policy says that there is no such thing, as far as this agent may know.
    Hidden(Box<Denial>),
    /// A policy does not allow it.
    Denied(Box<Denial>),
    /// A limit has no room.
    Limit(Box<Reached>),
    /// A human has to agree, and has not, or did not.
    Approval(Box<Waiting>),
    /// A secret or an account that the server asks for is not there.
    Unconnected(Box<Unconnected>),
    /// A value that the server asks for cannot be read.
    CredentialMissing {
        /// The server's name.
        server: String,
    },
    /// Requests to the server carry tokens that are for somewhere else.
    ForElsewhere {
        /// The server's name.
        server: String,
        /// The name of the provider that gives them.
        provider: String,
        /// What they are for.
        resource: String,
    },
    /// The session was opened with another account than the one that a rule chooses for the call.
    SessionOfOther {
        /// The server's name.
        server: String,
    },
    /// The call could not be put on record.
    RecordAway,
    /// The database is away, and nothing can be judged.
    Away,
}

/// How a refusal is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// HTTP 401 with a challenge.
    Unauthorized,
    /// HTTP 403.
    Forbidden,
    /// HTTP 404, as if nothing were there.
    NotFound,
    /// HTTP 400 with an error of JSON-RPC.
    BadRequest,
    /// An error of JSON-RPC that the protocol knows for what is not there.
    Absent,
    /// A result that a model reads, where a tool was called; an error of JSON-RPC elsewhere.
    Denied,
    /// HTTP 429 with a time to come back.
    TooMany,
    /// HTTP 503 with a time to come back.
    Unavailable,
}

impl Refused {
    /// The approval that the call waits for, and whose it is; none where it does not.
    pub fn waits(&self) -> Option<(OrgScope, Box<Waiting>)> {
        match &self.refusal {
            Refusal::Approval(waiting) if waiting.word == Word::None => {
                Some((self.known.as_ref()?.scope, waiting.clone()))
            }
            _ => None,
        }
    }
}

impl Refusal {
    /// The step at which it is decided.
    pub const fn step(&self) -> Step {
        match self {
            Self::GateClosed { .. } | Self::OrgSuspended => Step::Gate,
            Self::NoToken
            | Self::UnknownToken
            | Self::TooManyUnknown { .. }
            | Self::TokenExpired
            | Self::TokenRevoked => Step::Credential,
            Self::ForeignEndpoint | Self::ClientNotBound { .. } | Self::NetworkNotBound => Step::Binding,
            Self::GrantSuspended { .. }
            | Self::GrantExpired
            | Self::GrantRevoked { .. }
            | Self::PrincipalGone => Step::Principal,
            Self::ServerUnknown | Self::ServerDisabled { .. } | Self::TransportUnserved { .. } => {
                Step::Server
            }
            Self::Malformed { .. }
            | Self::HeaderMismatch(_)
            | Self::BadParams { .. }
            | Self::TasksUndeclared
            | Self::HandleUnknown
            | Self::Unlisted { .. }
            | Self::VersionUnserved { .. }
            | Self::ToolChanged { .. } => Step::Tool,
            Self::ToolUnknown { why: Absence::AboveCeiling(..), .. } | Self::MethodUnserved { .. } => {
                Step::Role
            }
            Self::ToolUnknown { .. } => Step::Tool,
            Self::Hidden(denial) | Self::Denied(denial) => denial.step,
            Self::Limit(_) => Step::Limits,
            Self::Approval(_) => Step::Approval,
            Self::Unconnected(_)
            | Self::CredentialMissing { .. }
            | Self::ForElsewhere { .. }
            | Self::SessionOfOther { .. } => Step::Connection,
            Self::RecordAway | Self::Away => Step::Record,
        }
    }

    /// The stable code, in reply, record and console.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::GateClosed { .. } => "gate_closed",
            Self::OrgSuspended => "org_suspended",
            Self::NoToken => "token_missing",
            Self::UnknownToken => "token_unknown",
            Self::TooManyUnknown { .. } => "tokens_unknown",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::ForeignEndpoint => "token_of_another_org",
            Self::ClientNotBound { .. } => "client_not_bound",
            Self::NetworkNotBound => "network_not_bound",
            Self::GrantSuspended { .. } => "grant_suspended",
            Self::GrantExpired => "grant_expired",
            Self::GrantRevoked { .. } => "grant_revoked",
            Self::PrincipalGone => "principal_gone",
            Self::ServerUnknown => "server_unknown",
            Self::ServerDisabled { .. } => "server_disabled",
            Self::TransportUnserved { .. } => "transport_unserved",
            Self::Malformed { fault, .. } => fault.code(),
            Self::HeaderMismatch(_) => "header_mismatch",
            Self::BadParams { .. } => "bad_params",
            Self::TasksUndeclared => "tasks_undeclared",
            Self::HandleUnknown => "handle_unknown",
            Self::MethodUnserved { .. } => "method_unserved",
            Self::ToolUnknown { why, .. } => why.code(),
            Self::Unlisted { .. } => "name_unknown",
            Self::VersionUnserved { .. } => "version_unserved",
            Self::ToolChanged { .. } => "tool_changed",
            Self::Hidden(_) => "tool_hidden",
            Self::Denied(denial) if denial.part.is_none() => "no_policy",
            Self::Denied(denial) if denial.is_beyond => "arguments_too_large",
            Self::Denied(_) => "policy_denied",
            Self::Limit(_) => "limit_reached",
            Self::Approval(waiting) => waiting.word.code(),
            Self::Unconnected(unconnected) => unconnected.missing.code(),
            Self::CredentialMissing { .. } => "credential_missing",
            Self::ForElsewhere { .. } => "credential_for_elsewhere",
            Self::SessionOfOther { .. } => "session_of_other_account",
            Self::RecordAway => "record_away",
            Self::Away => "database_away",
        }
    }

    /// How it is answered.
    pub const fn form(&self) -> Form {
        match self {
            Self::NoToken
            | Self::UnknownToken
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::ForeignEndpoint
            | Self::GrantExpired
            | Self::GrantRevoked { .. } => Form::Unauthorized,
            Self::NetworkNotBound
            | Self::ClientNotBound { .. }
            | Self::PrincipalGone
            | Self::OrgSuspended => Form::Forbidden,
            Self::ServerUnknown | Self::HandleUnknown => Form::NotFound,
            Self::Malformed { .. }
            | Self::HeaderMismatch(_)
            | Self::BadParams { .. }
            | Self::VersionUnserved { .. }
            | Self::TasksUndeclared => Form::BadRequest,
            Self::ToolUnknown { .. }
            | Self::Hidden(_)
            | Self::Unlisted { .. }
            | Self::MethodUnserved { .. } => Form::Absent,
            Self::GateClosed { .. }
            | Self::GrantSuspended { .. }
            | Self::ServerDisabled { .. }
            | Self::TransportUnserved { .. }
            | Self::ToolChanged { .. }
            | Self::Denied(_)
            | Self::Limit(_)
            | Self::Approval(_)
            | Self::Unconnected(_)
            | Self::CredentialMissing { .. }
            | Self::ForElsewhere { .. }
            | Self::SessionOfOther { .. } => Form::Denied,
            Self::TooManyUnknown { .. } => Form::TooMany,
            Self::RecordAway | Self::Away => Form::Unavailable,
        }
    }

    /// Whether it stands only while what was judged by is unchanged: a newer epoch may have lifted it.
    pub const fn depends_on_epoch(&self) -> bool {
        !matches!(
            self,
            Self::NoToken
                | Self::TooManyUnknown { .. }
                | Self::Malformed { .. }
                | Self::HeaderMismatch(_)
                | Self::BadParams { .. }
                | Self::VersionUnserved { .. }
                | Self::TasksUndeclared
                | Self::RecordAway
                | Self::Away
        )
    }

    /// The part of a policy that it rests on.
    pub fn policy_part(&self) -> Option<&PolicyPart> {
        match self {
            Self::Hidden(denial) | Self::Denied(denial) => denial.part.as_ref(),
            Self::Limit(reached) => Some(&reached.part),
            Self::Approval(waiting) => Some(&waiting.part),
            _ => None,
        }
    }

    /// The short name of the policy that it rests on.
    pub fn policy(&self) -> Option<&str> {
        match self {
            Self::Hidden(denial) | Self::Denied(denial) => denial.policy.as_deref(),
            Self::Limit(reached) => Some(&reached.policy),
            Self::Approval(waiting) => Some(&waiting.policy),
            _ => None,
        }
    }

    /// The approval that is waited for.
    pub fn approval(&self) -> Option<ApprovalId> {
        match self {
            Self::Approval(waiting) => Some(waiting.id),
            _ => None,
        }
    }

    /// The arguments that humans agreed to in place of those of the call, as JSON.
    pub fn arguments(&self) -> Option<&str> {
        match self {
            Self::Approval(waiting) => waiting.word.arguments(),
            _ => None,
        }
    }

    /// How much of a limit is left, as a decimal.
    pub fn left(&self) -> Option<&str> {
        match self {
            Self::Limit(reached) => reached.left.as_deref(),
            _ => None,
        }
    }

    /// In how many seconds another try may pass.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Limit(reached) => reached.retry_after,
            Self::Unconnected(unconnected) => unconnected.missing.retry_after(),
            _ => None,
        }
    }

    /// With what its text for a model begins.
    pub const fn mark(&self) -> &'static str {
        match self {
            Self::Limit(_) => "[LIMIT]",
            Self::Approval(waiting) => waiting.word.mark(),
            Self::Unconnected(unconnected) => unconnected.missing.mark(),
            _ => "[PORTREEVE DENIED]",
        }
    }

    /// What a trace says of it.
    pub fn trace(&self) -> Trace {
        let (expected, fixer) = self.remedy();
        let wanted = match self {
            Self::Denied(denial) => denial.wanted.clone(),
            _ => None,
        };
        let finding = Finding::new(self.fact(), wanted.map_or(expected.into(), Cow::Owned), fixer);
        match self {
            Self::RecordAway | Self::Away => Trace::failed(self.step(), finding),
            _ => Trace::decided(self.step(), finding),
        }
    }
}

/// Why an allowed call did not come to an answer; the code for the record and the sentence for the agent.
pub fn failure(error: &EgressError) -> (&'static str, String) {
    let code = match error {
        EgressError::Target(_) | EgressError::Refused(_) => "upstream_address_refused",
        EgressError::Lookup | EgressError::Connect(_) => "upstream_unreachable",
        EgressError::Timeout(_) => "upstream_slow",
        EgressError::Tls(_) => "upstream_tls",
        EgressError::Protocol | EgressError::TooLarge(_) => "upstream_answer_invalid",
        EgressError::Closed(_) => "upstream_hung_up",
    };
    (code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::{ids::PolicyId, risk::Class, trace::Fixer},
        flow::{decision::Help, proxy::unconnected::Missing},
    };

    fn denial(policy: Option<&str>) -> Box<Denial> {
        let part = policy.map(|_| PolicyPart {
            effect: "deny".into(),
            layer: "grant".into(),
            policy: PolicyId::fresh(),
            rule: "/default".to_owned(),
            version: 1,
        });
        Box::new(Denial {
            step: Step::Listed,
            kind: "tool",
            subject: "create_issue".to_owned(),
            policy: policy.map(str::to_owned),
            part,
            is_beyond: false,
            name: None,
            words: None,
            wanted: None,
            help: Help::Nothing,
        })
    }

    fn all() -> Vec<Refusal> {
        let tool = || "create_issue".to_owned();
        let absent = |why| Refusal::ToolUnknown { tool: "create_issue".to_owned(), why };
        let unconnected = |missing| {
            let lacks = vec!["It needs x.".to_owned()];
            let server = "github".to_owned();
            Refusal::Unconnected(Box::new(Unconnected {
                server,
                missing,
                fixer: Fixer::Person,
                lacks,
                link: None,
            }))
        };
        let mut beyond = denial(Some("read-only"));
        beyond.is_beyond = true;
        let mut all = vec![
            Refusal::GateClosed { reason: "drill".to_owned() },
            Refusal::OrgSuspended,
            Refusal::NoToken,
            Refusal::UnknownToken,
            Refusal::TooManyUnknown { retry_after: 2 },
            Refusal::TokenExpired,
            Refusal::TokenRevoked,
            Refusal::ForeignEndpoint,
            Refusal::ClientNotBound { client: None },
            Refusal::NetworkNotBound,
            Refusal::GrantSuspended { reason: None },
            Refusal::GrantExpired,
            Refusal::GrantRevoked { reason: None },
            Refusal::PrincipalGone,
            Refusal::ServerUnknown,
            Refusal::ServerDisabled { server: tool() },
            Refusal::TransportUnserved { server: tool() },
            Refusal::Malformed { fault: BadMessage::NotAnObject, id: None },
            Refusal::BadParams { what: "x".to_owned() },
            Refusal::HandleUnknown,
            Refusal::Unlisted { kind: "prompt", name: tool() },
            Refusal::VersionUnserved { version: "2030-01-01".to_owned() },
            Refusal::TasksUndeclared,
            Refusal::MethodUnserved { method: "x/y".to_owned() },
            absent(Absence::Nowhere),
            absent(Absence::New),
            absent(Absence::Refused),
            absent(Absence::Gone),
            absent(Absence::Disabled),
            absent(Absence::Reserved),
            Refusal::Hidden(denial(Some("read-only"))),
            Refusal::Denied(denial(Some("read-only"))),
            Refusal::Denied(denial(None)),
            Refusal::Denied(beyond),
            absent(Absence::AboveCeiling(Class::Write, Class::Read)),
            Refusal::ToolChanged { tool: tool() },
            Refusal::CredentialMissing { server: tool() },
            Refusal::ForElsewhere { server: tool(), provider: tool(), resource: tool() },
            Refusal::SessionOfOther { server: tool() },
            Refusal::RecordAway,
            Refusal::Away,
        ];
        all.extend(Missing::ALL.map(unconnected));
        all
    }

    #[test]
    fn each_reason_has_a_code_of_its_own_and_a_trace_that_ends_at_its_step() {
        let mut codes: Vec<_> = all().iter().map(Refusal::code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all().len());
        for refusal in all() {
            let trace = refusal.trace();
            assert_eq!(trace.reached, refusal.step(), "{refusal:?}");
            assert!(trace.finding.is_some_and(|finding| !finding.actual.is_empty()));
        }
    }

    #[test]
    fn whatever_hides_a_tool_sounds_like_there_were_none() {
        let sentences: std::collections::BTreeSet<_> = all()
            .into_iter()
            .filter(|refusal| matches!(refusal, Refusal::ToolUnknown { .. } | Refusal::Hidden(_)))
            .map(|refusal| (refusal.sentence(), format!("{:?}", refusal.form())))
            .collect();
        assert_eq!(sentences.len(), 1);
    }
}
