//! What is recorded of a call, with each step of its decision: the same as the console shows.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    base::{
        ids::{ApprovalId, ConnectionId, EventId, GrantId, GrantTokenId, PolicyId, ServerId},
        risk::Class,
        trace::{Fixer, Step, StepRow, StepState},
    },
    domain::audit::{ArgumentsPart, CallPart, ClientPart, PolicyPart, UpstreamPart},
};

/// A call.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventCall")]
pub(super) struct CallView {
    /// The method of the protocol.
    method: Option<String>,
    server: Option<ServerId>,
    /// The tool, prompt or resource.
    subject: Option<String>,
    /// What the tool does at worst.
    class: Option<Class>,
    /// The stable code of a refusal or failure.
    code: Option<String>,
    grant: Option<GrantId>,
    /// The carried token.
    token: Option<GrantTokenId>,
    client: Option<ClientView>,
    arguments: Option<ArgumentsView>,
    /// The account whose token it carried.
    connection: Option<ConnectionId>,
    /// The approval that it used, or that it waits for.
    approval: Option<ApprovalId>,
    /// The part of a policy that decided.
    decided: Option<PolicyPartView>,
    /// What policies that are only observed would have done.
    observed: Vec<PolicyPartView>,
    /// The digest of the reviewed definition that was called.
    fingerprint: Option<String>,
    /// The event that recorded what was about to happen, where this is how it ended.
    intent: Option<EventId>,
    /// How the exchange with the server went, where this is how it ended.
    upstream: Option<UpstreamView>,
    /// The caller's own trace.
    traceparent: Option<String>,
    /// Each step of the decision, in its order.
    steps: Vec<StepView>,
}

/// The software that called, as it names itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventClient")]
struct ClientView {
    name: String,
    version: Option<String>,
}

/// The arguments of a call, without their values.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventArguments")]
struct ArgumentsView {
    /// The names at the top, in their order.
    names: Vec<String>,
    /// The SHA-256 of their canonical form.
    digest: String,
}

/// What a part of a policy does with a call.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventPolicy")]
struct PolicyPartView {
    policy: PolicyId,
    version: i32,
    /// `org`, `team`, `server` or `grant`.
    layer: String,
    /// The part of its document, as a JSON pointer.
    rule: String,
    /// `allow`, `ask`, `deny`, `hide` or `limit`.
    effect: String,
}

/// How an exchange with a server went.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventUpstream")]
struct UpstreamView {
    /// The status of HTTP; null where none came.
    status: Option<u16>,
    /// How long it took, in microseconds.
    micros: i64,
    sent: i64,
    received: i64,
}

/// One step of a decision.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventStep")]
struct StepView {
    step: Step,
    state: StepState,
    /// What was found, where it did not pass.
    actual: Option<String>,
    /// What would have passed.
    expected: Option<String>,
    /// Who can change it.
    fixer: Option<Fixer>,
}

impl From<CallPart> for CallView {
    fn from(call: CallPart) -> Self {
        Self {
            steps: call.trace.rows().map(StepView::from).collect(),
            method: call.method,
            server: call.server,
            subject: call.subject,
            class: call.class,
            code: call.code,
            grant: call.grant,
            token: call.token,
            client: call.client.map(ClientView::from),
            arguments: call.arguments.map(ArgumentsView::from),
            connection: call.connection,
            approval: call.approval,
            decided: call.decided.map(PolicyPartView::from),
            observed: call.observed.into_iter().map(PolicyPartView::from).collect(),
            fingerprint: call.fingerprint.map(|fingerprint| fingerprint.to_string()),
            intent: call.intent,
            upstream: call.upstream.map(UpstreamView::from),
            traceparent: call.traceparent,
        }
    }
}

impl From<ClientPart> for ClientView {
    fn from(client: ClientPart) -> Self {
        Self { name: client.name, version: client.version }
    }
}

impl From<ArgumentsPart> for ArgumentsView {
    fn from(arguments: ArgumentsPart) -> Self {
        Self { digest: arguments.digest.to_string(), names: arguments.keys }
    }
}

impl From<PolicyPart> for PolicyPartView {
    fn from(part: PolicyPart) -> Self {
        Self {
            policy: part.policy,
            version: part.version,
            layer: part.layer.into_owned(),
            rule: part.rule,
            effect: part.effect.into_owned(),
        }
    }
}

impl From<UpstreamPart> for UpstreamView {
    fn from(upstream: UpstreamPart) -> Self {
        let UpstreamPart { micros, received, sent, status } = upstream;
        Self { status, micros, sent, received }
    }
}

impl From<StepRow<'_>> for StepView {
    fn from(row: StepRow<'_>) -> Self {
        Self {
            step: row.step,
            state: row.state,
            actual: row.finding.map(|finding| finding.actual.clone().into_owned()),
            expected: row.finding.map(|finding| finding.expected.clone().into_owned()),
            fixer: row.finding.map(|finding| finding.fixer),
        }
    }
}
