//! What the record keeps of one tool call: its intent before the first byte leaves, and its outcome.
//!
//! Arguments themselves are not here: their names and a digest are, so that two calls can be compared and an approval
//! bound, and nothing an agent sent can be read out of the record.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    base::{
        ids::{ApprovalId, ConnectionId, EventId, GrantId, GrantTokenId, PolicyId, ServerId},
        risk::Class,
        trace::Trace,
    },
    domain::audit::{chain::Hash, change},
};

/// The facts of one call. Members are declared in canonical order; a test holds them to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallPart {
    /// The approval that it used, or that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// The arguments, without their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<ArgumentsPart>,
    /// What the tool does at worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The software that called, as it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientPart>,
    /// The stable code of a refusal or failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The account whose token it carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// The part of a policy that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<PolicyPart>,
    /// The reviewed definition that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Hash>,
    /// The grant it was made under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The record of what was about to happen, where this is how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<EventId>,
    /// The method of the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What policies that are only observed would have done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<PolicyPart>,
    /// The server it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerId>,
    /// A digest of the protocol's session, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Hash>,
    /// The tool, prompt or resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The carried token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<GrantTokenId>,
    /// Each step of the decision.
    pub trace: Trace,
    /// The caller's own trace, after the W3C's recommendation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// How the exchange with the server went, where this is how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamPart>,
}

/// What a part of a policy does with a call. Members are declared in canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyPart {
    /// `allow`, `ask`, `deny`, `hide` or `limit`.
    pub effect: Cow<'static, str>,
    /// The layer: `org`, `team`, `server` or `grant`.
    pub layer: Cow<'static, str>,
    /// The policy.
    pub policy: PolicyId,
    /// The part of its document, as a JSON pointer (RFC 6901).
    pub rule: String,
    /// The version that was in force.
    pub version: i32,
}

/// The arguments of a call, without their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentsPart {
    /// The SHA-256 of their canonical form.
    pub digest: Hash,
    /// The names at the top, in their order.
    pub keys: Vec<String>,
}

/// The software that called, as it names itself; never trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPart {
    /// Its name.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How the exchange with the server went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamPart {
    /// How long it took, in microseconds.
    pub micros: i64,
    /// Bytes of the answer that were passed on.
    pub received: i64,
    /// Bytes that were sent.
    pub sent: i64,
    /// The status of HTTP; absent where none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl CallPart {
    /// A call of which nothing is known but how far it came.
    pub const fn new(trace: Trace) -> Self {
        Self {
            approval: None,
            arguments: None,
            class: None,
            client: None,
            code: None,
            connection: None,
            decided: None,
            fingerprint: None,
            grant: None,
            intent: None,
            method: None,
            observed: Vec::new(),
            server: None,
            session: None,
            subject: None,
            token: None,
            trace,
            traceparent: None,
            upstream: None,
        }
    }

    /// The same with everything that came from outside cut to what the record takes.
    pub(super) fn plain(mut self) -> Self {
        for text in [&mut self.method, &mut self.subject, &mut self.traceparent].into_iter().flatten() {
            change::make_plain(text);
        }
        if let Some(client) = &mut self.client {
            change::make_plain(&mut client.name);
            client.version.iter_mut().for_each(change::make_plain);
        }
        if let Some(arguments) = &mut self.arguments {
            arguments.keys.truncate(MAX_KEYS);
            arguments.keys.iter_mut().for_each(change::make_plain);
        }
        self
    }
}

/// How many names of arguments a record takes.
const MAX_KEYS: usize = 64;
