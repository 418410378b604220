//! What is said of a call that does not go on: to the agent, in the record, and of who can help.

use std::borrow::Cow;

use crate::{
    base::trace::Fixer,
    flow::{
        decision::{Absence, Denial},
        proxy::{
            approve::Word,
            refusal::{Form, Refusal},
        },
    },
};

impl Refusal {
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
            Self::ForElsewhere { server, provider, resource } => format!(
                "Requests to {server} carry tokens of {provider}, which are for {resource} alone, so nothing was sent. An admin can \
                 name another provider in the server's credentials."
            )
            .into(),
            Self::SessionOfOther { server } => format!(
                "A rule chooses another account for this call than the one with which this session at {server} was opened. Use \
                 the address of all servers, which keeps a session for each account, or a client of the newer protocol."
            )
            .into(),
            Self::RecordAway => "The call could not be put on record, so it was not made. Try again soon.".into(),
            Self::Away => "Calls cannot be judged right now, so none is made. Try again soon.".into(),
        }
    }

    /// What an agent reads of it, but for the address where it is explained.
    pub fn text(&self) -> Cow<'static, str> {
        match self.form() {
            Form::Denied => format!("{} {}", self.mark(), self.sentence()).into(),
            _ => self.sentence(),
        }
    }

    /// What was found.
    pub(super) fn fact(&self) -> Cow<'static, str> {
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
    pub(super) const fn remedy(&self) -> (&'static str, Fixer) {
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
            Self::Denied(denial) if denial.is_beyond => {
                ("arguments small enough for the rules to be judged", Fixer::Agent)
            }
            Self::Denied(_) => (Denial::WANTED, Fixer::Admin),
            Self::Limit(_) => ("room in every limit", Fixer::Agent),
            Self::Approval(_) => ("an approval of exactly this call", Fixer::Person),
            Self::Unconnected(unconnected) => (unconnected.missing.wanted(), unconnected.fixer),
            Self::CredentialMissing { .. } => ("a value that can be read", Fixer::Admin),
            Self::ForElsewhere { .. } => ("a provider whose tokens are for this server", Fixer::Admin),
            Self::SessionOfOther { .. } => ("a session of the account that a rule chooses", Fixer::Agent),
            Self::RecordAway | Self::Away => ("a database that answers", Fixer::Operator),
        }
    }
}
