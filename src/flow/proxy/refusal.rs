//! Every reason for which a call does not go on, each with its step, its stable code, its words and who can help.

use std::borrow::Cow;

use crate::{
    base::{
        ids::ApprovalId,
        trace::{Finding, Fixer, Step, Trace},
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
    /// A secret that the server asks for is not there.
    Unconnected(Box<Unconnected>),
    /// A value that the server asks for cannot be read.
    CredentialMissing {
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
            Self::Unconnected(_) | Self::CredentialMissing { .. } => Step::Connection,
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
            Self::Denied(_) => "policy_denied",
            Self::Limit(_) => "limit_reached",
            Self::Approval(waiting) => waiting.word.code(),
            Self::Unconnected(_) => "secret_missing",
            Self::CredentialMissing { .. } => "credential_missing",
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
            | Self::CredentialMissing { .. } => Form::Denied,
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

    /// One sentence for the agent: why, and what to do.
    pub fn sentence(&self) -> Cow<'static, str> {
        let because = |reason: &Option<String>| {
            reason.as_deref().map(|reason| format!(" Reason given: {reason}")).unwrap_or_default()
        };
        match self {
            Self::GateClosed { reason } => format!(
                "The organization has stopped all agents. Reason given: {reason} Wait until an admin opens the gate."
            )
            .into(),
            Self::OrgSuspended => "The organization is suspended by the operator of this installation.".into(),
            Self::NoToken => "Send the grant's token as `Authorization: Bearer prg_…`.".into(),
            Self::UnknownToken | Self::ForeignEndpoint => "The token is not known at this endpoint.".into(),
            Self::TooManyUnknown { retry_after } => format!(
                "Too many unknown tokens came from this network. Try again in {retry_after} s."
            )
            .into(),
            Self::TokenExpired => "The token has expired. Ask for a new one under Agents.".into(),
            Self::TokenRevoked => "The token was revoked. Ask for a new one under Agents.".into(),
            Self::ClientNotBound { .. } => "The grant may not be used with this client.".into(),
            Self::NetworkNotBound => "The grant may not be used from this network.".into(),
            Self::GrantSuspended { reason } => {
                format!("This grant is suspended.{} Whoever suspended it can resume it.", because(reason)).into()
            }
            Self::GrantExpired => "The grant has expired.".into(),
            Self::GrantRevoked { reason } => format!("The grant was revoked.{}", because(reason)).into(),
            Self::PrincipalGone => "The person or account this grant is for is no longer active here.".into(),
            Self::ServerUnknown => "There is no such server for this grant.".into(),
            Self::ServerDisabled { server } => {
                format!("The server {server} is switched off. An admin can switch it on.").into()
            }
            Self::TransportUnserved { server } => {
                format!("The server {server} is of a kind that this endpoint does not serve.").into()
            }
            Self::Malformed { fault, .. } => format!("The message was refused: {fault}.").into(),
            Self::HeaderMismatch(mismatch) => mismatch.to_string().into(),
            Self::BadParams { what } => what.clone().into(),
            Self::TasksUndeclared => {
                "Declare the extension io.modelcontextprotocol/tasks in the client's capabilities.".into()
            }
            Self::HandleUnknown => "The session or task is not known here. Begin a new one.".into(),
            Self::MethodUnserved { .. } => "Method not found".into(),
            Self::ToolUnknown { tool, .. } => format!("Unknown tool: {tool}").into(),
            Self::Unlisted { kind, name } => format!("Unknown {kind}: {name}").into(),
            Self::VersionUnserved { .. } => "Unsupported protocol version".into(),
            Self::ToolChanged { tool } => {
                format!("The definition of {tool} has changed and waits for an admin's review.").into()
            }
            Self::Hidden(denial) if denial.kind == "method" => "Method not found".into(),
            Self::Hidden(denial) => format!("Unknown {}: {}", denial.kind, denial.subject).into(),
            Self::Denied(denial) => denial.sentence().into(),
            Self::Limit(reached) => reached.sentence().into(),
            Self::Approval(waiting) => waiting.sentence().into(),
            Self::Unconnected(unconnected) => unconnected.sentence().into(),
            Self::CredentialMissing { server } => {
                format!("A value that the server {server} asks for cannot be read. Tell an admin.").into()
            }
            Self::RecordAway => "The call could not be put on record, so it was not made. Try again soon.".into(),
            Self::Away => "Calls cannot be judged right now, so none is made. Try again soon.".into(),
        }
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

    /// In how many seconds another try may pass.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Limit(reached) => Some(reached.retry_after),
            _ => None,
        }
    }

    /// With what its text for a model begins.
    pub const fn mark(&self) -> &'static str {
        match self {
            Self::Limit(_) => "[LIMIT]",
            Self::Approval(waiting) => waiting.word.mark(),
            Self::Unconnected(_) => "[CONNECT ACCOUNT]",
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

    /// What was found.
    fn fact(&self) -> Cow<'static, str> {
        match self {
            Self::ToolUnknown { tool, why } => why.fact(tool),
            Self::Hidden(denial) | Self::Denied(denial) => denial.fact().into(),
            Self::Limit(reached) => reached.fact().into(),
            Self::Approval(waiting) => match &waiting.word {
                Word::None => format!("it waits for {}", waiting.approvers).into(),
                Word::Denied { .. } => "a human did not agree".into(),
                // Which, is for the agent and for who may see the approval.
                Word::Otherwise { .. } => "a human agreed to other arguments".into(),
                Word::Over { why } => (*why).into(),
            },
            Self::Unconnected(unconnected) => unconnected.fact().into(),
            Self::ClientNotBound { client: Some(client) } => {
                format!("the client calls itself {client}").into()
            }
            Self::ClientNotBound { client: None } => "the client does not say what it is".into(),
            Self::MethodUnserved { method } => format!("{method} is not passed on for this grant").into(),
            other => other.sentence(),
        }
    }

    /// What would have passed, and who can see to it.
    const fn remedy(&self) -> (&'static str, Fixer) {
        match self {
            Self::GateClosed { .. } => ("the gate is open", Fixer::Admin),
            Self::OrgSuspended => ("the organization is not suspended", Fixer::Operator),
            Self::NoToken | Self::UnknownToken | Self::TooManyUnknown { .. } | Self::ForeignEndpoint => {
                ("a token of a grant of this organization", Fixer::Agent)
            }
            Self::TokenExpired | Self::TokenRevoked => ("a token that is live", Fixer::Person),
            Self::ClientNotBound { .. } => ("a client that the grant names", Fixer::Admin),
            Self::NetworkNotBound => ("a network that the grant names", Fixer::Admin),
            Self::GrantSuspended { .. } => ("the grant is not suspended", Fixer::Admin),
            Self::GrantExpired | Self::GrantRevoked { .. } => ("a grant that is in force", Fixer::Admin),
            Self::PrincipalGone => ("the person or account is active", Fixer::Admin),
            Self::ServerUnknown => ("a server of the grant", Fixer::Admin),
            Self::ServerDisabled { .. } => ("the server is switched on", Fixer::Admin),
            Self::TransportUnserved { .. } => ("a server with a transport over HTTP", Fixer::Admin),
            Self::Malformed { .. } | Self::BadParams { .. } => ("one well-formed message", Fixer::Agent),
            Self::TasksUndeclared => ("a client that declares tasks", Fixer::Agent),
            Self::VersionUnserved { .. } => ("a revision of the protocol that is known here", Fixer::Agent),
            Self::Unlisted { .. } => ("a name from one of the lists", Fixer::Agent),
            Self::HeaderMismatch(_) => ("headers that repeat what the body says", Fixer::Agent),
            Self::HandleUnknown => ("a session or task of this grant on this server", Fixer::Agent),
            Self::MethodUnserved { .. } => {
                ("a method of the protocol, or a ceiling of write or more", Fixer::Admin)
            }
            Self::ToolUnknown { why: Absence::AboveCeiling(..), .. } => {
                ("a class within the grant's ceiling", Fixer::Admin)
            }
            Self::ToolUnknown { why: Absence::Nowhere | Absence::Gone, .. } => {
                ("a tool of the server", Fixer::Agent)
            }
            Self::ToolUnknown { .. } | Self::ToolChanged { .. } => {
                ("a definition that was reviewed", Fixer::Admin)
            }
            Self::Hidden(_) => ("a policy that does not hide it", Fixer::Admin),
            Self::Denied(denial) if denial.part.is_none() => ("a policy in some layer", Fixer::Admin),
            Self::Denied(_) => (Denial::WANTED, Fixer::Admin),
            Self::Limit(_) => ("room in every limit", Fixer::Agent),
            Self::Approval(_) => ("an approval of exactly this call", Fixer::Person),
            Self::Unconnected(unconnected) => ("every secret that the server asks for", unconnected.fixer),
            Self::CredentialMissing { .. } => ("a value that can be read", Fixer::Admin),
            Self::RecordAway | Self::Away => ("a database that answers", Fixer::Operator),
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
    use crate::base::{ids::PolicyId, risk::Class};

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
            name: None,
            words: None,
            wanted: None,
        })
    }

    fn all() -> Vec<Refusal> {
        let tool = || "create_issue".to_owned();
        let absent = |why| Refusal::ToolUnknown { tool: "create_issue".to_owned(), why };
        vec![
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
            absent(Absence::AboveCeiling(Class::Write, Class::Read)),
            Refusal::ToolChanged { tool: tool() },
            Refusal::Unconnected(Box::new(Unconnected {
                server: tool(),
                fixer: Fixer::Person,
                lacks: vec!["It needs x.".to_owned()],
                link: None,
            })),
            Refusal::CredentialMissing { server: tool() },
            Refusal::RecordAway,
            Refusal::Away,
        ]
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
